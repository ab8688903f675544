"""The tables of a run: type, unit, meaning and source of every column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from simulator.market.auction import UNSERVED_REASONS, WINNER_KINDS
from simulator.market.contracts import MARKET_CONDITIONS, Column
from simulator.model.latency import STAGES
from simulator.providers.task import STATUSES
from simulator.scenario.tasks import TASK_KINDS

if TYPE_CHECKING:
    import pandas as pd

PROVIDER_KINDS = ("ground", "uav")
EVENT_KINDS = (
    "vehicle_entered",
    "vehicle_queued",
    "vehicle_released",
    "uav_reported",
    "provider_out",
    "provider_back",
    "stage_finished",
    "task_completed",
    "task_lost",
    "cell_left",
    "task_requested",
    "auction_settled",
    "task_unserved",
    "stage_started",
    "vehicle_left",
)
"""Kinds of event. Events of one time are sorted in this order, so that a cause stands before its effect.

For example, a stage finishes a task before it starts the next one, and a request comes before its settlement.
"""

SIGNAL_STATES = ("green", "yellow", "red")


REALISED = "surplus at the actual latency and accuracy; less the cost alone if lost; 0 if unserved; NaN if open"


def _float(name: str, unit: str, meaning: str, source: str = "", packed: str = "") -> Column:
    return Column(name, "float", unit, meaning, source=source, packed=packed)


def _int(name: str, meaning: str, source: str = "", packed: str = "") -> Column:
    return Column(name, "int", "", meaning, source=source, packed=packed)


def _task(source: str = "", packed: str = "") -> Column:
    return _int("task", "id of the task; -1 if none", source, packed)


def _vehicle(source: str = "", packed: str = "") -> Column:
    return _int("vehicle", "id of the vehicle; -1 if none", source, packed)


def _provider(source: str = "", packed: str = "") -> Column:
    return _int("provider", "id of the provider; -1 if none", source, packed)


def _time(source: str = "") -> Column:
    return _float("time", "s", "time from the start of the run", source)


AUCTIONS = (
    _task("task.id"),
    _float(
        "time", "s", "time of the settlement since the start of the run; of the request if still open", "task.awarded"
    ),
    _vehicle("task.vehicle"),
    _int(
        "station_left",
        "id of the station whose coverage the vehicle leaves; -1 if none",
        "situation.station_left",
        "i4",
    ),
    _int("invited", "number of ground stations that were invited", "invited_stations"),
    Column("asked", "bool", "", "whether a policy decided on the task", source="asked", packed="u1"),
    _float("top_bid", "", "highest bid of a ground station; NaN if there is none", "top_bid", "f4"),
    _float("second_bid", "", "second-highest bid of a ground station; NaN if there is none", "second_bid", "f4"),
    _float("uav_bid", "", "highest bid of an invited UAV; NaN if there is none", "uav_bid", "f4"),
    _int("winner", "id of the provider that won the task; -1 if none", "winner", "i4"),
    Column("winner_kind", "category", "", "kind of the provider that won", WINNER_KINDS, "winner_kind", "u1"),
    _float(
        "paid_by_provider",
        "",
        "payment of the winner to the platform, with its royalty once the task has ended; below 0 it receives",
        "paid_by_provider",
        "f4",
    ),
    _float(
        "paid_by_vehicle", "", "payment of the vehicle to the platform; below 0 it receives", "paid_by_vehicle", "f4"
    ),
    _float(
        "uav_value",
        "",
        "true value v_0 less cost, without zeta, of the UAV that won, else of the best predicted UAV; NaN if none was "
        "invited",
        "uav_value",
        "f4",
    ),
    _float(
        "top_value",
        "",
        "highest true value, less cost, of the invited stations, at least 0; NaN if none was invited",
        "top_value",
    ),
    _float(
        "surplus",
        "",
        "true value of the winner less its cost, times zeta for a UAV; 0 if no provider won",
        "surplus",
        "f4",
    ),
    _float("cost", "", "cost of the task to the winner, as planned at the award; 0 if no provider won", "task.cost"),
    _float(
        "royalty",
        "",
        "share of the realised value less the cost, if above 0, that the winner pays when the task has ended",
        "royalty",
    ),
    _float("realised_surplus", "", REALISED),
    Column(
        "unserved_reason",
        "category",
        "",
        "why the task has no provider: no provider covers the vehicle, none is invited, none bids, nobody won it, or "
        "its auction had not ended; served if it has one",
        UNSERVED_REASONS,
        "unserved_reason",
    ),
    _float(
        "best_surplus",
        "",
        "highest surplus that an invited provider would have had, at least 0",
        "best_surplus",
        "f4",
    ),
    _float("demand", "", "factor of the task's value that is the same for all providers", "task.demand"),
    _float("size_mb", "MB", "size of the input", "task.size_mb"),
    _float("messages", "", "messages of its clearings, shared equally among their tasks", "messages"),
    _int("rounds", "number of rounds of messages of its clearings", "rounds"),
    # The recorder takes the public conditions as one array: they have no path of their own.
    *(
        _float(f"m_{name}", unit, f"public condition: {meaning}", packed="f4")
        for name, (unit, meaning) in MARKET_CONDITIONS.items()
    ),
)
"""Columns of `auctions` under every mechanism. The columns that a mechanism declares stand after them."""

DECISIONS = (
    _float("time", "s", "time of the decision since the start of the run"),
    Column("seat", "text", "", "seat of the policy that decided"),
    _int("task", "id of the task; -1 if the decision is about several"),
    _float("action", "", "what the policy answered: a price scaling factor, the index of a choice, or another number"),
)
"""Columns of `decisions` under every mechanism. The numbers that its seats declare as state stand after them."""

BIDS = (
    _task(packed="i4"),
    _provider(packed="u2"),
    _float("bid", "", "bid of the provider; NaN if it made none", packed="f4"),
    _float("value", "", "true value v_n of (11) of the task to the provider, its cost not subtracted", packed="f4"),
    _float("cost", "", "cost of the task to the provider, by its own prediction"),
    _float("common_value", "1/s", "common value c_n of (9)", packed="f4"),
    _float("match_value", "", "match value m_n of (10)", packed="f4"),
    _float("timeliness", "", "share of its worth that the result still has at the predicted latency"),
    _float(
        "predicted_latency",
        "s",
        "the provider's own prediction of the latency of the task, waits included; exact without outages",
        packed="f4",
    ),
    _float("uplink_snr", "", "ratio g p^u / sigma^2 of (1), interference included; a plain ratio"),
    _float("downlink_snr", "", "ratio g p^d / sigma^2 of (2), interference included; a plain ratio"),
    _float("uplink_mhz", "MHz", "uplink bandwidth B^u"),
    _float("downlink_mhz", "MHz", "downlink bandwidth B^d"),
    _float("uplink_mbps", "Mbit/s", "rate R^u of (1); in `rounds` without the public factor"),
    _float("downlink_mbps", "Mbit/s", "rate R^d of (2); in `rounds` without the public factor"),
    _float("power_units", "100 mW", "transmit power p^d of the provider"),
    _float("gpu_units", "1e9/s", "GPU speed f^g"),
    _float("cpu_units", "1e9 bit/s", "CPU speed f^c"),
    _float("accuracy", "", "accuracy R of (8) that the provider would reach"),
)

TASKS = (
    _task("id"),
    _vehicle("vehicle", "i4"),
    Column("kind", "category", "", "kind of task", TASK_KINDS, "kind", "u1"),
    _float("size_mb", "MB", "size of the input, and of the result", "size_mb", "f4"),
    _float("demand", "", "factor common to all values of the task, with mean 1 over tasks", "demand", "f4"),
    _float("requested", "s", "time of the request", "requested", "t4"),
    _float("power_units", "100 mW", "transmit power p^u of the vehicle", "power_units"),
    _float("gpu_per_bit", "1/bit", "GPU work per bit e_p", "gpu_per_bit"),
    _float("limit_s", "s", "time from the request to the deadline; inf without a deadline", "limit_s"),
    _float("grace_s", "s", "time after the deadline over which the worth of the result falls to 0", "grace_s"),
    _provider("provider", "i4"),
    _float(
        "market_wait", "s", "time from the request to the award, or to when the task was given up; NaN if still open"
    ),
    Column("status", "category", "", "status of the task at the end of the run", STATUSES, "status", "u1"),
    *(
        _float(f"{stage}_{part}", "s", meaning)
        for stage in STAGES
        for part, meaning in (
            ("wait", f"wait before the {stage} stage"),
            ("time", f"time in the {stage} stage, without the wait"),
        )
    ),
    _float(
        "latency",
        "s",
        "time from the request to the end of the last stage, also of a lost task; NaN if that has not ended",
        packed="f4",
    ),
    _float("accuracy", "", "accuracy R of the result: matched pixels divided by all pixels", "accuracy", "f4"),
    _float("finished", "s", "time at which the last stage ended; NaN if it has not ended"),
    _float(
        "aomt",
        "s",
        "age of the migration task: time from its first sensed datum to its result; NaN unless completed",
    ),
    _float("radio_j", "J", "energy that the winner radiates in the downlink; NaN if that has not ended"),
    _float("realised_surplus", "", REALISED, packed="f4"),
)

TASK_CLOCK = tuple(f"{event}_{number}" for event in ("started", "finished") for number in range(len(STAGES)))
"""Fields of a recorded task from which the columns of `TASKS` without a source follow: times of its stages, s."""

TASK_REST = ("match", "awarded", "cut_at", "sender_units", "paused_s", "lost_at")
"""Fields of a recorded task that are in no table.

