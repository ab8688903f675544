"""The near-optimal rule that looks at public market conditions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Observation
from simulator.model.mechanism import scaling_factor

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


@dataclass
class Conditional:
    """``rho(m) = max(1, zeta E[v_0 | m] / E[b_(2) | m])``, from predicted seconds and audited match values.

    A provider's expected value is its match value over its predicted seconds; the demand, common to both, cancels:
    ``rho = max(1, zeta k tau_(2) / tau_0)`` with k the running ratio of audited match values, the UAV's over
    that of all stations. In `paper` this is ``max(1, zeta E[M_0|m] / E[M_(2)|m])``.

    Attributes:
        toll: share by which the UAV's value is marked down, for the queue that a task leaves behind it.
    """

    toll: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.toll, int | float) or not 0.0 <= self.toll < 1.0:
            raise ValueError(f"toll must be at least 0 and below 1, not {self.toll!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take zeta from the scenario."""
        self._weight = scenario.market.uav_weight * (1.0 - self.toll)

    def price(self, observation: Observation) -> float:
        """The ratio of the two expected values, at least 1."""
        uav = observation["uav_match"] / observation["uav_seconds"]
        second = observation["ground_match"] / observation["second_seconds"]
        return scaling_factor(self._weight * uav, second)
