"""One verdict of an audit, and the measure of a gain."""

from __future__ import annotations

import math
from typing import NamedTuple

CLAIMABLE = frozenset(
    {
        "truthful",
        "no regret",
        "no constant multiplier pays",
        "truthful without a decision",
        "false-name-proof",
        "anonymous",
        "individually rational",
        "budget balance",
        "no UAV misreport pays",
        "no UAV loses",
        "nobody gains",
        "nobody loses",
        "free of adverse selection",
    }
)
"""Names of the findings that a mechanism can claim."""


class Finding(NamedTuple):
    """Verdict on one property of an auction.

    Attributes:
        property: name of the property.
        verdict: `holds` or `fails`; `untested` if there were too few rounds; `measured` for a figure without a verdict.
        claimed: whether the mechanism claims it.
        number: figure on which the verdict rests.
        meaning: what the figure is.
        example: a round in which the property fails, in words; empty if there is none.
    """

    property: str
    verdict: str
    claimed: bool
    number: float
    meaning: str
    example: str = ""


def gain_over(gain: float, truthful: float) -> float:
    """Return a gain divided by what the truth earns; infinity for a gain over nothing.

    Args:
        gain: what is gained.
        truthful: what the truth earns.
    """
    return gain / truthful if truthful > 0.0 else math.inf if gain > 0.0 else 0.0