They are the match value, the time of the award, s, the end by an outage, s, the transmit power of the winner, units of
100 mW, and the time of its loss, s.
"""

EVENTS = (
    _time(),
    Column("kind", "category", "", "kind of event", EVENT_KINDS),
    _vehicle(),
    _task(),
    _provider(),
    _float(
        "value",
        "",
        "auction_settled: rho; stage_started, stage_finished: number of the stage, 0 (migration) to 4 (downlink); "
        "task_completed, task_lost: latency, s; uav_reported: bid of the UAV; other events: NaN",
    ),
)

VEHICLES = (
    _vehicle(),
    Column("name", "text", "", "id of the vehicle in the source of the traffic"),
    _float("entered", "s", "time at which the vehicle entered the map; NaN if it is still held outside", packed="t4"),
    _float("left", "s", "time at which the vehicle left the map; NaN if it is still there", packed="t4"),
    Column("entry", "text", "", "lane or approach by which the vehicle entered"),
    Column("exit", "text", "", "lane or approach by which the vehicle left, or on which it is at the end of the run"),
    _float("distance", "m", "distance driven during the run"),
    _float("delay", "s", "travel time minus travel time at free flow; NaN for recordings"),
    _float("held", "s", "time for which a full approach held the vehicle back outside the map; 0 for recordings"),
    _int("tasks", "number of tasks that the vehicle requested"),
)

PROVIDERS = (
    _provider(),
    Column("name", "text", "", "name of the provider in the scenario"),
    Column("owner", "text", "", "owner of the provider, by default its own name"),
    Column("kind", "category", "", "kind of provider", PROVIDER_KINDS),
    _float("x", "m", "position east of the origin"),
    _float("y", "m", "position north of the origin"),
    _int("tasks", "number of tasks that the provider won"),
    _float("surplus", "", "sum of the surplus of the tasks that the provider won"),
    _float("payments", "", "sum of the payments of the provider"),
    _float("cost", "", "sum of the costs of the tasks that the provider won"),
    _float(
        "net_utility",
        "",
        "sum of its true values of the tasks that it won, without zeta, where these are values of providers; minus "
        "its costs and payments",
    ),
    _float("energy_j", "J", "energy of its downlinks and, for a UAV, of hovering for the length of the run"),
    _float("mean_latency", "s", "mean latency of the tasks that the provider has served"),
    _float("out_s", "s", "time during which the provider was out"),
    *(
        _float(
            f"{stage}_utilisation",
            "",
            f"share of the run in which the {stage} stage held a task, outages included; "
            "in `rounds`, where tasks do not queue, mean number of tasks in the stage",
        )
        for stage in STAGES
    ),
)

PATHS = (
    _vehicle(packed="i4"),
    _float("time", "s", "time from the start of the run", packed="t4"),
    # Places in recordings may be far from 0: single precision would make vehicles jump.
    _float("x", "m", "position east of the origin", packed="f8"),
    _float("y", "m", "position north of the origin", packed="f8"),
    _float("speed", "m/s", "speed of the vehicle"),
    Column("lane", "text", "", "lane of the vehicle"),
)

SIGNALS = (
    _float("time", "s", "time from the start of the run", packed="t4"),
    Column("junction", "text", "", "name of the junction"),
    Column("group", "text", "", "name of the signal group", packed="i4"),
    Column("state", "category", "", "state of the signal group from this time on", SIGNAL_STATES, packed="u1"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "auctions": AUCTIONS,
    "decisions": DECISIONS,
    "bids": BIDS,
    "tasks": TASKS,
    "events": EVENTS,
    "vehicles": VEHICLES,
    "providers": PROVIDERS,
    "paths": PATHS,
    "signals": SIGNALS,
}
"""Columns of every table, by the name of the table."""


def packed(name: str) -> dict[str, str]:
    """Return the columns of a table that the report carries, with the numpy type of each.

    Args:
        name: name of the table.
    """
    return {column.name: column.packed for column in TABLES[name] if column.packed}


def table(
    name: str, columns: dict[str, Any], extra: Sequence[Column] = (), only: Collection[str] | None = None
) -> pd.DataFrame:
    """Return a DataFrame with the columns of a table in order, each with its declared type.

    Args:
        name: name of the table.
        columns: one array per column. A categorical column holds codes, or categories as read from a file.
        extra: columns that the mechanism of the run adds.
        only: names of the columns that are wanted; None for all.
    """
    import pandas as pd

    wanted = [column for column in (*TABLES[name], *extra) if only is None or column.name in only]
    # Some columns are read to be summed up and forgotten: one block of them all would be a second copy.
    copy = None if only is None else False
    return pd.DataFrame({column.name: _series(column, columns[column.name]) for column in wanted}, copy=copy)


def _series(column: Column, values: object) -> pd.Series:
    """Return the values of a column as a Series of the declared type."""
    import numpy as np
    import pandas as pd

    if column.type == "category":
        if isinstance(values, pd.Series):
            # A file may hold only the categories that occur in it.
            return values.cat.set_categories(list(column.categories))
        codes = np.asarray(values, dtype=np.int64)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(column.categories))))
    dtype = {"float": "float64", "int": "int64", "bool": "bool", "text": "str"}[column.type]
    return pd.Series(values, dtype=dtype)
