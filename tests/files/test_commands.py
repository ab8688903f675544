"""Commands and files: two at once, names without a folder, numbers that JSON does not have."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator import Result, simulate
from simulator.cli import app as cli
from simulator.files import not_ours, unsigned
from simulator.record.summary import SUMMARY
from tests.files.results import staged
from tests.kills import tree

ROOT = Path(__file__).parents[2]

BARRIER = """
import os, time
from pathlib import Path

class Waits:
    def reset(self, scenario, rng):
        Path(f"here-{os.getpid()}").touch()
        while len(list(Path().glob("here-*"))) < 2:
            time.sleep(0.01)
    def price(self, observation):
        return 1.0
"""


@pytest.mark.parametrize("force", [False, True])
def test_of_two_runs_with_one_name_one_wins_and_the_other_says_so(force: bool, tmp_path: Path) -> None:
    """Both have looked and found nothing before either writes."""
    (tmp_path / "p.py").write_text(BARRIER)
    command = [sys.executable, "-m", "dmsb", "run", "paper", "--policy", "p.py:Waits", "--duration", "5", "--out", "o"]
    command += ["--set", "market.contract_rounds=100", *(["--force"] if force else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    ended = [(process.communicate(timeout=60), process.returncode) for process in both]
    codes = sorted(code for _, code in ended)
    assert codes == ([0, 0] if force else [0, 2]), ended
    if not force:
        ((out, message),) = [said for said, code in ended if code == 2]
        assert message == "error: o exists already; name another, or replace it with --force\n"
        assert out == ""
    assert len(Result.load(tmp_path / "o").auctions) == 5
    assert not_ours(tmp_path / "o", "run") is None
    assert staged(tmp_path) == []


def test_a_page_with_a_bare_name_goes_into_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the folder above cannot be written; and the run folder is none of the page's business."""
    run = simulate("paper", "conditional", duration=3).save(tmp_path / "run")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    cli.report(run, Path("page.html"))
    assert unsigned(Path("page.html")) is None
    monkeypatch.chdir(run)
    cli.report(Path(), Path("page.html"))
    assert sorted(tree(tmp_path / "here")) == ["page.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "run"]
    monkeypatch.chdir(run)
    (run / "page.html").unlink()
    cli.export(Path(), "jsonl")
    assert (tmp_path / "run.events.jsonl").exists()


def test_infinity_never_enters_json(tmp_path: Path) -> None:
    """A figure that overflows is null in run.json, and NaN when it is read."""
    run = simulate("paper", "conditional", duration=3)
    run.run["summary"] = dict.fromkeys(SUMMARY, float("inf")) | {"tasks": 3, "rho_mean": float("nan")}

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (run.save(tmp_path / "run") / "run.json").read_text()
    figures = json.loads(text, parse_constant=refuse)["summary"]
    assert figures == dict.fromkeys(SUMMARY) | {"tasks": 3}
    assert Result.load(tmp_path / "run").summary.isna().sum() == len(SUMMARY) - 1
    # And all that writes JSON would sooner fail than write what is none.
    calls = 0
    for path in [*(ROOT / "simulator").rglob("*.py"), *(ROOT / "policies").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dumps", "json.dump"):
                given: dict[str | None, Any] = {one.arg: ast.unparse(one.value) for one in node.keywords}
                assert given.get("allow_nan") == "False", f"{path.name}:{node.lineno}"
                calls += 1
    assert calls >= 10
