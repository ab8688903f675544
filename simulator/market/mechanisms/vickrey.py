"""The second-price auction among all providers, every UAV for itself."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.market.contracts import Award, Information, Lot
from simulator.market.mechanisms.first_price import check_reserve
from simulator.market.mechanisms.sealed_bid import Offer, SealedBid


@dataclass
class Vickrey(SealedBid):
    """The second-price auction: the highest score wins and pays the least bid with which it would have won.

    Source: Vickrey, "Counterspeculation, auctions, and competitive sealed tenders", Journal of Finance 16(1), 1961.

    Attributes:
        reserve: lowest score at which the task is sold.
    """

    reserve: float = 0.0

    def __post_init__(self) -> None:
        check_reserve(self.reserve)

    def claims(self, information: Information) -> frozenset[str]:
        """Return what a second price has; a UAV that does not know its value is truthful only in expectation."""
        return frozenset({"truthful", "individually rational", "anonymous", "budget balance", "false-name-proof"})

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        """Return the award of the best offer, at the second score in the winner's own money."""
        best = offers[0]
        if best.score < self.reserve:
            return Award(lot, None)
        second = max(offers[1].score if len(offers) > 1 else 0.0, self.reserve)
        return Award(lot, best.provider, second / self.platform.weights[best.provider])
