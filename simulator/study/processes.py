"""Cells done by processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any, TypeVar

from simulator.errors import RunError
from simulator.study.journal import Figures

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CellT = TypeVar("CellT", bound=Hashable)


def in_processes(
    work: Callable[[CellT], Figures], worlds: list[list[CellT]], jobs: int
) -> Generator[tuple[CellT, Figures], None, None]:
    """Yield each cell with its results, as soon as they are there.

    Args:
        work: function of a cell.
        worlds: cells of each world.
        jobs: number of parallel processes; with 1 this process does the work itself.

    Raises:
        RunError: a process was killed.
    """
    processes = min(jobs, sum(map(len, worlds)))
    if processes < 2:
        for cell in chain.from_iterable(worlds):
            yield cell, work(cell)
        return
    # One pool per process: a pool of several gives a cell to any of them, and each would draw every world.
    # "spawn" and not "fork": a forked child can hang on the lock of a thread that it did not inherit.
    spawn = get_context("spawn")
    # Workers end when their pipe is closed. It has no name that could be gone while one of them still starts.
    pipes = [spawn.Pipe(duplex=False) for _ in range(processes)]
    with ExitStack() as stack:
        for end in chain.from_iterable(pipes):
            stack.callback(end.close)
        pools = [
            stack.enter_context(ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(work, hears)))
            for hears, _ in pipes
        ]
        left, lanes = deque(map(deque, worlds)), [deque[CellT]() for _ in pools]
        running: dict[Future[Figures], tuple[int, CellT]] = {}

        def give(lane: int) -> None:
            """Give the process of a lane its next cell, from a new world or from the longest other lane."""
            if not lanes[lane]:
                lanes[lane] = left.popleft() if left else deque()
            source = lanes[lane] or max(lanes, key=len)
            if source:
                cell = source.popleft()
                # Its process starts with the first cell.
                with interrupts_blocked():
                    future = pools[lane].submit(_do, cell)
                running[future] = lane, cell

        try:
            for lane in range(processes):
                give(lane)
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    lane, cell = running.pop(future)
                    figures = future.result()
                    give(lane)
                    yield cell, figures
        except BaseException as error:
            # A cell failed, a worker was killed, or somebody pressed Ctrl-C: nothing else need be done.
            for _, says in pipes:
                says.close()
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenExecutor):
                raise RunError(
                    "a worker process was killed, perhaps because memory ran out; "
                    "use fewer jobs, and repeat the command to go on"
                ) from None
            raise


_works: list[Callable[[Any], Figures]] = []
"""The work of this process, if it is a worker: it is sent once, so that it can keep what cells share."""


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in processes that start inside the block. Their parent ends them.

    An interrupt that comes in the meantime reaches the parent at the end of the block.
    """
    # Windows has no signal masks, and only the main thread may say what becomes of a signal.
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    # The mask is for the new process. A thread of another library may hear the signal all the same, so it is noted.
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _begin(work: Callable[[Any], Figures], hears: Connection) -> None:
    """Begin a worker process."""
    _works[:] = [work]
    _end_with_parent()
    threading.Thread(target=_end_when_closed, args=(hears,), daemon=True).start()


def _end_when_closed(hears: Connection) -> None:
    """End this process when the other end of its pipe is closed: the study is stopped."""
    with suppress(OSError, EOFError):
        hears.recv()
    os._exit(1)


def _do(cell: Hashable) -> Figures:
    """Do the work of a cell in a worker process."""
    return _works[0](cell)


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
