"""The replay buffer: what was seen and done, n-step returns, and what hindsight needs of each round."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

import numpy as np

from simulator.model import FloatArray

from .features import NAMES

Batch: TypeAlias = dict[str, Any]
"""Columns of transitions by field, float32 arrays of shape (batch, ...)."""

FIELDS: dict[str, tuple[int, ...]] = {
    "state": (len(NAMES),),
    "next_state": (len(NAMES),),
    "action": (),
    "world": (),
    "reward": (),
    "later": (),
    "later_weight": (),
    "discount": (),
    "top_bid": (),
    "scaled_bid": (),
    "uav_value": (),
}
"""Fields of a transition: vectors before and after n steps; action and world; the reward; the discounted rewards of
steps 2 to n, and their discounts added up; the discount of what follows (0 at an episode's end); the top ground
bid and the one that rho scales; and the UAV's value (NaN where it did not win)."""


class Replay:
    """A ring of transitions.

    Args:
        capacity: how many are kept.
        worlds: how many worlds feed it side by side.
        gamma: discount a step.
        n_step: rewards that are taken as they came before the critic's estimate takes over.
    """

    def __init__(self, capacity: int, worlds: int, gamma: float, n_step: int) -> None:
        self.capacity, self.gamma, self.n_step = capacity, gamma, n_step
        self.size = self.added = 0
        self._columns = {name: np.zeros((capacity, *shape), dtype=np.float32) for name, shape in FIELDS.items()}
        self._recent: list[deque[dict[str, Any]]] = [deque() for _ in range(worlds)]

    def add(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, next_state: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Take in one step of one world."""
        recent = self._recent[world]
        recent.append(
            {
                "state": state,
                "action": action,
                "world": world,
                "reward": reward,
                "top_bid": info["top_bid"],
                "scaled_bid": info["scaled_bid"],
                "uav_value": info.get("uav_value", np.nan),
            }
        )
        if len(recent) == self.n_step:
            self._store(recent, next_state, ended)
        if ended:
            while recent:
                self._store(recent, next_state, ended)

    def _store(self, recent: deque[dict[str, Any]], next_state: FloatArray, ended: bool) -> None:
        """Write down the oldest step of a world with what came after it."""
        later = [step["reward"] for step in recent][1:]
        row = recent.popleft() | {
            "next_state": next_state,
            "later": sum(self.gamma**number * reward for number, reward in enumerate(later)),
            "later_weight": sum(self.gamma**number for number in range(len(later))),
            "discount": 0.0 if ended else self.gamma ** len(later),
        }
        at = self.added % self.capacity
        for name, column in self._columns.items():
            column[at] = row[name]
        self.added += 1
        self.size = min(self.added, self.capacity)

    def sample(self, batch: int, rng: np.random.Generator) -> Batch:
        """Transitions drawn with replacement, a column a field."""
        rows = rng.integers(self.size, size=batch)
        return {name: column[rows] for name, column in self._columns.items()}

    def state(self) -> dict[str, Any]:
        """Everything, for a checkpoint at the end of all episodes."""
        return {name: column[: self.size].copy() for name, column in self._columns.items()} | {
            "added": np.array([self.added])
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state."""
        self.added = int(state["added"][0])
        self.size = len(state["action"])
        for name, column in self._columns.items():
            column[: self.size] = state[name]


def hindsight(batch: Batch, grid: FloatArray, uav_estimate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What each action would have earned in each round, and which actions would have had the winner that it had.

    ``y(a) = W(a) b_(1) + (1 - W(a)) v_0``, W(a) = 1 where the top station would have won at a; v_0 the UAV's value
    where it has won, else an estimate from public conditions. That is unbiased where
    ``E[v_0 | UAV wins, m] = E[v_0 | m]``.

    Args:
        batch: transitions.
        grid: the price scaling factors, shape (actions,).
        uav_estimate: an estimate of v_0, weighted, for each transition.

    Returns:
        Earnings, shape (batch, actions), and whether the winner is the same, shape (batch, actions).
    """
    wins = batch["top_bid"][:, None] > grid * batch["scaled_bid"][:, None]
    uav = np.where(np.isnan(batch["uav_value"]), uav_estimate, batch["uav_value"])
    same = wins == np.isnan(batch["uav_value"])[:, None]
    return np.where(wins, batch["top_bid"][:, None], uav[:, None]).astype(np.float32), same
