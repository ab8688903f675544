"""Means, intervals and margins of the runs behind the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.model import FloatArray
from simulator.study.paper.runs import KEPT
from simulator.study.statistics import half_width

if TYPE_CHECKING:
    import pandas as pd


ByWorld = dict[tuple[str, float, str], FloatArray]
"""One figure of the runs by axis, value and policy; each array has shape (worlds,)."""


def by_world(runs: pd.DataFrame, name: str) -> ByWorld:
    """Return one figure in each world, averaged over trainings.

    Args:
        runs: table of runs with the columns axis, value, policy, training, world and those of `KEPT`.
        name: column of the figure.
    """
    # The world is the unit of every interval: trainings of one learner meet the same worlds.
    # Worlds are sorted so that row i is the same world for all policies, as paired differences need.
    cells: dict[tuple[str, float, str], dict[int, list[float]]] = {}
    for row in runs.sort_values("world", kind="stable").to_dict("records"):
        worlds = cells.setdefault((row["axis"], row["value"], row["policy"]), {})
        worlds.setdefault(row["world"], []).append(row[name])
    return {cell: np.array([np.mean(trainings) for trainings in worlds.values()]) for cell, worlds in cells.items()}


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each figure and the half-width of its 95 % interval, over worlds.

    Args:
        runs: table of runs with the columns axis, value, policy, training, world and those of `KEPT`.

    Returns:
        One row per axis, value and policy. ``total_least`` and ``total_most`` are the total surplus of the worst and
        of the best training.
    """
    import pandas as pd

    rows = []
    for (axis, value, policy), part in runs.groupby(["axis", "value", "policy"], sort=False):
        worlds = part.groupby("world")[list(KEPT)].mean()
        trainings = part.groupby("training")["total"].mean()
        row = {"axis": axis, "value": value, "policy": policy, "worlds": len(worlds), "trainings": len(trainings)}
        for name in KEPT:
            row |= {name: worlds[name].mean(), f"{name}_ci": half_width(worlds[name].to_numpy())}
        row |= {"total_least": trainings.min(), "total_most": trainings.max()}
        rows.append(row)
    return pd.DataFrame(rows)


def curve_means(curves: pd.DataFrame, spacing: int) -> pd.DataFrame:
    """Return the mean of several training curves and the half-width of its 95 % interval, over trainings.

    Args:
        curves: evaluations with the columns learner, place, seed, steps, total, uav and ground.
        spacing: number of steps between two points of the mean curve.

    Returns:
        One row per learner, place and number of steps. The half-width is NaN for a single training.
    """
    import pandas as pd

    # Trainings are evaluated at ends of episodes, so at slightly different steps. Rounding brings them together.
    rows = []
    steps = (curves["steps"] / spacing).round().astype(int) * spacing
    for (learner, place, at), part in curves.groupby(["learner", "place", steps], sort=False):
        row = {"learner": learner, "place": place, "steps": at, "trainings": len(part)}
        for name in ("total", "uav", "ground"):
            values = part[name].to_numpy()
            row |= {name: values.mean(), f"{name}_ci": half_width(values) if len(values) > 1 else np.nan}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["learner", "place", "steps"])


def margin(of: FloatArray, over: FloatArray) -> tuple[float, float]:
    """Return by which share the surplus of one policy exceeds that of another, and the half-width of the 95 % interval.

    The share is ``mean(of) / mean(over) - 1``. Its interval is that of a ratio of means, by linearisation.

    Args:
        of: surplus of the first policy in each world, shape (worlds,).
        over: surplus of the second policy in the same worlds, shape (worlds,).
    """
    base = float(over.mean())
    ratio = float(of.mean()) / base
    return ratio - 1.0, half_width(of - ratio * over) / base
