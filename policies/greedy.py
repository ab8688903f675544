"""Epsilon-greedy on the mean surplus of each action, blind to the state."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Observation, Outcome

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


@dataclass
class Greedy:
    """Mostly the action with the highest mean surplus so far; with probability epsilon any action.

    Attributes:
        epsilon: exploration probability at the start.
        decay: factor on epsilon a round.
        floor: epsilon never falls below it.
    """

    epsilon: float = 1.0
    decay: float = 0.999
    floor: float = 0.01

    def __post_init__(self) -> None:
        for name in ("epsilon", "decay", "floor"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget everything and take the grid from the scenario."""
        self._grid = scenario.market.prices()
        self._sums = np.zeros(len(self._grid))
        self._counts = np.zeros(len(self._grid))
        self._rng = rng

    def price(self, observation: Observation) -> float:
        """Explore or exploit; an action that was never tried comes before all others."""
        explore = max(self.floor, self.epsilon * self.decay ** self._counts.sum())
        if self._rng.random() < explore:
            action = int(self._rng.integers(len(self._grid)))
        else:
            means = np.divide(self._sums, self._counts, out=np.full(len(self._grid), np.inf), where=self._counts > 0)
            action = int(np.argmax(means))
        rho: float = self._grid[action]
        return rho

    def feedback(self, outcome: Outcome) -> None:
        """Count the surplus for the action that was played."""
        action = bisect.bisect_left(self._grid, outcome.rho)
        self._sums[action] += outcome.surplus
        self._counts[action] += 1
