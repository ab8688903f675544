"""The tables of a run: every column with its type, unit and meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from simulator.market.contracts import MARKET_CONDITIONS
from simulator.model.latency import STAGES
from simulator.providers.task import STATUSES
from simulator.scenario.tasks import TASK_KINDS

if TYPE_CHECKING:
    import pandas as pd

WINNER_KINDS = ("ground", "uav", "none")
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
"""In the order in which events of one moment follow from each other."""

SIGNAL_STATES = ("green", "yellow", "red")


class Column(NamedTuple):
    """One column of a table; ``categories`` is given for categorical ones."""

    name: str
    type: Literal["float", "int", "bool", "category", "text"]
    unit: str
    meaning: str
    categories: tuple[str, ...] = ()


def _float(name: str, unit: str, meaning: str) -> Column:
    return Column(name, "float", unit, meaning)


def _int(name: str, meaning: str) -> Column:
    return Column(name, "int", "", meaning)


_TASK = _int("task", "id of the task; -1 is none")
_VEHICLE = _int("vehicle", "id of the vehicle; -1 is none")
_PROVIDER = _int("provider", "id of the provider; -1 is none")
_TIME = _float("time", "s", "time from the start")

TABLES: dict[str, tuple[Column, ...]] = {
    "auctions": (
        _TASK,
        _TIME,
        _VEHICLE,
        _int("station_left", "station whose coverage the vehicle leaves; -1 is none"),
        _int("invited", "ground stations that were invited, and so bid"),
        Column("asked", "bool", "", "a price was asked for: two or more ground bidders and a UAV"),
        _float("rho", "", "price scaling factor; NaN where none was asked for"),
        _float("top_bid", "", "highest ground bid; NaN without one"),
        _float("second_bid", "", "second-highest ground bid; NaN without one"),
        _float("uav_bid", "", "what the UAV bids since its last report; NaN without an invited UAV"),
        _float(
            "contract_bid",
            "",
            "contract bid of (13); at a junction the UAV's own for the first 100 rounds; NaN without a UAV",
        ),
        _int("winner", "provider that got the task; -1 is nobody"),
        Column("winner_kind", "category", "", "kind of the winner", WINNER_KINDS),
        _float("payment", "", "what the winner pays"),
        _float("uav_value", "", "true value v_0 of the invited UAV, not weighted; NaN without one"),
        _float("top_value", "", "highest true value among the invited stations; NaN without one"),
        _float("surplus", "", "value of the winner, the UAV's weighted with zeta; 0 if nobody won"),
        _float("oracle_surplus", "", "the highest surplus any winner would have had where asked, else `surplus`"),
        _float("demand", "", "what the request is worth to anyone"),
        _float("size_mb", "MB", "input size"),
        *(_float(f"m_{name}", unit, f"public: {meaning}") for name, (unit, meaning) in MARKET_CONDITIONS.items()),
    ),
    "bids": (
        _TASK,
        _PROVIDER,
        _float("bid", "", "what it bid"),
        _float("value", "", "its true value v_n of (11)"),
        _float("common_value", "1/s", "c_n of (9)"),
        _float("match_value", "", "m_n of (10)"),
        _float(
            "predicted_latency",
            "s",
            "its own estimate for this task, queue included; what comes true, as queues are first come first served",
        ),
    ),
    "tasks": (
        _TASK,
        _VEHICLE,
        Column("kind", "category", "", "kind of the task", TASK_KINDS),
        _float("size_mb", "MB", "input size; the result has the same"),
        _float("demand", "", "what the request is worth to anyone"),
        _float("requested", "s", "time of the request"),
        _PROVIDER,
        Column("status", "category", "", "what became of it", STATUSES),
        *(
            _float(f"{stage}_{part}", "s", meaning)
            for stage in STAGES
            for part, meaning in (("wait", f"wait before the {stage} stage"), ("time", f"time in the {stage} stage"))
        ),
        _float(
            "latency",
            "s",
            "request to result; of a lost task, what it would have been; NaN if not known, as after an outage",
        ),
        _float("accuracy", "", "share of matched pixels of the result"),
        _float("finished", "s", "time of the result"),
        _float("realised_surplus", "", "surplus at the actual latency and accuracy; 0 if lost or unserved"),
    ),
    "events": (
        _TIME,
        Column("kind", "category", "", "what happened", EVENT_KINDS),
        _VEHICLE,
        _TASK,
        _PROVIDER,
        _float(
            "value",
            "",
            "auction_settled: rho; stage_*: stage 0..3; task_completed, task_lost: latency, s; "
            "uav_reported: uav bid; else NaN",
        ),
    ),
    "vehicles": (
        _VEHICLE,
        Column("name", "text", "", "the source's id"),
        _float("entered", "s", "time at which it entered the map"),
        _float("left", "s", "time at which it left the map; NaN if still there"),
        Column("entry", "text", "", "lane or approach by which it entered"),
        Column("exit", "text", "", "lane or approach by which it left, or is on"),
        _float("distance", "m", "driven in the run"),
        _float("delay", "s", "against free flow; NaN for recordings"),
        _int("tasks", "tasks it asked for"),
    ),
    "providers": (
        _PROVIDER,
        Column("name", "text", "", "name in the scenario"),
        Column("kind", "category", "", "kind of provider", PROVIDER_KINDS),
        _float("x", "m", "position east"),
        _float("y", "m", "position north"),
        _int("tasks", "tasks it won"),
        _float("surplus", "", "surplus of the tasks it won, the UAV's weighted with zeta"),
        _float("payments", "", "what it paid"),
        _float("net_utility", "", "its values (not weighted) less its payments"),
        _float("mean_latency", "s", "mean latency of the tasks it has served"),
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
    ),
    "paths": (
        _VEHICLE,
        _TIME,
        _float("x", "m", "position east"),
        _float("y", "m", "position north"),
        _float("speed", "m/s", "speed"),
        Column("lane", "text", "", "lane"),
    ),
    "signals": (
        _TIME,
        Column("junction", "text", "", "junction"),
        Column("group", "text", "", "signal group"),
        Column("state", "category", "", "what it shows from then on", SIGNAL_STATES),
    ),
}
"""Columns of every table, in order."""

SUMMARY: dict[str, tuple[str, str]] = {
    "tasks": ("", "tasks requested, from the end of the warm-up on, as everything here"),
    "completed": ("", "tasks whose result came in time"),
    "lost": ("", "tasks whose result came too late or out of coverage"),
    "unserved": ("", "tasks that nobody was invited for"),
    "open": ("", "tasks with neither result nor loss when the run ended"),
    "asked": ("", "auctions that asked for a price"),
    "surplus_total": ("", "sum of the surplus"),
    "surplus_mean": ("", "mean surplus of a task, as valued when its auction settled"),
    "realised_mean": ("", "mean surplus of a task at its actual latency and accuracy, 0 if lost; open tasks left out"),
    "oracle_share": ("", "surplus over what an oracle had had in the same rounds, with the queues of this run"),
    "uav_share": ("", "share of the tasks that a UAV won"),
    "rho_mean": ("", "mean of the finite price scaling factors"),
    "latency_mean": ("s", "mean latency of completed tasks"),
    "latency_p95": ("s", "95th percentile of it"),
    "payments": ("", "sum of the payments"),
    "wall_s": ("s", "wall-clock time of the run"),
    "cpu_s": ("s", "processor time of the run"),
}
"""Entries of the summary: unit and meaning."""


def table(name: str, columns: dict[str, object]) -> pd.DataFrame:
    """A DataFrame of the table's columns in order, each with the type that the schema says.

    Args:
        name: name of the table.
        columns: an array a column; categorical ones as codes, or as they come from a file.
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
