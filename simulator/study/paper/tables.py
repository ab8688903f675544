"""Means, intervals and margins of the runs behind the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulator.model import FloatArray
from simulator.study.paper.runs import KEPT
from simulator.study.statistics import crossed, crossed_ratio, half_width

if TYPE_CHECKING:
    import pandas as pd


ByWorld = dict[tuple[str, float, str], FloatArray]
"""One figure of the runs by axis, value and policy; each array has shape (worlds, trainings), one column for a rule."""


def by_world(runs: pd.DataFrame, name: str) -> ByWorld:
    """Return one figure of each training in each world.

    Args:
        runs: table of runs with the columns axis, value, policy, training, world and those of `KEPT`.
        name: column of the figure.
    """
    # Worlds and trainings are sorted, so that row i is the same world for all policies, as paired differences need.
    cells: dict[tuple[str, float, str], dict[int, list[float]]] = {}
    for row in runs.sort_values(["world", "training"], kind="stable").to_dict("records"):
        worlds = cells.setdefault((row["axis"], row["value"], row["policy"]), {})
        worlds.setdefault(row["world"], []).append(row[name])
    return {cell: np.array(list(worlds.values())) for cell, worlds in cells.items()}


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each figure and the half-width of its 95 % interval, over worlds and trainings.

    Args:
        runs: table of runs with the columns axis, value, policy, training, world and those of `KEPT`.

    Returns:
        One row per axis, value and policy. ``total_least`` and ``total_most`` are the total surplus of the worst and
        of the best training.
    """
    import pandas as pd

    tables = {name: by_world(runs, name) for name in KEPT}
    rows = []
    for axis, value, policy in dict.fromkeys(runs[["axis", "value", "policy"]].itertuples(index=False, name=None)):
        worlds, trainings = tables["total"][axis, value, policy].shape
        row: dict[str, object] = {"axis": axis, "value": value, "policy": policy}
        row |= {"worlds": worlds, "trainings": trainings}
        for name, table in tables.items():
            found = crossed(table[axis, value, policy])
            row |= {name: found.mean, f"{name}_ci": found.half_width}
        of_training = tables["total"][axis, value, policy].mean(axis=0)
        rows.append(row | {"total_least": of_training.min(), "total_most": of_training.max()})
    return pd.DataFrame(rows)


def curve_means(curves: pd.DataFrame, points: Sequence[int]) -> pd.DataFrame:
    """Return the mean of several training curves and the half-width of its 95 % interval, over trainings.

    Args:
        curves: evaluations with the columns learner, place, seed, steps, total, uav and ground.
        points: points of the curve, environment steps.

    Returns:
        One row per learner, place and number of steps. The half-width is NaN for a single training.
    """
    import pandas as pd

    # Trainings are evaluated at the first report from a point on, so at slightly different steps.
    rows = []
    latest = np.searchsorted(np.array(points), curves["steps"].to_numpy(), side="right") - 1
    steps = pd.Series(np.array(points)[latest], index=curves.index)
    for (learner, place, at), part in curves.groupby(["learner", "place", steps], sort=False):
        row = {"learner": learner, "place": place, "steps": at, "trainings": len(part)}
        for name in ("total", "uav", "ground"):
            values = part[name].to_numpy()
            row |= {name: values.mean(), f"{name}_ci": half_width(values) if len(values) > 1 else np.nan}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["learner", "place", "steps"])


def margin(of: FloatArray, over: FloatArray) -> tuple[float, float, float]:
    """Return by which share the surplus of one policy exceeds that of another, its half-width, and its p-value.

    The half-width is that of the 95 % interval. The p-value is that of the test that the share is 0.

    The share is ``mean(of) / mean(over) - 1``. Its interval is that of a ratio of means, over worlds and trainings. The
    trainings of two learners are compared in pairs.

    Args:
        of: surplus of the first policy, shape (worlds, trainings).
        over: surplus of the second policy in the same worlds, shape (worlds, trainings), or one column for a rule.
    """
    both = np.broadcast_arrays(of, over)
    found = crossed_ratio(*both)
    return found.mean - 1.0, found.half_width, found.p_value
