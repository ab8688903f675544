"""Cells done by an executor: a pool of `concurrent.futures`, a Dask cluster, or any other."""

from __future__ import annotations

import math
import os
import pickle
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from simulator.errors import RunError
from simulator.study.code import results_code
from simulator.study.journal import Figures

CellT = TypeVar("CellT", bound=Hashable)

MOST_IN_FLIGHT = 20_000
"""Largest number of batches that an executor is given at a time. A scheduler needs memory for each."""

BATCHES_PER_WORKER = 2
"""Smallest number of batches per worker. With too few worlds, a world is divided into several batches."""


class Parcel(NamedTuple):
    """What a worker needs once, before its first batch.

    Attributes:
        work: the function of a cell, pickled.
        code: hash of the code that decides results.
        folder: working folder of the study. Relative paths of policies and weights start there.
        study: identity of the study. A worker opens the work once per study. It never uses what it has read for an
            earlier one, because files of policies may have changed since.
    """

    work: bytes
    code: str
    folder: str
    study: str


def on_executor(
    work: Callable[[CellT], Figures], worlds: Sequence[Sequence[CellT]], executor: Executor
) -> Generator[tuple[CellT, Figures], None, None]:
    """Yield each cell with its results, as soon as its batch is done. A batch has cells of one world.

    Args:
        work: function of a cell. It and the cells must be picklable.
        worlds: cells of each world.
        executor: what does the work. If it has a method ``share``, it is called with a `Parcel`, and its result is sent
            with each batch. An attribute ``workers`` is the number of batches that it does at a time.

    Raises:
        RunError: a worker was killed, or has other code than this process.
    """
    parcel: Any = Parcel(pickle.dumps(work), results_code(), str(Path.cwd()), uuid.uuid4().hex)
    parcel = executor.share(parcel) if hasattr(executor, "share") else parcel
    left = iter(_batches(worlds, _workers(executor)))
    running: dict[Future[list[Figures]], Sequence[CellT]] = {}
    # A queue and not `wait`, which looks at every future each time.
    ended: SimpleQueue[Future[list[Figures]]] = SimpleQueue()

    def fill() -> None:
        for batch in islice(left, MOST_IN_FLIGHT - len(running)):
            future = executor.submit(do_batch, parcel, batch)
            running[future] = batch
            future.add_done_callback(ended.put)

    try:
        fill()
        while running:
            future = ended.get()
            yield from zip(running.pop(future), future.result(), strict=True)
            fill()
    except (BrokenExecutor, CancelledError) as error:
        raise RunError(
            "the workers or their scheduler are gone, perhaps because memory ran out; repeat the command to go on"
        ) from error
    finally:
        # A cell failed, or somebody pressed Ctrl-C: nothing else need be done.
        for future in running:
            future.cancel()


def _workers(executor: Executor) -> int:
    """Return the number of batches that an executor does at a time."""
    # Pools of the standard library have no public attribute for it.
    return getattr(executor, "workers", None) or getattr(executor, "_max_workers", None) or os.cpu_count() or 1


def _batches(worlds: Sequence[Sequence[CellT]], workers: int) -> Iterator[Sequence[CellT]]:
    """Yield the cells of each world, in several pieces where there are few worlds."""
    pieces = math.ceil(BATCHES_PER_WORKER * workers / max(len(worlds), 1))
    for cells in worlds:
        size = math.ceil(len(cells) / min(pieces, len(cells)))
        for begin in range(0, len(cells), size):
            yield cells[begin : begin + size]


_received: dict[str, Callable[[Any], Figures]] = {}
"""The work of this process by its study; only the last one is kept."""

_busy = threading.Lock()
"""Held while this process does a batch. Runs share caches of the process, so threads of a pool take turns."""


def do_batch(parcel: Parcel, cells: Sequence[Hashable]) -> list[Figures]:
    """Do cells of one world in this process, which is a worker.

    Args:
        parcel: the work.
        cells: the cells.

    Returns:
        The figures of each cell.

    Raises:
        RunError: this process has other code than the one that makes the study.
    """
    with _busy:
        if parcel.study not in _received:
            if parcel.code != results_code():
                raise RunError(
                    f"the worker on {socket.gethostname()} has another version of dmsb than this process, so its "
                    "results would differ; install the same version on both"
                )
            with suppress(OSError):  # without a shared file system only paths of the study's own files are missing
                os.chdir(parcel.folder)
            _received.clear()
            _received[parcel.study] = pickle.loads(parcel.work)
        work = _received[parcel.study]
        return [work(cell) for cell in cells]
