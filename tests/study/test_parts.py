"""Parts of a study, done by jobs that know nothing of each other, and put together afterwards."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from simulator import InputError
from simulator.cli.app import app
from simulator.errors import OutputError
from simulator.study.compare import compare
from simulator.study.part_folder import COMMAND, noted_command
from simulator.study.parts import Part, compare_part, merge
from tests.study.test_executors import CLOCKS

SETTINGS: dict[str, Any] = {
    "scenario": "paper", "policies": ["conditional", "spa"], "seeds": 3, "duration": 100.0,
    "grid": {"stations.count": [3, 5]},
}  # fmt: skip
TYPED = ["paper", "--policies", "conditional,spa", "--seeds", "3", "--duration", "100"]


def dmsb(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status and what it says, or the message of its error."""
    found = CliRunner().invoke(app, list(arguments))
    error = found.exception
    return found.exit_code, str(error) if isinstance(error, InputError) else found.output


@given(st.integers(0, 200), st.integers(1, 50))
def test_each_world_belongs_to_one_part(worlds: int, of: int) -> None:
    parts = [Part(number, of) for number in range(1, of + 1)]
    for world in range(worlds):
        assert sum(part.has(world) for part in parts) == 1
    shares = [part.of_all(worlds) for part in parts]
    assert sorted(world for share in shares for world in share) == list(range(worlds))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(part.has(world) for part, share in zip(parts, shares, strict=True) for world in share)


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1.5/4", "a/b", "3/40/2", "1/99999999"])
def test_what_is_no_part_is_told(text: str) -> None:
    with pytest.raises(InputError, match="must be its number and the number of parts, such as 3/40"):
        Part.read(text)


def test_parts_make_the_comparison_of_one_process(tmp_path: Path) -> None:
    whole = compare(**SETTINGS)
    counts = [compare_part(Part(number, 4), tmp_path, **SETTINGS) for number in (2, 1, 4, 3)]
    assert sum(counts) == 2 * 2 * 3
    found = merge(tmp_path, **SETTINGS)
    assert found.runs.drop(columns=CLOCKS).equals(whole.runs.drop(columns=CLOCKS))
    clocks = [f"{clock}{ending}" for clock in CLOCKS for ending in ("", "_ci")]
    assert found.table.drop(columns=clocks).equals(whole.table.drop(columns=clocks))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for number in (1, 3):
        compare_part(Part(number, 4), tmp_path, **SETTINGS)
    with pytest.raises(OutputError, match=r"parts 2, 4 of 4 are missing, not finished, or of another scenario"):
        merge(tmp_path, **SETTINGS)
    compare_part(Part(2, 4), tmp_path, **SETTINGS)
    # A part that was cut off has its first runs only.
    cut = tmp_path / Part(1, 4).file
    lines = cut.read_text().splitlines(keepends=True)
    cut.write_text("".join(lines[:-1]))
    with pytest.raises(OutputError, match="parts 1, 4 of 4 are missing"):
        merge(tmp_path, **SETTINGS)
    seen: list[tuple[int, int]] = []
    compare_part(Part(1, 4), tmp_path, **SETTINGS, progress=lambda *so_far: seen.append(so_far))
    assert seen == [(4, 4)], "a part that goes on does what is missing only"
    # Parts of another comparison do not count.
    with pytest.raises(OutputError, match="parts 1, 2, 3, 4 of 4 are missing"):
        merge(tmp_path, **(SETTINGS | {"duration": 99.0}))
    compare_part(Part(1, 2), tmp_path, **SETTINGS)
    with pytest.raises(OutputError, match="holds parts of a study in 2 and 4 parts; keep those of one"):
        merge(tmp_path, **SETTINGS)


def test_more_parts_than_worlds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="part 7/7: 6 worlds can be cut into 6 parts at most"):
        compare_part(Part(7, 7), tmp_path / "parts", **SETTINGS)
    assert not (tmp_path / "parts").exists()


