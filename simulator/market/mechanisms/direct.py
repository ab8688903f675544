"""No auction: a policy names the provider, and nobody pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Award, Choice, Column, Decide, Information, Lot, Mechanism, Seat

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform

STATE = (
    Column(
        "predicted_s",
        "float",
        "s",
        "predicted latency of a task of 30 MB at each provider, backlog included",
        per_provider=True,
    ),
    Column("backlog_s", "float", "s", "time until each provider has served what it has accepted", per_provider=True),
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

    # The number of providers is known in a run only: `reset` puts it in.
    seats = {"controller": Seat(Choice(1), STATE)}  # noqa: RUF012

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds where nobody bids and nobody pays."""
        return frozenset({"truthful", "individually rational", "budget balance", "false-name-proof"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform; there is one choice per provider."""
        self.platform = platform
        self.seats = {"controller": Seat(Choice(platform.size), STATE)}

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Let the policy choose for each lot."""
        awards = []
        for lot in lots:
            invited = set(lot.invited)
            mask = [provider in invited for provider in range(self.platform.size)]
            choice = yield Decide("controller", (lot,), self._state(lot), mask)
            awards.append(Award(lot, choice))
        return awards

    def _state(self, lot: Lot) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        places = self.platform.places
        if places is None or lot.place is None:
            distance = np.full(self.platform.size, math.nan)
        else:
            distance = np.array([math.dist(place, lot.place) for place in places])
        return {
            "predicted_s": lot.predicted_s,
            "backlog_s": np.maximum(lot.free_at - lot.now, 0.0),
            "distance_m": distance,
        }
