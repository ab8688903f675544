"""A comparison against the load: where scarcity binds, where the best correction changes its sign, and its figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import InputError
from simulator.cli.app import app
from simulator.study.load import LOAD_KEY, best_scales, scarcity, sign_change
from simulator.view.load_figure import draw_load, told

LOADS = (0.5, 1.0, 1.5, 2.0, 2.5)
SCALES = (0.7, 1.0, 1.4)


def made_up(harms: tuple[float, ...], turns: tuple[float, ...] = (1.25,)) -> pd.DataFrame:
    """Runs in which n tasks give 10 n - harm n² in all, and the best log k is (turn - load) / 5, per world."""
    rows = []
    for load in LOADS:
        for k in SCALES:
            for seed, harm in enumerate(harms):
                tasks = 100.0 * load
                off = np.log(k) - (turns[seed % len(turns)] - load) / 5.0
                realised = 10.0 - harm * tasks - (0.0 if k == 1.0 else off**2)
                name = "conditional" if k == 1.0 else f"conditional:scale={k:g}"
                rows.append((load, name, seed, tasks, 0.0, realised))
    columns = [LOAD_KEY, "policy", "seed", "tasks", "open", "realised_mean"]
    return pd.DataFrame(rows, columns=columns).set_index([LOAD_KEY, "policy", "seed"])


def test_scarcity_binds_where_one_more_task_adds_half_of_what_the_first_add() -> None:
    harm = 0.02
    # The slope 10 - 2 h n is half of 10 - h n_0, in units of tasks.
    exact = (10.0 - (10.0 - harm * 50.0) / 2.0) / (2.0 * harm) / 100.0
    found = scarcity(made_up((harm,) * 3), "conditional")
    assert found.load == pytest.approx(exact)
    assert found.low == pytest.approx(exact)
    assert found.high == pytest.approx(exact)


def test_the_interval_is_over_worlds() -> None:
    found = scarcity(made_up((0.02, 0.022, 0.024, 0.026)), "conditional")
    assert found.load is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.load < found.high


def test_without_scarcity_there_is_no_load_at_which_it_binds() -> None:
    found = scarcity(made_up((0.0, 0.0)), "conditional")
    assert found == (None, None, None)
    assert "nowhere among these loads" in told(made_up((0.0, 0.0)))


def test_the_best_scale_passes_1_where_the_optimum_does() -> None:
    # Without harm and with every k bent alike, the maximum of the parabola is where it was put.
    runs = made_up((0.0,) * 3)
    runs["realised_mean"] = [
        -((np.log(float(name.partition("=")[2] or 1.0)) - (1.25 - load) / 5.0) ** 2) for load, name, _ in runs.index
    ]
    best = best_scales(runs)
    assert best is not None
    assert best[0] == pytest.approx(LOADS)
    assert best[1] == pytest.approx(np.exp((1.25 - np.array(LOADS)) / 5.0))
    turn = sign_change(runs)
    assert turn is not None
    assert turn.load == pytest.approx(1.25)
    assert "the best k of conditional:scale=k passes 1 at 1.25 (95 %: 1.25 to 1.25)." in told(runs)


def test_two_scales_say_nothing_of_the_best_one() -> None:
    runs = made_up((0.0,)).drop("conditional:scale=0.7", level="policy")
    assert best_scales(runs) is None
    assert sign_change(runs) is None
    assert "best k" not in told(runs)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("four_way", "--load", "1,x"), "--load 1,x: must be different numbers above 0, such as .5,1,2"),
        (("four_way", "--load", "1,0"), "--load 1,0: must be different numbers above 0"),
        (("four_way", "--load", "1,1.0"), "--load 1,1.0: must be different numbers above 0"),
        (("four_way", "--load", "1,nan"), "--load 1,nan: must be different numbers above 0"),
        (("four_way", "--load", ""), "must be different numbers above 0"),
        (("four_way", "--load", "1,200"), "tasks.load"),
        (("braunschweig", "--demand", "1,2"), "--demand: the traffic of 'braunschweig' is recorded, so its arrivals"),
        (("paper", "--demand", "1,2"), "--demand: the traffic of 'paper' is rounds, and nothing arrives"),
        (("paper", "--load", "1,2"), "tasks.load"),
    ],
)
def test_a_bad_load_is_one_sentence(
    command: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", *command, "--policies", "conditional,spa", "--duration", "60"])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_compare_against_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    policies = "conditional,conditional:scale=0.7,conditional:scale=1.4,spa"
    options = ["--seeds", "2", "--duration", "300", "--load", "2,.5", "--out", "loads", "--figure", "loads.svg"]
    done = CliRunner().invoke(app, ["compare", "four_way", "--policies", policies, *options])
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "Scarcity binds under conditional" in said
    assert "the best k of conditional:scale=k passes 1" in said
    runs = pd.read_csv("loads/runs.csv")
    tasks = runs[runs["policy"] == "conditional"].groupby(LOAD_KEY)["tasks"].sum()
    # Loads of .5 and 2 have a ratio of 4; the tasks of a world are a sample.
    assert 2.8 < tasks[2.0] / tasks[0.5] < 5.5
    drawn = Path("loads.svg").read_text(encoding="utf-8")
    for words in ("realised surplus per task", "lost or unserved tasks / tasks", "best k of conditional:scale=k"):
        assert words in drawn


def test_demand_scales_arrivals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--seeds", "2", "--duration", "300", "--demand", ".5,1", "--out", "demands"]
    done = CliRunner().invoke(app, ["compare", "four_way", "--policies", "conditional,spa", *options])
    assert done.exit_code == 0, done.stderr
    runs = pd.read_csv("demands/runs.csv")
    tasks = runs[runs["policy"] == "spa"].groupby("traffic.arrivals.scale")["tasks"].sum()
    assert 0.3 < tasks[0.5] / tasks[1.0] < 0.7


def test_a_figure_without_scales_hides_the_last_panel(tmp_path: Path) -> None:
    from simulator import compare

    table, runs = compare("four_way", ["conditional", "spa"], seeds=2, duration=120, grid={LOAD_KEY: [0.5, 1.0]})
    draw_load(table, runs, tmp_path / "one.svg", "four_way")
    draw_load(table, runs, tmp_path / "two.svg", "four_way")
    drawn = (tmp_path / "one.svg").read_bytes()
    assert b"best k" not in drawn
    assert drawn == (tmp_path / "two.svg").read_bytes()
