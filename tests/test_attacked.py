"""Inputs by which somebody broke what is new: each gets one sentence, and nothing is lost or half written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gymnasium
import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import InputError, Observation, RunError, Scenario, Simulation, compare, simulate
from simulator.cli.app import app
from simulator.errors import OutputError, PolicyFailedError
from simulator.study import doctor as module
from simulator.study.doctor import Check, doctor
from simulator.study.train import train
from simulator.study.trainings import train_seeds
from simulator.view.figures import comparison
from simulator.view.report.means import means
from tests.fields import fields
from tests.world.test_fitting import crossing

TINY = f"{Path(__file__).parent / 'tiny_policy.py'}:Tiny"


def small() -> Scenario:
    return Scenario.load("paper", **fields({"market.contract_rounds": 100, "duration_s": 20.0}))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"machine": {}}', '{"machine": {}, "checks": {"x": {}}}']
)
def test_a_damaged_reference_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reference.json").write_text(text)
    monkeypatch.setattr(module, "REFERENCE", tmp_path / "reference.json")
    with pytest.raises(InputError, match=r"reference\.json: is missing or damaged; install dmsb again"):
        doctor((Check("paper", "conditional", 5.0),))


def test_a_damaged_installation_is_not_well() -> None:
    """Only a package that is not installed may leave a check out."""
    broken = Check("paper", "diffusion:weights=nowhere", 5.0)
    found = doctor((broken,), {"machine": {}, "checks": {str(broken): {}}})
    assert [one.verdict for one in found] == ["differs"]


class Ends:
    """A policy whose training ends the program."""

    spec = "ends"

    def __init__(self, weights: str = "") -> None:
        self.weights = weights

    def price(self, observation: Observation) -> float:
        return 1.0

    def train(self, make_env: Any, steps: int, seed: int, out: Path, resume: bool, report: Any) -> None:
        raise SystemExit(0)


def test_a_training_that_ends_the_program_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.study.training_tasks.find_policy", lambda policy: Ends())
    with pytest.raises(PolicyFailedError, match=r"train\(\) raised SystemExit"):
        train(["four_way"], "ends", 10, out=tmp_path / "t", held_out=1)


def test_two_scenarios_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two are named 'paper'; give each a name of its own"):
        train([small(), small()], TINY, 10, out=tmp_path / "t")


def test_best_weights_that_are_gone_are_missed(tmp_path: Path) -> None:
    options: dict[str, Any] = {"evaluate_every": 1_000, "held_out": 1}
    best = train([small()], TINY, 1_250, out=tmp_path / "t", **options)
    shutil.rmtree(best)
    with pytest.raises(OutputError, match=r"its best weights are gone; .*deployed has the latest ones"):
        train([small()], TINY, 1_250, out=tmp_path / "t", resume=True, **options)


def test_nothing_is_trained_before_all_folders_fit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"evaluate_every": 1_000, "held_out": 1}
    out = tmp_path / "many"
    train_seeds([small()], TINY, 1_250, 2, out, **options)
    shutil.rmtree(out / "seed-0")
    with pytest.raises(InputError, match="seed-1: was begun with steps = 1250, not 2500"):
        train_seeds([small()], TINY, 2_500, 2, out, resume=True, **options)
    assert not (out / "seed-0").exists()
    (out / "curve.csv").write_text("mine\n")
    with pytest.raises(OutputError, match=r"curve\.csv is not replaced, because it is not a learning curve"):
        train_seeds([small()], TINY, 1_250, 2, out, resume=True, **options)
    assert not (out / "seed-0").exists()
    (tmp_path / "notes").mkdir()
    with pytest.raises(OutputError, match="notes: holds no trainings to go on with"):
        train_seeds([small()], TINY, 1_250, 2, tmp_path / "notes", resume=True, **options)
    assert list((tmp_path / "notes").iterdir()) == []


def test_null_as_a_value_of_the_grid_has_a_page() -> None:
    table, _ = compare("paper", ["conditional", "spa"], seeds=2, duration=20, grid={"market.most_bids": [None, 5]})
    for value in (None, 5):
        assert [row["name"] for row in means(table, "surplus_mean", {"market.most_bids": value})["rows"]] == [
            "conditional",
            "spa",
        ]


def test_a_dollar_in_a_name_is_a_dollar(tmp_path: Path) -> None:
    table, _ = compare("paper", ["conditional", "spa"], seeds=2, duration=20)
    renamed = table.rename(index={"spa": "$\\frac$"})
    comparison(renamed, tmp_path / "c.png", "$\\frac$ and $x")
    assert (tmp_path / "c.png").is_file()


class Huge:
    reasons = {"a": "something"}  # noqa: RUF012

    def price(self, observation: Observation) -> float:
        return 2.0

    def explain(self, observation: Observation) -> Any:
        return {"a": 10**400}


def test_a_number_that_is_too_large_is_no_crash_and_is_found_before_a_comparison() -> None:
    with pytest.raises(RunError, match=r"explain\(\): a must be a number"):
        simulate("paper", Huge(), duration=3, explain=True)


@pytest.mark.parametrize("name", [0, None, 3.5])
def test_what_is_no_name_of_a_condition_is_a_key_error(name: Any) -> None:
    class Asks:
        def price(self, observation: Observation) -> float:
            return observation[name]

    with pytest.raises(RunError, match="no market condition"):
        simulate("paper", Asks(), duration=3)


@pytest.mark.parametrize("stem", ["2024-01-01", "1e3", "null", "[a]", "- q", "a: b", "'q", '"q', "%p", "a #b", "&a"])
def test_a_scenario_is_fitted_to_a_file_of_any_name(stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    crossing(200.0, count=4).to_csv(tmp_path / f"{stem}.csv", index=False)
    done = CliRunner().invoke(app, ["new", f"./{stem}.csv", "--out", "mine.yaml"])
    assert done.exit_code == 0, done.output
    assert Scenario.load("mine.yaml").name == stem


def test_nothing_is_fitted_to_one_moment(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        [(0.0, "a", 0.0, 0.0, 1.0), (0.0, "b", 9.0, 0.0, 1.0)], columns=["time", "id", "x", "y", "speed"]
    )
    rows.to_csv(tmp_path / "m.csv", index=False)
    done = CliRunner().invoke(app, ["new", str(tmp_path / "m.csv"), "--out", str(tmp_path / "m.yaml")])
    assert "all samples of its recording are of one moment; it must have two moments or more" in str(done.exception)
    assert not (tmp_path / "m.yaml").exists()


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_a_data_class_in_a_file_is_a_policy(future: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        f"{future}from dataclasses import dataclass\n\n@dataclass\nclass Bold:\n    margin: float = 1.5\n\n"
        "    def price(self, observation):\n        return self.margin\n"
    )
    monkeypatch.chdir(tmp_path)
    assert (simulate("paper", "mine.py:Bold:margin=2", duration=5).auctions["rho"] == 2.0).all()


@pytest.mark.parametrize("word", ["Public", "all_bids", ["public"]])
def test_a_misspelt_information_shows_nothing(word: Any) -> None:
    with pytest.raises(InputError, match="information: must be one of public, masked, all-bids, clairvoyant, not"):
        gymnasium.make("dmsb/Paper-v0", duration=5, information=word)
    with pytest.raises(InputError, match="information: must be one of"):
        Simulation(Scenario.load("paper"), duration=5, information=word)


def test_a_return_of_many_steps_waits_until_there_is_one(tmp_path: Path) -> None:
    short = fields({"market.contract_rounds": 100, "duration_s": 300})
    small = {"n_step": 100, "warmup": 20, "batch": 8, "width": 4, "worlds": 2}
    for kind in ("dqn", "sac"):
        train([Scenario.load("paper", **short)], kind, 400, out=tmp_path / kind, hyper=small, held_out=1)
        assert (tmp_path / kind / "deployed").is_dir()
