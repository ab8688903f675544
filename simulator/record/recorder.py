"""The recorder: rows as they happen, in flat typed arrays. What follows from other columns is derived at the end."""

from __future__ import annotations

import math
from array import array
from operator import attrgetter

import numpy as np

from simulator.market.auction import BID_FIELDS, Auction
from simulator.market.contracts import MARKET_CONDITIONS
from simulator.model import FloatArray
from simulator.providers.task import UNSERVED, Task
from simulator.record.schema import AUCTIONS, TASK_CLOCK, TASK_REST, TASKS

# One attrgetter of all paths builds a row in C, and the columns' declaration alone says what is in it.
_AUCTION_COLUMNS = tuple(column for column in AUCTIONS if column.source)
_AUCTION_ROW = attrgetter(*(column.source for column in _AUCTION_COLUMNS))
_AUCTION_FIELDS = (*(column.name for column in _AUCTION_COLUMNS), *(f"m_{name}" for name in MARKET_CONDITIONS))

_TASK_COLUMNS = tuple(column for column in TASKS if column.source)
_TASK_ROW = attrgetter(*(column.source for column in _TASK_COLUMNS), *TASK_REST[:-1])
_TASK_FIELDS = (*(column.name for column in _TASK_COLUMNS), *TASK_REST, *TASK_CLOCK)

_REPORT_FIELDS = ("time", "provider", "bid")
_OUTAGE_FIELDS = ("time", "provider", "is_out")


class Recorder:
    """Takes rows of auctions, bids, tasks, reports and outages."""

    def __init__(self) -> None:
        self._auctions = array("d")
        self._bids = array("d")
        self._bidders = array("q")
        self._bidders_per_auction = array("q")
        self._tasks = array("d")
        self._reports = array("d")
        self._outages = array("d")
        self._running: dict[int, Task] = {}

    def auction(self, auction: Auction) -> None:
        """Write down a settled auction and the bids of who was invited; its task is followed until it is done."""
        self._auctions.extend(_AUCTION_ROW(auction))
        self._auctions.frombytes(auction.market.tobytes())
        (bidders,) = auction.invited.nonzero()
        self._bidders.frombytes(bidders.tobytes())
        self._bidders_per_auction.append(len(bidders))
        self._bids.frombytes(auction.book.T[bidders].tobytes())
        task = auction.task
        if task.status == UNSERVED:
            self._write(task, math.inf)
        else:
            self._running[task.id] = task

    def task_done(self, task: Task, lost_at: float) -> None:
        """Write down a task that has passed its last stage, or that an outage has ended, and when it is lost."""
        del self._running[task.id]
        self._write(task, lost_at)

    def report(self, time: float, uav: int, bid: float) -> None:
        """Write down the report of a UAV."""
        self._reports.extend((time, uav, bid))

    def outage(self, time: float, provider: int, is_out: bool) -> None:
        """Write down that a provider has gone out or come back."""
        self._outages.extend((time, provider, is_out))

    def _write(self, task: Task, lost_at: float) -> None:
        self._tasks.extend((*_TASK_ROW(task), lost_at, *task.started, *task.finished))

    def auctions(self) -> dict[str, FloatArray]:
        """Return the fields of every auction, in order of settlement."""
        return _columns(self._auctions, _AUCTION_FIELDS)

    def bids(self) -> dict[str, FloatArray]:
        """Return one row per invited provider of every auction: row of the auction, provider, and `BID_FIELDS`."""
        counts = np.frombuffer(self._bidders_per_auction, dtype=np.int64)
        row = np.repeat(np.arange(len(counts), dtype=np.float64), counts)
        provider = np.frombuffer(self._bidders, dtype=np.int64).astype(np.float64)
        return {"row": row, "provider": provider, **_columns(self._bids, BID_FIELDS)}

    def tasks(self) -> dict[str, FloatArray]:
        """Return the fields of every task by id; those that are under way have NaN where nothing has happened yet."""
        rows = Recorder()
        rows._tasks = array("d", self._tasks)
        for task in self._running.values():
            rows._write(task, task.lost_at)
        columns = _columns(rows._tasks, _TASK_FIELDS)
        order = np.argsort(columns["task"])
        return {name: column[order] for name, column in columns.items()}

    def reports(self) -> dict[str, FloatArray]:
        """Return every report of a UAV, in order of time."""
        return _columns(self._reports, _REPORT_FIELDS)

    def outages(self) -> dict[str, FloatArray]:
        """Return every begin and end of an outage, in order of time."""
        return _columns(self._outages, _OUTAGE_FIELDS)


def _columns(rows: array[float], fields: tuple[str, ...]) -> dict[str, FloatArray]:
    values = np.frombuffer(rows).reshape(-1, len(fields)) if rows else np.empty((0, len(fields)))
    return {name: values[:, number].copy() for number, name in enumerate(fields)}
