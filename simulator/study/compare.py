"""Comparison of policies in the same worlds: means, paired differences, 95 % intervals, and a corrected test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import EmptyWorldWarning, InputError, need
from simulator.scenario.scenario import Scenario
from simulator.study.cells import check_jobs, run_cells
from simulator.study.design import Cell, Design, Grid, Point
from simulator.study.journal import Figures
from simulator.study.tabulate import FIGURES, metric_of, shown_value, tabulate

if TYPE_CHECKING:
    import pandas as pd


class Comparison(NamedTuple):
    """Result of `compare`.

    Attributes:
        table: means and differences, one row per policy and point of the grid.
        runs: figures of each run, one row per policy, seed and point of the grid.
    """

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
    grid: Grid | None = None,
    journal: Path | None = None,
    mechanisms: Sequence[str] | None = None,
    bidders: str | Mapping[str, str] | None = None,
    metric: str = "surplus",
    executor: Executor | None = None,
    **overrides: Any,
) -> Comparison:
    """Run each policy in the worlds of seeds 0, 1, ... and compare it with the first policy.

    All policies meet the same vehicles, requests and task sizes in the world of a seed. So differences are paired by
    world. Intervals are Student's t over worlds. The interval of a ratio of means is by linearisation (Cochran,
    "Sampling Techniques", 1977, section 6.4).

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policies: the policies, as text. Each is compared with the first. None are needed for mechanisms without seats.
        seeds: number of worlds, 2 or more.
        duration: length of each run, s; if None, the duration of the scenario.
        warmup: start of the summary, s; tasks that are requested before it do not count.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished runs and the number of all runs.
        grid: values by dotted scenario key. The comparison is made at each combination of the values. The key ``a,b``
            moves two fields together, by values such as ``(20, 30)``.
        journal: file that keeps finished runs. An interrupted comparison continues from it, unless scenario, length,
            code of a policy or weights have changed.
        mechanisms: mechanisms, as text. Every policy is run in every mechanism that has a seat for it, and a
            mechanism without seats by itself; None to leave each policy in its own mechanism.
        bidders: bidder of all stations, or bidders by name of the provider.
        metric: figure that is compared with the first policy, a name in `FIGURES` or in `SHORT_METRICS`.
        executor: what does the runs in place of ``jobs`` processes of this machine: a pool of `concurrent.futures`, the
            executor of `simulator.study.cluster.cluster`, or any other. Tables are the same, apart from clock times.
        overrides: scenario fields by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        ``table`` with these columns, and ``runs``:

        - ``seeds``: number of worlds.
        - each figure, such as ``surplus_mean``: its mean over worlds.
        - each figure with ``_ci``, such as ``surplus_mean_ci``: half-width of the 95 % interval of the mean.
        - ``difference``, ``difference_ci``: mean of (metric minus that of the first policy), and half-width.
        - ``ratio``, ``ratio_ci``: mean metric divided by that of the first policy, and half-width.
        - ``p_corrected``: p-value of the paired t test that the difference is 0, corrected by Holm's method. The number
          of tests is the number of policies that are compared with the first.

    Raises:
        InputError: an argument is wrong, no world has a task, or scipy or statsmodels is not installed.
        RunError: a policy or a mechanism failed during a run, or a worker was killed.

    Warns:
        EmptyWorldWarning: worlds without a task were left out. The message names their seeds.
    """
    # A missing package is named at once, not after hours of runs.
    need("scipy")
    need("statsmodels")
    check_jobs(jobs)
    figure = metric_of(metric)
    design = Design(scenario, policies, seeds, duration, warmup, grid, mechanisms, bidders, **overrides)
    kept = None if journal is None else Path(journal)
    done = run_cells(
        design.work, design.cells, jobs, progress, kept, design.fingerprint, design.world, executor, FIGURES
    )
    return comparison_of(design, done, figure)


def comparison_of(design: Design, done: Mapping[Cell, Figures], figure: str) -> Comparison:
    """Return the comparison of a design.

    Args:
        design: the design.
        done: figures of all its cells.
        figure: figure that is compared with the first policy, one of `FIGURES`.

    Raises:
        InputError: no world has a task.

    Warns:
        EmptyWorldWarning: worlds without a task were left out.
    """
    import pandas as pd

    first, seeds = design.contenders[0], range(design.seeds)
    # Each point of the grid is a comparison of its own: ratios and tests are within a point.
    tables = []
    for point in design.points:
        # Requests do not depend on prices, so a world without a task has none under any policy.
        full = [seed for seed in seeds if done[Cell(point, first, seed)]["tasks"] > 0.0]
        _tell_empty_worlds(point, [seed for seed in seeds if seed not in full], design.seeds)
        runs = {
            one.label: np.array([[done[Cell(point, one, seed)][name] for name in FIGURES] for seed in full])
            for one in design.contenders
        }
        tables.append(tabulate(runs, figure).reset_index().assign(**{key: shown_value(value) for key, value in point}))
    keys = [key for key, _ in design.points[0]]
    table = pd.concat(tables).set_index([*keys, "policy"])
    rows = [
        {
            **{key: shown_value(value) for key, value in cell.point},
            "policy": cell.contender.label,
            "seed": cell.seed,
            **done[cell],
        }
        for cell in design.cells
    ]
    return Comparison(table, pd.DataFrame(rows).set_index([*keys, "policy", "seed"]))


def _tell_empty_worlds(point: Point, empty: list[int], seeds: int) -> None:
    """Warn of worlds without a task.

    Raises:
        InputError: no world has a task.
    """
    where = "".join(f" at {key} = {shown_value(value)}" for key, value in point)
    if len(empty) == seeds:
        raise InputError(f"seeds: none of {seeds} worlds has a task{where}; make the runs longer or the traffic denser")
    if empty:
        listed = ", ".join(map(str, empty[:10])) + (", ..." if len(empty) > 10 else "")
        warnings.warn(
            f"{len(empty)} of {seeds} worlds have no task and are left out{where}: seed {listed}",
            EmptyWorldWarning,
            stacklevel=3,
        )
