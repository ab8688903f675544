"""The table `events`: what happened to vehicles, tasks and providers, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.model import BoolArray, FloatArray
from simulator.model.latency import STAGES
from simulator.providers.task import COMPLETED, LOST, UNSERVED
from simulator.record.schema import EVENT_KINDS, EVENTS

Columns = dict[str, FloatArray]

MOVE = "migration"
"""Stage that takes no time for many tasks."""

LAST = f"finished_{len(STAGES) - 1}"
"""Field of a recorded task with the end of its last stage."""


def in_order(parts: Sequence[Columns]) -> Columns:
    """Return events in their order: by time, by kind as in `EVENT_KINDS`, by whom they are about, and by value.

    An event is about its task, else about its vehicle, else about its provider. So the order does not depend on the
    order in which the events were found.

    Args:
        parts: the events, in any order.
    """
    columns = {column.name: np.concatenate([part[column.name] for part in parts]) for column in EVENTS}
    vehicle, task, provider = columns["vehicle"], columns["task"], columns["provider"]
    about = np.where(task >= 0.0, task, np.where(vehicle >= 0.0, vehicle, provider))
    # The last key of lexsort counts first.
    order = np.lexsort((columns["value"], about, columns["kind"], columns["time"]))
    return {name: column[order] for name, column in columns.items()}


def vehicle_events(rows: dict[str, Any]) -> list[Columns]:
    """Return when vehicles entered and left the map.

    Args:
        rows: columns of the table `vehicles`.
    """
    vehicle, entered, left = (np.asarray(rows[name], dtype=np.float64) for name in ("vehicle", "entered", "left"))
    gone, came = ~np.isnan(left), ~np.isnan(entered)
    return [
        _part("vehicle_entered", entered[came], vehicle=vehicle[came]),
        _part("vehicle_left", left[gone], vehicle=vehicle[gone]),
    ]


def queue_events(queue: FloatArray) -> list[Columns]:
    """Return when vehicles joined and left the queues at stop lines.

    Args:
        queue: rows (time, s; id of the vehicle; 0 to join the queue, 1 to cross), shape (events, 3).
    """
    stands = queue[:, 2] == 0.0
    return [
        _part("vehicle_queued", queue[stands, 0], vehicle=queue[stands, 1]),
        _part("vehicle_released", queue[~stands, 0], vehicle=queue[~stands, 1]),
    ]


def provider_events(reports: Columns, outages: Columns) -> list[Columns]:
    """Return the reports of UAVs, and the starts and ends of outages.

    Args:
        reports: recorded reports.
        outages: recorded starts and ends.
    """
    begins = outages["is_out"] == 1.0
    return [
        _part("uav_reported", reports["time"], provider=reports["provider"], value=reports["bid"]),
        *(
            _part(kind, outages["time"][which], provider=outages["provider"][which])
            for kind, which in (("provider_out", begins), ("provider_back", ~begins))
        ),
    ]


def task_events(auctions: Columns, tasks: Columns) -> list[Columns]:
    """Return requests, settlements, stages and ends of tasks.

    Args:
        auctions: recorded auctions.
        tasks: the tasks of the same rows, as they are at the end of the run.
    """
    time, vehicle, task = tasks["requested"], auctions["vehicle"], auctions["task"]
    cell = auctions["station_left"] >= 0
    won, gone = auctions["winner"] >= 0, tasks["status"] == UNSERVED
    rho = auctions.get("rho", np.full(len(task), np.nan))
    over = won | gone
    settled, left = auctions["time"], auctions["station_left"]
    parts = [
        _part("cell_left", time[cell], vehicle=vehicle[cell], task=task[cell], provider=left[cell]),
        _part("task_requested", time, vehicle=vehicle, task=task),
        _part(
            "auction_settled",
            settled[over],
            vehicle=vehicle[over],
            task=task[over],
            provider=auctions["winner"][over],
            value=rho[over],
        ),
        _part("task_unserved", settled[gone], vehicle=vehicle[gone], task=task[gone]),
    ]
    for number, stage in enumerate(STAGES):
        # A twin that is at the winner already does not move, and there is nothing to tell.
        idle = tasks[f"started_{number}"] == tasks[f"finished_{number}"]
        for kind in ("started", "finished"):
            time = tasks[f"{kind}_{number}"]
            value, told = np.full(len(time), float(number)), ~np.isnan(time)
            parts.append(_of_tasks(f"stage_{kind}", tasks, time, told & ~idle if stage == MOVE else told, value))
    last = tasks[LAST]
    latency = last - tasks["requested"]
    parts.append(_of_tasks("task_completed", tasks, last, tasks["status"] == COMPLETED, latency))
    parts.append(_of_tasks("task_lost", tasks, tasks["lost_at"], tasks["status"] == LOST, latency))
    return parts


def _of_tasks(kind: str, tasks: Columns, time: FloatArray, which: BoolArray, value: FloatArray) -> Columns:
    """Return events of one kind for some of the tasks."""
    return _part(
        kind,
        time[which],
        vehicle=tasks["vehicle"][which],
        task=tasks["task"][which],
        provider=tasks["provider"][which],
        value=value[which],
    )


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
