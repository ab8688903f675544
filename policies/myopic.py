"""Myopic MSB: scale the second bid up to the UAV's bid of this round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from simulator.market.contracts import UAV, Information, Observation, UavBid
from simulator.model.mechanism import scaling_factor, station_wins

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


U0 = Literal["contract", "reported", "highest"]
"""Whose bid is u_0: the UAV's by (13), the UAV's own, or the highest of all."""


@dataclass
class MyopicAuction:
    """MSB with the threshold ``max(u_0, b_(2))`` itself: the quotient times ``b_(2)`` would round.

    Attributes:
        uav_bid: which bid stands for the UAV.
        highest: u_0 is the highest of all bids and not the UAV's.
    """

    uav_bid: UavBid = "contract"
    highest: bool = False

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """The winner's position in ``bids`` or `UAV`, and its payment."""
        threshold = max(uav_bid, bids[0 if self.highest else 1])
        return (0, threshold) if station_wins(bids[0], threshold) else (UAV, uav_bid)


@dataclass
class Myopic:
    """``rho = max(1, zeta b_0 / b_(2))`` with the bids of this round.

    Attributes:
        uav_bid: which bid is ``b_0``: `contract`, that of (13), `reported`, the UAV's own last one, or `highest`, the
            highest of all as the paper's words have it, above which no station can be: the UAV gets every task.
    """

    uav_bid: U0 = "contract"

    def __post_init__(self) -> None:
        if self.uav_bid not in get_args(U0):
            raise ValueError(f"uav_bid must be 'contract', 'reported' or 'highest', not {self.uav_bid!r}")
        highest = self.uav_bid == "highest"
        self.information: Information = "all-bids" if highest else "masked"
        self.mechanism = MyopicAuction("contract" if self.uav_bid == "contract" else "reported", highest)
        self._weight = 1.0

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take zeta from the scenario."""
        self._weight = scenario.market.uav_weight

    def price(self, observation: Observation) -> float:
        """The factor that brings the second bid to the UAV's, at least 1."""
        bid = observation.contract_bid if self.uav_bid == "contract" else observation.uav_bid
        if self.uav_bid == "highest":
            return scaling_factor(max(self._weight * bid, observation.bids[0]), observation.bids[1])
        return scaling_factor(self._weight * bid, observation.bids[0])
