"""The second-price auction among the stations and the UAV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.market.contracts import UAV, UavBid
from simulator.model.mechanism import station_wins


@dataclass
class SecondPrice:
    """The second-price auction.

    The highest bid wins and pays the second-highest bid. The UAV's bid counts like a ground bid. rho plays no part.
    If a station ties with the UAV, the UAV wins. If two stations tie, the first of them wins and pays its own bid.

    Attributes:
        uav_bid: which bid stands for the UAV.
    """

    uav_bid: UavBid = "reported"

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """Return the position of the winner in ``bids`` or `UAV`, and its payment.

        Args:
            bids: two or more ground bids in descending order.
            uav_bid: bid of the UAV times zeta.
            rho: price scaling factor, which is not used.
        """
        return (0, max(bids[1], uav_bid)) if station_wins(bids[0], uav_bid) else (UAV, bids[0])
