"""The same worlds under each policy: means, paired differences, their intervals, and a corrected paired test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.clock import check_times
from simulator.errors import InputError, need, shown
from simulator.market.plugins import code_hashes
from simulator.model import FloatArray
from simulator.record.schema import SUMMARY
from simulator.run import prepare, simulate
from simulator.scenario.scenario import Scenario
from simulator.study.cells import figures_of, run_cells
from simulator.study.journal import Figures
from simulator.study.statistics import corrected, half_width, half_widths, p_value, ratio_of_means

if TYPE_CHECKING:
    import pandas as pd


MOST_WORLDS, MOST_JOBS, MOST_CELLS = 1_000_000, 1_000, 10_000_000

FIGURES = (*SUMMARY, "surplus_ground", "surplus_uav", "completed_share")
"""Columns of ``runs``: the summary, the surplus a task of each kind of winner, and the share of tasks completed."""


class Cell(NamedTuple):
    """One run: a point of the grid, as (field, value) pairs, a policy and a seed."""

    point: tuple[tuple[str, Any], ...]
    policy: str
    seed: int


class Comparison(NamedTuple):
    """What `compare` finds: ``table``, a row per policy, and ``runs``, a row per policy and seed."""

    table: pd.DataFrame
    runs: pd.DataFrame


def compare(
    scenario: str | Scenario,
    policies: Sequence[str],
    seeds: int = 5,
    duration: float | None = None,
    warmup: float = 0.0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    journal: Path | None = None,
    **overrides: Any,
) -> Comparison:
    """Run every policy on the worlds of seeds 0, 1, ... and compare each with the first.

    Args:
        scenario: a shipped name, a path, or a `Scenario`.
        policies: policies by name or file; the first is the one that the others are compared with.
        seeds: number of worlds, two or more.
        duration: length of each run, s; that of the scenario if None.
        warmup: what is requested before this time, s, does not count.
        jobs: processes that run side by side.
        progress: called with (runs done, runs in all).
        grid: values by dotted scenario key; all is repeated at every combination of them.
        journal: a file in which finished runs are kept, so that a comparison that is cut off goes on from there.
        overrides: scenario fields by dotted key.

    Returns:
        The table, a row per policy (and point of the grid): of each figure its mean over the worlds and the half-width
        of its 95 % interval (``surplus_mean``, ``surplus_mean_ci``), and of the surplus the paired difference to the
        first policy with its half-width (``difference``, ``difference_ci``), the ratio of the means with its own
        (``ratio``, ``ratio_ci``), and the p-value of the paired t test of the difference, corrected by Holm's method
        for the number of policies that are compared with the first (``p_corrected``). Intervals are Student's t over
        worlds, the ratio's by linearisation (Cochran, "Sampling Techniques", 1977, section 6.4). And the runs: figures
        of each, a row per policy and seed.

    Raises:
        InputError: scenario or one of the policies is wrong, or scipy or statsmodels is not installed.
        RunError: a policy failed while it ran.
    """
    need("scipy", "study")
    need("statsmodels", "study")
    named = not isinstance(policies, str) and all(isinstance(policy, str) for policy in policies)
    if not named or len(set(policies)) != len(policies) or not policies:
        given = ", ".join(policies) if named else shown(policies)
        raise InputError(f"policies: must be a list of one or more different ones, not {given or 'none'}")
    for name, number, least, most in (("seeds", seeds, 2, MOST_WORLDS), ("jobs", jobs, 1, MOST_JOBS)):
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            why = " (an interval needs two or more worlds)" if name == "seeds" else ""
            raise InputError(f"{name}: must be a whole number from {least} to {most:,}{why}, not {shown(number)}")
    points = _points(grid or {})
    if len(points) * len(policies) * seeds > MOST_CELLS:
        raise InputError(f"grid: {len(points)} points, {len(policies)} policies and {seeds} seeds are too many runs")
    scenarios = {point: Scenario.load(scenario, **overrides, **dict(point)) for point in points}
    code: dict[str, str] = {}
    for one in scenarios.values():
        check_times(0, one.duration_s if duration is None else duration, warmup)
        for policy in policies:
            found, mechanism, _ = prepare(one, policy, None)
            code |= code_hashes(found, mechanism) | {policy: getattr(found, "weights_sha256", "")}
    cells = [Cell(*cell) for cell in product(points, policies, range(seeds))]
    worlds = {str(point): one.model_dump_json() for point, one in scenarios.items()}
    depends = json.dumps([worlds, duration, warmup, code], sort_keys=True, allow_nan=False)
    done = run_cells(
        partial(_run, scenarios, duration, warmup),
        cells,
        jobs,
        progress,
        journal,
        hashlib.sha256(depends.encode()).hexdigest(),
    )
    import pandas as pd

    tables = []
    for point in points:
        runs = {
            policy: np.array([list(done[Cell(point, policy, seed)].values()) for seed in range(seeds)])
            for policy in policies
        }
        tables.append(tabulate(runs).reset_index().assign(**{key: shown_value(value) for key, value in point}))
    keys = [key for key, _ in points[0]]
    table = pd.concat(tables).set_index([*keys, "policy"])
    rows = [
        {
            **{key: shown_value(value) for key, value in cell.point},
            "policy": cell.policy,
            "seed": cell.seed,
            **done[cell],
        }
        for cell in cells
    ]
    return Comparison(table, pd.DataFrame(rows).set_index([*keys, "policy", "seed"]))


def shown_value(value: Any) -> Any:
    """A value of the grid as it stands in a table: a number, else text."""
    return value if isinstance(value, int | float | str) else json.dumps(value, allow_nan=False)


def _points(grid: Mapping[str, Sequence[Any]]) -> list[tuple[tuple[str, Any], ...]]:
    """Every combination of the grid's values."""
    for key, values in grid.items():
        if isinstance(values, str) or not len(values):
            raise InputError(f"grid: {key} needs one or more values, such as {key}=3,5, not {shown(values)}")
        if len({shown(value) for value in values}) < len(values):
            raise InputError(f"grid: {key} has a value twice: {shown(values)}")
    frozen = [[(key, _frozen(value)) for value in values] for key, values in grid.items()]
    return list(product(*frozen))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list | tuple) else value


