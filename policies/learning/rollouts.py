"""Steps of several worlds, one list per world, and generalised advantage estimates over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.model import FloatArray


class Rollouts:
    """Steps of several worlds side by side.

    Args:
        worlds: number of worlds.

    Attributes:
        steps: steps of each world, in order, each with the same columns by name.
    """

    def __init__(self, worlds: int) -> None:
        self.steps: list[list[dict[str, Any]]] = [[] for _ in range(worlds)]

    def __len__(self) -> int:
        return sum(map(len, self.steps))

    def arrays(self) -> dict[str, FloatArray]:
        """Return the columns as arrays for a checkpoint, by ``rollout.world.name``."""
        found = {}
        for world, steps in enumerate(self.steps):
            for name in steps[0] if steps else ():
                found[f"rollout.{world}.{name}"] = np.array([step[name] for step in steps], dtype=np.float64)
        return found

    def restore(self, arrays: dict[str, Any]) -> None:
        """Take over the steps of a checkpoint.

        Args:
            arrays: its arrays by name. Only names that `arrays` gives are read.
        """
        for world in range(len(self.steps)):
            prefix = f"rollout.{world}."
            columns = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            rows = zip(*columns.values(), strict=True)
            self.steps[world] = [dict(zip(columns, row, strict=True)) for row in rows]


def stacked(steps: list[dict[str, Any]]) -> dict[str, FloatArray]:
    """Return steps as one array per column, shape (steps, ...).

    Args:
        steps: steps with the same columns, at least one.
    """
    return {name: np.array([step[name] for step in steps], dtype=np.float64) for name in steps[0]}


def advantages(surprise: FloatArray, ended: FloatArray, discount: float) -> FloatArray:
    """Return the generalised advantage estimates of one world (Schulman et al. 2016).

    They are ``A_t = delta_t + gamma lambda A_(t+1)`` with ``delta_t = r_t + gamma V(s_(t+1)) - V(s_t)``.

    Args:
        surprise: delta_t, shape (steps,).
        ended: 1 where an episode has ended, shape (steps,).
        discount: gamma lambda.
    """
    # Its duration cuts a run off, so what follows the last step is estimated too. Only the sum over steps ends there.
    going = 1.0 - ended
    found, carried = np.empty(len(surprise)), 0.0
    # Each estimate needs the one after it, so the loop runs backwards.
    for number in range(len(surprise) - 1, -1, -1):
        carried = surprise[number] + discount * going[number] * carried
        found[number] = carried
    return found
