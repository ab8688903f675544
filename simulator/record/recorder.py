"""The recorder, which writes rows into flat typed arrays as things happen.

It writes only what cannot be derived. `simulator.record.tables` derives all other columns at the end.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from simulator.market.auction import BID_FIELDS, Auction
from simulator.market.contracts import MARKET_CONDITIONS, Column
from simulator.market.decisions import Decision
from simulator.market.lots import LINK_FIELDS
from simulator.model import BoolArray, FloatArray, IntArray
from simulator.providers.task import UNSERVED, Task
from simulator.record.schema import AUCTIONS, DECISIONS, TASK_CLOCK, TASK_REST, TASKS

# One attrgetter with the sources of all columns builds a row without a Python loop. The declared columns alone decide
# what is in a row.
_AUCTION_COLUMNS = tuple(column for column in AUCTIONS if column.source)
_AUCTION_ROW = attrgetter(*(column.source for column in _AUCTION_COLUMNS))
_AUCTION_FIELDS = (*(column.name for column in _AUCTION_COLUMNS), *(f"m_{name}" for name in MARKET_CONDITIONS))

_DECISION_FIELDS = tuple(column.name for column in DECISIONS if column.type != "text")

_TASK_COLUMNS = tuple(column for column in TASKS if column.source)
_TASK_ROW = attrgetter(*(column.source for column in _TASK_COLUMNS), *TASK_REST[:-1])
_TASK_FIELDS = (*(column.name for column in _TASK_COLUMNS), *TASK_REST, *TASK_CLOCK)

_REPORT_FIELDS = ("time", "provider", "bid")
_OUTAGE_FIELDS = ("time", "provider", "is_out")

_TASK = _AUCTION_FIELDS.index("task")

TASKS_KEPT = 2048
"""Number of tasks that are done before they are written together."""

# At a junction with many providers the bids are nearly all that is recorded.
BIDS_KEPT_BYTES = 8 * 2**20
"""Bytes of recorded bids after which tasks are written together, if they are fewer."""

_BID_BYTES = 8 * (1 + len(BID_FIELDS) + len(LINK_FIELDS))
"""Bytes of a recorded bid."""


class Rows(NamedTuple):
    """The rows of a recorder, as columns by name.

    Attributes:
        auctions: settled auctions, by task.
        decisions: decisions in the order of time.
        bids: bids by task, one row per auction and invited provider: the task, the provider, `BID_FIELDS` and
            `LINK_FIELDS`.
        tasks: tasks by id, with NaN for stages that have not begun or ended.
        reports: reports of UAVs in the order of time.
        outages: starts and ends of outages in the order of time.
    """

    auctions: dict[str, FloatArray]
    decisions: dict[str, Any]
    bids: dict[str, FloatArray]
    tasks: dict[str, FloatArray]
    reports: dict[str, FloatArray]
    outages: dict[str, FloatArray]


class Recorder:
    """The record of a run: auctions, decisions, bids, tasks, reports and outages.

    Args:
        columns: what the mechanism adds to the table `auctions`.
        state: what the seats of the mechanism add to the table `decisions`.
        value_of: whose utility the value of a served task is in the mechanism.

    Attributes:
        columns: what the mechanism adds to the table `auctions`.
        state: what the seats of the mechanism add to the table `decisions`.
        value_of: whose utility the value of a served task is in the mechanism.
        reasons: numbers by which the policy explains its decisions.
        on_done: function that is called each time that `TASKS_KEPT` more tasks are done, or that the bids have grown by
            `BIDS_KEPT_BYTES`; None for nothing.
    """

    def __init__(
        self,
        columns: Sequence[Column] = (),
        state: Sequence[Column] = (),
        value_of: Literal["provider", "vehicle"] = "provider",
    ) -> None:
        self.columns, self.state, self.value_of = tuple(columns), tuple(state), value_of
        self.reasons: tuple[Column, ...] = ()
        self._fields = (*_AUCTION_FIELDS, *(column.name for column in columns))
        self._blank = (math.nan,) * len(columns)
        # Arrays of 8-byte numbers: a list of Python floats takes about four times as much memory.
        self._auctions = array("d")
        self._bids = array("d")
        self._links = array("d")
        self._bidders = array("q")
        self._bidders_per_auction = array("q")
        self._tasks = array("d")
        self._reports = array("d")
        self._outages = array("d")
        self._decisions = array("d")
        self._seats: list[str] = []
        self._running: dict[int, Task] = {}
        self._released = self._done = self._bytes_before = 0
        self.on_done: Callable[[], None] | None = None

    def auction(self, auction: Auction) -> None:
        """Record a settled auction and the bids of the invited providers.

        Args:
            auction: the auction. Its task is recorded later, when it is done.
        """
        self._auctions.extend(_AUCTION_ROW(auction))
        # Arrays of 8-byte numbers are appended as bytes, which takes less time than number by number.
        self._auctions.frombytes(auction.market.tobytes())
        self._auctions.extend(auction.extra or self._blank)
        bidders = auction.lot.invited
        self._bidders.extend(bidders)
        self._bidders_per_auction.append(len(bidders))
        self._bids.frombytes(auction.book.compress(auction.invited, axis=1).T.tobytes())
        situation = auction.situation
        links = np.concatenate((situation.snr, situation.equipment, situation.accuracy[None]))
        self._links.frombytes(links.compress(auction.invited, axis=1).T.tobytes())
        task = auction.task
        # No provider works on an unserved task, so no later call records it.
        if task.status == UNSERVED:
            self._write(task, math.inf)
        else:
            self._running[task.id] = task

    def explain(self, reasons: Sequence[Column]) -> None:
        """Record with each decision the numbers by which the policy explains it.

        Args:
            reasons: columns of the numbers. Call this before the first decision.
        """
        self.reasons = tuple(reasons)

    def decision(self, decision: Decision, action: float) -> None:
        """Record a decision and its answer.

        Args:
            decision: the decision.
            action: what the policy answered.
        """
        self._seats.append(decision.seat)
        self._decisions.extend((decision.time, decision.task, action))
        if self.state:
            state = decision.observation.state
            self._decisions.extend([float(state.get(column.name, math.nan)) for column in self.state])
        if self.reasons:
            self._decisions.extend(decision.why or (math.nan,) * len(self.reasons))

    def task_done(self, task: Task, lost_at: float) -> None:
        """Record a task that has passed its last stage, or that an outage has ended.

        Args:
            task: the task.
            lost_at: time at which the task is lost if it is not done by then, s.
        """
        del self._running[task.id]
        self._write(task, lost_at)

    def report(self, time: float, uav: int, bid: float) -> None:
        """Record the report of a UAV.

        Args:
            time: time of the report, s.
            uav: id of the UAV.
            bid: bid of the UAV from this report on.
        """
        self._reports.extend((time, uav, bid))

    def outage(self, time: float, provider: int, is_out: bool) -> None:
        """Record the start or the end of an outage.

        Args:
            time: time of the change, s.
            provider: id of the provider.
            is_out: whether the provider is out from now on.
        """
        self._outages.extend((time, provider, is_out))

    def _write(self, task: Task, lost_at: float) -> None:
        """Append the row of a task."""
        self._tasks.extend(_task_row(task, lost_at))
        if self.on_done is not None:
            self._done += 1
            if self._done >= TASKS_KEPT or self._bids_bytes - self._bytes_before >= BIDS_KEPT_BYTES:
                self._done = 0
                self.on_done()
                self._bytes_before = self._bids_bytes

    @property
    def _bids_bytes(self) -> int:
        """Bytes of the recorded bids."""
        return len(self._bidders) * _BID_BYTES

    @property
    def complete(self) -> int:
        """Number of the first tasks that have all been recorded as done."""
        done = np.sort(_columns(self._tasks, _TASK_FIELDS)["task"])
        gaps = np.flatnonzero(done != self._released + np.arange(len(done)))
        return self._released + int(gaps[0] if len(gaps) else len(done))

    def requested_s(self, task: int) -> float:
        """Return the time of the request of a task that is done, s.

        Args:
            task: id of the task.
        """
        tasks = _columns(self._tasks, _TASK_FIELDS)
        return float(tasks["requested"][tasks["task"] == task][0])

    def rows(self) -> Rows:
        """Return everything that has been recorded and not released, so that the run can go on."""
        tasks = array("d", self._tasks)
        for task in self._running.values():
            tasks.extend(_task_row(task, task.lost_at))
        return self._rows(tasks)

    def release(self, tasks: int, time: float) -> Rows:
        """Return what has been recorded of the first tasks, and of other things before a time, and forget it.

        Decisions are all returned.

        Args:
            tasks: number of the first tasks; not more than `complete`.
            time: the time, s.
        """
        rows = self._rows(self._tasks)
        settled = _matrix(self._auctions, len(self._fields))
        stays = settled[:, _TASK] >= tasks
        counts = np.frombuffer(self._bidders_per_auction, dtype=np.int64)
        bids_stay = np.repeat(stays, counts)
        kept_auctions, kept_counts = settled[stays].tobytes(), counts[stays].tobytes()
        kept_bids = [
            _matrix(values, width)[bids_stay].tobytes()
            for values, width in ((self._bids, len(BID_FIELDS)), (self._links, len(LINK_FIELDS)), (self._bidders, 1))
        ]
        self._auctions, self._bidders_per_auction = array("d", kept_auctions), array("q", kept_counts)
        self._bids, self._links = (array("d", kept) for kept in kept_bids[:2])
        self._bidders = array("q", kept_bids[2])
        done = _matrix(self._tasks, len(_TASK_FIELDS))
        self._tasks = array("d", done[done[:, _TASK_FIELDS.index("task")] >= tasks].tobytes())
        reports, outages = _matrix(self._reports, 3), _matrix(self._outages, 3)
        told, changed = reports[:, 0] < time, outages[:, 0] < time
        self._reports = array("d", reports[~told].tobytes())
        self._outages = array("d", outages[~changed].tobytes())
        self._decisions, self._seats = array("d"), []
        self._released = tasks
        return Rows(
            _only(rows.auctions, rows.auctions["task"] < tasks),
            rows.decisions,
            _only(rows.bids, rows.bids["task"] < tasks),
            _only(rows.tasks, rows.tasks["task"] < tasks),
            _only(rows.reports, told),
            _only(rows.outages, changed),
        )

    def _rows(self, tasks: array[float]) -> Rows:
        """Return everything that has been recorded, by task where it has one, with these rows of tasks."""
        auctions = _columns(self._auctions, self._fields)
        # In windows the auctions do not settle in the order of request.
        order = np.argsort(auctions["task"], kind="stable")
        counts = np.frombuffer(self._bidders_per_auction, dtype=np.int64)
        bids = {
            "task": np.repeat(auctions["task"], counts),
            "provider": np.frombuffer(self._bidders, dtype=np.int64).astype(np.float64),
            **_columns(self._bids, BID_FIELDS),
            **_columns(self._links, LINK_FIELDS),
        }
        added = [column.name for column in (*self.state, *self.reasons)]
        done = _columns(tasks, _TASK_FIELDS)
        return Rows(
            _only(auctions, order),
            {"seat": list(self._seats), **_columns(self._decisions, (*_DECISION_FIELDS, *added))},
            _only(bids, np.argsort(bids["task"], kind="stable")),
            _only(done, np.argsort(done["task"])),
            _columns(self._reports, _REPORT_FIELDS),
            _columns(self._outages, _OUTAGE_FIELDS),
        )


def _task_row(task: Task, lost_at: float) -> tuple[float, ...]:
    """Return the row of a task."""
    return (*_TASK_ROW(task), lost_at, *task.started, *task.finished)


def _only(columns: dict[str, FloatArray], which: BoolArray | IntArray) -> dict[str, FloatArray]:
    """Return some of the rows of columns, or all in another order."""
    return {name: column[which] for name, column in columns.items()}


def _columns(rows: array[float], fields: tuple[str, ...]) -> dict[str, FloatArray]:
    """Return the columns of rows that lie one after another in a flat array."""
    # Copies: an array cannot grow while numpy holds a view of its memory.
    values = _matrix(rows, len(fields))
    return {name: values[:, number].copy() for number, name in enumerate(fields)}


def _matrix(rows: array[Any], width: int) -> Any:
    """Return a view of rows that lie one after another in a flat array."""
    # numpy makes no view of an empty buffer.
    return np.frombuffer(rows, dtype=rows.typecode).reshape(-1, width) if rows else np.empty((0, width), rows.typecode)
