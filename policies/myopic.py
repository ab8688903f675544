"""Myopic MSB: scale the second bid up to the UAV's bid of this round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.model.mechanism import scaling_factor, station_wins
from simulator.pricing import UAV, Information, Observation, UavBid

if TYPE_CHECKING:
    from simulator.scenario import Scenario


@dataclass
class MyopicAuction:
    """MSB with the threshold ``max(zeta b_0, b_(2))`` itself: the quotient times ``b_(2)`` would round.

    Attributes:
        uav_bid: which bid stands for the UAV.
    """

    uav_bid: UavBid = "contract"

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """The winner's position in ``bids`` or `UAV`, and its payment."""
        threshold = max(uav_bid, bids[1])
        return (0, threshold) if station_wins(bids[0], threshold) else (UAV, uav_bid)


@dataclass
class Myopic:
    """``rho = max(1, zeta b_0 / b_(2))`` with the bids of this round.

    Attributes:
        uav_bid: which bid is ``b_0``: `contract`, that of (13), or `reported`, the UAV's own last one.
    """

    uav_bid: UavBid = "contract"
    information: ClassVar[Information] = "masked"

    def __post_init__(self) -> None:
        if self.uav_bid not in ("reported", "contract"):
            raise ValueError(f"uav_bid must be 'reported' or 'contract', not {self.uav_bid!r}")
        self.mechanism = MyopicAuction(self.uav_bid)
        self._weight = 1.0

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take zeta from the scenario."""
        self._weight = scenario.market.uav_weight

    def price(self, observation: Observation) -> float:
        """The factor that brings the second bid to the UAV's, at least 1."""
        bid = observation.contract_bid if self.uav_bid == "contract" else observation.uav_bid
        return scaling_factor(self._weight * bid, observation.bids[0])
