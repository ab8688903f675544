"""The replay buffer with n-step returns, and hindsight about the actions that were not taken."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

import numpy as np

from simulator.model import FloatArray

from .features import NAMES

Batch: TypeAlias = dict[str, Any]
"""Transitions by field, float32 arrays of shape (batch, ...)."""

FIELDS: dict[str, tuple[int, ...]] = {
    "state": (len(NAMES),),  # observation before the action
    "next_state": (len(NAMES),),  # observation after n steps
    "action": (),
    "world": (),
    "reward": (),  # reward of the first step
    "later": (),  # discounted rewards of the steps 2 to n, added up
    "later_weight": (),  # discounts of the steps 2 to n, added up
    "discount": (),  # discount of what follows the n steps
    "top_bid": (),  # highest ground bid
    "scaled_bid": (),  # bid that rho scales
    "uav_value": (),  # value of the UAV, NaN if it did not win
}
"""Fields of a transition with their shapes."""


class Replay:
    """A ring buffer of transitions.

    Args:
        capacity: number of transitions that are kept.
        worlds: number of worlds that add steps side by side.
        gamma: discount factor per step.
        n_step: number of observed rewards in a return before the critics' estimate.
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
        """Add one step of one world.

        Args:
            world: number of the world.
            state: observation before the action, shape (features,).
            action: the action.
            reward: the reward.
            ended: whether the episode has ended.
            next_state: observation after the action, shape (features,).
            info: details of the round: ``top_bid``, ``scaled_bid`` and, if the UAV won, ``uav_value``.
        """
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
        # A step is stored once the n - 1 steps after it are known. The last steps of a run
        # have fewer after them. Its duration has cut it off, so what follows is estimated from the last observation.
        if len(recent) == self.n_step:
            self._store(recent, next_state)
        if ended:
            while recent:
                self._store(recent, next_state)

    def _store(self, recent: deque[dict[str, Any]], next_state: FloatArray) -> None:
        """Store the oldest step of a world with the rewards that followed."""
        # The first reward is kept apart, because hindsight replaces it for the actions that were not taken.
        later = [step["reward"] for step in recent][1:]
        row = recent.popleft() | {
            "next_state": next_state,
            "later": sum(self.gamma**number * reward for number, reward in enumerate(later)),
            "later_weight": sum(self.gamma**number for number in range(len(later))),
            "discount": self.gamma ** len(later),
        }
        # The oldest transition is overwritten.
        at = self.added % self.capacity
        for name, column in self._columns.items():
            column[at] = row[name]
        self.added += 1
        self.size = min(self.added, self.capacity)

    def sample(self, batch: int, rng: np.random.Generator) -> Batch:
        """Draw transitions with replacement.

        Args:
            batch: number of transitions.
            rng: the random generator.

        Returns:
            One column per field.
        """
        rows = rng.integers(self.size, size=batch)
        return {name: column[rows] for name, column in self._columns.items()}

    def state(self) -> dict[str, Any]:
        """Return the buffer as arrays for a checkpoint between two episodes."""
        # At the end of an episode all recent steps have been stored, so they are not part of the state.
        return {name: column[: self.size].copy() for name, column in self._columns.items()} | {
            "added": np.array([self.added])
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the buffer from the arrays of `state`."""
        self.added = int(state["added"][0])
        self.size = len(state["action"])
        for name, column in self._columns.items():
            column[: self.size] = state[name]


def by_demand(info: dict[str, Any]) -> dict[str, Any]:
    """Return the bids and values of a round divided by the demand of its task.

    Args:
        info: details of the round: ``demand``, ``top_bid``, ``scaled_bid`` and, if the UAV won, ``uav_value``.

    Returns:
        Those that the replay buffer keeps.
    """
    kept = ("top_bid", "scaled_bid", "uav_value")
    return {name: info[name] / info["demand"] for name in kept if name in info}


def hindsight(batch: Batch, grid: FloatArray, uav_estimate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what each action would have earned in each round, and whether the top station would have won.

    Action a would have earned ``y(a) = W(a) b_(1) + (1 - W(a)) v_0``. Here ``W(a) = 1`` if the top station would have
    won, else 0. ``v_0`` is the value of the UAV if it won the round, else an estimate from the state. The result is
    unbiased if ``E[v_0 | UAV wins, m] = E[v_0 | m]``.

    Args:
        batch: transitions.
        grid: price scaling factors, shape (actions,).
        uav_estimate: estimate of the UAV's value, weighted with zeta, shape (batch,).

    Returns:
        Earnings, shape (batch, actions), and whether the top station wins, shape (batch, actions).
    """
    # The bid of the station stands for its value, because stations bid truthfully under a public price.
    wins = batch["top_bid"][:, None] > grid * batch["scaled_bid"][:, None]
    # Rounds whose UAV value is unknown must not be left out: the remaining rounds would be those with weak stations.
    uav = np.where(np.isnan(batch["uav_value"]), uav_estimate, batch["uav_value"])
    return np.where(wins, batch["top_bid"][:, None], uav[:, None]).astype(np.float32), wins
