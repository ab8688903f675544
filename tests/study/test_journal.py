"""Journals only grow and belong to one process at a time; workers end when their parent does."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from simulator.errors import InputError, OutputError
from simulator.study import journal
from simulator.study.cells import run_cells
from simulator.study.journal import Figures, locked, open_journal
from tests.kills import forked

ROOT = Path(__file__).parents[2]

CELLS = ["a", "b", "c"]


def figures(cell: str) -> Figures:
    return {"code": float(ord(cell))}


def done(path: Path, fingerprint: str = "f") -> list[str]:
    """The cells of `CELLS` that have to be done."""
    worked: list[str] = []

    def work(cell: str) -> Figures:
        worked.append(cell)
        return figures(cell)

    assert run_cells(work, CELLS, journal=path, fingerprint=fingerprint) == {cell: figures(cell) for cell in CELLS}
    return worked


def note(path: Path, *cells: str, fingerprint: str = "f") -> None:
    run_cells(figures, cells, journal=path, fingerprint=fingerprint)


def test_what_a_journal_knows_is_never_lost_to_another_study(tmp_path: Path) -> None:
    """Another length, and the first one again: each finds what it had done, and nothing is ever rewritten."""
    path = tmp_path / "a" / "journal"
    note(path, "a", "b")
    before = path.read_bytes()
    note(path, "a", fingerprint="other")
    assert path.read_bytes().startswith(before)
    assert done(path) == ["c"]
    assert done(path, "other") == ["b", "c"]
    assert done(path) == []
    grown = path.read_bytes()
    assert grown.startswith(before)
    with open_journal(path, "other") as (known, _):
        assert known == {repr(cell): figures(cell) for cell in CELLS}
    assert done(path, "third") == CELLS


def test_a_line_that_was_cut_off_costs_its_own_cell_only(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    note(path, "a", "b")
    for half in ("{", '{"cell": "\'c\'", "figures": {"co', "x\n", '{"cell": 3}', "[]\n", '{"fingerprint"'):
        with path.open("a") as file:
            file.write(half)
        assert done(path) == (["c"] if half == "{" else [])
        assert done(path) == []
    header = path.read_bytes().splitlines()[0]
    for length in range(len(header) + 1):
        path.write_bytes(header[:length])  # killed while it was begun
        assert done(path) == CELLS
        assert done(path) == []


def test_a_kill_while_a_journal_is_opened_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    note(path, "a", "b")
    append = journal._append

    def kill(number: int, text: str) -> None:
        append(number, text[: len(text) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    def open_it() -> None:
        journal._append = kill
        note(path, "c", fingerprint="other")

    assert forked(open_it, tmp_path).killed
    assert done(path) == ["c"]


@pytest.mark.parametrize("text", ["my notes", "{}", '{"fingerprint": "f"}\n', "\n", "{\n"])
def test_a_file_of_ones_own_is_not_written_to(text: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(OutputError, match=r"journal: is not a journal of dmsb; move it"):
        done(path)
    assert path.read_text() == text
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OutputError, match=r"journal: is not a journal of dmsb; move it"):
        done(path)
    assert path.is_fifo()


def test_two_commands_on_one_journal_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a" / "journal"
    with open_journal(path, "f") as (_, add):
        add("'a'", figures("a"))
        before = path.read_bytes()
        ended = forked(lambda: done(path), tmp_path)
        assert ended == (False, 2, f"{path}: another process is at work there; wait for it, or name another with --out")
        assert path.read_bytes() == before
    assert done(path) == ["b", "c"]
    with locked(tmp_path), pytest.raises(OutputError, match="another process is at work there"), locked(tmp_path):
        pass


def test_a_journal_that_is_removed_while_it_is_opened_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process has removed it after this one has opened it: what is noted must not go nowhere."""
    path = tmp_path / "journal"
    lock: Callable[[int], bool] = journal._lock

    def late(number: int) -> bool:
        monkeypatch.setattr(journal, "_lock", lock)
        path.unlink()
        return lock(number)

    path.touch()
    monkeypatch.setattr(journal, "_lock", late)
    note(path, "a")
    assert done(path) == ["b", "c"]


def test_a_call_that_did_nothing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> Figures:
        raise InputError("on purpose")

    path = tmp_path / "a" / "b" / "journal"
    with pytest.raises(InputError):
        run_cells(fail, CELLS, journal=path)
    assert list(tmp_path.iterdir()) == []

    def full(number: int, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "_append", full)
    with pytest.raises(OutputError, match=r"journal: cannot be written \(No space left on device\)"):
        done(path)
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "empty"
    path.touch()  # which somebody else made
    with pytest.raises(OutputError):
        done(path)
    assert path.exists()


def test_what_is_not_finite_is_null_in_a_journal_and_the_same_without_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    def work(_: str) -> Figures:
        return {"one": math.inf, "two": math.nan, "three": -math.inf, "four": 0.1 + 0.2}

    for kept in (None, path, path):
        found = run_cells(work, ["a"], journal=kept)["a"]
        assert [name for name, value in found.items() if math.isnan(value)] == ["one", "two", "three"]
        assert found["four"] == 0.1 + 0.2
    line = json.loads(path.read_text().splitlines()[1], parse_constant=pytest.fail)
    assert line["figures"] == {"one": None, "two": None, "three": None, "four": 0.1 + 0.2}


ENDLESS = ["compare", "paper", "--policies", "spa,conditional", "--seeds", "2", "--duration", "1e9", "--jobs", "2"]


@contextmanager
def endless(folder: Path, least: int, busy_s: float) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A comparison of runs of weeks, in a session of its own, and its workers once they have worked a while.

    It is not under coverage, which waits for its own lock for ever if an interrupt comes while it holds it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    with subprocess.Popen(
        [sys.executable, "-m", "dmsb", *ENDLESS, "--out", "out"], cwd=folder, stderr=subprocess.PIPE,
        env={**kept, "PYTHONPATH": str(ROOT)}, start_new_session=True, text=True,
    ) as process:  # fmt: skip
        parent, workers = psutil.Process(process.pid), list[psutil.Process]()
        begin = time.monotonic()
        try:
            while len(workers) < least or any(one.cpu_times().user < busy_s for one in workers):
                assert time.monotonic() - begin < 60
                time.sleep(0.02)
                workers = [one for one in parent.children() if "spawn_main" in " ".join(one.cmdline())]
            helpers = parent.children()
            yield process, workers
        finally:
            process.kill()
    _, alive = psutil.wait_procs(helpers, timeout=10)
    for one in alive:  # where the test fails they would run for weeks
        one.kill()
    assert alive == []


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with endless(tmp_path, 2, 1.0) as (process, _):
        process.kill()


@pytest.mark.parametrize(("least", "busy_s"), [(1, 0.0), (2, 1.0)], ids=["while they start", "while they work"])
def test_an_interrupt_is_for_the_parent_which_ends_its_workers(least: int, busy_s: float, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all of them; none of the workers may print a traceback."""
    with endless(tmp_path, least, busy_s) as (process, _):
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 130


def test_a_worker_that_is_killed_is_one_sentence(tmp_path: Path) -> None:
    """As the system does where memory runs out; the other worker is not waited for."""
    with endless(tmp_path, 2, 1.0) as (process, workers):
        workers[0].kill()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("error: a worker process was killed, perhaps because memory ran out; ")
    assert "Traceback" not in errors
