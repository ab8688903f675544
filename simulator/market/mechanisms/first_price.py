"""The first-price auction among all providers."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.market.contracts import Award, Information, Lot
from simulator.market.mechanisms.sealed_bid import Offer, SealedBid


@dataclass
class FirstPrice(SealedBid):
    """The first-price auction: the highest score wins and pays its own bid.

    Attributes:
        reserve: lowest score at which the task is sold.
    """

    reserve: float = 0.0

    def __post_init__(self) -> None:
        check_reserve(self.reserve)

    def claims(self, information: Information) -> frozenset[str]:
        """Return what a first price has: nobody pays more than its bid, and a second identity wins nothing."""
        return frozenset({"individually rational", "budget balance", "false-name-proof"})

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        """Return the award of the best offer."""
        best = offers[0]
        if best.score < self.reserve:
            return Award(lot, None)
        return Award(lot, best.provider, best.bid)


def check_reserve(reserve: object) -> None:
    """Refuse a reserve that is not a number >= 0.

    Raises:
        ValueError: it is not.
    """
    if isinstance(reserve, bool) or not isinstance(reserve, int | float) or not 0.0 <= reserve < float("inf"):
        raise ValueError(f"reserve must be a finite number >= 0, not {reserve!r}")
