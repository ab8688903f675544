"""The second-price auction with the UAV's bid in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.market.contracts import UAV, UavBid
from simulator.model.mechanism import station_wins


@dataclass
class SecondPrice:
    """The highest bid wins, the UAV's included, and pays the second-highest; rho plays no part.

    A tie with the UAV goes to the UAV; the first of two stations that tie has the task at its own bid.

    Attributes:
        uav_bid: which bid stands for the UAV.
    """

    uav_bid: UavBid = "reported"

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """The winner's position in ``bids`` or `UAV`, and its payment."""
        return (0, max(bids[1], uav_bid)) if station_wins(bids[0], uav_bid) else (UAV, bids[0])
