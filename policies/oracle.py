"""The oracle: each task goes to the provider with the highest true value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.market.contracts import Information, Observation

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


@dataclass
class Oracle:
    """Clairvoyant price: 1 if the top station's true value exceeds the weighted value of the UAV, else ``inf``.

    Attributes:
        toll: share by which the UAV's value is reduced: the price of the queue that a task leaves behind.
    """

    toll: float = 0.0
    information: ClassVar[Information] = "clairvoyant"

    def __post_init__(self) -> None:
        if not isinstance(self.toll, int | float) or not 0.0 <= self.toll < 1.0:
            raise ValueError(f"toll must be at least 0 and below 1, not {self.toll!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the weight zeta from the scenario."""
        self._weight = scenario.market.uav_weight * (1.0 - self.toll)

    def price(self, observation: Observation) -> float:
        """Return 1 or ``inf``.

        Raises:
            ValueError: the observation does not contain the true values.
        """
        truth = observation.truth
        if truth is None:
            raise ValueError("the oracle needs market.information = clairvoyant")
        # With rho = 1 the top station wins, with rho = inf the UAV. No bid enters the price, so no bid can change it.
        return 1.0 if truth.top_value > self._weight * truth.uav_value else math.inf
