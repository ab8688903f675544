"""The Modified Second-Bid auction."""

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
    """The paper's auction, equations (14) and (15).

    The top station wins if ``b_(1) > rho b_(2)``, and then pays ``rho b_(2)``. Otherwise the UAV wins and pays the bid
    that stands for it.

    Attributes:
        uav_bid: which bid stands for the UAV.
        reference: providers over which the max in (14) runs: `stations`, or `all` as in the paper's text.
    """

    uav_bid: UavBid = "contract"
    reference: Literal["stations", "all"] = "stations"

    def reset(self, scenario: Scenario) -> None:
        """Set the reference to that of the scenario."""
        self.reference = scenario.market.reference

    def scaled_bid(self, bids: Sequence[float], uav_bid: float) -> float:
        """Return the bid that rho scales, the max of (14).

        Args:
            bids: ground bids in descending order.
            uav_bid: bid of the UAV times zeta.
        """
        # With the UAV's bid inside the max, the auction is not free of adverse selection: unlike ground bids, the
        # UAV's bid does not scale with the common value. So "stations" is the default.
        return bids[1] if self.reference == "stations" else max(bids[1], uav_bid)

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """Return the position of the winner in ``bids`` or `UAV`, and its payment.

        Args:
            bids: two or more ground bids in descending order.
            uav_bid: bid of the UAV times zeta.
            rho: price scaling factor.
        """
        threshold = critical_payment(self.scaled_bid(bids, uav_bid), rho)
        return (0, threshold) if station_wins(bids[0], threshold) else (UAV, uav_bid)
