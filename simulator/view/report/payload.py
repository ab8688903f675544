"""Payload of a report: columns of numbers as packed bytes, and names and totals as JSON."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError
from simulator.market.auction import WINNER_KINDS
from simulator.market.contracts import MARKET_CONDITIONS
from simulator.model.latency import STAGES
from simulator.providers.task import STATUSES
from simulator.record.result import Result
from simulator.record.schema import SIGNAL_STATES, SUMMARY, packed
from simulator.scenario.tasks import TASK_KINDS
from simulator.view.report.ground import ground

if TYPE_CHECKING:
    import pandas as pd

SHARED = {name: packed(name) for name in ("paths", "vehicles", "signals")}
"""What all runs of one world share: the columns of each table and their types."""

OWN = {
    "tasks": {
        **packed("tasks"),
        **{f"{stage}_{event}": "f8" for stage in STAGES for event in ("started", "finished")},
        "ended": "f8",
    },
    # Only some mechanisms have these columns. The page shows a number that is not there as a dash.
    "auctions": {**packed("auctions"), "rho": "f4", "contract_bid": "f4"},
    "bids": packed("bids"),
}
"""Columns that each run has for itself, by table, each with its type.

Row i of `tasks` and of `auctions` is task i. The time of an event that never happened is NaN.
"""

WHY = "why_"
"""Beginning of the names of columns of `decisions` in which a policy explains itself."""

WORLD = ("scenario_sha256", "data_sha256", "seed", "duration", "warmup")
"""Keys of `run.json` that are equal in all runs of one world."""


class Payload(NamedTuple):
    """Data of a page.

    Attributes:
        head: names, totals, the map, and the place of each column in `columns`; ready for JSON.
        columns: all columns one after the other, little-endian, compressed by gzip, as base64 text.
    """

    head: dict[str, Any]
    columns: str


def payload(runs: Mapping[str, Result], note: str = "") -> Payload:
    """Return the data of a page about runs of one world.

    Args:
        runs: the runs, by the name that each has in the page.
        note: further information for the header of the page.

    Raises:
        InputError: there is no run, the runs are not of one world, or the tables of a run do not fit together.
    """
    if not runs:
        raise InputError("report: needs one or more runs")
    name, first = next(iter(runs.items()))
    for other, result in runs.items():
        # Only runs of one world can share vehicles and signals, and be compared auction by auction.
        apart = [key for key in WORLD if result.run.get(key) != first.run.get(key)]
        if apart:
            raise InputError(f"report: '{other}' is not of the same world as '{name}': they differ in {apart[0]}")
        result.check()
    packer = _Packer()
    # A signal group is a junction and a name. The page knows it by its number.
    by_group = first.signals.groupby(["junction", "group"], sort=False, observed=True)
    signals = first.signals.assign(group=by_group.ngroup())
    rows = first.signals.drop_duplicates(["junction", "group"]).to_dict("records")
    groups = [(str(row["junction"]), str(row["group"])) for row in rows]
    shared = {
        "paths": packer.add(first.paths, SHARED["paths"]),
        "vehicles": packer.add(first.vehicles, SHARED["vehicles"]),
        "signals": packer.add(signals, SHARED["signals"]),
    }
    head = {
        "scenario": first.scenario.name,
        "about": first.scenario.about,
        "note": note or first.why_no_auction() or "",
        "zeta": first.scenario.market.uav_weight,
        "reference": first.scenario.market.reference,
        "history": first.scenario.market.history,
        "uav_payment": first.scenario.market.uav_payment,
        "uav_share": first.scenario.market.uav_share,
        "seed": first.run["seed"],
        "duration": first.run["duration"],
        "warmup": first.run["warmup"],
        "categories": {"kind": TASK_KINDS, "status": STATUSES, "winner_kind": WINNER_KINDS, "state": SIGNAL_STATES},
        "stages": first.scenario.tasks.stages,
        "conditions": {condition: list(said) for condition, said in MARKET_CONDITIONS.items()},
        "figures": {figure: list(said) for figure, said in SUMMARY.items()},
        "vehicles": first.vehicles["name"].astype(str).tolist(),
        "ground": ground(first, groups),
        "outages": _outages(first),
        "tables": shared,
        "runs": [_run(label, result, packer) for label, result in runs.items()],
    }
    return Payload(head, packer.text())


def _run(name: str, result: Result, packer: _Packer) -> dict[str, Any]:
    """Return the part of the head about one run, and pack its columns."""
    reasons = {column: said for column, _, _, said in result.run["columns"]["decisions"] if column.startswith(WHY)}
    return {
        "name": name,
        "mechanism": result.run["mechanism"],
        "information": result.run["information"],
        "explained": bool(result.run.get("explain", False)),
        "reasons": {column.removeprefix(WHY): said for column, said in reasons.items()},
        "summary": {str(key): plain(value) for key, value in result.summary.items()},
        "providers": [
            {str(key): plain(value) for key, value in row.items() if key not in ("name", "owner", "kind", "x", "y")}
            for row in result.providers.to_dict("records")
        ],
        "tables": {
            "tasks": packer.add(_tasks(result), OWN["tasks"]),
            "auctions": packer.add(_auctions(result), OWN["auctions"]),
            "bids": packer.add(result.bids, OWN["bids"]),
            "decisions": packer.add(result.decisions, {"task": "i4", **dict.fromkeys(reasons, "f4")}),
        },
    }


def _auctions(result: Result) -> pd.DataFrame:
    """Return the table of auctions, with the columns of the Modified Second-Bid auction even where it has none."""
    missing = [name for name in ("rho", "contract_bid") if name not in result.auctions]
    return result.auctions.assign(**dict.fromkeys(missing, np.nan))


def _tasks(result: Result) -> pd.DataFrame:
    """Return the table of tasks with the times at which stages started and finished, and tasks ended."""
    # The times come from the events and not from the table of tasks. A stage may be cut off by an outage or by the end
    # of the run. It has begun all the same, and the replay shows it.
    events = result.events[result.events["task"] >= 0]
    task, time = events["task"].to_numpy(), events["time"].to_numpy()
    value, kind = events["value"].to_numpy(), events["kind"].astype(str).to_numpy()
    times = {}
    for number, stage in enumerate(STAGES):
        for event in ("started", "finished"):
            rows = (kind == f"stage_{event}") & (value == number)
            times[f"{stage}_{event}"] = column = np.full(len(result.tasks), np.nan)
            column[task[rows]] = time[rows]
    # The twin was at the winner already: nothing has moved, and no event says so.
    stays = result.tasks["migration_time"].to_numpy() == 0.0
    came = (result.tasks["requested"] + result.tasks["market_wait"] + result.tasks["migration_wait"]).to_numpy()
    for event in ("started", "finished"):
        times[f"migration_{event}"][stays] = came[stays]
    times["ended"] = np.full(len(result.tasks), np.nan)
    over = np.isin(kind, ("task_completed", "task_lost"))
    times["ended"][task[over]] = time[over]
    return result.tasks.assign(**times)


def _outages(result: Result) -> list[list[float | int | None]]:
    """Return provider, begin and end of each outage, s; the end is None if the run ended before."""
    begun: dict[int, float] = {}
    found: list[list[float | int | None]] = []
    events = result.events[result.events["kind"].isin(["provider_out", "provider_back"])]
    for row in events.to_dict("records"):
        provider, time = int(row["provider"]), float(row["time"])
        if row["kind"] == "provider_out":
            begun[provider] = time
        else:
            found.append([provider, begun.pop(provider), time])
    return found + [[provider, begin, None] for provider, begin in begun.items()]


def plain(value: float) -> float | None:
    """Return a number as JSON can hold it: None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


class _Packer:
    """Columns of numbers as one block of bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def add(self, table: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, list[Any]]:
        """Add columns of a table, and return type, first byte and number of rows of each by name."""
        return {name: self._add(table[name], kind) for name, kind in columns.items()}

    def _add(self, column: pd.Series, kind: str) -> list[Any]:
        """Add one column, and return its type, first byte and number of rows."""
        # Little-endian: typed arrays of JavaScript have the byte order of the processor, which is nearly always this.
        # Each column begins at a multiple of 8 bytes, because a Float64Array cannot begin anywhere else.
        values = column.cat.codes if column.dtype == "category" else column
        data = values.to_numpy().astype(f"<{kind}").tobytes()
        place = [kind, self._at, len(column)]
        data += bytes(-len(data) % 8)
        self._parts.append(data)
        self._at += len(data)
        return place

    def text(self) -> str:
        """Return all columns, compressed, as base64 text."""
        # Without a time stamp the same run gives the same bytes.
        return base64.b64encode(gzip.compress(b"".join(self._parts), 6, mtime=0)).decode("ascii")
