from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simulator import InputError
from simulator.schema import SUMMARY
from simulator.study.compare import compare, half_width, tabulate


def test_the_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert half_width(values) == pytest.approx((high - low) / 2)
    assert half_width(np.full(4, 3.0)) == 0.0


def test_differences_are_paired_by_world() -> None:
    rng = np.random.default_rng(0)
    worlds = rng.normal(10.0, 3.0, (6, len(SUMMARY)))
    table = tabulate({"a": worlds, "b": worlds + 0.5})
    assert table["difference"].loc["b"] == pytest.approx(0.5)
    assert table["difference_ci"].loc["b"] < 1e-9
    assert table["surplus_mean_ci"].loc["b"] > 1.0
    assert (table[["difference", "difference_ci"]].loc["a"] == 0.0).all()
    column = list(SUMMARY).index("surplus_mean")
    assert table["ratio"].loc["b"] == pytest.approx(1 + 0.5 / worlds[:, column].mean())


def test_the_interval_of_a_ratio_is_the_ratios_own() -> None:
    """A policy that has 90 % in every world has a ratio without an interval, though not a difference without one."""
    worlds = np.random.default_rng(0).normal(10.0, 3.0, (6, len(SUMMARY)))
    table = tabulate({"a": worlds, "b": 0.9 * worlds})
    assert table["ratio"].loc["b"] == pytest.approx(0.9)
    assert table["ratio_ci"].loc["b"] < 1e-9
    assert table["difference_ci"].loc["b"] > 0.1
    # And it covers: 95 % of the intervals of six noisy worlds hold the true ratio.
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        first = rng.normal(10.0, 1.0, (6, len(SUMMARY)))
        row = tabulate({"a": first, "b": 0.9 * first + rng.normal(0.0, 0.3, first.shape)}).loc["b"]
        hits += abs(row["ratio"] - 0.9) <= row["ratio_ci"]
    assert hits / 400 == pytest.approx(0.95, abs=0.03)


def test_jobs_do_not_change_the_table() -> None:
    seen: list[tuple[int, int]] = []
    policies = ["conditional", "random"]
    one, runs = compare("paper", policies, seeds=2, duration=100, progress=lambda *so_far: seen.append(so_far))
    two, _ = compare("paper", policies, seeds=2, duration=100, jobs=2)
    assert runs.index.tolist() == [(policy, seed) for policy in policies for seed in (0, 1)]
    assert runs["surplus_mean"].loc["random"].mean() == one["surplus_mean"].loc["random"]
    clocks = ["wall_s", "wall_s_ci", "cpu_s", "cpu_s_ci"]
    assert one.drop(columns=clocks).equals(two.drop(columns=clocks))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_wrong_input_is_found_before_anything_runs() -> None:
    with pytest.raises(InputError, match="no policy 'spaa'"):
        compare("paper", ["random", "spaa"], duration=1e9)
