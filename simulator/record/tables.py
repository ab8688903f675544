"""The tables of a run, derived from the rows of the recorder."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.model import BoolArray, FloatArray
from simulator.model.latency import STAGES, link_rate
from simulator.model.mechanism import surplus_weights
from simulator.model.valuation import common_term, timeliness, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.radio.radio_map import modem_of
from simulator.providers.task import COMPLETED, LOST, OPEN, UNSERVED
from simulator.record.recorder import Recorder
from simulator.record.schema import EVENT_KINDS, PROVIDER_KINDS, TABLES, table
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Traffic

if TYPE_CHECKING:
    import pandas as pd


Columns = dict[str, FloatArray]

LAST = f"finished_{len(STAGES) - 1}"
"""Field of a recorded task with the end of its last stage."""

MOVE = "migration"
"""Stage that takes no time for many tasks."""


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
        self._recorder, self._market = recorder, scenario.market
        self._fleet, self._traffic, self._duration = fleet, traffic, duration
        self._modem = modem_of(scenario, fleet)
        self._auctions = recorder.auctions()
        self._tasks = _until(recorder.tasks(), duration)
        self._settle()

    @cached_property
    def _vehicles(self) -> dict[str, Any]:
        """Columns of the table `vehicles`. Some events follow from them too."""
        traffic = self._traffic
        return _empty("vehicles") if traffic is None else traffic.vehicle_rows(self._duration)

    def _settle(self) -> None:
        """Add what became of the tasks to the columns of both tables, and the royalties to the payments."""
        tasks, auctions, market = self._tasks, self._auctions, self._market
        seconds = tasks[LAST] - tasks["requested"]
        weight = surplus_weights(tasks["provider"] < self._fleet.uavs, market.uav_weight)
        # Equation (11) at the terms of this task alone, not at the means of (9) and (10).
        timely = timeliness(seconds, tasks["limit_s"], tasks["grace_s"])
        worth = valuation(common_term(seconds, market.latency_weight), tasks["match"], tasks["demand"], timely)
        status = tasks["status"]
        realised = np.select([status == COMPLETED, status == OPEN], [worth, np.nan], 0.0)
        tasks["realised_surplus"] = auctions["realised_surplus"] = weight * realised
        # A royalty is due when the task has ended. Row i of both tables is task i.
        auctions["paid_by_provider"] += auctions["royalty"] * np.nan_to_num(realised)

    def auctions(self) -> pd.DataFrame:
        """Return the table `auctions`, one row per auction."""
        return table("auctions", dict(self._auctions), self._recorder.columns)

    def decisions(self) -> pd.DataFrame:
        """Return the table `decisions`, one row per decision of a policy."""
        recorder = self._recorder
        return table("decisions", recorder.decisions(), (*recorder.state, *recorder.reasons))

    def bids(self) -> pd.DataFrame:
        """Return the table `bids`, one row per auction and invited provider."""
        bids = dict(self._recorder.bids())
        provider = bids["provider"].astype(np.int64)
        mhz = np.stack([bids["uplink_mhz"], bids["downlink_mhz"]])
        modem = None if self._modem is None else self._modem.of(provider)
        rates = link_rate(mhz, np.stack([bids["uplink_snr"], bids["downlink_snr"]]), modem)
        bids["uplink_mbps"], bids["downlink_mbps"] = rates
        return table("bids", bids)

    def tasks(self) -> pd.DataFrame:
        """Return the table `tasks`, one row per task."""
        tasks = self._tasks
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
        columns["latency"] = before - tasks["requested"]
        return table("tasks", columns)

    def events(self) -> pd.DataFrame:
        """Return the table `events`, sorted by time and then by kind in the order of `EVENT_KINDS`."""
        parts = [*self._vehicle_events(), *self._auction_events(), *self._task_events()]
        reports = self._recorder.reports()
        parts.append(_part("uav_reported", reports["time"], provider=reports["provider"], value=reports["bid"]))
        outages = self._recorder.outages()
        begins = outages["is_out"] == 1.0
        for kind, which in (("provider_out", begins), ("provider_back", ~begins)):
            parts.append(_part(kind, outages["time"][which], provider=outages["provider"][which]))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        # The last key of lexsort counts first.
        order = np.lexsort((columns["kind"], columns["time"]))
        return table("events", {name: column[order] for name, column in columns.items()})

    def _vehicle_events(self) -> list[Columns]:
        """Return the events of vehicles, one part per kind."""
        traffic = self._traffic
        if traffic is None:
            return []
        rows = self._vehicles
        vehicle, entered, left = (np.asarray(rows[name], dtype=np.float64) for name in ("vehicle", "entered", "left"))
        gone, came = ~np.isnan(left), ~np.isnan(entered)
        queue = traffic.queue_events(self._duration)
        stands = queue[:, 2] == 0.0
        return [
            _part("vehicle_entered", entered[came], vehicle=vehicle[came]),
            _part("vehicle_queued", queue[stands, 0], vehicle=queue[stands, 1]),
            _part("vehicle_released", queue[~stands, 0], vehicle=queue[~stands, 1]),
            _part("vehicle_left", left[gone], vehicle=vehicle[gone]),
        ]

    def _auction_events(self) -> list[Columns]:
        """Return the events of requests and auctions, one part per kind."""
        auctions, tasks = self._auctions, self._tasks
        time, vehicle, task = tasks["requested"], auctions["vehicle"], auctions["task"]
        cell = auctions["station_left"] >= 0
        won, gone = auctions["winner"] >= 0, tasks["status"] == UNSERVED
        rho = auctions.get("rho", np.full(len(task), np.nan))
        over = won | gone
        return [
            _part(
                "cell_left", time[cell], vehicle=vehicle[cell], task=task[cell], provider=auctions["station_left"][cell]
            ),
            _part("task_requested", time, vehicle=vehicle, task=task),
            _part(
                "auction_settled",
                auctions["time"][over],
                vehicle=vehicle[over],
                task=task[over],
                provider=auctions["winner"][over],
                value=rho[over],
            ),
            _part("task_unserved", auctions["time"][gone], vehicle=vehicle[gone], task=task[gone]),
        ]

    def _task_events(self) -> list[Columns]:
        """Return the events of stages and of the ends of tasks, one part per kind."""
        tasks = self._tasks
        parts = []
        for number, stage in enumerate(STAGES):
            # A twin that is at the winner already does not move, and there is nothing to tell.
            idle = tasks[f"started_{number}"] == tasks[f"finished_{number}"]
            for kind in ("started", "finished"):
                time = tasks[f"{kind}_{number}"]
                value, told = np.full(len(time), float(number)), ~np.isnan(time)
                parts.append(self._of_tasks(f"stage_{kind}", time, told & ~idle if stage == MOVE else told, value))
        last = tasks[LAST]
        latency = last - tasks["requested"]
        parts.append(self._of_tasks("task_completed", last, tasks["status"] == COMPLETED, latency))
        parts.append(self._of_tasks("task_lost", tasks["lost_at"], tasks["status"] == LOST, latency))
        return parts

    def _of_tasks(self, kind: str, time: FloatArray, which: BoolArray, value: FloatArray) -> Columns:
        """Return events of one kind for some of the tasks."""
        tasks = self._tasks
        return _part(
            kind,
            time[which],
            vehicle=tasks["vehicle"][which],
            task=tasks["task"][which],
            provider=tasks["provider"][which],
            value=value[which],
        )

    def vehicles(self) -> pd.DataFrame:
        """Return the table `vehicles`, one row per vehicle that has come."""
        return table("vehicles", self._vehicles)

    def paths(self) -> pd.DataFrame:
        """Return the table `paths`.

        It has one row per change of motion. Each vehicle that is still there has one more row at the end of the run.
        """
        traffic = self._traffic
        return table("paths", _empty("paths") if traffic is None else traffic.path_rows(self._duration))

    def signals(self) -> pd.DataFrame:
        """Return the table `signals`, one row per change of a signal; empty for recorded traffic."""
        traffic = self._traffic
        return table("signals", _empty("signals") if traffic is None else traffic.signal_rows(self._duration))

    def providers(self) -> pd.DataFrame:
        """Return the table `providers`, one row per provider."""
        auctions, tasks, fleet = self._auctions, self._tasks, self._fleet
        weight = surplus_weights(fleet.is_uav, self._market.uav_weight)
        won = auctions["winner"] >= 0
        winner = auctions["winner"][won].astype(np.int64)

        def total(values: FloatArray) -> FloatArray:
            """Return the sums of a column of `auctions` by winner."""
            return np.asarray(np.bincount(winner, weights=values[won], minlength=fleet.size), dtype=np.float64)

        surplus, payments = total(auctions["surplus"]), total(auctions["paid_by_provider"])
        served = ~np.isnan(tasks[LAST])
        by = tasks["provider"][served].astype(np.int64)
        latency = (tasks[LAST] - tasks["requested"])[served]
        count = np.bincount(by, minlength=fleet.size)
        total_latency = np.bincount(by, weights=latency, minlength=fleet.size)
        columns: dict[str, object] = {
            "provider": np.arange(fleet.size),
            "name": fleet.names,
            "owner": fleet.owners,
            "kind": np.where(fleet.is_uav, PROVIDER_KINDS.index("uav"), PROVIDER_KINDS.index("ground")),
            "x": fleet.x,
            "y": fleet.y,
            "tasks": np.bincount(winner, minlength=fleet.size),
            "surplus": surplus,
            "payments": payments,
            # zeta weighs the UAV's value for the platform only. To the UAV itself the task is worth v_0.
            "net_utility": surplus / weight - payments,
            "mean_latency": np.divide(total_latency, count, out=np.full(fleet.size, np.nan), where=count > 0),
        }
        outages = self._recorder.outages()
        # Time out is the sum of (duration - start) minus the sum of (duration - end). An outage without an end thus
        # counts up to the end of the run.
        sign = np.where(outages["is_out"] == 1.0, 1.0, -1.0)
        columns["out_s"] = np.bincount(
            outages["provider"].astype(np.int64),
            weights=sign * (self._duration - outages["time"]),
            minlength=fleet.size,
        )
        # A stage without an end was busy until an outage took its task, or until the end of the run.
        cut = np.minimum(tasks["cut_at"], self._duration)
        for number, stage in enumerate(STAGES):
            started = tasks[f"started_{number}"]
            begun = ~np.isnan(started)
            ended = np.where(np.isnan(tasks[f"finished_{number}"]), cut, tasks[f"finished_{number}"])
            busy = np.bincount(
                tasks["provider"][begun].astype(np.int64), weights=(ended - started)[begun], minlength=fleet.size
            )
            columns[f"{stage}_utilisation"] = busy / self._duration
        return table("providers", columns)


def _empty(name: str) -> dict[str, object]:
    """Return the columns of a table without rows."""
    return {column.name: () for column in TABLES[name]}


def _until(tasks: Columns, duration: float) -> Columns:
    """Return the tasks as they are at the end of the run."""
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
    return tasks


def _part(
    kind: str,
    time: FloatArray,
    vehicle: FloatArray | float = -1.0,
    task: FloatArray | float = -1.0,
    provider: FloatArray | float = -1.0,
    value: FloatArray | float = np.nan,
) -> Columns:
    """Return events of one kind.

    Args:
        kind: kind of event.
        time: times, s, shape (events,).
        vehicle: ids of the vehicles; -1 for none.
        task: ids of the tasks; -1 for none.
        provider: ids of the providers; -1 for none.
        value: values as the column `value` of the table describes; NaN for none.
    """
    columns: Columns = {
        "time": time,
        "kind": np.full(len(time), float(EVENT_KINDS.index(kind))),
    }
    for name, given in (("vehicle", vehicle), ("task", task), ("provider", provider), ("value", value)):
        columns[name] = np.broadcast_to(np.asarray(given, dtype=np.float64), time.shape)
    return columns
