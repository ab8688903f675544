"""`dmsb reproduce`: what the verdicts rest on, against figures made by hand, and one figure end to end."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import InputError, Scenario, simulate
from simulator.study import code, price_training
from simulator.study.cells import run_cells
from simulator.study.paper import figures, plan, reproduce, rules as paper_rules, runs as paper_runs, scenarios
from simulator.study.paper.claims import PAPER_MARGINS, claims
from simulator.study.paper.plan import AXES, BASE, DMSB, SCALES, VARIANTS, Scale
from simulator.study.paper.tables import by_world, curve_means, margin, means
from simulator.study.paper.verdicts import NO, UNDECIDED, UNTESTED, YES, Interval, all_above, all_of
from simulator.study.statistics import crossed
from simulator.view.paper import draw

WORLDS = np.array([1.0, 1.2, 0.9, 1.1])


def rows(
    axis: str, value: float, policy: str, total: float, uav: float = 0.2, delay: float = 1.0
) -> list[dict[str, Any]]:
    """Runs of a policy at a point: proportional to the worlds, so that every ratio is exact."""
    return [
        {"axis": axis, "value": value, "policy": policy, "training": -1, "world": world, "total": total * size,
         "uav": uav * size, "ground": (total - uav) * size, "delay": delay * size}
        for world, size in enumerate(WORLDS)
    ]  # fmt: skip


def study(**changes: Any) -> dict[str, pd.DataFrame]:
    """Tables in which all that the paper says is so, with changes."""
    surplus = {DMSB: 1.3} | {label: 1.3 / (1 + share) for label, share in PAPER_MARGINS.items()}
    surplus |= {"conditional": 1.31} | changes.get("surplus", {})
    base = pd.DataFrame([row for label, total in surplus.items() for row in rows("base", 0.0, label, total)])
    curves = pd.DataFrame(
        {"learner": "dmsb", "place": "base", "seed": seed, "steps": steps, "total": total}
        for seed in (0, 1)
        for steps, total in zip(
            (100_000, 400_000, 500_000, 600_000), changes.get("curve", (0.9, 1.25, 1.3, 1.3)), strict=True
        )
    )
    panels = pd.DataFrame(
        [
            row
            for number, (count, uav) in enumerate(
                zip(plan.STATIONS_IN_FIG_4, changes.get("uav", (0.51, 0.49, 0.48, 0.475)), strict=True)
            )
            for row in (
                *rows("stations", float(count), DMSB, 1.0 + 0.01 * number, uav),
                *(rows("stations", float(count), label, 0.8, 0.4)[k] for label in ("SPA", "Myopic", "Optimal")
                  for k in range(len(WORLDS))),
            )
        ]
    )  # fmt: skip
    trend = {"bandwidth": 0.01, "station_bandwidth": 0.01, "stations": -0.005, "size": -0.02}
    points = []
    for axis, (_, along) in AXES.items():
        for number, label in itertools.product(range(len(along)), surplus):
            total = surplus[label] * (1.0 + trend[axis] * number)
            slow = 1.0 + 0.1 * number + (0.2 if label != DMSB else 0.0)
            points += rows(axis, along[number].value, label, total, delay=slow)
    margins = changes.get("margins", PAPER_MARGINS)
    shares = {f"over {label}": share for label, share in margins.items()} | {
        f"over {label} ci": 0.01 for label in margins
    }
    sensitivity = pd.DataFrame([{"variant": variant.name, **shares} for variant in VARIANTS])
    return {
        "base": base,
        "curves": curves,
        "panels": panels,
        "sweeps": pd.DataFrame(points),
        "sensitivity": sensitivity,
    }


def verdicts(**changes: Any) -> dict[str, str]:
    found = claims(**study(**changes))
    return dict(zip(found["claim"], found["verdict"], strict=True))


def test_where_all_is_as_the_paper_says_all_is_reproduced() -> None:
    assert set(verdicts().values()) == {YES}


def test_a_verdict_turns_with_the_figure_it_rests_on() -> None:
    weak = verdicts(surplus={"Greedy": 1.29, "SPA": 1.4})
    assert weak["the surplus of DMSB exceeds that of Greedy"] == NO
    assert weak["the surplus of DMSB exceeds that of SPA"] == NO
    assert weak["DMSB is above SPA at every point (Fig. 5)"] == NO
    assert weak["DMSB is above Optimal at every point (Fig. 5)"] == YES
    assert weak["the order of the other policies by their surplus"] == NO
    assert weak["the surplus of DMSB exceeds that of Myopic"] == YES
    assert verdicts(curve=[1.0, 1.1, 1.2, 1.3])["DMSB is stable after 500,000 steps"] == NO
    behind = verdicts(uav=(0.4, 0.49, 0.6, 0.3))
    assert behind["with 3 stations the UAV has the higher surplus (Fig. 4a)"] == NO
    assert behind["with more stations the ground has the higher surplus (Figs. 4b-d)"] == NO
    later = verdicts(uav=(0.6, 0.51, 0.49, 0.4))["with more stations the ground has the higher surplus (Figs. 4b-d)"]
    assert later == "reproduced if Fig. 4(b) has 7 stations"
    assert behind["the UAV's surplus stays stable with more stations (Fig. 4)"] == NO


def test_a_margin_that_hangs_on_the_calibration_says_on_what() -> None:
    found = claims(**study(margins=PAPER_MARGINS | {"SPA": 0.058}))
    row = found[found["claim"] == "the surplus of DMSB exceeds that of SPA"].iloc[0]
    assert row["verdict"].startswith("reproduced if")
    assert "the UAV bids on m (+5.8 % ± 1.0)" in row["why"]


def test_noise_that_hides_the_order_is_no_reproduction() -> None:
    tables = study()
    noise = np.random.default_rng(0).normal(0.0, 0.5, len(tables["base"]))
    tables["base"]["total"] += noise
    found = claims(**tables)
    assert set(found["verdict"][:6]) <= {UNDECIDED, NO}
    assert UNDECIDED in set(found["verdict"][:6])


def test_a_verdict_is_the_intervals() -> None:
    assert [Interval(mean, 0.02).above() for mean in (0.03, 0.01, -0.01, -0.02)] == [YES, UNDECIDED, UNDECIDED, NO]
    assert [Interval(mean, 0.02).near(0.3) for mean in (0.3, 0.32, 0.349, 0.36)] == [YES, UNDECIDED, UNDECIDED, NO]
    assert Interval(0.3, 0.2).near(0.3) == UNDECIDED, "an interval that holds everything decides nothing"
    assert all_of([YES, UNDECIDED, NO]) == NO
    assert all_of([YES, UNDECIDED]) == UNDECIDED
    assert all_of([YES, YES]) == YES


def test_an_order_that_the_runs_do_not_decide_is_undecided() -> None:
    tables = study()
    base = tables["base"]
    spa, others = base["policy"] == "SPA", base[base["policy"] == "Myopic"]["total"].to_numpy()
    base.loc[spa, "total"] = others * np.array([1.02, 0.98, 1.01, 0.99])
    found = claims(**tables)
    (row,) = found[found["claim"].str.startswith("the order of the other policies")].to_dict("records")
    assert row["verdict"] == UNDECIDED
    assert "Myopic over SPA" in row["measured"]
    base.loc[spa, "total"] = 1.05 * others
    found = claims(**tables)
    (row,) = found[found["claim"].str.startswith("the order of the other policies")].to_dict("records")
    assert (row["verdict"], row["why"]) == (NO, "the other way round: Myopic over SPA")


def test_a_margin_that_no_variant_decides_is_not_said_to_hold_with_all() -> None:
    tables = study()
    rows = tables["sensitivity"]
    rows["over SPA ci"] = 0.2
    row = claims(**tables).set_index("claim").loc["the surplus of DMSB exceeds that of SPA"]
    assert row["verdict"] == YES
    assert row["why"].startswith("undecided with: zeta = 0.5 (+30.0 % ± 20.0)")
    rows.loc[rows["variant"] == VARIANTS[0].name, ["over SPA", "over SPA ci"]] = 0.0, 0.01
    row = claims(**tables).set_index("claim").loc["the surplus of DMSB exceeds that of SPA"]
    assert "as calibrated" not in row["why"], "the calibration is not a variant of itself"


def test_stability_is_seen_whatever_the_steps_and_not_by_one_training() -> None:
    tables = study(curve=(0.9, 1.5, 1.1, 1.3))
    curves = tables["curves"]
    curves.loc[(curves["seed"] == 1) & (curves["steps"] < 600_000), "steps"] += 1
    name = "DMSB is stable after 500,000 steps"
    assert claims(**tables).set_index("claim").loc[name, "verdict"] == NO
    steady = study()
    steady["curves"] = steady["curves"][steady["curves"]["seed"] == 0]
    assert claims(**steady).set_index("claim").loc[name, "verdict"] == UNDECIDED


def test_a_peak_between_the_ends_is_not_stable() -> None:
    found = verdicts(uav=(0.51, 0.45, 0.3, 0.5))
    assert found["the UAV's surplus stays stable with more stations (Fig. 4)"] == NO


def test_a_change_of_the_code_is_another_training() -> None:
    one = paper_runs.Training("dmsb", "base", (BASE,), 0, 100, False, 1)
    assert one.scenarios[0].market.information == "public"
    assert one._replace(learner="dmsb-letter").scenarios[0].market.information == "all-bids"
    code = paper_runs.code_hash()
    assert one.name(code) == one.name(code) != one.name("other code")


@pytest.mark.parametrize(
    ("file", "decides_runs", "decides_trainings"),
    [
        ("simulator/market/auction.py", True, True),
        ("simulator/study/run_figures.py", True, True),
        ("simulator/study/price_training.py", True, True),
        ("simulator/study/paper/rules.py", True, True),
        ("simulator/study/compare.py", False, False),
        ("simulator/view/figures.py", False, False),
        ("policies/learning/features.py", True, True),
        ("policies/learning/critics.py", False, True),
        ("scenarios/four_way.yaml", True, True),
    ],
)
def test_a_hash_of_the_code_changes_with_what_decides_results(
    file: str, decides_runs: bool, decides_trainings: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = code.PACKAGE.parent
    for name in {file, *(f"simulator/{used}" for used in code.USED)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "simulator")
    hashes = code.results_code.__wrapped__
    before = hashes(False), hashes(True)
    (tmp_path / file).write_text((tmp_path / file).read_text(encoding="utf-8") + "# changed", encoding="utf-8")
    after = hashes(False), hashes(True)
    assert [one != two for one, two in zip(before, after, strict=True)] == [decides_runs, decides_trainings]


def test_a_hash_of_the_code_has_all_that_trainings_and_tuned_rules_import() -> None:
    """A file that is moved out of one of them must not be left behind."""
    # They read and write what the others have computed, or their content is in the cells of a study.
    apart = {"study/journal.py", "study/paper/plan.py"}
    found, waiting = set[str](), ["study/train.py", "study/paper/rules.py", "study/paper/scenarios.py"]
    while waiting:
        name = waiting.pop()
        found.add(name)
        for node in ast.walk(ast.parse((code.PACKAGE / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simulator.study"):
                modules = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
                files = {module.partition(".")[2].replace(".", "/") + ".py" for module in modules}
                waiting += [one for one in files - found - apart if (code.PACKAGE / one).is_file()]
    assert found == set(code.USED)


def test_a_margin_that_is_missed_names_the_variants_that_would_mend_it() -> None:
    tables = study(surplus={"Random": 1.0})
    at = tables["sensitivity"]["variant"] != "zeta = 0.5"
    tables["sensitivity"].loc[at, "over Random"] = 0.3
    row = claims(**tables).set_index("claim").loc["the surplus of DMSB exceeds that of Random"]
    assert row["verdict"] == NO
    assert row["why"].endswith("reproduced with: zeta = 0.5 (+63.0 % ± 1.0)")


def test_one_of_many_intervals_below_0_by_chance_refutes_nothing() -> None:
    def one(mean: float, p: float) -> Interval:
        return Interval(mean, 0.1, p)

    above, below, open_ = one(0.2, 0.001), one(-0.11, 0.04), one(0.05, 0.3)
    assert all_above([above, above]) == YES
    assert all_above([above, open_]) == UNDECIDED
    assert all_above([below]) == NO
    assert all_above([above, below]) == UNDECIDED, "twice .04 is above .05"
    assert all_above([above, one(-0.3, 0.0004), *[above] * 98]) == NO
    assert all_above([above, Interval(-0.1, 0.0)]) == NO, "where nothing varies the mean decides"
    # Thirty figures that are truly above 0, by a tenth of their spread between worlds.
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(60):
        drawn = 0.1 + rng.normal(0.0, 1.0, (30, 12, 1)) + rng.normal(0.0, 0.1, (30, 12, 3))
        verdicts.append(all_above(Interval(*crossed(values)) for values in drawn))
    assert verdicts.count(NO) <= 4


def test_margins_and_means_are_paired_and_over_trainings() -> None:
    gain, width, _ = margin(1.3 * WORLDS[:, None], WORLDS[:, None])
    assert gain == pytest.approx(0.3)
    assert width < 1e-12
    two = pd.DataFrame(
        [row | {"training": training, "total": row["total"] + 0.1 * training}
         for training in (0, 1) for row in rows("size", 20.0, DMSB, 1.0)]
    )  # fmt: skip
    assert by_world(two, "total")["size", 20.0, DMSB] == pytest.approx(np.stack([WORLDS, WORLDS + 0.1], axis=1))
    row = means(two).iloc[0]
    assert (row["worlds"], row["trainings"]) == (4, 2)
    assert row["total"] == pytest.approx(WORLDS.mean() + 0.05)
    assert row["total_most"] - row["total_least"] == pytest.approx(0.1)


def test_curves_of_several_trainings_meet_at_common_steps() -> None:
    curves = pd.DataFrame(
        {"learner": "dmsb", "place": "base", "seed": [0, 1, 0, 1], "steps": [9_900, 10_050, 20_000, 19_950],
         "total": [1.0, 2.0, 3.0, 3.0], "uav": 0.5, "ground": 0.5}
    )  # fmt: skip
    found = curve_means(curves, [0, 9_500, 19_500])
    assert found["steps"].tolist() == [9_500, 19_500]
    assert found["total"].tolist() == [1.5, 3.0]
    assert found["total_ci"].tolist() == pytest.approx([12.706 * 0.5, 0.0], rel=1e-3)


def test_the_best_constant_is_that_of_runs_at_every_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_rules, "TUNING_ROUNDS", 400)
    few = ("market.actions", 5)
    for overrides in ((few,), (few, ("market.reference", "all")), (few, ("market.history", 5))):
        point = plan.Point("test", 0.0, overrides)
        found = paper_rules.best_constant(point)
        scenario = scenarios.scenario_at(point)
        totals = {
            rho: simulate(scenario, f"constant:{rho!r}", seed=plan.TUNING_WORLD, duration=400).summary["surplus_mean"]
            for rho in scenario.market.prices()
        }
        assert found["best"] == max(totals, key=totals.__getitem__)
        assert found["surplus"] == pytest.approx(max(totals.values()))


def test_every_point_and_variant_is_a_scenario() -> None:
    distinct = scenarios.every_point()
    assert len(distinct) == 28  # of 30 points; the base stands on three axes
    named = [scenarios.scenario_at(point).name for point in distinct]
    assert len(set(named)) == len(named), "a training on several scenarios tells them apart by name"
    assert scenarios.scenario_at(AXES["bandwidth"][1][2]).stations == scenarios.scenario_at(BASE).stations
    assert scenarios.scenario_at(AXES["station_bandwidth"][1][0]).uavs == scenarios.scenario_at(BASE).uavs
    names = {
        scenarios.scenario_at(plan.Point(one.name, 0.0, one.overrides)).model_dump_json(exclude={"name"})
        for one in VARIANTS
    }
    assert len(names) == len([one for one in VARIANTS if one.overrides]) + 1


def test_figure_3_from_end_to_end_and_not_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")
    monkeypatch.setitem(SCALES, "quick", Scale(300, 300, 300, 300, 1, 1, 1, 2, 2, 50))
    monkeypatch.setattr(figures, "LEARNERS", {"sac": plan.LEARNERS["sac"]})
    monkeypatch.setattr(figures, "RULES", {"SPA": "spa", "conditional": "conditional"})
    told: list[tuple[str, int, int]] = []
    folder = reproduce.reproduce(["fig3"], out=tmp_path / "paper", progress=lambda *done: told.append(done), draw=draw)
    assert sorted(path.name for path in folder.iterdir()) == [
        "about.json",
        "fig3.csv",
        "fig3.png",
        "fig3.svg",
        "files.json",
    ]
    table = pd.read_csv(folder / "fig3.csv")
    assert table["policy"].tolist() == ["SAC", "SAC", "SPA", "conditional"]
    assert table["steps"].tolist()[:2] == [0.0, 300.0], "before the first update, and at the end"
    assert np.allclose(table["total"], table["uav"] + table["ground"], atol=3e-5)  # written with five places
    assert ("trainings", 1, 1) in told
    assert not list(tmp_path.rglob("last")), "a finished training keeps no replay buffer"
    told.clear()
    reproduce.reproduce(["fig3"], out=tmp_path / "paper", progress=lambda *done: told.append(done))
    assert told == []
    assert pd.read_csv(folder / "fig3.csv").equals(table)


@pytest.mark.slow
def test_the_claims_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table that a claim reads has the columns and policies that it needs."""
    pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")
    monkeypatch.setitem(SCALES, "quick", Scale(200, 200, 200, 200, 1, 1, 1, 2, 2, 30))
    monkeypatch.setattr(paper_rules, "TUNING_ROUNDS", 50)
    monkeypatch.setattr(price_training, "EVALUATED_S", 50.0)

    def with_a_short_history(point: plan.Point) -> Scenario:
        return scenarios.scenario_at(point._replace(overrides=(*point.overrides, ("market.contract_rounds", 100))))

    monkeypatch.setattr(paper_runs, "scenario_at", with_a_short_history)
    monkeypatch.setattr(paper_rules, "scenario_at", with_a_short_history)
    for axis, (label, points) in AXES.items():
        kept = points if axis == "stations" else points[::4]
        monkeypatch.setitem(AXES, axis, (label, kept))
    monkeypatch.setattr(figures, "LEARNERS", {name: plan.LEARNERS[name] for name in ("dmsb", "dmsb-letter", "ppo")})
    monkeypatch.setattr(figures, "VARIANTS", (VARIANTS[0], VARIANTS[1], VARIANTS[-1]))
    folder = reproduce.reproduce(["claims"], out=tmp_path / "paper")
    found = pd.read_csv(folder / "claims.csv", keep_default_na=False).set_index("claim")
    assert len(found) == 37
    assert found.loc["DMSB is stable after 500,000 steps", "verdict"] == UNTESTED
    assert set(found["verdict"].str.partition(" if")[0]) <= {YES, NO, UNDECIDED, UNTESTED}
    variants = pd.read_csv(folder / "sensitivity.csv")
    assert variants["variant"].tolist() == ["as calibrated", "zeta = 0.5", "b_0 swapped"]
    assert {f"over {label}" for label in PAPER_MARGINS} < set(variants)
    assert variants.notna().all(axis=None)


