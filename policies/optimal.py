"""Optimal MSB: scale by the ratio of means over past rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.model.mechanism import scaling_factor
from simulator.pricing import Information, Observation, Outcome

if TYPE_CHECKING:
    from simulator.scenario import Scenario


@dataclass
class Optimal:
    """``rho = max(1, zeta E[v_0] / E[b_(2)])``; v_0 is seen in the rounds that the UAV wins.

    Attributes:
        explore: the UAV gets this many priced tasks first, so that both means exist before the ratio is used.
    """

    explore: int = 100
    information: ClassVar[Information] = "masked"

    def __post_init__(self) -> None:
        if not isinstance(self.explore, int) or self.explore < 1:
            raise ValueError(f"explore must be a whole number >= 1, not {self.explore!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget the past and take zeta from the scenario."""
        self._weight = scenario.market.uav_weight
        self._rounds = self._uav_rounds = 0
        self._second_sum = self._uav_sum = 0.0

    def price(self, observation: Observation) -> float:
        """The ratio of the two running means, at least 1."""
        if self._uav_rounds < self.explore:
            return math.inf
        uav_mean = self._uav_sum / self._uav_rounds
        return scaling_factor(self._weight * uav_mean, self._second_sum / self._rounds)

    def feedback(self, outcome: Outcome) -> None:
        """Take in the second bid, and the UAV's value where it won."""
        self._rounds += 1
        self._second_sum += outcome.bids[0]
        if outcome.uav_value is not None:
            self._uav_rounds += 1
            self._uav_sum += outcome.uav_value
