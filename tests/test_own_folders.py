"""A user's own folders called ``policies`` and ``scenarios`` change nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.market.entry_points import PRIVATE
from simulator.market.plugins import find_policy

SCRIPT = """
import gymnasium
import dmsb
import policies
assert policies.MINE
if __name__ == "__main__":
    assert dmsb.simulate("paper", "conditional", duration=5).summary["tasks"] == 5
    assert dmsb.simulate("paper", "diffusion", duration=5).summary["tasks"] == 5
    table, _ = dmsb.compare("paper", ["conditional", "random"], seeds=2, duration=20, jobs=2)
    assert list(table.index) == ["conditional", "random"]
    gymnasium.make("dmsb/Paper-v0", duration=5).reset(seed=0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("policies", "scenarios"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "policies" / "conditional.py").write_text("raise RuntimeError('the wrong file')\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["script.py"],
        ["-m", "dmsb", "run", "paper", "--policy", "conditional", "--duration", "5"],
        ["-m", "dmsb", "compare", "paper", "--policies", "conditional,spa", "--seeds", "2", "--duration", "5"],
        ["-m", "dmsb", "policies"],
    ],
    ids=["script", "run", "compare", "policies"],
)  # fmt: skip
def test_own_folders_hide_nothing(command: list[str], folder: Path) -> None:
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_shipped_policy_is_of_the_private_package_and_can_be_sent_to_another_process() -> None:
    policy = find_policy("conditional:scale=0.8")
    assert type(policy).__module__ == f"{PRIVATE}.conditional"
    text = pickle.dumps(policy)
    code = f"import simulator.market.plugins, pickle; assert pickle.loads({text!r}).scale == 0.8"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
