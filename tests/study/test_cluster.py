"""Studies on a Dask cluster: a scheduler and workers of their own, as on several machines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client
from typer.testing import CliRunner

from simulator import InputError, RunError
from simulator.cli.app import app
from simulator.study.cells import run_cells
from simulator.study.cluster import cluster
from simulator.study.compare import compare
from simulator.study.journal import Figures
from simulator.study.paper import figures, plan, reproduce
from simulator.study.paper.plan import SCALES, Scale
from tests.study.test_executors import CLOCKS, tenth

POLICIES = ["conditional", "spa", "random"]
READY_S = 60.0
"""Longest time until a scheduler or a worker is there, s."""


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a program of Dask."""
    command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:], "--no-dashboard"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def scheduler(folder: Path, *workers: tuple[str, ...]) -> Iterator[str]:
    """Run a scheduler and workers; yield the scheduler's file."""
    file = folder / "scheduler.json"
    programs = [started("dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file))]
    try:
        until = time.monotonic() + READY_S
        while not file.is_file() and time.monotonic() < until:
            time.sleep(0.05)
        for options in workers:
            local = ("--local-directory", str(folder), "--host", "127.0.0.1")
            programs.append(started("dask_worker", "--scheduler-file", str(file), *local, *options))
        yield str(file)
    finally:
        for program in reversed(programs):
            program.terminate()
        for program in programs:
            program.wait(READY_S)


def trimming() -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("MALLOC_TRIM_THRESHOLD_")


@pytest.mark.slow
def test_a_comparison_on_a_cluster_has_the_bytes_of_one_process_though_a_worker_is_killed(tmp_path: Path) -> None:
    alone = compare("paper", POLICIES, seeds=6, duration=400)
    one = ("--nthreads", "1")
    with scheduler(tmp_path, one, one) as file, cluster(file) as executor:
        executor._client.wait_for_workers(2, timeout=READY_S)
        pids = executor._client.run(os.getpid)
        killed: list[int] = []

        def kill_one(done: int, _: int) -> None:
            if done >= 3 and not killed:
                killed.append(next(iter(pids.values())))
                os.kill(killed[0], signal.SIGKILL)

        found = compare(
            "paper", POLICIES, seeds=6, duration=400, progress=kill_one, executor=executor, journal=tmp_path / "runs"
        )
        assert killed
        # What Dask does to the allocator of its workers is undone in the one that lived on.
        trims = executor._client.run(trimming)
        assert None in [trim for pid, trim in trims.values() if pid in pids.values()]
    clocks = [f"{clock}{ending}" for clock in CLOCKS for ending in ("", "_ci")]
    assert found.table.drop(columns=clocks).to_csv() == alone.table.drop(columns=clocks).to_csv()
    assert found.runs.drop(columns=CLOCKS).to_csv() == alone.runs.drop(columns=CLOCKS).to_csv()


COMMANDS = {
    "arena": ["arena", "paper", "--systems", "msb,vickrey,mcafee", "--seeds", "2", "--duration", "60", "--rounds", "5"],
    "train": ["train", "paper", "--policy", f"{Path(__file__).parents[1] / 'tiny_policy.py'}:Tiny", "--seeds", "2",
              "--steps", "2500", "--evaluate-every", "1000", "--held-out", "1"],
    "toll": ["toll", "four_way", "--auctions", "4", "--followed", "20", "--seeds", "2"],
}  # fmt: skip


def without_clocks(folder: Path) -> dict[str, bytes]:
    """Return what the files of a folder hold, without pictures and what depends on the time that a run took."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".csv":
            table = pd.read_csv(file)
            timed = [
                name
                for name in table.columns.astype(str)
                if name.removesuffix("_ci") in (*CLOCKS, "decision_s", "seconds")
            ]
            found[str(file.relative_to(folder))] = table.drop(columns=timed).to_csv().encode()
        elif file.suffix in (".safetensors", ".yaml"):
            found[str(file.relative_to(folder))] = file.read_bytes()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_study_has_the_same_results_on_a_cluster(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = []
    for name, where in (("alone", []), ("spread", ["--cluster", "local:2"])):
        folder = [] if command == "toll" else ["--out", str(tmp_path / name / "out")]
        done = CliRunner().invoke(app, [*COMMANDS[command], *folder, *where])
        assert done.exit_code == 0, done.stderr
        told.append(done.stdout.replace(str(tmp_path / name), ""))
    assert without_clocks(tmp_path / "alone") == without_clocks(tmp_path / "spread")
    assert command == "toll" or len(without_clocks(tmp_path / "alone")) >= 2
    assert told[0] == told[1]


@pytest.mark.slow
def test_a_reproduction_has_the_same_tables_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")
    monkeypatch.setitem(SCALES, "quick", Scale(300, 300, 300, 300, 1, 1, 1, 2, 2, 50))
    monkeypatch.setattr(figures, "LEARNERS", {"sac": plan.LEARNERS["sac"]})
    monkeypatch.setattr(figures, "RULES", {"SPA": "spa", "conditional": "conditional"})
    alone = reproduce.reproduce(["fig3"], out=tmp_path / "alone")
    with cluster("local:2") as executor:
        spread = reproduce.reproduce(["fig3"], out=tmp_path / "spread", executor=executor)
    assert (alone / "fig3.csv").read_bytes() == (spread / "fig3.csv").read_bytes()


@pytest.mark.slow
def test_the_address_of_a_scheduler_is_enough(tmp_path: Path) -> None:
    with scheduler(tmp_path, ("--nworkers", "1")) as file:
        address = json.loads(Path(file).read_text())["address"]
        assert address.startswith("tcp://")
        with cluster(address) as executor:
            assert executor.submit(tenth, 1).result() == tenth(1)


class DiesOnce:
    """Work during which the process dies at its first cell."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __call__(self, cell: int) -> Figures:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"cell": float(cell)}


@pytest.mark.slow
def test_what_a_worker_was_doing_when_it_died_is_done_again(tmp_path: Path) -> None:
    with cluster("local:1") as executor:
        found = run_cells(DiesOnce(tmp_path / "died"), range(3), executor=executor)
    assert (tmp_path / "died").exists()
    assert found == {cell: {"cell": float(cell)} for cell in range(3)}


@pytest.mark.slow
def test_two_clusters_on_one_machine_say_nothing_of_each_other() -> None:
    """Each with a port of its own: a warning of Dask about the first one's port would be an error here."""
    with cluster("local:1") as one, cluster("local:1") as other:
        assert one.submit(tenth, 1).result() == other.submit(tenth, 1).result()


def test_a_file_that_is_no_schedulers_is_told(tmp_path: Path) -> None:
    for text in ("{}", "[]", "", '{"address": 3}'):
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(InputError, match="is not the file of a scheduler"), cluster(str(tmp_path / "s.json")):
            pass


@pytest.mark.slow
def test_a_cell_that_kills_every_worker_is_told() -> None:
    with cluster("local:1") as executor, pytest.raises(RunError, match="ended several workers of the cluster"):
        run_cells(tenth, [100], executor=executor)


@pytest.mark.slow
def test_a_worker_that_would_do_several_runs_at_a_time_is_refused(tmp_path: Path) -> None:
    with scheduler(tmp_path, ("--nthreads", "3")) as file:
        with Client(scheduler_file=file, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=READY_S)
        with (
            pytest.raises(InputError, match="does 3 tasks at a time in one process; start it with --nthreads 1"),
            cluster(file),
        ):
            pass


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("local:0", "must be local:N with a number of workers from 1 to 1,000"),
        ("local:many", "must be local:N"),
        ("nowhere.json", "a scheduler file that exists"),
        ("tcp://127.0.0.1:1", "no scheduler answers there"),
        ("carrier-pigeon://x", "must be an address such as tcp://"),
        ("http://x", "must be an address such as tcp://"),
        ("tcp://", "must be an address such as tcp://"),
        ("127.0.0.1:99999999", "must be an address such as tcp://"),
        ("tcp://127.0.0.1:0", "must be an address such as tcp://"),
    ],
)
def test_an_address_without_a_cluster_is_told(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.study.cluster.TIMEOUT_S", 0.5)
    with pytest.raises(InputError, match=f"^cluster {address}: .*{said}"), cluster(address):
        pass
