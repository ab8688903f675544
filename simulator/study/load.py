"""Where scarcity binds as the load grows, and where the best correction of `conditional` changes its sign."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.model import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

LOAD_KEY, DEMAND_KEY = "tasks.load", "traffic.arrivals.scale"
"""Fields that scale the number of tasks and the number of vehicles."""

RESAMPLES = 1_000
"""Number of bootstrap samples of the worlds."""

BINDS = 0.5
"""Scarcity binds where one more task adds less than this share of what a task adds at the lowest load."""

SCALED = re.compile(r"conditional(?::scale=([0-9.eE+-]+))?")


class Crossing(NamedTuple):
    """A load at which something changes, with its 95 % interval over worlds (percentile bootstrap).

    Attributes:
        load: the load; None if there is none within the loads that were run.
        low: lower end; None below all loads that were run.
        high: upper end; None beyond all loads that were run.
    """

    load: float | None
    low: float | None
    high: float | None


def scarcity(runs: pd.DataFrame, policy: str) -> Crossing:
    """Return the load from which on one more task adds less than half of what a task adds at the lowest load.

    What tasks add is the realised surplus of all of them: more tasks take the servers of others.

    Args:
        runs: the ``runs`` of `simulator.study.compare.compare` over one field, with two or more loads.
        policy: policy that sets the prices.
    """
    loads = _loads(runs)
    own = runs.xs(policy, level="policy")
    tasks = _by_load(own["tasks"])
    total = _by_load((own["realised_mean"].fillna(0.0) * (own["tasks"] - own["open"])).rename("total"))

    def crossing(worlds: IntArray) -> float | None:
        sums, counts = total[:, worlds].sum(axis=1), tasks[:, worlds].sum(axis=1)
        first = sums[0] / counts[0]
        added = np.diff(sums) / np.diff(counts) / first
        middles = (loads[1:] + loads[:-1]) / 2
        return _first_zero([loads[0], *middles], [1.0 - BINDS, *(added - BINDS)], falling=True)

    return _with_interval(crossing, tasks.shape[1], loads)


def best_scales(runs: pd.DataFrame) -> tuple[FloatArray, FloatArray] | None:
    """Return the loads and the best ``k`` of ``conditional:scale=k`` at each; None with fewer than three values of k.

    The best k is the maximum of a parabola in log k through the mean realised surplus, within the values that were run.

    Args:
        runs: the ``runs`` of `simulator.study.compare.compare` over one field.
    """
    grid = _scales(runs)
    if grid is None:
        return None
    scales, realised = grid
    return _loads(runs), np.array([np.exp(_best(scales, row)) for row in realised.mean(axis=2).T])


def sign_change(runs: pd.DataFrame) -> Crossing | None:
    """Return the load at which the best ``k`` of ``conditional:scale=k`` passes 1; None with fewer than three values.

    Args:
        runs: the ``runs`` of `simulator.study.compare.compare` over one field.
    """
    grid = _scales(runs)
    if grid is None:
        return None
    scales, realised = grid
    loads = _loads(runs)

    def crossing(worlds: IntArray) -> float | None:
        best = [_best(scales, row) for row in realised[:, :, worlds].mean(axis=2).T]
        return _first_zero(loads, best, falling=best[0] > 0.0)

    return _with_interval(crossing, realised.shape[2], loads)


def _loads(runs: pd.DataFrame) -> FloatArray:
    """Return the loads in increasing order."""
    return np.unique(runs.index.get_level_values(0).to_numpy(dtype=np.float64))


def _by_load(column: pd.Series) -> FloatArray:
    """Return a figure of a policy as an array, shape (loads, worlds)."""
    by_load = column.reset_index().pivot_table(column.name, column.index.names[0], "seed", sort=True)
    return by_load.to_numpy(dtype=np.float64)


def _scales(runs: pd.DataFrame) -> tuple[FloatArray, FloatArray] | None:
    """Return log k of each `conditional:scale=k`, and its realised surplus, shape (scales, loads, worlds)."""
    found = {}
    for name in runs.index.get_level_values("policy").unique():
        match = SCALED.fullmatch(str(name))
        if match:
            found[float(match[1] or 1.0)] = str(name)
    if len(found) < 3:
        return None
    # A world in which nobody wins a task has no mean. Its realised surplus is 0.
    realised = [_by_load(runs.xs(found[k], level="policy")["realised_mean"].fillna(0.0)) for k in sorted(found)]
    return np.log(sorted(found)), np.stack(realised)


def _best(scales: FloatArray, realised: FloatArray) -> float:
    """Return log k of the maximum of a parabola, within the values that were run."""
    curve, slope, _ = np.polyfit(scales, realised, 2)
    # Without a maximum between them, the best of the values is at one end.
    if curve >= 0.0:
        return float(scales[np.argmax(realised)])
    return float(np.clip(-slope / (2.0 * curve), scales[0], scales[-1]))


def _first_zero(places: Sequence[float] | FloatArray, values: Sequence[float], falling: bool) -> float | None:
    """Return where a broken line first passes 0 in a direction; None if it does not."""
    signed = [value if falling else -value for value in values]
    for begin, end, before, after in zip(places, places[1:], signed, signed[1:], strict=False):
        if before > 0.0 >= after:
            return float(begin + (end - begin) * before / (before - after))
    return None


def _with_interval(crossing: Callable[[IntArray], float | None], worlds: int, loads: FloatArray) -> Crossing:
    """Return a crossing of all worlds with the percentiles over samples of them."""
    rng = np.random.default_rng(0)
    found = [crossing(sample) for sample in rng.integers(0, worlds, (RESAMPLES, worlds))]
    # A sample without a crossing stands beyond the last load.
    low, high = np.quantile([np.inf if one is None else one for one in found], [0.025, 0.975], method="nearest")
    ends = [None if not np.isfinite(end) else float(end) for end in (low, high)]
    return Crossing(crossing(np.arange(worlds)), *ends)
