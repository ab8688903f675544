"""The replay buffer with n-step returns, and hindsight about the actions that were not taken."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from simulator.model import FloatArray

from .features import PRICE_INPUTS, Inputs
from .networks import to_device

Batch: TypeAlias = dict[str, Tensor]
"""Transitions by field, float32 tensors of shape (batch, ...)."""

STATES = (
    "state",  # features before the action, on a logarithmic scale
    "next_state",  # features after n steps, on a logarithmic scale
)
NUMBERS = (
    "action",
    "world",
    "reward",  # reward of the first step
    "later",  # discounted rewards of the steps 2 to n, added up
    "later_weight",  # discounts of the steps 2 to n, added up
    "discount",  # discount of what follows the n steps
    "top_bid",  # highest ground bid; 0 where the seat sets no price
    "scaled_bid",  # bid that rho scales; 0 where the seat sets no price
    "by_uav",  # 1 if the UAV won, else 0
)
"""Fields of a transition, in order: arrays with one number per feature, and numbers."""

MOST_NEW = 1_024
"""Number of new transitions after which they are moved to the device."""


class Replay:
    """A ring buffer of transitions on a device.

    Args:
        capacity: number of transitions that are kept.
        worlds: number of worlds that add steps side by side.
        gamma: discount factor per step.
        n_step: number of observed rewards in a return before the critics' estimate.
        device: where the transitions are.
        inputs: what the networks see.
    """

    # All fields are columns of one table, so that a batch is one gather and new transitions are one copy.

    def __init__(
        self,
        capacity: int,
        worlds: int,
        gamma: float,
        n_step: int,
        device: torch.device,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        self.capacity, self.gamma, self.n_step, self.device = capacity, gamma, n_step, device
        self.inputs, self.added = inputs, 0
        columns = len(STATES) * len(inputs) + len(NUMBERS)
        # numpy's zeros take no memory until they are written; those of PyTorch take all of it at once.
        self._table = torch.from_numpy(np.zeros((capacity, columns), dtype=np.float32)).to(device)
        self._new: list[FloatArray] = []
        self._recent: list[deque[dict[str, Any]]] = [deque() for _ in range(worlds)]

    @property
    def size(self) -> int:
        """Number of transitions that are there."""
        return min(self.added, self.capacity)

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
            info: details of the round, if it is one: ``top_bid``, ``scaled_bid`` and, if the UAV won, ``uav_value``.
        """
        recent = self._recent[world]
        recent.append({**info, "state": state, "action": action, "world": world, "reward": reward})
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
        step = recent.popleft()
        size = len(self.inputs)
        row = np.empty(2 * size + len(NUMBERS))
        row[:size], row[size : 2 * size] = step["state"], next_state
        # In the order of `NUMBERS`.
        row[2 * size :] = (
            step["action"],
            step["world"],
            step["reward"],
            sum(self.gamma**number * reward for number, reward in enumerate(later)),
            sum(self.gamma**number for number in range(len(later))),
            self.gamma ** len(later),
            step.get("top_bid", 0.0),
            step.get("scaled_bid", 0.0),
            float("uav_value" in step),
        )
        self._new.append(row)
        self.added += 1
        if len(self._new) >= min(MOST_NEW, self.capacity):
            self._move()

    def _move(self) -> None:
        """Move new transitions to the device. They overwrite the oldest ones."""
        if not self._new:
            return
        rows, size = np.array(self._new), len(self.inputs)
        rows[:, : 2 * size] = self.inputs.scaled(rows[:, : 2 * size].reshape(-1, size)).reshape(len(rows), -1)
        first = self.added - len(rows)
        at = to_device(np.arange(first, self.added) % self.capacity, self.device)
        self._table.index_copy_(0, at, to_device(rows.astype(np.float32), self.device))
        self._new.clear()

    def sample(self, batch: int, generator: torch.Generator) -> Batch:
        """Draw transitions with replacement.

        Args:
            batch: number of transitions.
            generator: the random generator, on the device of the buffer.

        Returns:
            One column per field.
        """
        self._move()
        rows = torch.randint(self.size, (batch,), generator=generator, device=self.device)
        return self._columns(self._table[rows])

    def state(self) -> dict[str, Any]:
        """Return the buffer as arrays for a checkpoint between two episodes."""
        # At the end of an episode all recent steps have been stored, so they are not part of the state.
        self._move()
        columns = self._columns(self._table[: self.size].cpu())
        return {name: np.ascontiguousarray(column.numpy()) for name, column in columns.items()} | {
            "added": np.array([self.added])
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the buffer from the arrays of `state`."""
        self.added = int(state["added"][0])
        self._new.clear()
        for name, column in self._columns(self._table[: self.size]).items():
            column.copy_(torch.from_numpy(state[name]))

    def _columns(self, table: Tensor) -> Batch:
        """Return the fields of some transitions as views of their table."""
        size = len(self.inputs)
        states = {name: table[:, place * size : (place + 1) * size] for place, name in enumerate(STATES)}
        return states | {name: table[:, len(STATES) * size + place] for place, name in enumerate(NUMBERS)}


def by_demand(info: dict[str, Any]) -> dict[str, Any]:
    """Return the bids and values of a round divided by the demand of its task.

    Args:
        info: details of the round: ``demand``, ``top_bid``, ``scaled_bid`` and, if the UAV won, ``uav_value``.

    Returns:
        Those that the replay buffer keeps.
    """
    kept = ("top_bid", "scaled_bid", "uav_value")
    return {name: info[name] / info["demand"] for name in kept if name in info}


def hindsight(batch: Batch, grid: Tensor, uav_estimate: Tensor, worth_of_bid: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each action would have earned in each round, and whether the top station would have won.

    Action a would have earned ``y(a) = W(a) v_1 + (1 - W(a)) v_0``. Here ``W(a) = 1`` if the top station would have
    won, else 0. ``v_1`` and ``v_0`` are what the top station and the UAV earn. For the one that has won, that is the
    reward. For the other it is estimated: the UAV from the state, the station by its bid. The result is unbiased if
    ``E[v_0 | UAV wins, m] = E[v_0 | m]``, and the same for the ratio of ``v_1`` to the bid.

    Args:
        batch: transitions.
        grid: price scaling factors, shape (actions,).
        uav_estimate: estimate of what the UAV earns, weighted with zeta, shape (batch,).
        worth_of_bid: estimate of what the top station earns per unit of its bid, shape (batch,). It is 1 where the bid
            is the reward.

    Returns:
        Earnings, shape (batch, actions), and whether the top station wins, shape (batch, actions).
    """
    wins = batch["top_bid"][:, None] > grid * batch["scaled_bid"][:, None]
    by_uav = batch["by_uav"] > 0.5
    # Rounds whose UAV value is unknown must not be left out: the remaining rounds would be those with weak stations.
    uav = torch.where(by_uav, batch["reward"], uav_estimate)
    station = torch.where(by_uav, worth_of_bid * batch["top_bid"], batch["reward"])
    return torch.where(wins, station[:, None], uav[:, None]), wins