def test_the_commands_give_what_one_command_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dmsb("compare", *TYPED, "--out", "whole")[0] == 0
    for number in (1, 2):
        assert dmsb("compare", *TYPED, "--out", "cut", "--part", f"{number}/2")[0] == 0
    code, said = dmsb("merge", "cut.parts")
    assert code == 0
    assert "conditional" in said
    tables = [pd.read_csv(tmp_path / folder / "runs.csv").drop(columns=CLOCKS) for folder in ("whole", "cut")]
    assert tables[0].equals(tables[1])
    assert {path.name for path in Path("whole").iterdir()} == {path.name for path in Path("cut").iterdir()}
    # What is there is not replaced, and another name can be given.
    assert "cut exists already" in dmsb("merge", "cut.parts")[1]
    assert dmsb("merge", "cut.parts", "--out", "other")[0] == 0
    assert Path("other", "report.html").is_file()


def test_wrong_parts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dmsb("merge", "nothing")[1] == "nothing: holds no parts of a study; make them with --part"
    part = ("--out", "c", "--part", "1/2")
    assert dmsb("compare", *TYPED, *part, "--to", "latex")[1].startswith("--to latex: a part makes no table")
    assert dmsb("compare", "paper", "--policies", "nosuch", *part)[0] != 0
    assert dmsb("train", "paper", "--policy", "nosuch", "--steps", "9", "--seeds", "2", *part)[0] != 0
    assert not list(tmp_path.iterdir()), "wrong input leaves nothing behind"
    assert dmsb("compare", *TYPED, *part)[0] == 0
    said = dmsb("compare", *TYPED[:-1], "90", "--out", "c", "--part", "2/2")[1]
    assert said == "c.parts: holds parts of another command (different: duration); name another folder with --out"
    said = dmsb("compare", *TYPED, "--out", "c", "--part", "2/3")[1]
    assert said == "c.parts: holds parts of another command (different: parts); name another folder with --out"
    assert dmsb("compare", *TYPED, *part, "--force")[1].startswith("--force: a part makes no table")
    assert not Path("c.parts", "2-of-2.jsonl").exists()
    assert dmsb("compare", *TYPED, "--out", "m", "--part", "1/2", "--metric", "nosuch")[0] != 0
    assert not Path("m.parts").exists()
    noted = json.loads(Path("c.parts", COMMAND).read_text())
    for name, value in {"seeds": "2", "policies": 5, "sets": [5], "bidders": 5, "metric": None, "warmup": "x"}.items():
        Path("c.parts", COMMAND).write_text(json.dumps(noted | {"options": noted["options"] | {name: value}}))
        assert dmsb("merge", "c.parts")[1].endswith("is not what --part has written; make the parts again"), name
    for text in ("", "[]", "{}", '{"command": "compare"}', '{"command": "compare", "options": {"nosuch": 1}}'):
        Path("c.parts", COMMAND).write_text(text)
        assert dmsb("merge", "c.parts")[1].endswith("is not what --part has written; make the parts again")


def test_parts_that_were_damaged_are_missing(tmp_path: Path) -> None:
    path = tmp_path / Part(1, 1).file
    compare_part(Part(1, 1), tmp_path, **SETTINGS)
    text = path.read_text()
    for damage in (
        text.replace('"tasks"', '"tsks"', 1),
        text.replace('"tasks": ', '"tasks": 1e999, "was": ', 1),
        re.sub(r'"figures": \{[^}]*\}', '"figures": {}', text, count=1),
        re.sub(r'"figures": \{', '"figures": 7, "was": {', text, count=1),
    ):
        path.write_text(damage)
        with pytest.raises(OutputError, match="part 1 of 1 is missing"):
            merge(tmp_path, **SETTINGS)
    # They are done again.
    assert compare_part(Part(1, 1), tmp_path, **SETTINGS) == 12
    assert len(merge(tmp_path, **SETTINGS).runs) == 12
    for name in ("1-of-0.jsonl", "1-of-99999999.jsonl"):
        (tmp_path / name).touch()
    assert len(merge(tmp_path, **SETTINGS).runs) == 12, "these are no parts"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OutputError, match="cannot be read"):
        merge(tmp_path, **SETTINGS)


