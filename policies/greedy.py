"""Epsilon-greedy choice by the mean surplus of each action, without a look at the state."""

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
    """Epsilon-greedy: the action with the highest mean surplus so far, or with probability epsilon any action.

    Attributes:
        epsilon: probability of a random action in the first round.
        decay: factor by which epsilon falls in each round.
        floor: lowest value of epsilon.
    """

    epsilon: float = 1.0
    decay: float = 0.999
    floor: float = 0.01

    def __post_init__(self) -> None:
        for name in ("epsilon", "decay", "floor"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget all rounds and take the price grid from the scenario."""
        self._grid = scenario.market.prices()
        self._sums = np.zeros(len(self._grid))
        self._counts = np.zeros(len(self._grid))
        self._rng = rng

    def price(self, observation: Observation) -> float:
        """Return the price of a random action, or of the action with the highest mean surplus."""
        # Rounds are counted when they settle, because a call of `price` must not change the policy.
        explore = max(self.floor, self.epsilon * self.decay ** self._counts.sum())
        if self._rng.random() < explore:
            action = int(self._rng.integers(len(self._grid)))
        else:
            # An action that was never tried counts as infinitely good, so each action is tried once.
            means = np.divide(self._sums, self._counts, out=np.full(len(self._grid), np.inf), where=self._counts > 0)
            action = int(np.argmax(means))
        rho: float = self._grid[action]
        return rho

    def feedback(self, outcome: Outcome) -> None:
        """Add the surplus of a round to the statistics of its action."""
        # The price came from the grid, so the search finds exactly its action.
        action = bisect.bisect_left(self._grid, outcome.action)
        self._sums[action] += outcome.surplus
        self._counts[action] += 1
