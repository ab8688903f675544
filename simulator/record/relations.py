"""How the tables of a run belong together, for a folder that may have been edited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import OutputError
from simulator.model.latency import STAGES
from simulator.record.check import ROUNDING_S

if TYPE_CHECKING:
    import pandas as pd

CLOCKS = ("wall_s", "cpu_s")
"""Figures that do not come from the tables."""

CLOSE = 1e-9
"""Relative difference below which two sums of the same numbers are the same."""


def check_tables(tables: Mapping[str, pd.DataFrame], duration: float, place: str) -> None:
    """Hold the tables of a run to each other.

    Args:
        tables: the tables by name.
        duration: length of the run, s.
        place: the run folder, for the message.

    Raises:
        OutputError: they do not belong together; the message names the table and the column.
    """
    _Tables(tables, duration, place).check()


def check_summary(said: Mapping[str, float], found: Mapping[str, float | None], place: str) -> None:
    """Hold the figures that run.json says to those that the tables give.

    Args:
        said: what run.json says, NaN where it says nothing.
        found: what the tables give, None where they give nothing.
        place: the run folder, for the message.

    Raises:
        OutputError: they differ; the message names the figure.
    """
    for name, value in found.items():
        if name in CLOCKS:
            continue
        number = math.nan if value is None else float(value)
        same = math.isclose(said[name], number, rel_tol=CLOSE, abs_tol=CLOSE)
        if not same and not (math.isnan(said[name]) and math.isnan(number)):
            raise OutputError(
                f"{place}: run.json says summary.{name} = {said[name]:.12g}, but the tables give {number:.12g}"
            )


class _Tables:
    """The tables of a run, and how they refer to each other."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], duration: float, place: str) -> None:
        self._tables, self._duration, self._place = tables, duration, place
        self._tasks, self._providers, self._vehicles = (
            len(tables[name]) for name in ("tasks", "providers", "vehicles")
        )

    def check(self) -> None:
        for name, column in (
            ("tasks", "task"), ("auctions", "task"), ("providers", "provider"), ("vehicles", "vehicle")
        ):  # fmt: skip
            rows = self._tasks if column == "task" else len(self._tables[name])
            self._hold(
                np.array_equal(self._column(name, column), np.arange(rows)),
                f"row i of the table {name} must be {column} i, for all {rows} {column}s",
            )
        self._check_ids()
        self._check_order()
        self._check_winners()
        self._check_stages()
        self._check_outages()

    def _hold(self, right: bool, sentence: str) -> None:
        if not right:
            raise OutputError(f"{self._place}: {sentence}")

    def _column(self, name: str, column: str) -> Any:
        return self._tables[name][column].to_numpy()

    def _check_ids(self) -> None:
        ids = [("bids", "task", 0), ("bids", "provider", 0), ("tasks", "provider", -1), ("auctions", "winner", -1),
               ("auctions", "station_left", -1), ("events", "task", -1), ("events", "provider", -1),
               ("decisions", "task", -1), ("paths", "vehicle", 0)]  # fmt: skip
        if self._vehicles:  # in `rounds` vehicles are numbers only
            ids += [("tasks", "vehicle", -1), ("auctions", "vehicle", -1), ("events", "vehicle", -1)]
        counts = {"task": self._tasks, "vehicle": self._vehicles}
        for name, column, low in ids:
            found, count = self._column(name, column), counts.get(column, self._providers)
            if len(found):
                least, most = found.min(), found.max()
                self._hold(
                    low <= least and most < count,
                    f"{name}.{column} must be from {low} to {count - 1}, not {least} to {most}",
                )

    def _check_order(self) -> None:
        bids, paths = self._column("bids", "task"), self._column("paths", "vehicle")
        self._hold(
            bool((np.diff(bids) >= 0).all() and (np.diff(paths) >= 0).all()),
            "bids must be sorted by task, and paths by vehicle",
        )
        same = np.diff(paths) == 0
        self._hold(
            bool((np.diff(self._column("paths", "time"))[same] >= 0).all()),
            "the rows of each vehicle in the table paths must be in the order of time",
        )
        for name, column in (("events", "time"), ("signals", "time")):
            self._hold(
                bool((np.diff(self._column(name, column)) >= 0).all()),
                f"the rows of the table {name} must be in the order of time",
            )
        for name, column in (
            ("events", "time"), ("signals", "time"), ("paths", "time"), ("auctions", "time"), ("tasks", "requested"),
            ("vehicles", "entered"),
        ):  # fmt: skip
            times = self._column(name, column)
            times = times[~np.isnan(times)]
            if len(times):
                self._hold(
                    bool(times.max() <= self._duration + ROUNDING_S),
                    f"{name}.{column} must be at most the duration {self._duration:g}, not {times.max():g}",
                )

    def _check_winners(self) -> None:
        winner, kind = (
            self._column("auctions", "winner"),
            self._tables["auctions"]["winner_kind"].astype(str).to_numpy(),
        )
        kinds = np.append(self._tables["providers"]["kind"].astype(str).to_numpy(), "none")  # -1 is the last
        wrong = np.flatnonzero(kinds[winner] != kind)
        if len(wrong):
            row = wrong[0]
            said = f"'{kinds[winner[row]]}' for the winner {winner[row]}, not '{kind[row]}' (row {row})"
            self._hold(False, f"auctions.winner_kind must be {said}")

    def _check_stages(self) -> None:
        events = self._tables["events"]
        kind = events["kind"].astype(str).to_numpy()
        stages = events[np.isin(kind, ("stage_started", "stage_finished"))]
        value = stages["value"].to_numpy()
        last = len(STAGES) - 1
        self._hold(bool(np.isin(value, range(len(STAGES))).all()), f"the value of a stage's event must be 0 to {last}")
        named = (stages["task"] >= 0) & (stages["provider"] >= 0)
        self._hold(bool(named.all()), "an event of a stage must have a task and a provider")
        keys = stages["task"].to_numpy() * len(STAGES) + value.astype(np.int64)
        began = stages["kind"].astype(str).to_numpy() == "stage_started"
        starts, ends = keys[began], keys[~began]
        once = len(np.unique(starts)) == len(starts) and len(np.unique(ends)) == len(ends)
        self._hold(once, "each stage of a task must start and finish at most once in the table events")
        order = np.argsort(starts)
        at = np.searchsorted(starts, ends, sorter=order)
        known = bool(np.isin(ends, starts).all())
        time = stages["time"].to_numpy()
        known = known and bool((time[began][order][at] <= time[~began]).all())
        self._hold(known, "each stage that finishes in the table events must have started before")

    def _check_outages(self) -> None:
        events = self._tables["events"]
        out: set[int] = set()
        changes = events[events["kind"].isin(["provider_out", "provider_back"])]
        for kind, provider in zip(changes["kind"].astype(str), changes["provider"].tolist(), strict=True):
            right = provider >= 0 and (provider in out) == (kind == "provider_back")
            self._hold(right, "each provider must go out and come back in turn in the table events")
            out ^= {provider}
