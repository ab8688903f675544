"""Payload of a report: columns of numbers as packed bytes, and names and totals as JSON."""

from __future__ import annotations

import json
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
from simulator.record.schema import SIGNAL_STATES, packed
from simulator.record.summary import SUMMARY
from simulator.scenario.tasks import TASK_KINDS
from simulator.view.report.detail import Detail, detail_of
from simulator.view.report.ground import ground
from simulator.view.report.overview import overview
from simulator.view.report.packer import Packer

if TYPE_CHECKING:
    import pandas as pd

SHARED = {name: packed(name) for name in ("paths", "vehicles", "signals")}
"""What all runs of one world share: the columns of each table and their types."""

OWN = {
    "tasks": {
        **packed("tasks"),
        **{f"{stage}_{event}": "t4" for stage in STAGES for event in ("started", "finished")},
        "ended": "t4",
    },
    # Only some mechanisms have these columns. The page shows a number that is not there as a dash.
    "auctions": {**packed("auctions"), "rho": "f4", "contract_bid": "f4"},
    "bids": packed("bids"),
}
"""Columns that each run has for itself, by table, each with its type.

Row i of `tasks` and of `auctions` is task `first_task` + i. The time of an event that never happened is NaN.
"""

WHY = "why_"
"""Beginning of the names of columns of `decisions` in which a policy explains itself."""

MOST_BYTES = 9_500_000
"""Largest number of bytes of the data of a page: with its scripts, a page stays below 10 MB."""

SHORTEST_S = 1.0
"""Length of the part below which it is not made shorter, s."""

ENOUGH = 0.93
"""Share of the largest number of bytes. A part that reaches it is not made longer."""

TRIES = 6
"""Number of parts that are tried."""

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

    @property
    def part(self) -> tuple[float, float]:
        """Beginning and end of what the page shows in detail, s."""
        return self.head["begin"], self.head["end"]

    def size(self) -> int:
        """Return the number of bytes in a page."""
        return len(self.columns) + len(json.dumps(self.head, allow_nan=False))


def payload(
    runs: Mapping[str, Result], note: str = "", part: tuple[float, float] | None = None, most_bytes: int | None = None
) -> Payload:
    """Return the data of a page about runs of one world.

    What does not fit is left out: the page then shows a part of the run in detail, and counts and means of all of it.

    Args:
        runs: the runs, by the name that each has in the page.
        note: further information for the header of the page.
        part: beginning and end of what is shown in detail, s; None for as much as fits, from the beginning on. If the
            part does not fit, it ends earlier.
        most_bytes: largest number of bytes of the data; `MOST_BYTES` if None.

    Raises:
        InputError: there is no run, the runs are not of one world, the tables of a run do not fit together, or the part
            is not one of the run.
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
    duration = float(first.run["duration"])
    begin, end = part or (0.0, duration)
    if not 0.0 <= begin < min(end, duration):
        raise InputError(f"report: a run of {duration:g} s has no part from {begin:g} to {end:g} s")
    end = min(end, duration)
    most_bytes = MOST_BYTES if most_bytes is None else most_bytes
    found = _packed(runs, note, begin, end)
    if found.size() <= most_bytes or end - begin <= SHORTEST_S:
        return found
    # Ends of a part that is too large and of one that fits, with their bytes. The map is in both.
    large, found = (end, found.size()), _packed(runs, note, begin, begin + SHORTEST_S)
    fits = begin + SHORTEST_S, found.size()
    for _ in range(TRIES):
        if fits[1] >= ENOUGH * most_bytes or fits[1] >= large[1]:
            break
        # In proportion, and a little less: the page of a part is not quite that part of the page.
        share = (0.97 * most_bytes - fits[1]) / (large[1] - fits[1])
        end = _round(begin, fits[0] + share * (large[0] - fits[0]))
        if not fits[0] < end < large[0]:
            break
        made = _packed(runs, note, begin, end)
        if made.size() <= most_bytes:
            fits, found = (end, made.size()), made
        else:
            large = end, made.size()
    return found


def _round(begin: float, end: float) -> float:
    """Return the end of a part, in whole seconds or minutes."""
    step = 60.0 if end - begin > 1200.0 else 1.0
    return begin + max(math.floor((end - begin) / step) * step, SHORTEST_S)


def _packed(runs: Mapping[str, Result], note: str, begin: float, end: float) -> Payload:
    """Return the data of a page that shows a part of runs in detail."""
    first = next(iter(runs.values()))
    duration = float(first.run["duration"])
    chosen = detail_of(list(runs.values()), begin, end)
    entire = begin == 0.0 and end == duration
    tasks = [chosen.tasks(_tasks(run)) for run in runs.values()]
    paths, vehicles = chosen.paths(first.paths), first.vehicles.iloc[chosen.vehicles]
    packer = Packer(begin, [paths, vehicles, *tasks])
    # A signal group is a junction and a name. The page knows it by its number.
    by_group = first.signals.groupby(["junction", "group"], sort=False, observed=True)
    signals = first.signals.assign(group=by_group.ngroup())
    rows = first.signals.drop_duplicates(["junction", "group"]).to_dict("records")
    groups = [(str(row["junction"]), str(row["group"])) for row in rows]
    shared = {
        "paths": packer.add(paths, SHARED["paths"]),
        "vehicles": packer.add(vehicles, SHARED["vehicles"]),
        "signals": packer.add(chosen.signals(signals), SHARED["signals"]),
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
        "begin": begin,
        "end": end,
        "tick_s": packer.tick_s,
        "first_task": chosen.first,
        "categories": {"kind": TASK_KINDS, "status": STATUSES, "winner_kind": WINNER_KINDS, "state": SIGNAL_STATES},
        "stages": first.scenario.tasks.stages,
        "conditions": {condition: list(said) for condition, said in MARKET_CONDITIONS.items()},
        "figures": {figure: list(said) for figure, said in SUMMARY.items()},
        "vehicles": first.vehicles["name"].iloc[chosen.vehicles].astype(str).tolist(),
        "ground": ground(first, groups),
        "outages": _outages(first),
        "tables": shared,
        "runs": [
            _run(label, result, own, packer, chosen, entire)
            for (label, result), own in zip(runs.items(), tasks, strict=True)
        ],
    }
    return Payload(head, packer.text())


def _run(
    name: str, result: Result, tasks: pd.DataFrame, packer: Packer, chosen: Detail, entire: bool
) -> dict[str, Any]:
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
            "tasks": packer.add(tasks, OWN["tasks"]),
            "auctions": packer.add(chosen.tasks(_auctions(result)), OWN["auctions"]),
            "bids": packer.add(chosen.by_task(result.bids), OWN["bids"]),
            "decisions": packer.add(chosen.by_task(result.decisions), {"task": "i4", **dict.fromkeys(reasons, "f4")}),
        },
        # A page that has all needs no counts.
        "overview": None if entire else overview(result),
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
