from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulator import InputError
from simulator.study.compare import compare
from simulator.study.statistics import corrected, half_width, p_value, ratio_of_means
from simulator.study.tabulate import FIGURES, tabulate
from simulator.view.figures import comparison
from tests.fields import fields


def test_the_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert half_width(values) == pytest.approx((high - low) / 2)
    assert half_width(np.full(4, 3.0)) == 0.0


def test_differences_are_paired_by_world() -> None:
    rng = np.random.default_rng(0)
    worlds = rng.normal(10.0, 3.0, (6, len(FIGURES)))
    table = tabulate({"a": worlds, "b": worlds + 0.5})
    assert table["difference"].loc["b"] == pytest.approx(0.5)
    assert table["difference_ci"].loc["b"] < 1e-9
    assert table["surplus_mean_ci"].loc["b"] > 1.0
    assert (table[["difference", "difference_ci"]].loc["a"] == 0.0).all()
    column = FIGURES.index("surplus_mean")
    assert table["ratio"].loc["b"] == pytest.approx(1 + 0.5 / worlds[:, column].mean())


def test_the_interval_of_a_ratio_is_the_ratios_own() -> None:
    """A policy that has 90 % in every world has a ratio without an interval, though not a difference without one."""
    worlds = np.random.default_rng(0).normal(10.0, 3.0, (6, len(FIGURES)))
    table = tabulate({"a": worlds, "b": 0.9 * worlds})
    assert table["ratio"].loc["b"] == pytest.approx(0.9)
    assert table["ratio_ci"].loc["b"] < 1e-9
    assert table["difference_ci"].loc["b"] > 0.1
    # And it covers: 95 % of the intervals of six noisy worlds hold the true ratio.
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        first = rng.normal(10.0, 1.0, 6)
        ratio, half = ratio_of_means(0.9 * first + rng.normal(0.0, 0.3, 6), first)
        hits += abs(ratio - 0.9) <= half
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


def test_the_test_is_the_librarys_paired_one_corrected_for_the_number_of_policies() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(10.0, 3.0, (8, len(FIGURES)))
    runs = {"a": base} | {name: base + rng.normal(shift, 0.5, base.shape) for name, shift in (("b", 0.6), ("c", 0.1))}
    table, column = tabulate(runs), FIGURES.index("surplus_mean")
    plain = [stats.ttest_rel(runs[name][:, column], base[:, column]).pvalue for name in ("b", "c")]
    assert p_value(runs["b"][:, column] - base[:, column]) == pytest.approx(plain[0])
    assert np.isnan(table["p_corrected"].loc["a"]), "nothing is compared with itself"
    # Holm: the smallest times 2, the larger times 1, and never below a smaller one.
    low, high = sorted(plain)
    assert sorted(table["p_corrected"].dropna()) == pytest.approx([2 * low, max(high, 2 * low)])
    assert np.isnan(corrected(np.array([np.nan, np.nan]))).all()


def test_figures_by_kind_add_up() -> None:
    _, runs = compare("paper", ["conditional", "always-uav"], seeds=2, duration=200)
    assert np.allclose(runs["surplus_ground"] + runs["surplus_uav"], runs["surplus_mean"])
    assert (runs["surplus_ground"].loc["always-uav"] == 0.0).all()
    assert np.allclose(runs["completed_share"], runs["completed"] / runs["tasks"])


def test_a_grid_is_the_comparison_at_each_of_its_points() -> None:
    policies = ["conditional", "spa"]
    table, runs = compare(
        "paper", policies, seeds=2, duration=60, grid={"stations.count": [3, 5], "tasks.size_mb": [20]}
    )
    assert list(table.index.names) == ["stations.count", "tasks.size_mb", "policy"]
    assert len(table) == 4
    assert len(runs) == 8
    alone, _ = compare("paper", policies, seeds=2, duration=60, **fields({"stations.count": 5, "tasks.size_mb": 20}))
    assert np.allclose(table["surplus_mean"].xs((5, 20)), alone["surplus_mean"])
    assert table["ratio"].xs((3, 20, "conditional")) == 1.0
    wrong: dict[str, Any]
    for wrong in ({"stations.count": []}, {"stations.count": "35"}, {"stations.count": [3, 3]}):
        with pytest.raises(InputError, match=r"grid: stations\.count"):
            compare("paper", policies, seeds=2, duration=60, grid=wrong)
    with pytest.raises(InputError, match="has no field 'cuont'"):
        compare("paper", policies, seeds=2, duration=60, grid={"stations.cuont": [3]})