def test_a_failure_leaves_what_had_been_done(tmp_path: Path) -> None:
    """One training that fails must not cost the others: their journal stays."""
    journal = tmp_path / "trainings.jsonl"

    def work(cell: str) -> dict[str, float]:
        if cell == "bad":
            raise InputError("this one cannot be done")
        return {"ratio": 1.0}

    with pytest.raises(InputError):
        run_cells(work, ["bad"], journal=journal)
    assert not journal.exists(), "a call that did nothing leaves nothing"
    with pytest.raises(InputError):
        run_cells(work, ["good", "bad"], journal=journal)
    done: list[tuple[int, int]] = []
    run_cells(work, ["good"], journal=journal, progress=lambda *so_far: done.append(so_far))
    assert done == []


def test_what_reproduce_is_not_given_right() -> None:
    with pytest.raises(InputError, match="there is no 'fig7'; did you mean"):
        reproduce.reproduce(["fig7"])
    with pytest.raises(InputError, match="scale: must be quick or paper, not 'huge'"):
        reproduce.reproduce(["fig3"], scale="huge")
    for out in (Path(), Path("/"), Path("..")):
        with pytest.raises(InputError, match="must name what to write"):
            reproduce.reproduce(["fig3"], out=out)
    with pytest.raises(InputError, match="jobs: must be a whole number from 1 to 1,000, not 0"):
        reproduce.reproduce(["fig3"], jobs=0)
