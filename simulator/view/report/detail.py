"""The part of a run that a page shows in detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.model import IntArray
from simulator.record.result import Result

if TYPE_CHECKING:
    import pandas as pd

LEAD_S = 600.0
"""How long before the part a task may have been requested to be shown, s."""


class Detail(NamedTuple):
    """A part of the runs of one world.

    Attributes:
        begin: its beginning, s.
        end: its end, s.
        first: its first task. It may have been requested before the beginning, if it is still under way there.
        last: its last task plus 1.
        vehicles: ids of its vehicles, in ascending order. The page numbers them from 0.
    """

    begin: float
    end: float
    first: int
    last: int
    vehicles: IntArray

    def tasks(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table with one row per task, with the page's numbers of vehicles if it has them."""
        part = table.iloc[self.first : self.last]
        if "vehicle" not in part:
            return part
        return part.assign(vehicle=self._numbers(part["vehicle"]))

    def by_task(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that belong to its tasks, with the page's numbers of tasks."""
        task = table["task"].to_numpy()
        rows = (task >= self.first) & (task < self.last)
        return table[rows].assign(task=task[rows] - self.first)

    def paths(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the paths of its vehicles, with the page's numbers of vehicles."""
        rows = np.isin(table["vehicle"].to_numpy(), self.vehicles)
        part = table[rows]
        return part.assign(vehicle=self._numbers(part["vehicle"]))

    def signals(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the changes of signals in it, and the last change of each group before it."""
        time = table["time"].to_numpy()
        before = table[time < self.begin].drop_duplicates(["junction", "group"], keep="last").index
        rows = (time >= self.begin) & (time <= self.end)
        return table[rows | np.isin(table.index, before)]

    def _numbers(self, vehicles: pd.Series) -> IntArray:
        """Return the page's numbers of vehicles; -1 stays. A market without a map has no vehicles to number."""
        ids = vehicles.to_numpy()
        if not len(self.vehicles):
            return ids
        found: IntArray = np.where(ids < 0, -1, np.searchsorted(self.vehicles, ids))
        return found


def detail_of(runs: Sequence[Result], begin: float, end: float) -> Detail:
    """Return the part of runs of one world between two times.

    Args:
        runs: the runs.
        begin: beginning of the part, s.
        end: end of the part, s.
    """
    # Requests and vehicles are those of the world.
    world = runs[0]
    tasks, vehicles = world.tasks, world.vehicles
    requested = tasks["requested"].to_numpy()
    first = int(np.searchsorted(requested, begin))
    last = len(requested) if end >= float(world.run["duration"]) else int(np.searchsorted(requested, end))
    if begin > 0.0:
        first = min(_under_way(run, begin, first) for run in runs)
    entered, left = vehicles["entered"].to_numpy(), vehicles["left"].to_numpy()
    # A vehicle that is held outside has no time of entry; one that is still there has none of leaving.
    there = ~(entered > end) & ~(left < begin)
    if len(vehicles):
        owners = tasks["vehicle"].to_numpy()[first:last]
        there[owners[owners >= 0]] = True
    return Detail(begin, end, first, max(first, last), np.flatnonzero(there))


def _under_way(result: Result, begin: float, first: int) -> int:
    """Return the first task of the last minutes before a time that is still under way then."""
    events = result.events
    over = events[events["kind"].isin(["task_completed", "task_lost", "task_unserved"]) & (events["time"] < begin)]
    earliest = int(np.searchsorted(result.tasks["requested"].to_numpy(), begin - LEAD_S))
    ended = np.isin(np.arange(earliest, first), over["task"].to_numpy())
    left = np.flatnonzero(~ended)
    return earliest + int(left[0]) if len(left) else first
