"""Optimal MSB: the price is a ratio of means over past rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from simulator.market.contracts import MARKET_INDEX, Information, Observation, Outcome
from simulator.model.mechanism import scaling_factor

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario

UAV_REPORT = MARKET_INDEX["uav_report"]


@dataclass
class Optimal:
    """Ratio of means over past rounds: ``rho = max(1, zeta E[v_0] / E[b_(2)])``.

    The paper takes both from "historical statistical information". For ``v_0`` that is the mean audited worth of the
    UAV's tasks, which the platform publishes. A mean over the rounds that the UAV won under this policy would depend on
    the policy's own prices: a price that starts too low would seldom let the UAV win, and so never be corrected.

    Attributes:
        u_0: amount in the numerator: the `audited` worth of the UAV, or the `highest` bid as the paper says.
    """

    u_0: Literal["audited", "highest"] = "audited"

    def __post_init__(self) -> None:
        if self.u_0 not in ("audited", "highest"):
            raise ValueError(f"u_0 must be 'audited' or 'highest', not {self.u_0!r}")
        self.information: Information = "masked" if self.u_0 == "audited" else "all-bids"

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget all rounds and take the weight zeta from the scenario."""
        self._weight = scenario.market.uav_weight
        self._rounds = 0
        self._second_sum = self._u_0_sum = 0.0

    def price(self, observation: Observation) -> float:
        """Return the ratio of the two means, at least 1; infinite before the first round, so that the UAV wins it."""
        if not self._rounds:
            return math.inf
        return scaling_factor(self._u_0_sum / self._rounds, self._second_sum / self._rounds)

    def feedback(self, outcome: Outcome) -> None:
        """Add u_0 and the second-highest bid of a round to the means."""
        self._rounds += 1
        # With the information "masked" the highest bid is left out, so bids[0] is b_(2).
        self._second_sum += outcome.bids[0 if self.u_0 == "audited" else 1]
        if self.u_0 == "audited":
            self._u_0_sum += self._weight * outcome.observation.market[UAV_REPORT]
        else:
            self._u_0_sum += max(self._weight * outcome.observation.uav_bid, outcome.bids[0])
