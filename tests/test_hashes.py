"""What a run depends on is hashed as it was when it was read, whatever happens to the files while it runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from policies.deployed import SHIPPED
from simulator import Result, RunError, simulate
from simulator.run import plan
from tests.fields import fields

SHORT = fields({"market.contract_rounds": 100})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


REWRITES = """
from pathlib import Path

class Mine:
    def price(self, observation):
        path = Path(__file__)
        path.write_text(path.read_text() + "# once more\\n")
        return 2.0
"""

DELETES = REWRITES.replace('path.write_text(path.read_text() + "# once more\\n")', "path.unlink(missing_ok=True)")


@pytest.mark.parametrize("text", [REWRITES, DELETES])
def test_a_policy_file_that_changes_itself_is_hashed_as_it_was_executed(text: str, tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text(text)
    before = sha256(file)
    run = simulate("paper", f"{file}:Mine", duration=5, **SHORT).run
    assert not file.exists() or sha256(file) != before
    assert run["code_sha256"] == {str(file): before}


def test_a_mechanism_file_is_hashed_as_it_was_executed(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text(
        "from pathlib import Path\n\nclass Mine:\n    def clear(self, lots):\n"
        "        Path(__file__).write_text('# gone')\n        return []\n        yield\n"
    )
    before = sha256(file)
    run = simulate("paper", duration=5, mechanism=f"{file}:Mine", **SHORT).run
    assert sha256(file) != before
    assert run["code_sha256"] == {str(file): before}


def test_the_command_writes_down_the_hash_of_the_file_that_ran(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(REWRITES)
    before = sha256(tmp_path / "p.py")
    command = [sys.executable, "-m", "dmsb", "run", "paper", "--policy", "p.py:Mine", "--duration", "3", "--out", "r"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert Result.load(tmp_path / "r").run["code_sha256"] == {"p.py": before}


def test_a_recording_that_changes_during_the_run_is_hashed_as_it_was_read(tmp_path: Path) -> None:
    shutil.copyfile(Path("scenarios/data/braunschweig.fcd.parquet").resolve(), tmp_path / "r.parquet")
    file = tmp_path / "r.parquet"
    before = sha256(file)
    changes: list[float] = []

    def change(now: float) -> None:
        if not changes:
            file.write_bytes(b"no recording any more")
        changes.append(now)

    overrides = fields({"traffic.file": str(file)})
    changed = simulate("braunschweig", "conditional", duration=120, progress=change, **overrides)
    assert changes, "the file was changed while it ran"
    assert sha256(file) != before
    assert changed.run["data_sha256"] == {str(file): before}
    same = simulate("braunschweig", "conditional", duration=120)
    assert changed.auctions.equals(same.auctions), "and what was read is what ran"


def test_a_recording_that_is_deleted_during_the_run_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "r.parquet"
    shutil.copyfile(Path("scenarios/data/braunschweig.fcd.parquet").resolve(), file)
    before = sha256(file)
    overrides = fields({"traffic.file": str(file)})
    result = simulate(
        "braunschweig", "conditional", duration=120, progress=lambda _: file.unlink(missing_ok=True), **overrides
    )
    assert result.run["data_sha256"] == {str(file): before}
    assert len(result.save(tmp_path / "run").name)


def test_weights_that_change_during_the_run_are_hashed_as_they_were_read(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(SHIPPED / "ppo", folder)
    sealed = json.loads((folder / "meta.json").read_text())["sha256"]
    result = simulate(
        "paper",
        f"ppo:weights={folder}",
        duration=5,
        progress=lambda _: shutil.rmtree(folder, ignore_errors=True),
        **SHORT,
    )
    assert not folder.exists()
    assert result.run["weights_sha256"] == sealed


def test_a_plan_keeps_what_it_has_read_for_every_run(tmp_path: Path) -> None:
    """A plan that is run twice writes down the same hashes, though the file has changed between."""
    file = tmp_path / "p.py"
    file.write_text("class Mine:\n    def price(self, observation):\n        return 2.0\n")
    before = sha256(file)
    planned = plan("paper", f"{file}:Mine", 0, 5.0, 0.0, **SHORT)
    first = planned.run()
    file.write_text("class Mine:\n    def price(self, observation):\n        return 9.0\n")
    second = planned.run()
    assert first.run["code_sha256"] == second.run["code_sha256"] == {str(file): before}
    assert np.nanmax(second.auctions["rho"]) == 2.0


def test_another_content_of_a_file_is_another_policy(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    hashes = []
    for price in (2.0, 3.0):
        file.write_text(f"class Mine:\n    def price(self, observation):\n        return {price}\n")
        result = simulate("paper", f"{file}:Mine", duration=5, **SHORT)
        assert np.nanmax(result.auctions["rho"]) == price
        hashes.append(result.run["code_sha256"][str(file)])
    assert hashes[0] != hashes[1]


def test_a_policy_that_fails_because_its_file_is_gone_is_a_failed_run(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text(DELETES.replace("missing_ok=True", ""))
    with pytest.raises(RunError, match=r"price\(\) raised FileNotFoundError"):
        simulate("paper", f"{file}:Mine", duration=5, **SHORT)
