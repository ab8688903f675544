"""Studies on a Dask cluster, on this machine or on many."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, RunError, need, one_line
from simulator.study.executors import Parcel
from simulator.study.processes import interrupts_blocked

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT_S = 20.0
"""Longest time to wait for the answer of a scheduler, s."""

# A wrong address is told at once: Dask would wait for an answer.
_ADDRESS = re.compile(
    r"(?:(?:tcp|tls|ucx|ws|wss)://)?[^\s/:]+:[0-9]{1,5}|(?:(?:tcp|tls|ucx|ws|wss)://)?\[[0-9a-fA-F:.%]+\]:[0-9]{1,5}"
)

MOST_LOCAL = 1_000
"""Largest number of workers that are started on this machine."""


# glibc (malloc.h): parameters of mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

# The nanny of Dask sets MALLOC_TRIM_THRESHOLD_ for its workers. Memory then goes back to the system after each large
# table and is fetched again for the next. These are the largest values that glibc finds by itself in a process without
# the variable (DEFAULT_MMAP_THRESHOLD_MAX, and twice that).
MMAP_BYTES = 32 * 2**20
TRIM_BYTES = 2 * MMAP_BYTES


def _use_memory_as_usual() -> None:
    """Undo in this process what the nanny of Dask does to the allocator of memory."""
    if os.environ.pop("MALLOC_TRIM_THRESHOLD_", None) is None or not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):  # another library than glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)


class ClusterExecutor(Executor):
    """An executor that does work on a Dask cluster. Work of a worker that dies is done by another one.

    Args:
        client: connection to the cluster.

    Attributes:
        workers: number of workers when the connection was made.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        # Not pure: Dask would take two calls with equal arguments for one.
        self._pool = client.get_executor(pure=False)
        self.workers = len(client.nthreads())

    def share(self, parcel: Parcel) -> Any:
        """Bring a parcel to the cluster once; return what stands for it in the arguments of `submit`."""
        # A task and not `scatter`: if the only worker that holds it dies, the scheduler makes it again.
        return self._client.submit(_opened, parcel, pure=False)

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a call on one of the workers."""
        found: Future[Any] = Future()
        inner: Future[Any] = self._pool.submit(_on_worker, work, *args, **kwargs)

        def hand_on(ended: Future[Any]) -> None:
            # It may have been cancelled while its result was on the way.
            with suppress(InvalidStateError):
                if ended.cancelled():
                    found.cancel()
                    found.set_running_or_notify_cancel()
                elif (error := ended.exception()) is not None:
                    found.set_exception(_plain(error))
                else:
                    found.set_result(ended.result())

        inner.add_done_callback(hand_on)
        found.add_done_callback(lambda _: inner.cancel() if found.cancelled() else None)
        return found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all work, or cancel it."""
        self._pool.shutdown(wait=wait and not cancel_futures)


@contextmanager
def cluster(address: str) -> Iterator[ClusterExecutor]:
    """Connect to a Dask cluster; yield an executor for `compare`, `train_seeds` and others.

    Args:
        address: address of a scheduler such as ``tcp://10.0.0.1:8786``, the scheduler's file, or ``local:N`` for N
            workers on this machine.

    Raises:
        InputError: the address is wrong, no scheduler answers there, a worker does several runs at a time, or
            distributed is not installed.

    Example:
        >>> from simulator.study.compare import compare
        >>> with cluster("local:2") as executor:
        ...     found = compare("paper", ["conditional", "spa"], seeds=2, duration=60, executor=executor)
        >>> len(found.runs)
        4
    """
    need("distributed")
    kind, _, rest = address.partition(":")
    if kind == "local":
        if not rest.isdecimal() or not 1 <= int(rest) <= MOST_LOCAL:
            raise InputError(f"cluster {address}: must be local:N with a number of workers from 1 to {MOST_LOCAL:,}")
        with _local(int(rest)) as scheduler, _connected(address, scheduler) as executor:
            yield executor
        return
    if Path(address).is_file():
        where = _address_in(Path(address))
    elif _ADDRESS.fullmatch(address) and 0 < int(address.rpartition(":")[2]) < 65_536:
        where = address
    else:
        raise InputError(
            f"cluster {address}: must be an address such as tcp://10.0.0.1:8786, a scheduler file that exists, or "
            "local:N for N workers on this machine"
        )
    with _connected(address, where) as executor:
        yield executor


def _address_in(path: Path) -> str:
    """Return the address in a scheduler's file.

    Raises:
        InputError: there is none.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    address = known.get("address") if isinstance(known, dict) else None
    if not isinstance(address, str):
        raise InputError(
            f"cluster {path}: is not the file of a scheduler; `dask scheduler --scheduler-file` writes one"
        )
    return address


@contextmanager
def _local(count: int) -> Iterator[Any]:
    """Start workers on this machine, and end them at the end of the block."""
    from distributed import LocalCluster

    # Ctrl-C is for this process, which ends the others. The thread that starts workers has the mask of this one. The
    # resource tracker must run already: where it is started, SIGINT is let through afterwards.
    resource_tracker.ensure_running()
    with interrupts_blocked():
        # No limit of memory: Dask's own is an equal share of the machine, and it kills a worker that has more. The
        # scheduler answers HTTP even without a dashboard: at any free port, so that two clusters do not warn of each
        # other, and for this machine only.
        started = LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", memory_limit=None,
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
    with started:
        yield started


@contextmanager
def _connected(address: str, where: Any) -> Iterator[ClusterExecutor]:
    """Connect to a scheduler.

    Args:
        address: what the person gave.
        where: address of the scheduler, or a cluster of this process.
    """
    from distributed import Client

    with warnings.catch_warnings():
        # Versions of packages that differ are Dask's concern; those of dmsb are compared by each worker.
        warnings.simplefilter("ignore")
        try:
            client = Client(where, timeout=TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise InputError(f"cluster {address}: no scheduler answers there: {one_line(error)}") from error
    with _logs_silenced(), client:
        for name, threads in client.nthreads().items():
            if threads > 1:
                raise InputError(
                    f"cluster {address}: the worker {name} does {threads} tasks at a time in one process; start it "
                    "with --nthreads 1, and with --nworkers for several processes"
                )
        yield ClusterExecutor(client)


@contextmanager
def _logs_silenced() -> Iterator[None]:
    """Keep back what the client logs when a scheduler or a worker goes: an error says it in one sentence."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _on_worker(work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Do a call in this process, which is a worker."""
    _use_memory_as_usual()
    return work(*args, **kwargs)


def _opened(parcel: Parcel) -> Parcel:
    """Return a parcel. It is a task, so that its result is kept by the worker that did it and by those that ask."""
    return parcel


def _plain(error: BaseException) -> BaseException:
    """Return an error of the scheduler in words for a person; others as they are."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return RunError(
            "a run has ended several workers of the cluster one after the other, perhaps because memory ran out; give "
            "workers more memory, and repeat the command to go on"
        )
    return error
