"""The built-in mechanisms: the Modified Second-Bid auction and the second-price auction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from simulator.market.contracts import UAV, UavBid
from simulator.model.mechanism import critical_payment, station_wins

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario


@dataclass
class ModifiedSecondBid:
    """The paper's auction, (14) and (15): the top station wins above ``rho b_(2)`` and pays it, else the UAV.

    Attributes:
        uav_bid: which bid stands for the UAV; it pays it when it wins.
        reference: over whom the max in (14) runs: `stations`, or literally `all` other providers.
    """

    uav_bid: UavBid = "contract"
    reference: Literal["stations", "all"] = "stations"

    def reset(self, scenario: Scenario) -> None:
        """Take the reference from the scenario's market."""
        self.reference = scenario.market.reference

    def scaled_bid(self, bids: Sequence[float], uav_bid: float) -> float:
        """The bid that rho scales: the max of (14)."""
        return bids[1] if self.reference == "stations" else max(bids[1], uav_bid)

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """The winner's position in ``bids`` or `UAV`, and its payment."""
        threshold = critical_payment(self.scaled_bid(bids, uav_bid), rho)
        return (0, threshold) if station_wins(bids[0], threshold) else (UAV, uav_bid)