def test_a_folder_needs_a_name_for_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for part in ((), ("--part", "1/1")):
        assert (
            dmsb("compare", *TYPED, "--out", "/", *part)[1]
            == "/: has no name of its own; name a folder for the results"
        )
    assert "exists already" in dmsb("compare", *TYPED, "--out", ".")[1]
    assert dmsb("compare", *TYPED, "--out", ".", "--part", "1/1")[0] == 0
    assert (tmp_path / "here.parts" / "1-of-1.jsonl").is_file()
    assert "cannot be written" in dmsb("compare", *TYPED, "--out", "x" * 250, "--part", "1/1")[1]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("c.parts", "thesis"):
        Path(folder).mkdir()
        Path(folder, "mine.txt").write_text("mine")
    told = "exists and holds no parts of a study; name another folder with --out"
    assert dmsb("compare", *TYPED, "--out", "c", "--part", "1/2")[1] == f"c.parts: {told}"
    train = ("train", "paper", "--policy", "dqn", "--steps", "9", "--seeds", "2", "--part", "1/2")
    assert dmsb(*train, "--out", "thesis")[1] == f"thesis: {told}"
    assert [[path.name for path in Path(folder).iterdir()] for folder in ("c.parts", "thesis")] == [["mine.txt"]] * 2


def test_parts_are_found_from_within_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dmsb("compare", *TYPED, "--out", "c", "--part", "1/1")[0] == 0
    monkeypatch.chdir(tmp_path / "c.parts")
    assert dmsb("merge", ".")[0] == 0
    assert (tmp_path / "c" / "report.html").is_file()


def test_two_parts_that_begin_at_a_time_note_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds no note, and a note all the same when it writes its own."""
    with noted_command(tmp_path, "compare", {"seeds": 3}):
        pass
    exists = Path.exists
    answers = iter([False])
    monkeypatch.setattr(Path, "exists", lambda path, **_: next(answers, True) if path.name == COMMAND else exists(path))
    with noted_command(tmp_path, "compare", {"seeds": 3}):
        pass
    answers = iter([False])
    with (
        pytest.raises(OutputError, match="holds parts of another command"),
        noted_command(tmp_path, "compare", {"seeds": 4}),
    ):
        pass
    assert json.loads((tmp_path / COMMAND).read_text())["options"] == {"seeds": 3}


@pytest.mark.slow
def test_parts_of_trainings_make_the_curve_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    typed = ["train", "paper", "--policy", "tests/tiny_policy.py:Tiny", "--steps", "40", "--seeds", "3"]
    monkeypatch.chdir(Path(__file__).parents[2])
    typed += ["--evaluate-every", "20", "--held-out", "1"]
    whole, cut = str(tmp_path / "whole"), str(tmp_path / "cut")
    assert dmsb(*typed, "--out", whole)[0] == 0
    assert dmsb(*typed, "--out", cut, "--part", "1/2")[0] == 0
    assert "the trainings of seed 1 are missing or not finished" in dmsb("merge", cut)[1]
    assert "3 trainings can be cut into 3 parts at most" in dmsb(*typed, "--out", cut, "--part", "4/4")[1]
    assert dmsb(*typed, "--out", cut, "--part", "2/2", "--resume")[1].startswith(
        "--resume: an interrupted part continues"
    )
    assert "different: parts" in dmsb(*typed, "--out", cut, "--part", "2/3")[1]
    assert dmsb(*typed, "--out", cut, "--part", "2/2")[0] == 0
    assert dmsb("merge", cut)[0] == 0
    assert Path(whole, "curve.csv").read_bytes() == Path(cut, "curve.csv").read_bytes()
    assert Path(cut, "curve.png").is_file()
    Path(cut, "curve.png").write_text("mine")
    Path(cut, "curve.csv").unlink()
    assert "is not replaced" in dmsb("merge", cut)[1]
    assert not Path(cut, "curve.csv").exists(), "nothing is written before all can be"
    assert "put together in their own folder" in dmsb("merge", cut, "--out", "elsewhere")[1]
