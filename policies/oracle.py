"""The clairvoyant: gives each task to whoever values it most."""

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
    """rho = 1 where the top station's true value exceeds the UAV's weighted one, else ``inf``: no bid could move it.

    Attributes:
        toll: share by which the UAV's value is marked down, for the queue that a task leaves behind it.
    """

    toll: float = 0.0
    information: ClassVar[Information] = "clairvoyant"

    def __post_init__(self) -> None:
        if not isinstance(self.toll, int | float) or not 0.0 <= self.toll < 1.0:
            raise ValueError(f"toll must be at least 0 and below 1, not {self.toll!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take zeta from the scenario."""
        self._weight = scenario.market.uav_weight * (1.0 - self.toll)

    def price(self, observation: Observation) -> float:
        """1 or ``inf``."""
        truth = observation.truth
        if truth is None:
            raise ValueError("the oracle needs market.information = clairvoyant")
        return 1.0 if truth.top_value > self._weight * truth.uav_value else math.inf
