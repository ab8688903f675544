"""A training's folder: what it says where it cannot go on, and what it never loses.

`tests/files/test_kills.py` kills trainings at every moment. The policy is `tests/tiny_policy.py`, which needs no torch.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator import InputError, Scenario
from simulator.errors import OutputError, PolicyError
from simulator.market.mechanisms.regret_net import RegretNet
from simulator.study import price_training as module
from simulator.study.journal import locked
from simulator.study.train import train
from simulator.study.training_files import RATIO
from simulator.study.training_folder import COLUMNS, TrainingFolder
from tests.fields import fields
from tests.kills import forked, tree

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra learn")

FILE = Path(__file__).parents[1] / "tiny_policy.py"


@pytest.fixture(autouse=True)
def brief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS_PER_EPISODE", 10.0)
    monkeypatch.chdir(tmp_path)


def small(policy: str = "Tiny", steps: int = 30, out: str = "t", **more: Any) -> Path:
    scenario = Scenario.load("paper", **fields({"market.contract_rounds": 100, "duration_s": 3.0}))
    more = {"evaluate_every": 10, "held_out": 1, **more}
    return train([scenario], f"{FILE}:{policy}", steps, out=Path(out), **more)


def killed(when: Callable[[], bool], **more: Any) -> None:
    """A training that was killed at the first file operation at which something is so."""

    def kill(*_: object) -> None:
        if when():
            os.kill(os.getpid(), signal.SIGKILL)

    assert forked(lambda: small(**more), Path.cwd(), kill).killed


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again() -> None:
    small(out="other")
    killed(lambda: Path("t/best").exists())
    assert not Path("t/last").exists()
    before = tree(Path("t"))
    with pytest.raises(OutputError, match=r"t exists already; it was cut off early, so begin it again \(--resume\)"):
        small()
    assert tree(Path("t")) == before
    small(resume=True)
    for name in ("best", "deployed", "last"):
        assert tree(Path("t", name)) == tree(Path("other", name))


def test_a_training_that_is_there_is_gone_on_with_or_left_alone() -> None:
    small(steps=20)
    before = tree(Path("t"))
    with pytest.raises(OutputError, match=r"t exists already; go on with it \(--resume\), or name another"):
        small(steps=20)
    with pytest.raises(InputError, match="t: was begun with steps = 20, not 30"):
        small(steps=30, resume=True)
    with pytest.raises(InputError, match=r"t: was begun with hyper = \{\}, not \{'gamma': 0\.5\}"):
        small(steps=20, resume=True, hyper={"gamma": 0.5})
    assert tree(Path("t")) == before
    assert small(steps=20, resume=True) == Path("t/best")
    assert tree(Path("t")) == before


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_training_is_left_alone(make: Callable[[Path], None]) -> None:
    make(Path("t"))
    with pytest.raises(OutputError, match="t exists already; name another"):
        small()
    with pytest.raises(OutputError, match="t: holds no training to go on with"):
        small(resume=True)


def test_the_best_weights_are_not_lost_with_the_last_checkpoint() -> None:
    """Somebody has removed `last` to save space: beginning again would replace the best weights by the first ones."""
    small()
    shutil.rmtree("t/last")
    before = tree(Path("t"))
    with pytest.raises(OutputError, match=r"t: its checkpoint last is gone, so it cannot go on; best has its best"):
        small(resume=True)
    assert tree(Path("t")) == before


def test_the_best_ratio_is_that_of_the_metrics_and_survives_a_resumption() -> None:
    """Ratios are compared as they are written down: a resumed training knows no more digits."""
    said = iter([0.5, 0.9000001, 0.9000004, 0.3, 0.9000004, 0.91])
    out = Path("t")

    def record() -> TrainingFolder:
        return TrainingFolder(out, {"policy": "p"}, lambda _: {"evaluation/ratio": next(said)}, 10, False, None)

    def evaluated(found: TrainingFolder, steps: int) -> str:
        for name in ("deployed", "last"):
            (out / name).mkdir(exist_ok=True)
            (out / name / "meta.json").write_text(json.dumps({"steps": steps}))
        found.report({"steps": steps, "checkpoint": 1.0})
        best = json.loads((out / "best" / "meta.json").read_text())
        return str(best["steps"])

    first = record()
    with first.opened(False) as goes_on:
        assert not goes_on
        assert [evaluated(first, steps) for steps in (10, 20, 30, 40)] == ["10", "20", "20", "20"]
    second = record()
    with second.opened(True) as goes_on:
        assert goes_on
        assert [evaluated(second, steps) for steps in (45, 50, 60)] == ["20", "20", "60"]
    rows = (out / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[COLUMNS.index(RATIO)] for row in rows[1:]] == ["0.5", "0.9", "0.9", "0.3", "0.9", "0.91"]


def test_where_the_ratio_is_not_the_aim_the_last_weights_are_the_best() -> None:
    said, out = iter([0.9, 0.5]), Path("t")
    found = TrainingFolder(
        out, {"policy": "p"}, lambda _: {"evaluation/ratio": next(said)}, 10, False, None, last_is_best=True
    )
    with found.opened(False):
        for steps in (10, 20):
            for name in ("deployed", "last"):
                (out / name).mkdir(exist_ok=True)
                (out / name / "meta.json").write_text(json.dumps({"steps": steps}))
            found.report({"steps": steps, "checkpoint": 1.0})
            assert json.loads((out / "best" / "meta.json").read_text()) == {"steps": steps}
    assert RegretNet.last_is_best


def test_best_weights_are_kept_even_where_no_ratio_is_a_number() -> None:
    """Where nobody earns anything a ratio is not a number; any number is better than that."""
    said = iter([math.nan, 0.5, math.nan, 0.4, 0.6])

    def folder() -> TrainingFolder:
        return TrainingFolder(Path("t"), {}, lambda _: {"evaluation/ratio": next(said)}, 1, False, None)

    def best(record: TrainingFolder, steps: int) -> str:
        for name in ("deployed", "last"):
            Path("t", name).mkdir(exist_ok=True)
            Path("t", name, "meta.json").write_text(json.dumps({"steps": steps}))
        record.report({"steps": steps, "checkpoint": 1.0})
        return str(json.loads(Path("t/best/meta.json").read_text())["steps"])

    first, second = folder(), folder()
    with first.opened(False):
        assert [best(first, steps) for steps in (1, 2, 3)] == ["1", "2", "2"]
    with second.opened(True):
        assert [best(second, steps) for steps in (4, 5)] == ["2", "5"]


def test_a_row_that_was_cut_off_is_written_again() -> None:
    small(out="other")
    killed(lambda: Path("t/last").exists())
    with Path("t/metrics.csv").open("a") as file:
        file.write("120,0.")
    small(resume=True)
    rows = [
        [row.split(",")[:1] + row.split(",")[2:] for row in Path(name, "metrics.csv").read_text().splitlines()]
        for name in ("t", "other")
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("steps,", "step,"), r"1: the columns of a training's metrics must be steps,"),
        (lambda text: text.replace("\n10,", "\nten,", 1), r"\d+: steps must be a number, not 'ten'"),
        (lambda text: text + "1,2\n", rf"\d+: must have {len(COLUMNS)} cells, not 2"),
        (lambda text: "", r"1: the columns of a training's metrics must be steps,"),
    ],
)
def test_metrics_that_were_edited_are_one_sentence(change: Callable[[str], str], message: str) -> None:
    small()
    Path("t/metrics.csv").write_text(change(Path("t/metrics.csv").read_text()))
    before = tree(Path("t"))
    with pytest.raises(OutputError, match=rf"t/metrics\.csv:{message}"):
        small(resume=True)
    assert tree(Path("t")) == before


def test_what_a_person_put_into_a_checkpoint_stays() -> None:
    killed(lambda: Path("t/last").exists())
    Path("t/deployed/thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"t/deployed is not replaced, because dmsb did not write thesis\.txt"):
        small(resume=True)
    Path("t/deployed/thesis.txt").unlink()
    small(resume=True)


def test_two_trainings_in_one_folder_say_so() -> None:
    small()
    with locked(Path("t")):
        ended = forked(lambda: small(resume=True), Path.cwd())
    assert ended == (False, 2, "t: another process is at work there; wait for it, or name another with --out")


def test_wrong_input_leaves_nothing_but_what_a_person_put_there() -> None:
    with pytest.raises(InputError, match="on purpose"):
        small("Wrong", out="a/b/t")
    assert sorted(tree(Path.cwd())) == ["a", "a/b"]
    with pytest.raises(InputError, match="on purpose"):
        small("Puts", out="t")
    assert Path("t/thesis.txt").read_text() == "mine"
    for hyper in ({"gamma": math.inf}, {"gamma": math.nan}, {"gamma": {1, 2}}):
        with pytest.raises(InputError, match="hyper: must be finite numbers and text by name, not"):
            small(hyper=hyper, out="n")
    with pytest.raises(PolicyError, match=r"Idle: train\(\) left no checkpoint n/last"):
        small("Idle", out="n")
    assert not Path("n").exists()
