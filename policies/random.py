"""A random price or number from a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Numbers, Observation

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


class Random:
    """A price scaling factor drawn uniformly from the |A| values of the grid, or a number from the grid of a seat."""

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the price grid from the scenario, and the random generator."""
        self._grid = scenario.market.prices()
        self._rng = rng

    def price(self, observation: Observation) -> float:
        """Return one of the prices of the grid, whatever the observation is."""
        rho: float = self._grid[self._rng.integers(len(self._grid))]
        return rho

    def number(self, observation: Observation, space: Numbers) -> float:
        """Return one of the numbers of the seat's grid, whatever the observation is."""
        return space.grid[self._rng.integers(len(space.grid))]
