"""What a pipe, a narrow terminal and a picture get from the command line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.test_cli import COMMAND, dmsb


def test_a_table_for_a_paper_is_all_that_a_pipe_gets(tmp_path: Path) -> None:
    sizes = ("--seeds", "2", "--duration", "20")
    done = dmsb("compare", "paper", "--policies", "spa,random", *sizes, "--to", "latex", "--out", "cmp", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip().endswith("\\end{tabular}")
    assert done.stderr.splitlines()[-1] == "cmp"


def test_a_recording_in_the_place_of_a_scenario_is_told_from_one(tmp_path: Path) -> None:
    (tmp_path / "my.fcd.xml").write_text("<fcd-export/>")
    done = dmsb("run", "my.fcd.xml", cwd=tmp_path)
    assert done.returncode == 2
    assert "this looks like a recording; `dmsb new my.fcd.xml` makes a scenario for it" in done.stderr


def test_a_picture_of_a_map_is_replaced_with_force_only(tmp_path: Path) -> None:
    command = ("validate", "braunschweig", "--figure", "map.svg")
    assert dmsb(*command, cwd=tmp_path).returncode == 0
    assert "replace it with --force" in dmsb(*command, cwd=tmp_path).stderr
    assert dmsb(*command, "--force", cwd=tmp_path).returncode == 0
    (tmp_path / "map.svg").write_text("a drawing of mine")
    assert "not a picture of this program" in dmsb(*command, "--force", cwd=tmp_path).stderr


@pytest.mark.parametrize("columns", ["60", "80", "100"])
def test_tables_in_a_pipe_are_as_wide_as_columns_says(columns: str, tmp_path: Path) -> None:
    command = [*COMMAND, "policies"]
    environment = {**os.environ, "COLUMNS": columns}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
