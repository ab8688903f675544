"""Cells on executors of `concurrent.futures`: the same figures, errors in words, and a journal to go on from."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from simulator import InputError, RunError
from simulator.study import executors
from simulator.study.cells import run_cells
from simulator.study.cluster import _on_worker as on_worker
from simulator.study.compare import compare
from simulator.study.design import Design
from simulator.study.executors import BATCHES_PER_WORKER, do_batch
from simulator.study.journal import Figures
from simulator.study.toll import toll

CLOCKS = ["wall_s", "cpu_s"]


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, get_context("spawn"))


class AtOnce(Executor):
    """An executor of somebody else: it does a call when it is submitted, and says nothing of its size."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.batches.append(args[1])
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def alone() -> pd.DataFrame:
    """Return the runs of a comparison that this process made itself."""
    return compare("paper", ["conditional", "random"], seeds=3, duration=100).runs


@pytest.mark.parametrize("pool", [lambda: ThreadPoolExecutor(2), spawned, AtOnce], ids=["threads", "processes", "own"])
def test_every_executor_gives_the_runs_of_one_process(pool: Any, alone: pd.DataFrame) -> None:
    seen: list[tuple[int, int]] = []
    with pool() as executor:
        found = compare(
            "paper", ["conditional", "random"], seeds=3, duration=100, executor=executor,
            progress=lambda *so_far: seen.append(so_far),
        )  # fmt: skip
    assert found.runs.drop(columns=CLOCKS).equals(alone.drop(columns=CLOCKS))
    assert seen == [(number, 6) for number in range(1, 7)]


def test_a_toll_on_an_executor_is_that_of_one_process() -> None:
    settings: dict[str, Any] = {"seeds": 2, "auctions": 4, "duration_s": 900}
    with ThreadPoolExecutor(2) as executor:
        found = toll("four_way", executor=executor, **settings)
    alone = toll("four_way", **settings)
    assert found.branches.tolist() == alone.branches.tolist()


@given(st.lists(st.integers(1, 12), max_size=8), st.integers(1, 9))
def test_a_batch_has_cells_of_one_world_and_no_worker_is_without_one(sizes: list[int], workers: int) -> None:
    worlds = [[(world, cell) for cell in range(size)] for world, size in enumerate(sizes)]
    batches = list(executors._batches(worlds, workers))
    assert [cell for batch in batches for cell in batch] == [cell for world in worlds for cell in world]
    assert all(len({world for world, _ in batch}) == 1 for batch in batches)
    if len(worlds) >= BATCHES_PER_WORKER * workers:
        assert len(batches) == len(worlds), "a world in pieces is drawn several times"
    elif worlds and min(sizes) >= BATCHES_PER_WORKER * workers:
        assert len(batches) >= workers


def tenth(cell: int) -> Figures:
    if cell < 0:
        raise InputError(f"cell: must not be below 0, not {cell}")
    if cell > 99:
        os._exit(1)
    return {"tenth": cell / 10}


def test_what_is_done_before_a_cell_fails_is_kept(tmp_path: Path) -> None:
    journal = tmp_path / "cells.jsonl"
    executor = AtOnce()
    with pytest.raises(InputError, match="must not be below 0, not -1"):
        run_cells(tenth, [1, 2, -1], journal=journal, executor=executor)
    executor = AtOnce()
    found = run_cells(tenth, [1, 2, 3], journal=journal, executor=executor)
    assert found == {1: {"tenth": 0.1}, 2: {"tenth": 0.2}, 3: {"tenth": 0.3}}
    assert executor.batches == [[3]]


def test_a_killed_worker_is_told() -> None:
    with (
        spawned() as executor,
        pytest.raises(RunError, match="workers or their scheduler are gone"),
    ):
        run_cells(tenth, [1, 100], executor=executor)


def test_a_worker_with_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["of the study", "of the worker"])
    monkeypatch.setattr(executors, "results_code", lambda: next(codes))
    with pytest.raises(RunError, match=r"the worker on .* has another version of dmsb than this process"):
        run_cells(Times(11), [1], executor=AtOnce())


def test_the_allocator_of_a_dask_worker_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The nanny sets a variable that makes processes give memory back all the time."""
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.chdir(tmp_path)
    executors._received.clear()
    with ThreadPoolExecutor(1) as executor:
        assert run_cells(tenth, [4], executor=executor) == {4: {"tenth": 0.4}}
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "65536", "a person's own process is left alone"
    assert on_worker(tenth, 4) == {"tenth": 0.4}
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ


def test_a_worker_keeps_the_last_work_only() -> None:
    for factor in range(3):
        run_cells(Times(factor), [2], executor=AtOnce())
        assert len(executors._received) == 1
    parcel = executors.Parcel(b"", "", "", next(iter(executors._received)))
    assert do_batch(parcel, [5]) == [{"product": 10.0}], "what is there is not unpacked again"


def test_a_worker_that_outlives_a_study_reads_files_again(tmp_path: Path) -> None:
    policy = tmp_path / "mine.py"
    spec = f"{policy}:Mine"
    with ThreadPoolExecutor(1) as executor:
        for price in (1.0, 1.4):
            policy.write_text(f"class Mine:\n    def price(self, observation):\n        return {price}\n")
            found = compare("paper", [spec], seeds=2, duration=60, executor=executor)
            assert found.runs["rho_mean"].tolist() == [pytest.approx(price)] * 2


def test_a_worker_with_another_policy_of_that_name_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "mine.py"
    policy.write_text("class Mine:\n    def price(self, observation):\n        return 1.0\n")
    design = Design("paper", [f"{policy}:Mine"], seeds=2, duration=60.0)
    elsewhere = pickle.loads(pickle.dumps(design.work))
    policy.write_text("class Mine:\n    def price(self, observation):\n        return 1.4\n")
    with pytest.raises(RunError, match=r"mine\.py:Mine on .* is not that of the study: its file"):
        elsewhere(design.cells[0])


def test_what_fails_here_ends_the_work_elsewhere(tmp_path: Path) -> None:
    """A full disk or Ctrl-C meets this process, and the workers must not go on with what nobody will keep."""
    done: list[int] = []

    def slow(cell: int) -> Figures:
        done.append(cell)
        time.sleep(0.02)
        return {"cell": float(cell)}

    class Full(Exception):  # noqa: N818
        pass

    def full(*_: int) -> None:
        raise Full

    # Threads share the list, so the work needs no pickling: it is handed over as it is.
    with ThreadPoolExecutor(1) as executor, pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulator.study.executors.pickle.dumps", lambda _: b"")
        patch.setattr("simulator.study.executors.pickle.loads", lambda _: slow)
        with pytest.raises(Full):
            run_cells(slow, range(60), executor=executor, progress=full)
    assert len(done) < 10


class Times:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, cell: int) -> Figures:
        return {"product": float(self.factor * cell)}
