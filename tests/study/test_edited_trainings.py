"""`dmsb train --resume` on a folder that was edited: one sentence with the file, and nothing is trained."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from simulator import InputError, Scenario
from simulator.study.paper import reproduce
from simulator.study.train import train
from simulator.study.training_files import read_metrics
from simulator.study.training_folder import COLUMNS
from tests.fields import fields

Damage = Callable[[Path], object]
SMALL = {"worlds": 2, "width": 4, "warmup": 20, "batch": 8, "capacity": 1_000}
PAPER = Scenario.load("paper", **fields({"traffic.every_s": 5, "market.contract_rounds": 100}))


def trained(out: Path, resume: bool) -> Path:
    return train([PAPER], "sac", 60, out=out, evaluate_every=20, held_out=1, hyper=SMALL, resume=resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "t"
    trained(out, resume=False)
    return out


def test_a_training_that_is_done_is_done(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "t"
    shutil.copytree(whole, out)
    assert trained(out, resume=True) == out / "best"
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def of_json(name: str, change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(out: Path) -> None:
        found = json.loads((out / name).read_text())
        change(found)
        (out / name).write_text(json.dumps(found))

    return damage


def set_to(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.update({name: value})


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(name)


def cell(column: str, text: str, row: int = -1) -> Damage:
    """Put a text into a cell of the metrics."""

    def damage(out: Path) -> None:
        lines = (out / "metrics.csv").read_text().splitlines()
        cells = lines[row].split(",")
        cells[COLUMNS.index(column)] = text
        lines[row] = ",".join(cells)
        (out / "metrics.csv").write_text("\n".join(lines) + "\n")

    return damage


def text(name: str, change: Callable[[str], str]) -> Damage:
    return lambda out: (out / name).write_text(change((out / name).read_text()))


def instead(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(out: Path) -> None:
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        make(path)

    return damage


def _hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "folder": Path.mkdir,
    "pipe": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "hole": _hole,
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 9),
}

FILES = ("training.json", "metrics.csv", "last/meta.json", "last/arrays.safetensors", "best/meta.json")
NO_JSON = ("", "[]", "7", "null", "{", "[" * 100_000, '{"a": NaN}', "9" * 9_999, '"\\ud800"')
WRONG: tuple[Any, ...] = (None, "x", -1, 1.5, 10**400, [], {}, [[]])
ABOUT = ("policy", "seed", "scenarios", "evaluate_every", "held_out", "steps", "hyper")

NO_NUMBERS = {
    "steps": ("x", "", "-5", "1.5", "1e3", "nan", "inf", "1_0", "９", "9" * 400, "=1+1"),
    "seconds": ("x", "", "-5", "nan", "inf", "1_0", "1;5"),
    "evaluation/ratio": ("x", "inf", "1_0", "0x1", "\u202e1", "1e999", "1.0.0"),
    "loss/critic": ("low",),
}
"""Cells of the metrics that are not what their column must be."""


def said_as(said: str) -> Callable[[str], str]:
    return lambda _: said


def row_again(old: str) -> str:
    """The last row once more, from an earlier step."""
    return old + "1," + old.splitlines()[-1].partition(",")[2] + "\n"


OF_METRICS: dict[str, tuple[Callable[[str], str], str]] = {
    "no heading": (lambda old: old.partition("\n")[2], "metrics.csv:1: the columns of a training's metrics must be"),
    "another heading": (lambda old: old.replace("seconds", "s", 1), "metrics.csv:1: the columns"),
    "a column less": (lambda old: old.replace(",policy/clipped", ""), "metrics.csv:1: the columns"),
    "a cell more": (lambda old: old[:-1] + ",1\n", f"must have {len(COLUMNS)} cells, not {len(COLUMNS) + 1}"),
    "a cell less": (lambda old: old[:-1].rpartition(",")[0] + "\n", f"must have {len(COLUMNS)} cells, not"),
    "an open quote": (lambda old: old + '"\n', "metrics.csv:5: this is not CSV (unexpected end of data)"),
    "a huge cell": (lambda old: old + "9" * 200_000 + "\n", "metrics.csv:5: this is not CSV (field larger"),
    "a nul": (lambda old: old + "\0\n", f"metrics.csv:5: must have {len(COLUMNS)} cells, not 1"),
    "steps back": (row_again, "metrics.csv:5: steps must be a whole number from"),
}


def damages() -> Iterator[tuple[str, Damage, str]]:
    """What was done to a folder, and what the sentence about it says."""
    for name in FILES:
        for kind, make in SPECIAL.items():
            yield f"{name}: {kind}", instead(name, make), name.rpartition("/")[2]
    for name in ("training.json", "last/meta.json"):
        for said in NO_JSON:
            yield f"{name} is {said[:9]}", text(name, said_as(said)), name.rpartition("/")[2]
    for name in ABOUT:
        yield f"no {name}", of_json("training.json", without(name)), f"was begun with {name} = None"
        for value in WRONG:
            said = f"was begun with {name} = "
            yield f"{name} = {str(value)[:9]}", of_json("training.json", set_to(name, value)), said
    yield "a field more", of_json("training.json", set_to("more", None)), "was begun with more = None"
    for value in WRONG:
        yield f"last at {str(value)[:9]}", of_json("last/meta.json", set_to("steps", value)), "'steps' must be a whole"
    yield "an array changed", instead("last/arrays.safetensors", lambda path: path.write_bytes(bytes(99))), "is damaged"
    for what, (change, said) in OF_METRICS.items():
        yield what, text("metrics.csv", change), said
    for column, cells in NO_NUMBERS.items():
        for number, written in enumerate(cells):
            yield f"{column} {number}", cell(column, written), f"metrics.csv:4: {column} must be a"


def test_every_edit_is_refused_in_one_sentence(whole: Path, tmp_path: Path) -> None:
    wrong: dict[str, str] = {}
    count = 0
    for number, (what, damage, wanted) in enumerate(damages()):
        out = tmp_path / str(number)
        shutil.copytree(whole, out)
        damage(out)
        before, said = contents(out), "nothing was said"
        try:
            trained(out, resume=True)
        except InputError as error:
            said = str(error)
        if wanted not in said or not said.startswith(str(out)):
            wrong[what] = said
        assert contents(out) == before, f"{what}: nothing is written"
        shutil.rmtree(out)
        count += 1
    assert wrong == {}
    assert count > 150


def contents(folder: Path) -> dict[str, bytes]:
    """The small files of a folder, and the names of all else."""
    return {
        str(path): path.read_bytes() if path.is_file() and path.stat().st_size < 1 << 30 else b""
        for path in folder.rglob("*")
    }


def test_a_last_row_that_was_cut_off_is_left_out(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text((whole / "metrics.csv").read_text() + "61,0")
    assert read_metrics(path, COLUMNS) == read_metrics(whole / "metrics.csv", COLUMNS)


def test_what_has_diverged_is_read_all_the_same(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "t"
    shutil.copytree(whole, out)
    cell("loss/critic", "inf")(out)
    cell("loss/actor", "nan")(out)
    assert trained(out, resume=True) == out / "best"


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "7",
        "{",
        "[" * 100_000,
        '{"minutes": []}',
        '{"minutes": {"fig3": "x"}}',
        '{"scale": "quick", "minutes": 1}',
    ],
)
def test_notes_of_a_study_that_were_edited_are_begun_again(said: str, tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(said)
    reproduce._note(tmp_path, "quick", "fig3", 60.0, 1)
    about = json.loads((tmp_path / "about.json").read_text())
    assert (about["scale"], about["minutes"]) == ("quick", {"fig3": 1.0})
    reproduce._note(tmp_path, "quick", "fig3", 60.0, 1)
    assert json.loads((tmp_path / "about.json").read_text())["minutes"] == {"fig3": 2.0}
