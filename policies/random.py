"""A price scaling factor drawn uniformly from the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Observation

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


class Random:
    """Uniform over the |A| actions."""

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the grid from the scenario."""
        self._grid = scenario.market.prices()
        self._rng = rng

    def price(self, observation: Observation) -> float:
        """One of the grid's factors, whatever the observation."""
        rho: float = self._grid[self._rng.integers(len(self._grid))]
        return rho
