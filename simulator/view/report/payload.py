"""The tables of a run as the page reads them: columns of numbers side by side, packed; names and totals as JSON."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError
from simulator.model.latency import STAGES
from simulator.pricing import MARKET_CONDITIONS
from simulator.result import Result
from simulator.scenario import TASK_KINDS
from simulator.schema import PROVIDER_KINDS, SIGNAL_STATES, SUMMARY, WINNER_KINDS
from simulator.view.report.ground import ground
from simulator.world.task import STATUSES

if TYPE_CHECKING:
    import pandas as pd

_BIDS = ("top_bid", "second_bid", "uav_bid", "contract_bid")
_WORTH = ("rho", "payment", "uav_value", "top_value", "surplus", "oracle_surplus")

SHARED: dict[str, dict[str, str]] = {
    "paths": {"vehicle": "i4", "time": "f8", "x": "f4", "y": "f4"},
    "vehicles": {"entered": "f8", "left": "f8"},
    "signals": {"time": "f8", "head": "i4", "state": "u1"},
}
"""What all runs of one world share: by table the columns and their types."""

OWN: dict[str, dict[str, str]] = {
    "tasks": {
        "vehicle": "i4", "kind": "u1", "size_mb": "f4", "demand": "f4", "requested": "f8", "provider": "i4",
        "status": "u1", **{f"{stage}_{part}": "f4" for stage in STAGES for part in ("wait", "time")}, "latency": "f4",
        "accuracy": "f4", "finished": "f8", "realised_surplus": "f4",
    },
    "auctions": {
        "time": "f8", "station_left": "i4", "asked": "u1", "winner": "i4", "winner_kind": "u1",
        **dict.fromkeys((*_BIDS, *_WORTH, *(f"m_{condition}" for condition in MARKET_CONDITIONS)), "f4"),
    },
    "bids": {
        "task": "i4", "provider": "u2",
        **dict.fromkeys(("bid", "value", "common_value", "match_value", "predicted_latency"), "f4"),
    },
}  # fmt: skip
"""What each run has of its own; row i of `tasks` and of `auctions` is task i."""


class Payload(NamedTuple):
    """What a page is made of.

    Attributes:
        head: names, totals, the map, and where each column stands in `columns`; ready for JSON.
        columns: all columns one after the other, little-endian, gzip, base64.
    """

    head: dict[str, Any]
    columns: str


def payload(runs: Mapping[str, Result]) -> Payload:
    """The payload of runs of one world, by the name that each has in the page.

    Raises:
        InputError: there is no run, or they are not of one world.
    """
    results = list(runs.values())
    if not results:
        raise InputError("report: needs a run")
    first = results[0]
    for name, other in runs.items():
        if not np.array_equal(other.tasks["demand"], first.tasks["demand"]):
            raise InputError(f"report: '{name}' is not of the same world as '{next(iter(runs))}'")
    packer = _Packer()
    heads = [(str(row["junction"]), str(row["group"])) for row in first.signals.to_dict("records")]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(heads))}
    signals = first.signals.assign(head=[numbers[key] for key in heads])
    shared = {
        "paths": packer.add(first.paths, SHARED["paths"]),
        "vehicles": packer.add(first.vehicles, SHARED["vehicles"]),
        "signals": packer.add(signals, SHARED["signals"]),
    }
    head = {
        "scenario": first.scenario.name,
        "about": first.scenario.about,
        "seed": first.run["seed"],
        "duration": first.run["duration"],
        "warmup": first.run["warmup"],
        "zeta": first.scenario.market.uav_weight,
        "heads": [list(key) for key in numbers],
        "categories": {"kind": TASK_KINDS, "status": STATUSES, "winner_kind": WINNER_KINDS, "state": SIGNAL_STATES,
                       "provider_kind": PROVIDER_KINDS},
        "stages": STAGES,
        "conditions": {name: list(said) for name, said in MARKET_CONDITIONS.items()},
        "figures": {name: list(said) for name, said in SUMMARY.items()},
        "vehicles": first.vehicles["name"].astype(str).tolist(),
        "ground": ground(first),
        "out": _outages(first),
        "tables": shared,
        "runs": [_run(name, result, packer) for name, result in runs.items()],
    }  # fmt: skip
    return Payload(head, packer.text())


def _run(name: str, result: Result, packer: _Packer) -> dict[str, Any]:
    return {
        "name": name,
        "policy": result.run["policy"],
        "mechanism": result.run["mechanism"],
        "information": result.run["information"],
        "summary": {str(key): plain(value) for key, value in result.summary.items()},
        "providers": [
            {str(key): plain(value) for key, value in row.items() if key not in ("name", "kind", "x", "y")}
            for row in result.providers.to_dict("records")
        ],
        "tables": {name: packer.add(getattr(result, name), columns) for name, columns in OWN.items()},
    }


def _outages(result: Result) -> list[list[float | int | None]]:
    """Provider, begin and end of each outage; the end is none where the run ended before."""
    begun: dict[int, float] = {}
    found: list[list[float | int | None]] = []
    events = result.events[result.events["kind"].isin(["provider_out", "provider_back"])]
    for row in events.to_dict("records"):
        provider, time = int(row["provider"]), float(row["time"])
        if row["kind"] == "provider_out":
            begun[provider] = time
        else:
            found.append([provider, begun.pop(provider, 0.0), time])
    return found + [[provider, begin, None] for provider, begin in begun.items()]


def plain(value: float) -> float | None:
    """A number as JSON has it: none for what is not finite."""
    return float(value) if math.isfinite(value) else None


class _Packer:
    """Columns one after the other, each at a multiple of eight bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def add(self, table: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, list[Any]]:
        """Add columns of a table: by name the type, the place in bytes and the number of rows."""
        return {name: self._add(table[name], kind) for name, kind in columns.items()}

    def _add(self, column: pd.Series, kind: str) -> list[Any]:
        values = column.cat.codes if column.dtype == "category" else column
        data = values.to_numpy().astype(f"<{kind}").tobytes()
        place = [kind, self._at, len(column)]
        data += bytes(-len(data) % 8)
        self._parts.append(data)
        self._at += len(data)
        return place

    def text(self) -> str:
        """Everything packed, as text."""
        return base64.b64encode(gzip.compress(b"".join(self._parts), 9, mtime=0)).decode("ascii")
