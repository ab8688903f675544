"""Comparison of policies in the same worlds: means, paired differences, 95 % intervals, and a corrected test."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from simulator.errors import EmptyMarketWarning, EmptyWorldWarning, InputError, nearest, need, shown
from simulator.market.contracts import Policy
from simulator.market.plugins import find_policy
from simulator.model import FloatArray
from simulator.record.schema import SUMMARY
from simulator.run import Plan, plan
from simulator.scenario.scenario import Scenario
from simulator.study.cells import run_cells
from simulator.study.contenders import Contender, contenders, try_out
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.statistics import corrected, half_width, half_widths, p_value, ratio_of_means
from simulator.study.worlds import KeptWorlds

if TYPE_CHECKING:
    import pandas as pd


# Upper limits: a mistyped number gets one sentence, and does not exhaust the memory or start a million processes.
MOST_WORLDS, MOST_JOBS, MOST_CELLS = 1_000_000, 1_000, 10_000_000

FIGURES = (*SUMMARY, "surplus_ground", "surplus_uav", "completed_share")
"""Columns of ``runs``: the summary, the surplus per task of each kind of winner, and the share of completed tasks."""


LOWER_IS_BETTER = (
    "lost", "unserved", "not_covered", "not_invited", "no_bid", "lost_share", "failed_share", "latency_mean",
    "latency_p95", "messages", "wall_s", "cpu_s",
)  # fmt: skip
"""Figures of which the best is the lowest."""

SHORT_METRICS = {"surplus": "surplus_mean", "realised": "realised_mean", "latency": "latency_mean"}
"""Short names of metrics."""

Point: TypeAlias = tuple[tuple[str, Any], ...]
"""A point of a grid, as (field, value) pairs."""

Grid: TypeAlias = Mapping[str, Sequence[Any]]
"""Values by dotted key. A key such as ``a,b`` moves two fields together; each of its values has one value per field."""


class Cell(NamedTuple):
    """One run: a point of the grid, a policy and a seed."""

    point: Point
    contender: Contender
    seed: int


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
    named = not isinstance(policies, str) and all(isinstance(policy, str) for policy in policies)
    # A mechanism without seats needs no policy.
    if not named or len(set(policies)) != len(policies) or not (policies or mechanisms):
        given = ", ".join(policies) if named else shown(policies)
        raise InputError(f"policies: must be a list of one or more different policies, not {given or 'none'}")
    for name, number, least, most in (("seeds", seeds, 2, MOST_WORLDS), ("jobs", jobs, 1, MOST_JOBS)):
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            why = " (an interval needs two or more worlds)" if name == "seeds" else ""
            raise InputError(f"{name}: must be a whole number from {least} to {most:,}{why}, not {shown(number)}")
    if mechanisms is not None and (
        isinstance(mechanisms, str) or not mechanisms or len(set(mechanisms)) < len(mechanisms)
    ):
        raise InputError(f"mechanisms: must be a list of one or more different mechanisms, not {shown(mechanisms)}")
    figure = metric_of(metric)
    compared = contenders(policies, mechanisms)
    points = grid_points(grid or {})
    if len(points) * len(compared) * seeds > MOST_CELLS:
        runs_in_all = f"{len(points)} points x {len(compared)} policies x {seeds} seeds"
        raise InputError(f"grid: must make at most {MOST_CELLS:,} runs, not {runs_in_all}")
    # Every scenario is loaded, and every policy and mechanism is found and tried, before the first run: what is wrong
    # at once costs no waiting.
    scenarios = {point: Scenario.load(scenario, **overrides, **dict(point)) for point in points}
    found = {one.policy: find_policy(one.policy) for one in compared}
    work = _Work(scenarios, duration, warmup, bidders)
    for point, one in product(points, compared):
        work.keep(point, one, work.plan(point, one, found[one.policy]))
        try_out(work.kept(point, one))
    cells = [Cell(*cell) for cell in product(points, compared, range(seeds))]
    depends = [[str(point), one.label, work.kept(point, one).hashes] for point, one in product(points, compared)]
    depends.append([str(bidders)])
    done = run_cells(
        work,
        cells,
        jobs,
        progress,
        journal,
        hashlib.sha256(json.dumps([depends, duration, warmup], sort_keys=True, allow_nan=False).encode()).hexdigest(),
        world=lambda cell: (cell.point, cell.seed),
        executor=executor,
    )
    import pandas as pd

    # Each point of the grid is a comparison of its own: ratios and tests are within a point.
    tables = []
    for point in points:
        # Requests do not depend on prices, so a world without a task has none under any policy.
        full = [seed for seed in range(seeds) if done[Cell(point, compared[0], seed)]["tasks"] > 0.0]
        _tell_empty_worlds(point, [seed for seed in range(seeds) if seed not in full], seeds)
        runs = {one.label: np.array([list(done[Cell(point, one, seed)].values()) for seed in full]) for one in compared}
        tables.append(tabulate(runs, figure).reset_index().assign(**{key: shown_value(value) for key, value in point}))
    keys = [key for key, _ in points[0]]
    table = pd.concat(tables).set_index([*keys, "policy"])
    rows = [
        {
            **{key: shown_value(value) for key, value in cell.point},
            "policy": cell.contender.label,
            "seed": cell.seed,
            **done[cell],
        }
        for cell in cells
    ]
    return Comparison(table, pd.DataFrame(rows).set_index([*keys, "policy", "seed"]))


def shown_value(value: Any) -> Any:
    """Return a value of the grid as a table holds it: numbers and text as they are, anything else as JSON."""
    return value if isinstance(value, int | float | str) else json.dumps(value, allow_nan=False)


def metric_of(name: str) -> str:
    """Return the figure that a metric names.

    Raises:
        InputError: there is no such figure.
    """
    figure = SHORT_METRICS.get(name, name)
    if figure not in FIGURES:
        raise InputError(f"metric: there is no figure '{name}'; {nearest(name, [*SHORT_METRICS, *FIGURES])}")
    return figure


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


def grid_points(grid: Grid) -> list[Point]:
    """Return every combination of a grid's values, in the order of the keys.

    Raises:
        InputError: a key has no values, or a value twice.
    """
    for key, values in grid.items():
        if isinstance(values, str) or not len(values):
            # Text is refused too: its letters would be taken for values.
            raise InputError(f"grid: {key} needs one or more values, such as {key}=3,5, not {shown(values)}")
        if len({shown(value) for value in values}) < len(values):
            raise InputError(f"grid: {key} has a value twice: {shown(values)}")
    axes = [[_pairs(key, value) for value in values] for key, values in grid.items()]
    points = [tuple(chain.from_iterable(point)) for point in product(*axes)]
    keys = [key for key, _ in points[0]]
    if len(set(keys)) < len(keys):
        raise InputError(f"grid: {next(key for key in keys if keys.count(key) > 1)} is moved twice")
    return points


def _pairs(key: str, value: Any) -> Point:
    """Return the (field, value) pairs of one value of a key, which may name several fields."""
    fields = [field.strip() for field in key.split(",")]
    if len(fields) == 1:
        return ((key, _frozen(value)),)
    if not isinstance(value, list | tuple) or len(value) != len(fields):
        raise InputError(
            f"grid: {key} moves {len(fields)} fields together and needs as many values at a time, such as "
            f"{key}=20:30,40:50, not {shown(value)}"
        )
    return tuple((field, _frozen(part)) for field, part in zip(fields, value, strict=True))


def _frozen(value: Any) -> Any:
    """Return a value with its lists as tuples, because a point of the grid is a dictionary key."""
    return tuple(_frozen(part) for part in value) if isinstance(value, list | tuple) else value


class _Work:
    """What is done for each cell: the run of its plan in the world of its seed.

    A plan is made once per process. This process makes all plans before the study begins. A worker process makes a plan
    for its first cell of a point and a contender. Workers are not sent plans: a class from a user's file cannot be
    pickled.
    """

    def __init__(
        self,
        scenarios: Mapping[Point, Scenario],
        duration: float | None,
        warmup: float,
        bidders: str | Mapping[str, str] | None,
    ) -> None:
        self._scenarios, self._duration, self._warmup, self._bidders = scenarios, duration, warmup, bidders
        self._plans: dict[tuple[Point, Contender], Plan] = {}
        self._worlds = KeptWorlds()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}

    def plan(self, point: Point, one: Contender, policy: str | Policy) -> Plan:
        """Make the plan of a contender at a point."""
        return plan(
            self._scenarios[point],
            policy,
            duration=self._duration,
            warmup=self._warmup,
            mechanism=one.mechanism,
            bidders=self._bidders,
        )

    def keep(self, point: Point, one: Contender, planned: Plan) -> None:
        """Keep a plan that has been made."""
        self._plans[point, one] = planned

    def kept(self, point: Point, one: Contender) -> Plan:
        """Return a plan that has been made."""
        return self._plans[point, one]

    def __call__(self, cell: Cell) -> Figures:
        """Return the figures of a cell."""
        key = cell.point, cell.contender
        if key not in self._plans:
            self.keep(*key, self.plan(*key, cell.contender.policy))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            figures = figures_of(self._worlds.run(self._plans[key].with_seed(cell.seed)), self._warmup)
        for warning in said:
            # A world without a task is told once, by the comparison, and not once per policy.
            if figures["tasks"] > 0.0 or not issubclass(warning.category, EmptyMarketWarning):
                warnings.warn(warning.message, stacklevel=2)
        return figures


def tabulate(runs: dict[str, FloatArray], metric: str = "surplus_mean") -> pd.DataFrame:
    """Return the table of `compare` for one point of the grid.

    Args:
        runs: figures by policy, shape (worlds, figures), in the order of `FIGURES`. Row i belongs to the same world
            for all policies. The first policy is the one with which the others are compared.
        metric: figure that is compared.
    """
    import pandas as pd

    compared = FIGURES.index(metric)
    first = next(iter(runs.values()))[:, compared]
    rows = []
    for policy, figures in runs.items():
        # Paired by world: worlds differ far more than policies do, and the difference is free of that.
        difference = figures[:, compared] - first
        row: dict[str, Any] = {"policy": policy, "seeds": len(figures)}
        row["ratio"], row["ratio_ci"] = ratio_of_means(figures[:, compared], first)
        row["difference"], row["difference_ci"] = float(difference.mean()), half_width(difference)
        row["p_corrected"] = p_value(difference)
        for name, mean, width in zip(FIGURES, figures.mean(axis=0), half_widths(figures), strict=True):
            row[name], row[f"{name}_ci"] = float(mean), float(width)
        rows.append(row)
    table = pd.DataFrame(rows).set_index("policy")
    # The correction needs all p-values, so it comes last. The first policy has NaN and does not count.
    table["p_corrected"] = corrected(table["p_corrected"].to_numpy())
    return table
