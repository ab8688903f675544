"""The recorder: rows as they happen, in flat typed arrays; whatever follows from others is derived at the end."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.auction import BID_FIELDS
from simulator.market.contracts import MARKET_CONDITIONS
from simulator.model import FloatArray
from simulator.providers.task import UNSERVED, Task
from simulator.record.schema import WINNER_KINDS

if TYPE_CHECKING:
    from simulator.market.auction import Auction

AUCTION_FIELDS = (
    "task", "time", "vehicle", "station_left", "invited", "asked", "rho", "top_bid", "second_bid", "uav_bid",
    "contract_bid", "winner", "winner_kind", "payment", "uav_value", "top_value", "surplus", "oracle_surplus",
    "demand", "size_mb", *(f"m_{name}" for name in MARKET_CONDITIONS),
)  # fmt: skip
TASK_FIELDS = (
    "task", "vehicle", "kind", "size_mb", "demand", "requested", "provider", "status",
    "started_0", "started_1", "started_2", "started_3", "finished_0", "finished_1", "finished_2", "finished_3",
    "accuracy", "match", "lost_at", "cut_at",
)  # fmt: skip
REPORT_FIELDS = ("time", "provider", "bid")
OUTAGE_FIELDS = ("time", "provider", "is_out")

_GROUND, _UAV, _NONE = range(len(WINNER_KINDS))


class Recorder:
    """Takes rows of auctions, bids, tasks and reports.

    Args:
        providers: how many providers there are.
    """

    def __init__(self, providers: int) -> None:
        self._providers = providers
        self._auctions = array("d")
        self._bids = array("d")
        self._invited = array("b")
        self._tasks = array("d")
        self._reports = array("d")
        self._outages = array("d")
        self._running: dict[int, Task] = {}

    def auction(self, auction: Auction) -> None:
        """Write down a settled auction and the bids of all providers; its task is followed until it is done."""
        task, bids, winner = auction.task, auction.bids, auction.winner
        kind = _NONE if winner < 0 else _UAV if winner == auction.uav else _GROUND
        self._auctions.extend(
            (
                task.id,
                task.requested,
                task.vehicle,
                auction.situation.station_left,
                len(bids),
                auction.asked,
                auction.rho,
                bids[0] if bids else math.nan,
                bids[1] if len(bids) > 1 else math.nan,
                auction.uav_bid,
                auction.contract if auction.uav >= 0 else math.nan,
                winner,
                kind,
                auction.payment,
                auction.uav_value,
                auction.top_value,
                auction.surplus,
                auction.oracle_surplus,
                task.demand,
                task.size_mb,
            )
        )
        self._auctions.frombytes(auction.market.tobytes())
        self._bids.frombytes(auction.book.tobytes())
        self._invited.frombytes(auction.invited.tobytes())
        if task.status == UNSERVED:
            self._write(task, math.inf)
        else:
            self._running[task.id] = task

    def task_done(self, task: Task, lost_at: float) -> None:
        """Write down a task that has passed its last stage, or that an outage has ended, and when it is lost."""
        del self._running[task.id]
        self._write(task, lost_at)

    def report(self, time: float, uav: int, bid: float) -> None:
        """Write down a UAV's report."""
        self._reports.extend((time, uav, bid))

    def outage(self, time: float, provider: int, is_out: bool) -> None:
        """Write down that a provider has gone out or come back."""
        self._outages.extend((time, provider, is_out))

    def _write(self, task: Task, lost_at: float) -> None:
        self._tasks.extend(
            (
                task.id,
                task.vehicle,
                task.kind,
                task.size_mb,
                task.demand,
                task.requested,
                task.provider,
                task.status,
                *task.started,
                *task.finished,
                task.accuracy,
                task.match,
                lost_at,
                task.cut_at,
            )
        )

    def auctions(self) -> dict[str, FloatArray]:
        """Every auction's fields, in order of settlement."""
        return _columns(self._auctions, AUCTION_FIELDS)

    def bids(self) -> dict[str, FloatArray]:
        """A row per invited provider of every auction: its task's row, the provider, and what it bid and why."""
        rows = len(self._auctions) // len(AUCTION_FIELDS)
        invited = np.frombuffer(self._invited, dtype=np.int8).reshape(rows, self._providers)
        fields = np.frombuffer(self._bids).reshape(rows, len(BID_FIELDS), self._providers)
        row, provider = np.nonzero(invited)
        columns = {"row": row.astype(np.float64), "provider": provider.astype(np.float64)}
        return columns | {name: fields[row, number, provider] for number, name in enumerate(BID_FIELDS)}

    def tasks(self) -> dict[str, FloatArray]:
        """Every task's fields by id; those still on their way have NaN where nothing has happened yet."""
        rows = Recorder(self._providers)
        rows._tasks = array("d", self._tasks)
        for task in self._running.values():
            rows._write(task, task.lost_at)
        columns = _columns(rows._tasks, TASK_FIELDS)
        order = np.argsort(columns["task"])
        return {name: column[order] for name, column in columns.items()}

    def reports(self) -> dict[str, FloatArray]:
        """Every report of a UAV, in order of time."""
        return _columns(self._reports, REPORT_FIELDS)

    def outages(self) -> dict[str, FloatArray]:
        """Every begin and end of an outage, in order of time."""
        return _columns(self._outages, OUTAGE_FIELDS)


def _columns(rows: array[float], fields: tuple[str, ...]) -> dict[str, FloatArray]:
    values = np.frombuffer(rows).reshape(-1, len(fields)) if rows else np.empty((0, len(fields)))
    return {name: values[:, number].copy() for number, name in enumerate(fields)}
