"""The README is executed: its Python in one folder, its commands as they stand, its tables against the schema."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.record.schema import SUMMARY, TABLES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder, with the files that the README says to save."""
    path = tmp_path_factory.mktemp("readme")
    for _, block in BLOCKS:
        name = re.match(r"# (\w+\.(?:py|yaml))\n", block)
        if name:
            (path / name[1]).write_text(block)
    assert {file.name for file in path.iterdir()} == {
        "my_policy.py",
        "my_mechanism.py",
        "my_bidder.py",
        "my_junction.yaml",
    }
    return path


PYTHON = [block for language, block in BLOCKS if language == "python"]
CONSOLES = [
    re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE)
    for language, block in BLOCKS
    if language == "console"
]
"""The commands of each block with what they print; one may need what the one before it has written."""


@pytest.mark.parametrize("code", PYTHON, ids=[block.strip().splitlines()[-1][:40] for block in PYTHON])
def test_python_runs(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True, timeout=120)


def without_clocks(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return [line for line in lines if not line.startswith(("wall_s", "cpu_s"))]


@pytest.mark.parametrize("console", CONSOLES, ids=[console[0][0] for console in CONSOLES])
def test_commands_print_what_they_are_said_to(console: list[tuple[str, str]], folder: Path) -> None:
    for command, output in console:
        program, *arguments = shlex.split(command)
        assert program == "dmsb"
        done = subprocess.run(
            [sys.executable, "-m", "dmsb", *arguments],
            cwd=folder, capture_output=True, text=True, check=True, timeout=120, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        assert done.stderr == ""
        if output:
            assert without_clocks(done.stdout) == without_clocks(output)


def test_the_readme_has_what_is_executed_here() -> None:
    assert len(PYTHON) >= 8
    assert sum(bool(output) for console in CONSOLES for _, output in console) >= 2


def test_the_tables_are_those_of_the_schema() -> None:
    for name, columns in TABLES.items():
        section = TEXT.split(f"### `{name}`\n")[1].split("\n### ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", section, flags=re.MULTILINE)
        assert [(row[0], row[1]) for row in rows] == [(column.name, column.unit) for column in columns]
        assert all(row[2].startswith(column.meaning) for row, column in zip(rows, columns, strict=True))
    summary = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", TEXT.split("### `summary`\n")[1], flags=re.MULTILINE)
    assert summary[: len(SUMMARY)] == [(name, unit, meaning) for name, (unit, meaning) in SUMMARY.items()]


def test_the_claims_are_those_that_were_committed() -> None:
    with (ROOT / "outputs" / "paper" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert len(rows) >= 19
    for row in rows:
        assert f"| {' | '.join(row)} |".replace("|  |", "| |") in TEXT, row[0]


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"!\[.*?\]\((.*?)\)", TEXT):
        assert (ROOT / name).is_file()
    assert (ROOT / "scenarios" / "data" / "README.md").is_file()
