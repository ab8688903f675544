"""Trainings side by side: the same as each by itself, continued after a kill, with an interval over trainings."""

from __future__ import annotations

import importlib.util
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import InputError, Scenario
from simulator.cli.app import app
from simulator.errors import OutputError
from simulator.study.statistics import half_width
from simulator.study.train import train
from simulator.study.trainings import curve_of, evaluations, train_seeds
from simulator.view.curves import learning_curve
from tests.fields import fields
from tests.kills import tree

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra learn")

POLICY = f"{Path(__file__).parents[1] / 'tiny_policy.py'}:Tiny"
STEPS = 2_500
"""Two cycles of one world with 1,250 rounds."""


def scenario() -> Scenario:
    return Scenario.load("paper", **fields({"market.contract_rounds": 100, "duration_s": 20.0}))


def several(out: Path, jobs: int = 1, resume: bool = False, **more: Any) -> pd.DataFrame:
    options = {"evaluate_every": 1_000, "held_out": 1} | more
    return train_seeds([scenario()], POLICY, STEPS, 3, out, jobs=jobs, resume=resume, **options)


def without_clocks(folder: Path) -> dict[str, bytes | None]:
    found = tree(folder)
    metrics = pd.read_csv(folder / "metrics.csv").drop(columns="seconds")
    return {name: data for name, data in found.items() if name != "metrics.csv"} | {"": metrics.to_csv().encode()}


def test_side_by_side_is_one_by_one_and_a_lost_training_is_made_again(tmp_path: Path) -> None:
    curve = several(tmp_path / "many", jobs=2)
    train([scenario()], POLICY, STEPS, seed=1, out=tmp_path / "alone", evaluate_every=1_000, held_out=1)
    assert without_clocks(tmp_path / "many" / "seed-1") == without_clocks(tmp_path / "alone")
    with ThreadPoolExecutor(2) as executor:
        assert several(tmp_path / "pool", executor=executor).equals(curve)
    assert without_clocks(tmp_path / "pool" / "seed-1") == without_clocks(tmp_path / "alone")
    before = without_clocks(tmp_path / "many" / "seed-2")
    shutil.rmtree(tmp_path / "many" / "seed-2")
    (tmp_path / "many" / "curve.csv").unlink()
    assert several(tmp_path / "many", resume=True).equals(curve)
    assert without_clocks(tmp_path / "many" / "seed-2") == before
    assert pd.read_csv(tmp_path / "many" / "curve.csv")["ratio"].to_numpy() == pytest.approx(curve["ratio"].to_numpy())


def test_the_curve_is_the_mean_over_trainings_by_number_of_evaluation(tmp_path: Path) -> None:
    header = (
        "steps,seconds,train/reward,train/best_share,train/regret,evaluation/ratio,evaluation/ratio_worst,evaluation/surplus_mean,"
        "evaluation/surplus_ground,evaluation/surplus_uav,loss/actor,loss/critic,policy/entropy,policy/clipped\n"
    )
    given = {"a": [(100, 0.9), (200, 1.0)], "b": [(110, 0.8), (220, 1.04)], "c": [(90, 1.0)]}
    for name, rows in given.items():
        (tmp_path / name).mkdir()
        lines = [f"{steps},1,,,,{ratio},,,,,,,,\n" for steps, ratio in rows]
        (tmp_path / name / "metrics.csv").write_text(header + "50,1,0.5,,,,,,,,,,,\n" + "".join(lines))
        assert evaluations(tmp_path / name) == rows
    curve = curve_of([tmp_path / name for name in given])
    assert curve["steps"].tolist() == [100, 210]
    assert curve["trainings"].tolist() == [3, 2]
    assert curve["ratio"].tolist() == pytest.approx([0.9, 1.02])
    import numpy as np

    assert curve["ratio_ci"].tolist() == pytest.approx(
        [half_width(np.array([0.9, 0.8, 1.0])), half_width(np.array([1.0, 1.04]))]
    )
    learning_curve(list(given.values()), curve, tmp_path / "curve.png", "three")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "mine.png").write_bytes(b"a picture of somebody else")
    with pytest.raises(OutputError, match="not a picture of this program"):
        learning_curve(list(given.values()), curve, tmp_path / "mine.png", "three")


def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seeds: must be a whole number from 2 to 1,000, not 1"):
        train_seeds([scenario()], POLICY, 10, 1, tmp_path / "x")
    with pytest.raises(InputError, match=r"jobs: must be a whole number from 1 to 1,000, not 0"):
        train_seeds([scenario()], POLICY, 10, 2, tmp_path / "x", jobs=0)
    (tmp_path / "x" / "seed-0").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"x exists already; go on with it \(--resume\), or name another"):
        several(tmp_path / "x")


def test_the_command_prints_the_curve_and_draws_it(tmp_path: Path) -> None:
    sizes = [
        "--steps",
        str(STEPS),
        "--evaluate-every",
        "1000",
        "--held-out",
        "1",
        "--set",
        "market.contract_rounds=100",
    ]
    sizes += ["--set", "duration_s=20", "--policy", POLICY]
    done = CliRunner().invoke(app, ["train", "paper", *sizes, "--seeds", "2", "--out", str(tmp_path / "many")])
    assert done.exit_code == 0, done.output
    assert "1,000  2" in done.output
    assert done.output.splitlines()[-1] == str(tmp_path / "many")
    assert (tmp_path / "many" / "curve.png").is_file()
    done = CliRunner().invoke(app, ["train", "paper", *sizes, "--out", str(tmp_path / "one")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "one" / "curve.png").is_file()
    done = CliRunner().invoke(app, ["train", "paper", *sizes, "--out", str(tmp_path / "one"), "--resume"])
    assert done.exit_code == 0, done.output
    wrong = CliRunner().invoke(
        app, ["train", "paper", *sizes, "--seeds", "2", "--seed", "5", "--out", str(tmp_path / "n")]
    )
    assert "several trainings have the seeds 0 to 1; leave --seed out" in str(wrong.exception)
    wrong = CliRunner().invoke(app, ["train", "paper", *sizes, "--seeds", "0", "--out", "n"])
    assert "--seeds 0: must be a whole number of trainings, 1 or more" in str(wrong.exception)


def test_a_report_callable_hears_every_metric(tmp_path: Path) -> None:
    heard: list[dict[str, float]] = []
    train([scenario()], POLICY, STEPS, out=tmp_path / "t", evaluate_every=1_000, held_out=1, report=heard.append)
    assert [row["steps"] for row in heard if "evaluation/ratio" in row] == [0, 1000, 2250, 2500]
