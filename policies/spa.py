"""The second-price auction with a bid of the UAV among the bids."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.market.contracts import UavBid


@dataclass
class SecondPriceAuction:
    """Second-price auction with the UAV among the bidders; it does not use a price scaling factor.

    Attributes:
        uav_bid: the bid that stands for the UAV: `reported`, its own last bid, or `contract`, the contract bid of (13).
    """

    uav_bid: UavBid = "reported"

    def __post_init__(self) -> None:
        if self.uav_bid not in ("reported", "contract"):
            raise ValueError(f"uav_bid must be 'reported' or 'contract', not {self.uav_bid!r}")
        self.mechanism = f"second-price:uav_bid={self.uav_bid}"
