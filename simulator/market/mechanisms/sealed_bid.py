"""The form of auctions that ask once: everybody bids, then one rule says who wins and what is paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.market.contracts import Ask, Award, Lot, Mechanism

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


class Offer(NamedTuple):
    """One bid.

    Attributes:
        provider: id of the provider.
        bid: its bid, in its own money.
        score: the bid times the weight of the provider in the surplus: zeta for a UAV, 1 for a station.
    """

    provider: int
    bid: float
    score: float


@dataclass
class SealedBid(Mechanism):
    """Base of mechanisms that ask every invited provider for one bid.

    A subclass has one method, ``award(lot, offers)``. `platform` is what the mechanism may know, after `reset`.
    """

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask once for bids for all lots, and award each lot by itself."""
        bids = yield Ask("bid", lots)
        offers = [(lot, self._offers(lot, bids)) for lot in lots]
        return [self.award(lot, made) if made else Award(lot, None) for lot, made in offers]

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        """Return who wins a lot and what is paid.

        Args:
            lot: the lot.
            offers: one or more offers by descending score; among equal scores the lower id goes first.
        """
        raise NotImplementedError

    def _offers(self, lot: Lot, bids: dict[tuple[int, int], float]) -> list[Offer]:
        weights = self.platform.weights
        offers = [
            Offer(one, bids[lot.task, one], weights[one] * bids[lot.task, one])
            for one in lot.invited
            if (lot.task, one) in bids
        ]
        return sorted(offers, key=lambda offer: (-offer.score, offer.provider))
