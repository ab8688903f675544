"""Optimal MSB: the price is a ratio of means over past rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from simulator.market.contracts import Information, Observation, Outcome
from simulator.model.mechanism import scaling_factor

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


@dataclass
class Optimal:
    """Ratio of means over past rounds: ``rho = max(1, zeta E[v_0] / E[b_(2)])``.

    The value ``v_0`` is observed only in the rounds that the UAV wins.

    Attributes:
        explore: number of first rounds that the UAV wins, so that both means exist before the ratio is used.
        u_0: amount in the numerator: the true value of the `uav`, or the `highest` bid as the paper says.
    """

    explore: int = 100
    u_0: Literal["uav", "highest"] = "uav"

    def __post_init__(self) -> None:
        if self.u_0 not in ("uav", "highest"):
            raise ValueError(f"u_0 must be 'uav' or 'highest', not {self.u_0!r}")
        self.information: Information = "masked" if self.u_0 == "uav" else "all-bids"
        if not isinstance(self.explore, int) or self.explore < 1:
            raise ValueError(f"explore must be a whole number >= 1, not {self.explore!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget all rounds and take the weight zeta from the scenario."""
        self._weight = scenario.market.uav_weight
        self._rounds = self._u_0_rounds = 0
        self._second_sum = self._u_0_sum = 0.0

    def price(self, observation: Observation) -> float:
        """Return the ratio of the two running means, at least 1."""
        # An infinite price lets the UAV win, and only a UAV that wins shows its value.
        if self._u_0_rounds < self.explore:
            return math.inf
        return scaling_factor(self._u_0_sum / self._u_0_rounds, self._second_sum / self._rounds)

    def feedback(self, outcome: Outcome) -> None:
        """Add the second-highest bid of a round, and u_0 if it was observed, to the running means."""
        self._rounds += 1
        # With the information "masked" the highest bid is left out, so bids[0] is b_(2).
        self._second_sum += outcome.bids[0 if self.u_0 == "uav" else 1]
        if self.u_0 == "highest":
            self._u_0_rounds += 1
            self._u_0_sum += max(self._weight * outcome.observation.uav_bid, outcome.bids[0])
        elif outcome.uav_value is not None:
            self._u_0_rounds += 1
            self._u_0_sum += self._weight * outcome.uav_value
