"""A random price, number or choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Choice, Numbers, Observation

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


class Random:
    """A price scaling factor drawn uniformly from the |A| values of the grid, or what the space of another seat has."""

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the price grid from the scenario, and the random generator."""
        self._grid = scenario.market.prices()
        self._rng = rng

    def price(self, observation: Observation) -> float:
        """Return one of the prices of the grid, whatever the observation is."""
        rho: float = self._grid[self._rng.integers(len(self._grid))]
        return rho

    def act(self, observation: Observation, space: Choice) -> int:
        """Return one of the choices that are allowed, whatever else the observation is."""
        allowed = [one for one in range(space.n) if observation.mask is None or observation.mask[one]]
        return allowed[self._rng.integers(len(allowed))]

    def number(self, observation: Observation, space: Numbers) -> float:
        """Return one of the numbers of the seat's grid, whatever the observation is."""
        return space.grid[self._rng.integers(len(space.grid))]
