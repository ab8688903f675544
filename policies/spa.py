"""The second-price auction with the UAV's own bid in it."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.market.contracts import Observation, UavBid


@dataclass
class SecondPriceAuction:
    """Declares the second-price mechanism; its rho plays no part.

    Attributes:
        uav_bid: which bid stands for the UAV, `reported` (its own last one) or `contract`.
    """

    uav_bid: UavBid = "reported"

    def __post_init__(self) -> None:
        if self.uav_bid not in ("reported", "contract"):
            raise ValueError(f"uav_bid must be 'reported' or 'contract', not {self.uav_bid!r}")
        self.mechanism = f"second-price:uav_bid={self.uav_bid}"

    def price(self, observation: Observation) -> float:
        """1: the second-price auction does not scale."""
        return 1.0
