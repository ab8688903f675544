"""The recorder, which writes rows into flat typed arrays as things happen.

It writes only what cannot be derived. `simulator.record.tables` derives all other columns at the end.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from simulator.market.auction import BID_FIELDS, Auction
from simulator.market.contracts import MARKET_CONDITIONS, Column
from simulator.market.decisions import Decision
from simulator.market.lots import LINK_FIELDS
from simulator.model import FloatArray, IntArray
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


class Recorder:
    """The record of a run: auctions, decisions, bids, tasks, reports and outages.

    Args:
        columns: what the mechanism adds to the table `auctions`.
        state: what the seats of the mechanism add to the table `decisions`.
    """

    def __init__(self, columns: Sequence[Column] = (), state: Sequence[Column] = ()) -> None:
        self.columns, self.state = tuple(columns), tuple(state)
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
        self._tasks.extend((*_TASK_ROW(task), lost_at, *task.started, *task.finished))

    def auctions(self) -> dict[str, FloatArray]:
        """Return the fields of all auctions by task."""
        columns = _columns(self._auctions, self._fields)
        order = self._by_task()
        return {name: column[order] for name, column in columns.items()}

    def _by_task(self) -> IntArray:
        """Return the order of the auctions by task: in windows they do not settle in the order of request."""
        tasks = np.frombuffer(self._auctions).reshape(-1, len(self._fields))[:, 0] if self._auctions else np.empty(0)
        return np.argsort(tasks, kind="stable")

    def decisions(self) -> dict[str, Any]:
        """Return the fields of all decisions, in the order of time."""
        added = [column.name for column in (*self.state, *self.reasons)]
        return {"seat": self._seats, **_columns(self._decisions, (*_DECISION_FIELDS, *added))}

    def bids(self) -> dict[str, FloatArray]:
        """Return the bids, one row per auction and invited provider, by task.

        The fields are the id of the task, the id of the provider, `BID_FIELDS` and `LINK_FIELDS`.
        """
        counts = np.frombuffer(self._bidders_per_auction, dtype=np.int64)
        tasks = _columns(self._auctions, self._fields)["task"]
        columns = {
            "task": np.repeat(tasks, counts),
            "provider": np.frombuffer(self._bidders, dtype=np.int64).astype(np.float64),
            **_columns(self._bids, BID_FIELDS),
            **_columns(self._links, LINK_FIELDS),
        }
        order = np.argsort(columns["task"], kind="stable")
        return {name: column[order] for name, column in columns.items()}

    def tasks(self) -> dict[str, FloatArray]:
        """Return the fields of all tasks by id, with NaN for stages that have not begun or ended."""
        # A second recorder takes the tasks under way, so that the run can go on after this call.
        rows = Recorder()
        rows._tasks = array("d", self._tasks)
        for task in self._running.values():
            rows._write(task, task.lost_at)
        columns = _columns(rows._tasks, _TASK_FIELDS)
        order = np.argsort(columns["task"])
        return {name: column[order] for name, column in columns.items()}

    def reports(self) -> dict[str, FloatArray]:
        """Return all reports of UAVs, in the order of time."""
        return _columns(self._reports, _REPORT_FIELDS)

    def outages(self) -> dict[str, FloatArray]:
        """Return the start and the end of all outages, in the order of time."""
        return _columns(self._outages, _OUTAGE_FIELDS)


def _columns(rows: array[float], fields: tuple[str, ...]) -> dict[str, FloatArray]:
    """Return the columns of rows that lie one after another in a flat array."""
    # Copies: an array cannot grow while numpy holds a view of its memory.
    values = np.frombuffer(rows).reshape(-1, len(fields)) if rows else np.empty((0, len(fields)))
    return {name: values[:, number].copy() for number, name in enumerate(fields)}
