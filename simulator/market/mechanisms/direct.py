"""No auction: a policy names the provider, and nobody pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Award, Choice, Column, Decide, Information, Lot, Mechanism, Seat
from simulator.model import FloatArray

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform

STATE = (
    Column(
        "predicted_s",
        "float",
        "s",
        "predicted latency of a task of the reference size at each provider, backlog included; NaN if not invited",
        per_provider=True,
    ),
    Column(
        "backlog_s",
        "float",
        "s",
        "time until each provider has served what it has accepted; NaN if not invited",
        per_provider=True,
    ),
    Column(
        "distance_m",
        "float",
        "m",
        "distance of each provider on the ground; NaN where nothing has a place",
        per_provider=True,
    ),
)


@dataclass
class Direct(Mechanism):
    """The policy in the seat `controller` chooses one of the invited providers. No bids, no payments."""

    def __post_init__(self) -> None:
        self.platform: Platform | None = None
        self.policy = "nearest"

    # A property: the number of providers is known in a run only, and an audit lets one provider have two identities.
    @property
    def seats(self) -> dict[str, Seat]:  # type: ignore[override]
        """The seat of the policy, with one choice per provider."""
        return {"controller": Seat(Choice(1 if self.platform is None else self.platform.size), STATE)}

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds where nobody bids and nobody pays."""
        return frozenset({"truthful", "individually rational", "budget balance", "false-name-proof"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Let the policy choose for each lot."""
        platform, awards = self.platform, []
        assert platform is not None
        for lot in lots:
            invited = set(lot.invited)
            mask = [provider in invited for provider in range(platform.size)]
            choice = yield Decide("controller", (lot,), _state(platform, lot), mask)
            awards.append(Award(lot, choice))
        return awards


def _state(platform: Platform, lot: Lot) -> dict[str, FloatArray]:
    """Return what the policy sees of a lot: one number per provider in each column of `STATE`."""
    places = platform.places
    if places is None or lot.place is None:
        distance = np.full(platform.size, math.nan)
    else:
        distance = np.array([math.dist(place, lot.place) for place in places])
    predicted, backlog = np.full((2, platform.size), math.nan)
    for one in lot.invited:
        predicted[one], backlog[one] = lot.predicted_s[one], max(lot.free_at[one] - lot.now, 0.0)
    return {"predicted_s": predicted, "backlog_s": backlog, "distance_m": distance}
