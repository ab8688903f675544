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
"""A figure by axis, value and policy, each of shape (worlds,)."""


def by_world(runs: pd.DataFrame, name: str) -> ByWorld:
    """One figure in each world, of several trainings the mean."""
    cells: dict[tuple[str, float, str], dict[int, list[float]]] = {}
    for row in runs.sort_values("world", kind="stable").to_dict("records"):
        worlds = cells.setdefault((row["axis"], row["value"], row["policy"]), {})
        worlds.setdefault(row["world"], []).append(row[name])
    return {cell: np.array([np.mean(trainings) for trainings in worlds.values()]) for cell, worlds in cells.items()}


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Each figure's mean and half its 95 % interval over worlds; the least and the most total of a training."""
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
    """Curves of several trainings as one: mean and half its 95 % interval over trainings, by steps.

    Trainings are evaluated at the ends of episodes, so at slightly different steps, which are rounded to ``spacing``.
    """
    import pandas as pd

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
    """By how much one policy's surplus exceeds another's in the same worlds, and half its 95 % interval; shares.

    The interval is that of a ratio of means, by linearisation.
    """
    base = float(over.mean())
    ratio = float(of.mean()) / base
    return ratio - 1.0, half_width(of - ratio * over) / base
