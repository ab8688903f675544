"""Myopic MSB: the price that scales the second-highest bid up to the UAV's bid in the same round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from simulator.market.contracts import Information, Observation
from simulator.model.mechanism import scaling_factor

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


U0 = Literal["contract", "reported", "highest"]
"""The bid u_0: the UAV's contract bid of (13), the UAV's own bid, or the highest of all bids."""


@dataclass
class Myopic:
    """Ratio of two bids of the same round: ``rho = max(1, zeta b_0 / b_(2))``.

    Attributes:
        uav_bid: the bid ``b_0``. `contract` is the contract bid of (13). `reported` is the last bid of the UAV itself.
            `highest` is the highest of all bids, as the paper says. No station exceeds it, so the UAV then wins every
            task.
    """

    uav_bid: U0 = "contract"

    def __post_init__(self) -> None:
        if self.uav_bid not in get_args(U0):
            raise ValueError(f"uav_bid must be 'contract', 'reported' or 'highest', not {self.uav_bid!r}")
        highest = self.uav_bid == "highest"
        self.information: Information = "all-bids" if highest else "masked"
        kind = "contract" if self.uav_bid == "contract" else "reported"
        self.mechanism = f"myopic-msb:uav_bid={kind}:highest={str(highest).lower()}"
        self._weight = 1.0

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the weight zeta from the scenario."""
        self._weight = scenario.market.uav_weight

    def price(self, observation: Observation) -> float:
        """Return the factor from the second-highest bid to u_0, at least 1."""
        # With the information "masked" the highest bid is left out, so bids[0] is b_(2).
        bid = observation.contract_bid if self.uav_bid == "contract" else observation.uav_bid
        if self.uav_bid == "highest":
            return scaling_factor(max(self._weight * bid, observation.bids[0]), observation.bids[1])
        return scaling_factor(self._weight * bid, observation.bids[0])
