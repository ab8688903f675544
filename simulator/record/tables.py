"""The tables of a run, derived from the rows of the recorder and from the traffic."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.model.economy import radio_energy
from simulator.model.latency import STAGES, link_rate
from simulator.model.mechanism import surplus_weights
from simulator.model.valuation import common_term, timeliness, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.radio.radio_map import modem_of
from simulator.providers.task import COMPLETED, LOST, OPEN
from simulator.record.events import LAST, Columns, in_order, provider_events, queue_events, task_events, vehicle_events
from simulator.record.recorder import Recorder, Rows
from simulator.record.schema import TABLES, table
from simulator.record.totals import ProviderTotals
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Traffic

if TYPE_CHECKING:
    import pandas as pd

VEHICLES_PER_BLOCK = 256
"""Vehicles whose paths are worked out together, in every run."""


class TaskTables:
    """The tables with a row per task, decision or bid, for all tasks of a run or for some of them.

    Args:
        rows: rows of the recorder.
        recorder: the recorder, for the columns that mechanism and policy add.
        scenario: scenario of the run.
        fleet: providers.
        duration: length of the run, s.

    Attributes:
        rows: rows of the recorder, with what became of the tasks at the end of the run.
    """

    def __init__(self, rows: Rows, recorder: Recorder, scenario: Scenario, fleet: Fleet, duration: float) -> None:
        self.rows, self._recorder, self._market, self._fleet = rows, recorder, scenario.market, fleet
        self._modem, self._sensing_s = modem_of(scenario, fleet), scenario.tasks.sensing_s
        _until(rows.tasks, duration)
        self._settle()

    def _settle(self) -> None:
        """Add what became of the tasks to the columns of both tables, and the royalties to the payments."""
        tasks, auctions, market = self.rows.tasks, self.rows.auctions, self._market
        seconds = tasks[LAST] - tasks["requested"]
        weight = surplus_weights(tasks["provider"] < self._fleet.uavs, market.uav_weight)
        # Equation (11) at the terms of this task alone, not at the means of (9) and (10).
        timely = timeliness(seconds, tasks["limit_s"], tasks["grace_s"])
        worth = valuation(common_term(seconds, market.latency_weight), tasks["match"], tasks["demand"], timely)
        status = tasks["status"]
        # A task that was lost has cost as much as one that was not. The rows of both tables are the same tasks.
        net = np.select([status == COMPLETED, status == OPEN], [worth - auctions["cost"], np.nan], -auctions["cost"])
        tasks["realised_surplus"] = auctions["realised_surplus"] = weight * net + 0.0  # no -0
        # A royalty is due when the task has ended.
        auctions["paid_by_provider"] += auctions["royalty"] * np.maximum(np.nan_to_num(net), 0.0)

    def auctions(self) -> pd.DataFrame:
        """Return the table `auctions`, one row per auction."""
        return table("auctions", dict(self.rows.auctions), self._recorder.columns)

    def decisions(self) -> pd.DataFrame:
        """Return the table `decisions`, one row per decision of a policy."""
        recorder = self._recorder
        return table("decisions", self.rows.decisions, (*recorder.state, *recorder.reasons))

    def bids(self) -> pd.DataFrame:
        """Return the table `bids`, one row per auction and invited provider."""
        bids = dict(self.rows.bids)
        provider = bids["provider"].astype(np.int64)
        mhz = np.stack([bids["uplink_mhz"], bids["downlink_mhz"]])
        modem = None if self._modem is None else self._modem.of(provider)
        rates = link_rate(mhz, np.stack([bids["uplink_snr"], bids["downlink_snr"]]), modem)
        bids["uplink_mbps"], bids["downlink_mbps"] = rates
        return table("bids", bids)

    def tasks(self) -> pd.DataFrame:
        """Return the table `tasks`, one row per task."""
        tasks = self.rows.tasks
        columns: dict[str, object] = dict(tasks)
        # A task waits for a stage from the end of the stage before it, or from its award.
        before = tasks["awarded"]
        waiting = (tasks["status"] == OPEN) & (tasks["provider"] < 0)
        columns["market_wait"] = np.where(waiting, np.nan, before - tasks["requested"])
        for number, stage in enumerate(STAGES):
            started, finished = tasks[f"started_{number}"], tasks[f"finished_{number}"]
            columns[f"{stage}_wait"] = started - before
            columns[f"{stage}_time"] = finished - started
            before = finished
        columns["finished"] = before
        columns["latency"] = seconds = before - tasks["requested"]
        columns["aomt"] = np.where(tasks["status"] == COMPLETED, seconds, np.nan) + self._sensing_s
        last = len(STAGES) - 1
        sending_s = tasks[f"finished_{last}"] - tasks[f"started_{last}"] - tasks["paused_s"]
        columns["radio_j"] = radio_energy(tasks["sender_units"], sending_s)
        return table("tasks", columns)

    def events(self) -> list[Columns]:
        """Return the events of the tasks, in parts without an order."""
        return task_events(self.rows.auctions, self.rows.tasks)


class VehicleTables:
    """The tables of the vehicles of a run, for all vehicles or for some of them.

    Args:
        traffic: vehicles; None where nothing moves.
        duration: length of the run, s.
    """

    def __init__(self, traffic: Traffic | None, duration: float) -> None:
        self._traffic, self._duration = traffic, duration

    @property
    def count(self) -> int:
        """Number of vehicles that have come before the end of the run."""
        return 0 if self._traffic is None else self._traffic.came(self._duration)

    def rows(self, vehicles: range) -> dict[str, Any]:
        """Return the columns of the table `vehicles`, one row per vehicle.

        Args:
            vehicles: ids of the vehicles.
        """
        return _empty("vehicles") if self._traffic is None else self._traffic.vehicle_rows(self._duration, vehicles)

    def paths(self, vehicles: range) -> pd.DataFrame:
        """Return the table `paths`, one row per change of motion.

        Each vehicle that is still there has one more row at the end of the run.

        Args:
            vehicles: ids of the vehicles; they begin at a multiple of `VEHICLES_PER_BLOCK`.
        """
        if self._traffic is None or not vehicles:
            return table("paths", _empty("paths"))
        parts = [
            self._traffic.path_rows(self._duration, vehicles[begin : begin + VEHICLES_PER_BLOCK])
            for begin in range(0, len(vehicles), VEHICLES_PER_BLOCK)
        ]
        return table("paths", {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def queue(self, before: float) -> list[Columns]:
        """Return the events at stop lines before a time.

        Args:
            before: the time, s.
        """
        return [] if self._traffic is None else queue_events(self._traffic.queue_events(before))

    def signals(self) -> pd.DataFrame:
        """Return the table `signals`, one row per change of a signal; empty for recorded traffic."""
        return table(
            "signals", _empty("signals") if self._traffic is None else self._traffic.signal_rows(self._duration)
        )


class Tables:
    """The tables of a run. Each method makes one of them.

    Args:
        recorder: recorder of the run.
        scenario: scenario of the run.
        fleet: providers.
        traffic: vehicles; None where nothing moves.
        duration: length of the run, s.
    """

    def __init__(
        self, recorder: Recorder, scenario: Scenario, fleet: Fleet, traffic: Traffic | None, duration: float
    ) -> None:
        self._tasks = TaskTables(recorder.rows(), recorder, scenario, fleet, duration)
        self._vehicles = VehicleTables(traffic, duration)
        self._totals = ProviderTotals(fleet, scenario, duration, recorder.value_of)
        self._duration = duration
        self.auctions, self.decisions = self._tasks.auctions, self._tasks.decisions
        self.bids, self.tasks = self._tasks.bids, self._tasks.tasks
        self.signals = self._vehicles.signals

    @cached_property
    def _rows(self) -> dict[str, Any]:
        """Columns of the table `vehicles`. Some events follow from them too."""
        return self._vehicles.rows(range(self._vehicles.count))

    def events(self) -> pd.DataFrame:
        """Return the table `events`, in the order of time."""
        rows = self._tasks.rows
        parts = (
            vehicle_events(self._rows),
            self._vehicles.queue(self._duration),
            self._tasks.events(),
            provider_events(rows.reports, rows.outages),
        )
        return table("events", in_order([one for part in parts for one in part]))

    def vehicles(self) -> pd.DataFrame:
        """Return the table `vehicles`, one row per vehicle that has come."""
        return table("vehicles", self._rows)

    def paths(self) -> pd.DataFrame:
        """Return the table `paths`, one row per change of motion."""
        return self._vehicles.paths(range(self._vehicles.count))

    def providers(self) -> pd.DataFrame:
        """Return the table `providers`, one row per provider."""
        self._totals.add_tasks(self._tasks.rows.auctions, self._tasks.rows.tasks)
        self._totals.add_outages(self._tasks.rows.outages)
        return table("providers", self._totals.columns())


def _empty(name: str) -> dict[str, Any]:
    """Return the columns of a table without rows."""
    return {column.name: () for column in TABLES[name]}


def _until(tasks: Columns, duration: float) -> None:
    """Change tasks into what they are at the end of the run."""
    # In `rounds` a task gets the times of all its stages when it begins. Some may be after the end of the run.
    for number in range(len(STAGES)):
        for part in ("started", "finished"):
            time = tasks[f"{part}_{number}"]
            time[time >= duration] = np.nan
    # A task that is still under way after its deadline, or after its vehicle has left coverage, is already lost.
    # One that still waits for an award is open.
    under_way = (tasks["status"] == OPEN) & (tasks["provider"] >= 0)
    tasks["status"][under_way & (tasks["lost_at"] < duration)] = LOST
    # The task knows its accuracy from the auction on, but without a result there is none.
    tasks["accuracy"][np.isnan(tasks[LAST])] = np.nan
