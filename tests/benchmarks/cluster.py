"""What it costs to distribute a study: a cell on a pool and on a cluster, a worker's memory, and Dask's allocator."""

from __future__ import annotations

import os
import resource
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context

from simulator import simulate
from simulator.study.cells import run_cells
from simulator.study.cluster import cluster
from simulator.study.compare import compare
from simulator.study.journal import Figures

WORKERS = 2


def nothing(cell: int) -> Figures:
    """Return figures without doing anything, as many as a run has."""
    return {f"figure {number}": float(cell) for number in range(24)}


def an_hour(seed: int) -> Figures:
    """Run an hour of `four_way`; return the processor time of the process."""
    begin = time.process_time()
    simulate("four_way", "conditional", seed=seed, duration=3600.0).summary  # noqa: B018
    return {"cpu_s": time.process_time() - begin, "pid": float(os.getpid())}


def _pool() -> AbstractContextManager[Executor]:
    return ProcessPoolExecutor(WORKERS, get_context("spawn"))


def cell_us(kind: str, cells: int = 4_000) -> float:
    """Microseconds of wall clock per cell that does nothing.

    Args:
        kind: ``processes`` for ``jobs``, ``pool`` for a pool of `concurrent.futures`, or ``cluster``.
        cells: number of cells, each a world of its own.
    """
    if kind == "processes":
        run_cells(nothing, range(WORKERS), WORKERS)
        begin = time.perf_counter()
        run_cells(nothing, range(cells), WORKERS)
        return 1e6 * (time.perf_counter() - begin) / cells
    with _pool() if kind == "pool" else cluster(f"local:{WORKERS}") as executor:
        # Workers import the package with their first cell.
        run_cells(nothing, range(4 * WORKERS), executor=executor)
        begin = time.perf_counter()
        run_cells(nothing, range(cells), executor=executor)
        return 1e6 * (time.perf_counter() - begin) / cells


def start_s() -> float:
    """Seconds of wall clock until workers on this machine have started, have imported the package, and have ended."""
    begin = time.perf_counter()
    with cluster(f"local:{WORKERS}") as executor:
        run_cells(nothing, range(4 * WORKERS), executor=executor)
    return time.perf_counter() - begin


def worker_mib() -> tuple[float, float]:
    """Resident memory of a worker of a cluster and of a process of a pool, after two hours of `four_way` each, MiB."""
    found = []
    for workers in (cluster("local:1"), ProcessPoolExecutor(1, get_context("spawn"))):
        with workers as executor:
            pid = int(run_cells(an_hour, [0, 1], executor=executor)[1]["pid"])
            found.append(resident_mib(pid))
    return found[0], found[1]


def resident_mib(pid: int | str = "self") -> float:
    """Resident memory of a process, MiB."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123 (not a file of a person)
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def comparison() -> tuple[float, float]:
    """What a comparison of two policies in 40 worlds of an hour of `four_way` takes on two workers.

    Returns:
        Milliseconds of a worker per run, and the largest resident memory of a worker at the end, MiB.
    """
    with cluster(f"local:{WORKERS}") as executor:
        run_cells(nothing, range(4 * WORKERS), executor=executor)
        begin = time.perf_counter()
        runs = compare("four_way", ["conditional", "spa"], seeds=40, executor=executor).runs
        spent = time.perf_counter() - begin
        return 1e3 * WORKERS * spent / len(runs), max(executor._client.run(resident_mib).values())


def paper_faults(seed: int) -> Figures:
    """Run 5,000 rounds of `paper`; return the page faults and the processor time of the process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    simulate("paper", "conditional", seed=seed, duration=5000.0).summary  # noqa: B018
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"faults": float(after.ru_minflt - before.ru_minflt), "cpu_s": spent}


def trimming() -> tuple[float, float]:
    """Page faults of 5,000 rounds of `paper`, in a worker as Dask starts it and in a worker of a study.

    A fault that brings a page of memory takes a microsecond or two. Faults are counted because they do not depend on
    what else the machine does.
    """
    found = []
    for mended in (False, True):
        with cluster("local:1") as executor:
            if mended:
                run_cells(an_hour, [0], executor=executor)
            else:  # directly: the study undoes what the nanny has set
                executor._client.submit(an_hour, 0).result()
            found.append(executor._client.submit(paper_faults, 1).result()["faults"])
    return found[0], found[1]
