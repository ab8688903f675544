"""The tables of a run: every column with its type, unit, meaning and source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.market.auction import WINNER_KINDS
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
"""Kinds of event, in the order in which events of one moment follow from each other."""

SIGNAL_STATES = ("green", "yellow", "red")


def _float(name: str, unit: str, meaning: str, source: str = "", packed: str = "") -> Column:
    return Column(name, "float", unit, meaning, source=source, packed=packed)


def _int(name: str, meaning: str, source: str = "", packed: str = "") -> Column:
    return Column(name, "int", "", meaning, source=source, packed=packed)


def _task(source: str = "", packed: str = "") -> Column:
    return _int("task", "id of the task; -1 is none", source, packed)


def _vehicle(source: str = "", packed: str = "") -> Column:
    return _int("vehicle", "id of the vehicle; -1 is none", source, packed)


def _provider(source: str = "", packed: str = "") -> Column:
    return _int("provider", "id of the provider; -1 is none", source, packed)


def _time(source: str = "") -> Column:
    return _float("time", "s", "time from the start", source)


AUCTIONS = (
    _task("task.id"),
    _time("task.requested"),
    _vehicle("task.vehicle"),
    _int("station_left", "station whose coverage the vehicle leaves; -1 is none", "situation.station_left", "i4"),
    _int("invited", "ground stations that were invited and therefore bid", "ground_bidders"),
    Column(
        "asked", "bool", "", "a price was asked for: two or more ground bidders and a UAV", source="asked", packed="u1"
    ),
    _float("rho", "", "price scaling factor; NaN where none was asked for", "rho", "f4"),
    _float("top_bid", "", "highest ground bid; NaN without one", "top_bid", "f4"),
    _float("second_bid", "", "second-highest ground bid; NaN without one", "second_bid", "f4"),
    _float("uav_bid", "", "bid of the UAV, as of its last report; NaN without an invited UAV", "uav_bid", "f4"),
    _float(
        "contract_bid",
        "",
        "contract bid of (13); at a junction the UAV's own bid for the first 100 rounds; NaN without a UAV",
        "contract_bid",
        "f4",
    ),
    _int("winner", "provider that got the task; -1 is nobody", "winner", "i4"),
    Column("winner_kind", "category", "", "kind of the winner", WINNER_KINDS, "winner_kind", "u1"),
    _float("payment", "", "what the winner pays", "payment", "f4"),
    _float("uav_value", "", "true value v_0 of the invited UAV, without zeta; NaN without one", "uav_value", "f4"),
    _float("top_value", "", "highest true value among the invited stations; NaN without one", "top_value"),
    _float("surplus", "", "value of the winner, that of a UAV times zeta; 0 if nobody won", "surplus", "f4"),
    _float(
        "best_surplus",
        "",
        "highest surplus that any invited provider would have had; 0 if nobody was invited",
        "best_surplus",
        "f4",
    ),
    _float("demand", "", "what the request is worth to anyone", "task.demand"),
    _float("size_mb", "MB", "input size", "task.size_mb"),
    # The recorder takes the public conditions as one array: they have no path of their own.
    *(
        _float(f"m_{name}", unit, f"public: {meaning}", packed="f4")
        for name, (unit, meaning) in MARKET_CONDITIONS.items()
    ),
)

BIDS = (
    _task(packed="i4"),
    _provider(packed="u2"),
    _float("bid", "", "what it bid", packed="f4"),
    _float("value", "", "its true value v_n of (11)", packed="f4"),
    _float("common_value", "1/s", "c_n of (9)", packed="f4"),
    _float("match_value", "", "m_n of (10)", packed="f4"),
    _float(
        "predicted_latency",
        "s",
        "its own prediction for this task, queue included; it comes true, as queues are first come, first served",
        packed="f4",
    ),
)

TASKS = (
    _task("id"),
    _vehicle("vehicle", "i4"),
    Column("kind", "category", "", "kind of the task", TASK_KINDS, "kind", "u1"),
    _float("size_mb", "MB", "input size; the result has the same size", "size_mb", "f4"),
    _float("demand", "", "what the request is worth to anyone", "demand", "f4"),
    _float("requested", "s", "time of the request", "requested", "f8"),
    _provider("provider", "i4"),
    Column("status", "category", "", "what became of the task", STATUSES, "status", "u1"),
    *(
        _float(f"{stage}_{part}", "s", meaning)
        for stage in STAGES
        for part, meaning in (("wait", f"wait before the {stage} stage"), ("time", f"time in the {stage} stage"))
    ),
    _float(
        "latency",
        "s",
        "time from request to result; of a lost task, what it would have been; NaN if not known, as after an outage",
        packed="f4",
    ),
    _float("accuracy", "", "share of matched pixels of the result", "accuracy", "f4"),
    _float("finished", "s", "time of the result"),
    _float("realised_surplus", "", "surplus at the actual latency and accuracy; 0 if lost or unserved", packed="f4"),
)

TASK_CLOCK = tuple(f"{event}_{number}" for event in ("started", "finished") for number in range(len(STAGES)))
"""What is recorded of a task besides the sources of `TASKS`: when each stage started and finished, s."""

TASK_REST = ("match", "cut_at", "lost_at")
"""What is recorded of a task and stands in no table: the match value, and when it was lost or cut off, s."""

EVENTS = (
    _time(),
    Column("kind", "category", "", "what happened", EVENT_KINDS),
    _vehicle(),
    _task(),
    _provider(),
    _float(
        "value",
        "",
        "auction_settled: rho; stage_*: stage 0..3; task_completed, task_lost: latency, s; "
        "uav_reported: bid of the UAV; else NaN",
    ),
)

VEHICLES = (
    _vehicle(),
    Column("name", "text", "", "the source's id"),
    _float("entered", "s", "time at which it entered the map", packed="f8"),
    _float("left", "s", "time at which it left the map; NaN if still there", packed="f8"),
    Column("entry", "text", "", "lane or approach by which it entered"),
    Column("exit", "text", "", "lane or approach by which it left, or on which it is"),
    _float("distance", "m", "distance driven in the run"),
    _float("delay", "s", "travel time less that at free flow; NaN for recordings"),
    _int("tasks", "tasks that it asked for"),
)

PROVIDERS = (
    _provider(),
    Column("name", "text", "", "name in the scenario"),
    Column("kind", "category", "", "kind of provider", PROVIDER_KINDS),
    _float("x", "m", "position east"),
    _float("y", "m", "position north"),
    _int("tasks", "tasks that it won"),
    _float("surplus", "", "surplus of the tasks that it won, that of a UAV times zeta"),
    _float("payments", "", "what it paid"),
    _float("net_utility", "", "its values, without zeta, less its payments"),
    _float("mean_latency", "s", "mean latency of the tasks that it has served"),
    _float("out_s", "s", "time in which it was out"),
    *(
        _float(
            f"{stage}_utilisation",
            "",
            f"busy share of the {stage} stage, an outage with a task in it included; "
            "in `rounds`, where nobody queues, the mean number in it",
        )
        for stage in STAGES
    ),
)

PATHS = (
    _vehicle(packed="i4"),
    _float("time", "s", "time from the start", packed="f8"),
    # Places in recordings may be far from 0: single precision would make vehicles jump.
    _float("x", "m", "position east", packed="f8"),
    _float("y", "m", "position north", packed="f8"),
    _float("speed", "m/s", "speed"),
    Column("lane", "text", "", "lane"),
)

SIGNALS = (
    _float("time", "s", "time from the start", packed="f8"),
    Column("junction", "text", "", "junction"),
    Column("group", "text", "", "signal group", packed="i4"),
    Column("state", "category", "", "what it shows from then on", SIGNAL_STATES, packed="u1"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "auctions": AUCTIONS,
    "bids": BIDS,
    "tasks": TASKS,
    "events": EVENTS,
    "vehicles": VEHICLES,
    "providers": PROVIDERS,
    "paths": PATHS,
    "signals": SIGNALS,
}
"""Columns of every table, in order."""

SUMMARY: dict[str, tuple[str, str]] = {
    "tasks": ("", "tasks requested after the warm-up; every other figure is of these tasks"),
    "completed": ("", "tasks whose result came in time"),
    "lost": ("", "tasks whose result came too late or out of coverage"),
    "unserved": ("", "tasks for which nobody was invited"),
    "open": ("", "tasks with neither a result nor a loss when the run ended"),
    "asked": ("", "auctions that asked for a price"),
    "surplus_total": ("", "sum of the surplus"),
    "surplus_mean": ("", "mean surplus per task, as valued when its auction settled"),
    "realised_mean": ("", "mean surplus per task at its actual latency and accuracy; lost: 0; open: left out"),
    "lost_share": ("", "lost tasks divided by tasks"),
    "best_share": ("", "sum of surplus divided by sum of best_surplus, with the queues of this run"),
    "uav_share": ("", "share of the tasks that a UAV won"),
    "rho_mean": ("", "mean of the finite price scaling factors"),
    "latency_mean": ("s", "mean latency of completed tasks"),
    "latency_p95": ("s", "95th percentile of the latency of completed tasks"),
    "payments": ("", "sum of the payments"),
    "wall_s": ("s", "wall-clock time of the run"),
    "cpu_s": ("s", "processor time of the run"),
}
"""Entries of the summary: unit and meaning."""


def packed(name: str) -> dict[str, str]:
    """Return the columns of a table that the report carries, and the numpy type of each."""
    return {column.name: column.packed for column in TABLES[name] if column.packed}


def table(name: str, columns: dict[str, object]) -> pd.DataFrame:
    """Return a DataFrame of the table's columns in order, each with its declared type.

    Args:
        name: name of the table.
        columns: one array per column; categorical ones as codes, or as they come from a file.
    """
    import pandas as pd

    return pd.DataFrame({column.name: _series(column, columns[column.name]) for column in TABLES[name]})


def _series(column: Column, values: object) -> pd.Series:
    import numpy as np
    import pandas as pd

    if column.type == "category":
        if isinstance(values, pd.Series):
            return values.cat.set_categories(list(column.categories))
        codes = np.asarray(values, dtype=np.int64)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(column.categories))))
    dtype = {"float": "float64", "int": "int64", "bool": "bool", "text": "str"}[column.type]
    return pd.Series(values, dtype=dtype)
