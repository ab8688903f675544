"""A plan resolves everything once: files are executed and read once, and each run starts from the same state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator import Scenario
from simulator.run import plan
from simulator.study.compare import compare
from simulator.traffic.recording import Recording
from tests.fields import fields

COUNTS = """
from pathlib import Path

with Path({log!r}).open("a") as log:
    log.write("executed\\n")

class Counts:
    def __init__(self):
        self.seen = 0

    def price(self, observation):
        return 1.0 + 0.01 * self.seen

    def feedback(self, outcome):
        self.seen += 1
"""
SMALL = {"market.contract_rounds": 100}


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    result = plan("paper", "spa", seed=np.int64(3), duration=np.float32(5.0), warmup=np.int32(1)).run()  # type: ignore[arg-type]
    assert (result.run["seed"], result.run["duration"], result.run["warmup"]) == (3, 5.0, 1.0)
    result.save(tmp_path / "run")
    same = plan("paper", "spa", duration=5, warmup=1).with_seed(np.int64(3)).run()  # type: ignore[arg-type]
    assert same.auctions.equals(result.auctions)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    (tmp_path / "counts.py").write_text(COUNTS.format(log=str(tmp_path / "log")))
    return f"{tmp_path / 'counts.py'}:Counts"


def test_a_policy_file_is_executed_once_in_a_run_and_in_a_comparison(tmp_path: Path, policy: str) -> None:
    planned = plan("paper", policy, duration=5, **fields(SMALL))
    planned.run()
    planned.with_seed(1).run()
    assert (tmp_path / "log").read_text() == "executed\n"
    compare("paper", [policy, "random"], seeds=2, duration=5, grid={"stations.count": [3, 5]}, **fields(SMALL))
    assert (tmp_path / "log").read_text() == "executed\n"


def test_a_policy_file_that_has_changed_is_executed_again(tmp_path: Path, policy: str) -> None:
    first = plan("paper", policy, duration=5, **fields(SMALL))
    path = tmp_path / "counts.py"
    path.write_text(path.read_text().replace("0.01", "0.5"))
    second = plan("paper", policy, duration=5, **fields(SMALL))
    assert first.hashes["code_sha256"] != second.hashes["code_sha256"]
    assert second.run().auctions["rho"].max() > first.run().auctions["rho"].max()


def test_each_run_of_a_plan_starts_from_the_same_state(policy: str) -> None:
    planned = plan("paper", policy, duration=20, **fields(SMALL))
    first, again = planned.run(), planned.run()
    assert first.auctions["rho"].nunique() > 10, "the policy learns"
    pd.testing.assert_frame_equal(first.auctions, again.auctions)
    assert getattr(planned.policy, "seen", None) == 0


def test_a_recording_is_read_once_for_all_runs_of_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    real, reads = Recording.read.__func__, []  # type: ignore[attr-defined]

    def read(cls: type[Recording], *arguments: object) -> Recording:
        reads.append(arguments)
        found: Recording = real(cls, *arguments)
        return found

    monkeypatch.setattr(Recording, "read", classmethod(read))
    planned = plan(Scenario.load("braunschweig"), "conditional", duration=60)
    for seed in (0, 1):
        planned.with_seed(seed).run()
    assert len(reads) == 1


ROADS = """
import sys
from simulator import simulate
simulate({scenario!r}, "conditional", duration=9)
print("networkx" in sys.modules)
"""


@pytest.mark.parametrize(("scenario", "needed"), [("paper", "False"), ("four_way", "True")])
def test_a_run_without_roads_does_not_import_what_only_roads_need(scenario: str, needed: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", ROADS.format(scenario=scenario)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [needed]