def test_a_comparison_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """What a journal holds is not run again; another scenario, length or policy file begins anew."""
    policies, journal = ["conditional", "random"], tmp_path / "journal"

    class CutOffError(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise CutOffError

    with pytest.raises(CutOffError):
        compare("paper", policies, seeds=2, duration=60, progress=stop, journal=journal)
    with journal.open("a") as file:
        file.write('{"cell": "half a li')
    seen: list[int] = []
    table, _ = compare(
        "paper", policies, seeds=2, duration=60, journal=journal, progress=lambda done, _: seen.append(done)
    )
    assert seen == [4], "three of four runs were there"
    whole, _ = compare("paper", policies, seeds=2, duration=60)
    clocks = ["wall_s", "wall_s_ci", "cpu_s", "cpu_s_ci"]
    assert table.drop(columns=clocks).equals(whole.drop(columns=clocks))
    seen.clear()
    compare("paper", policies, seeds=2, duration=61, journal=journal, progress=lambda done, _: seen.append(done))
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "grid", [{}, {"stations.count": [3, 5]}, {"stations.count": [3], "market.reference": ["stations", "all"]}]
)
def test_every_kind_of_grid_has_its_figure(grid: dict[str, Any], tmp_path: Path) -> None:
    table, _ = compare("paper", ["conditional", "spa"], seeds=2, duration=30, grid=grid)
    comparison(table, tmp_path / "figure.png", "paper")
    assert (tmp_path / "figure.png").stat().st_size > 5_000


def test_wrong_input_is_found_before_anything_runs() -> None:
    with pytest.raises(InputError, match="no policy 'spaa'"):
        compare("paper", ["random", "spaa"], duration=1e9)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "too many points": (
        {"grid": {key: range(400) for key in ("a", "b", "c", "d")}}, "at most 10,000,000 runs, not 25,600,000,000"),
    "values without end": ({"grid": {"tasks.load": range(10**9)}}, "grid: tasks.load has 1,000,000,000 values; it"),
    "one value": ({"grid": {"stations.count": 3}}, "grid: stations.count needs one or more values, .* not 3"),
    "letters": ({"grid": {"stations.count": b"35"}}, "grid: stations.count needs one or more values, .* not b'35'"),
    "a list as a grid": ({"grid": [1]}, r"grid: must be a mapping from keys to lists of values, not \[1\]"),
    "a number as a key": ({"grid": {3: [1]}}, "grid: a key must be the dotted key of a field, .* not 3"),
    "no key": ({"grid": {",": [(1, 2)]}}, "grid: a key must be the dotted key of a field, .* not ','"),
    "a value that is wrong": ({"grid": {"stations.count": ["a"]}}, "^grid: stations.count: .*integer.*, not 'a'"),
    "a set": ({"policies": {"spa"}}, "policies: must be a list of one or more different policies, not {'spa'}"),
    "an array": ({"mechanisms": np.array(["msb"])}, "mechanisms: must be a list of one or more different mechanisms"),
    "a number as a name": ({"bidders": {3: "exp3"}}, "bidders: no provider is called '3'; did you mean"),
    "no figure": ({"metric": None}, "metric: there is no figure 'None'"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_in_one_sentence_before_anything_runs(case: str) -> None:
    arguments, message = MISTAKES[case]
    with pytest.raises(InputError, match=message):
        compare("paper", **{"policies": ["spa", "random"], "seeds": 2, "duration": 3, **arguments})
