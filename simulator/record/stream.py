"""The tables of a run, written while it goes on."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from simulator.market.contracts import Column
from simulator.providers.fleet import Fleet
from simulator.record.events import Columns, in_order, provider_events, vehicle_events
from simulator.record.recorder import Recorder, Rows
from simulator.record.schema import TABLES, table
from simulator.record.tables import VEHICLES_PER_BLOCK, TaskTables, VehicleTables
from simulator.record.totals import TASKS_PER_BLOCK, ProviderTotals
from simulator.record.writer import TableWriter, release_memory
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Traffic


class Stream:
    """The writer of the tables of a run that goes on.

    A block of tasks is written when all its tasks have ended, a block of vehicles when all have left the map, and an
    event when no earlier one can come any more. What is written is forgotten.

    Args:
        folder: folder of the files, which exists.
        recorder: recorder of the run, at its start.
        scenario: scenario of the run.
        fleet: providers.
        traffic: vehicles; None where nothing moves.
        duration: length of the run, s.
        extra: columns that mechanism and policy add, by table.
    """

    def __init__(
        self,
        folder: Path,
        recorder: Recorder,
        scenario: Scenario,
        fleet: Fleet,
        traffic: Traffic | None,
        duration: float,
        extra: Mapping[str, Sequence[Column]],
    ) -> None:
        self._recorder, self._scenario, self._fleet, self._traffic = recorder, scenario, fleet, traffic
        self._duration, self._totals = duration, ProviderTotals(fleet, scenario, duration, recorder.value_of)
        self._vehicle_tables = VehicleTables(traffic, duration)
        self._tasks = self._vehicles = 0
        # No task that is not written was requested before the first time, no such vehicle came before the second one.
        self._requested_s = -math.inf
        self._came_s = math.inf if traffic is None else -math.inf
        self._events: list[Columns] = []
        self._files = contextlib.ExitStack()
        self._writers = {
            name: self._files.enter_context(TableWriter(folder / f"{name}.parquet", name, extra.get(name, ())))
            for name in TABLES
        }
        recorder.on_done = self._go_on

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the files. They are complete only after `finish`."""
        self._recorder.on_done = None
        self._files.__exit__(*error)  # type: ignore[arg-type]
        # The buffers of the last row groups. After 100 hours they are a quarter of the memory.
        release_memory()

    def _go_on(self) -> None:
        """Write what nothing can change any more."""
        recorder, traffic = self._recorder, self._traffic
        tasks = recorder.complete // TASKS_PER_BLOCK * TASKS_PER_BLOCK
        if tasks == self._tasks:
            return
        requested_s = recorder.requested_s(tasks - 1)
        vehicles = self._vehicles
        if traffic is not None:
            vehicles = traffic.gone(requested_s) // VEHICLES_PER_BLOCK * VEHICLES_PER_BLOCK
            if vehicles > self._vehicles:
                self._came_s = traffic.came_s(vehicles - 1)
        before = min(requested_s, self._came_s)
        rows = recorder.release(tasks, before)
        self._write(rows, range(self._vehicles, vehicles), before)
        if traffic is not None:
            traffic.forget(vehicles, before)
        self._tasks, self._vehicles = tasks, vehicles
        release_memory()

    def finish(self) -> None:
        """Write the rest, at the end of the run."""
        vehicles = range(self._vehicles, self._vehicle_tables.count)
        self._write(self._recorder.rows(), vehicles, self._duration)
        self._write_events(math.inf)
        self._writers["signals"].write(self._vehicle_tables.signals())
        self._writers["providers"].write(table("providers", self._totals.columns()))

    def _write(self, rows: Rows, vehicles: range, before: float) -> None:
        """Write tasks and vehicles, and the events before a time, s."""
        writers = self._writers
        of_tasks = TaskTables(rows, self._recorder, self._scenario, self._fleet, self._duration)
        for name in ("auctions", "decisions", "bids", "tasks"):
            writers[name].write(getattr(of_tasks, name)())
        self._totals.add_tasks(rows.auctions, rows.tasks)
        self._totals.add_outages(rows.outages)
        of_vehicles = self._vehicle_tables.rows(vehicles)
        if vehicles:
            writers["vehicles"].write(table("vehicles", of_vehicles))
            writers["paths"].write(self._vehicle_tables.paths(vehicles))
        self._events += [
            *of_tasks.events(),
            *vehicle_events(of_vehicles),
            *provider_events(rows.reports, rows.outages),
            *self._vehicle_tables.queue(before),
        ]
        self._write_events(before)

    def _write_events(self, before: float) -> None:
        """Write the events before a time, s."""
        ready, later = list[Columns](), list[Columns]()
        for part in self._events:
            is_ready = part["time"] < before
            for found, which in ((ready, is_ready), (later, ~is_ready)):
                if which.any():
                    found.append({name: np.asarray(column)[which] for name, column in part.items()})
        self._events = later
        if ready:
            self._writers["events"].write(table("events", in_order(ready)))
