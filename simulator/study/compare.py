"""The same worlds under each policy: means, paired differences and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError, check_times, shown
from simulator.extras import need
from simulator.model import FloatArray
from simulator.run import prepare, simulate
from simulator.scenario import Scenario
from simulator.schema import SUMMARY

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95

MOST_WORLDS, MOST_JOBS = 1_000_000, 1_000


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
        overrides: scenario fields by dotted key.

    Returns:
        The table, a row per policy: of each figure its mean over the worlds and the half-width of its 95 % interval
        (``surplus_mean``, ``surplus_mean_ci``), and of the surplus the paired difference to the first policy with its
        half-width (``difference``, ``difference_ci``) and the ratio of the means with its own (``ratio``,
        ``ratio_ci``). Intervals are Student's t over worlds, the ratio's by linearisation (Cochran, "Sampling
        Techniques", 1977, section 6.4). And the runs: the summary of each, a row per policy and seed.

    Raises:
        InputError: scenario or one of the policies is wrong, or scipy is not installed.
        RunError: a policy failed while it ran.
    """
    need("scipy", "study")
    scenario = Scenario.load(scenario, **overrides)
    named = not isinstance(policies, str) and all(isinstance(policy, str) for policy in policies)
    if not named or len(set(policies)) != len(policies) or not policies:
        given = ", ".join(policies) if named else shown(policies)
        raise InputError(f"policies: must be a list of one or more different ones, not {given or 'none'}")
    for name, number, least, most in (("seeds", seeds, 2, MOST_WORLDS), ("jobs", jobs, 1, MOST_JOBS)):
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            why = " (an interval needs two or more worlds)" if name == "seeds" else ""
            raise InputError(f"{name}: must be a whole number from {least} to {most:,}{why}, not {shown(number)}")
    check_times(0, scenario.duration_s if duration is None else duration, warmup)
    for policy in policies:
        prepare(scenario, policy, None)
    cells = list(product(policies, range(seeds)))
    done: dict[tuple[str, int], FloatArray] = {}
    if jobs == 1:
        for cell in cells:
            done[cell] = _run(scenario, *cell, duration, warmup)
            if progress is not None:
                progress(len(done), len(cells))
    else:
        with ProcessPoolExecutor(min(jobs, len(cells)), mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(_run, scenario, *cell, duration, warmup): cell for cell in cells}
            try:
                for future in as_completed(futures):
                    done[futures[future]] = future.result()
                    if progress is not None:
                        progress(len(done), len(cells))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    import pandas as pd

    table = tabulate({policy: np.array([done[policy, seed] for seed in range(seeds)]) for policy in policies})
    index = pd.MultiIndex.from_tuples(cells, names=["policy", "seed"])
    return Comparison(table, pd.DataFrame([done[cell] for cell in cells], index=index, columns=list(SUMMARY)))


def _run(scenario: Scenario, policy: str, seed: int, duration: float | None, warmup: float) -> FloatArray:
    return simulate(scenario, policy, seed=seed, duration=duration, warmup=warmup).summary.to_numpy()


def tabulate(runs: dict[str, FloatArray]) -> pd.DataFrame:
    """The table that `compare` returns.

    Args:
        runs: for each policy its summaries, shape (worlds, figures), figures in the order of `SUMMARY`; the same
            worlds for all, and first the policy that the others are compared with.
    """
    import pandas as pd

    surplus = list(SUMMARY).index("surplus_mean")
    first = next(iter(runs.values()))[:, surplus]
    rows = []
    for policy, figures in runs.items():
        difference = figures[:, surplus] - first
        row: dict[str, Any] = {"policy": policy, "seeds": len(figures)}
        # Where the first has no surplus, nothing can be said in relation to it.
        base = float(first.mean()) or math.nan
        row["ratio"] = ratio = float(figures[:, surplus].mean() / base)
        row["ratio_ci"] = half_width(figures[:, surplus] - ratio * first) / base
        row["difference"], row["difference_ci"] = float(difference.mean()), half_width(difference)
        for column, name in enumerate(SUMMARY):
            row[name], row[f"{name}_ci"] = float(figures[:, column].mean()), half_width(figures[:, column])
        rows.append(row)
    return pd.DataFrame(rows).set_index("policy")


def half_width(values: FloatArray) -> float:
    """Half-width of the 95 % interval of a mean by Student's t; 0 where all values are equal, NaN where one is NaN."""
    from scipy import stats

    if not np.isfinite(values).all():
        return math.nan
    if np.ptp(values) == 0.0:
        return 0.0
    return float(stats.sem(values) * stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1))