def _run(
    scenarios: Mapping[tuple[tuple[str, Any], ...], Scenario], duration: float | None, warmup: float, cell: Cell
) -> Figures:
    result = simulate(scenarios[cell.point], cell.policy, seed=cell.seed, duration=duration, warmup=warmup)
    return figures_of(result, warmup)


def tabulate(runs: dict[str, FloatArray]) -> pd.DataFrame:
    """The table that `compare` returns, for one point of the grid.

    Args:
        runs: for each policy its figures, shape (worlds, figures), in the order of `FIGURES`; the same worlds for all,
            and first the policy that the others are compared with.
    """
    import pandas as pd

    surplus = FIGURES.index("surplus_mean")
    first = next(iter(runs.values()))[:, surplus]
    rows = []
    for policy, figures in runs.items():
        difference = figures[:, surplus] - first
        row: dict[str, Any] = {"policy": policy, "seeds": len(figures)}
        row["ratio"], row["ratio_ci"] = ratio_of_means(figures[:, surplus], first)
        row["difference"], row["difference_ci"] = float(difference.mean()), half_width(difference)
        row["p_corrected"] = p_value(difference)
        for name, mean, width in zip(FIGURES, figures.mean(axis=0), half_widths(figures), strict=True):
            row[name], row[f"{name}_ci"] = float(mean), float(width)
        rows.append(row)
    table = pd.DataFrame(rows).set_index("policy")
    table["p_corrected"] = corrected(table["p_corrected"].to_numpy())
    return table
