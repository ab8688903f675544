"""The second-score auction: bids and promised quality together decide, and the second score sets the payment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Ask, Award, Bids, Column, Information, Lot, Mechanism, Quote

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


@dataclass
class SecondScore(Mechanism):
    """The second-score auction among all providers.

    A provider promises a latency T and an accuracy R, which can be verified, and bids b. Its score is ``s = b + g(q)``
    with ``g = weight * omega_1 / T * omega_2 / (1 - R)^beta`` times the timeliness: what the result is worth to a user
    of mean demand, beyond what it is worth to the provider. The highest score wins and pays what makes its score equal
    to the second, ``max(0, s_(2) - g)``.

    Source: the physical submarket of EPViSA (arXiv 2211.06838), of which the abstract was read; g is ours.

    Attributes:
        weight: weight of the quality; 0 is the second-price auction without zeta.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not number or not 0.0 <= self.weight <= 1e6:
            raise ValueError(f"weight must be a number from 0 to 1e6, not {self.weight!r}")
        self.columns = (
            Column("score", "float", "", "score of the winner; NaN if nobody won"),
            Column("quality", "float", "", "weighted quality g of the winner's promise; NaN if nobody won"),
        )

    def claims(self, information: Information) -> frozenset[str]:
        """Return what a second score has: the payment does not depend on the winner's bid."""
        return frozenset({"truthful", "individually rational", "budget balance", "false-name-proof"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for promises and bids, and sell each lot by itself."""
        bids = yield Ask("bid", lots)
        quotes = yield Ask("quote", lots)
        return [self._award(lot, bids, quotes) for lot in lots]

    def _award(self, lot: Lot, bids: Bids, quotes: dict[tuple[int, int], Quote]) -> Award:
        scores = []
        for one in lot.invited:
            key = lot.task, one
            if key in bids and key in quotes:
                quote = quotes[key]
                worth = self.platform.quality(quote.latency_s, quote.accuracy, lot.limit_s, lot.grace_s)
                quality = self.weight * worth
                scores.append((-bids[key] - quality, one, quality))
        if not scores:
            return Award(lot, None)
        # Among equal scores the lower id goes first.
        scores.sort()
        score, winner, quality = scores[0]
        second = -scores[1][0] if len(scores) > 1 else -math.inf
        columns = {"score": -score, "quality": quality}
        return Award(lot, winner, min(max(0.0, second - quality), bids[lot.task, winner]), columns=columns)
