"""Export of a run for other tools: Chrome trace events, CSV, floating-car data, JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import InputError, nearest
from simulator.files import replacing
from simulator.model import FloatArray
from simulator.model.latency import STAGES
from simulator.record.result import Result
from simulator.record.schema import TABLES
from simulator.view.escape import without_formulas, xml_attribute

if TYPE_CHECKING:
    import pandas as pd

STEP_S = 1.0
"""Time between two steps of floating-car data, s."""

# Centimetres: SUMO writes two decimal places by default too.
DIGITS = 2
"""Decimal places of positions (m), speeds (m/s), angles (degrees) and times (s) in floating-car data."""

MOST_PLACES = 20_000_000
"""Largest number of rows of floating-car data, which take 3 GB of memory; an hour of a large city has 6 million."""

MICROSECONDS = 1e6
"""Microseconds per second: the unit of time in Chrome trace events."""


def export(result: Result, to: str, path: Path) -> None:
    """Write a run in another format.

    Args:
        result: the run.
        to: name of the format: `perfetto`, `csv`, `sumo-fcd` or `jsonl`.
        path: file to write; for `csv` a folder. It must not exist.

    Raises:
        InputError: there is no such format, or the run has no data for it.
        OutputError: the path exists or cannot be written, or the tables of the run do not belong together.
    """
    if to not in FORMATS:
        raise InputError(f"format: there is no format '{to}'; {nearest(to, FORMATS)}")
    result.check()
    with replacing(path) as new:
        FORMATS[to][0](result, new)


def beside(directory: Path, to: str) -> Path:
    """Return the default path of an export: next to the run folder, with its name and the ending of the format."""
    ending = FORMATS[to][1] if to in FORMATS else ""
    if directory.name in ("", ".."):  # the working directory, or the one above, has its name elsewhere
        directory = directory.resolve()
    return directory.with_name(directory.name + ending)


def _csv(result: Result, folder: Path) -> None:
    """Write one CSV file per table, and one of the summary. No text in them is a formula of a spreadsheet."""
    folder.mkdir()
    for name in TABLES:
        without_formulas(getattr(result, name)).to_csv(folder / f"{name}.csv", index=False)
    result.summary.rename_axis("figure").rename("value").to_csv(folder / "summary.csv")


def _jsonl(result: Result, path: Path) -> None:
    """Write one JSON object per event, with the names of providers and vehicles.

    A value that is infinite is null.
    """
    # A key that an event does not have (no task, no provider, value NaN) is left out, because JSON has no NaN.
    providers, vehicles = _names(result.providers, "provider"), _names(result.vehicles, "vehicle")
    with path.open("w", encoding="utf-8") as file:
        for row in _rows(result.events):
            event: dict[str, Any] = {"time": row["time"], "kind": row["kind"]}
            if row["vehicle"] >= 0:
                event["vehicle"] = vehicles.get(row["vehicle"], str(row["vehicle"]))
            if row["task"] >= 0:
                event["task"] = row["task"]
            if row["provider"] >= 0:
                event["provider"] = providers[row["provider"]]
            if not math.isnan(row["value"]):
                event["value"] = _plain(row["value"])
            file.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")


def _perfetto(result: Result, path: Path) -> None:
    """Write Chrome trace events (https://ui.perfetto.dev): one process per provider, one track or more per stage.

    The stages of a task are connected by a flow.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit": "ms", "traceEvents": [\n')
        for number, event in enumerate(_trace_events(result)):
            file.write((",\n" if number else "") + json.dumps(event, ensure_ascii=False, allow_nan=False))
        file.write("\n]}\n")


TOLD = ("top_bid", "second_bid", "uav_bid", "paid_by_provider", "paid_by_vehicle")
"""Columns of `auctions` that a trace shows under every mechanism."""

AUCTIONEER = 0
"""Process id of the auctions in a trace. Provider i has the process id i + 1."""


def _trace_events(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the trace events: names of tracks, then auctions, then stages with their flows."""
    stages = result.scenario.tasks.stages
    yield _named_track("process_name", AUCTIONEER, 0, "auctions")
    for provider, name in _names(result.providers, "provider").items():
        yield _named_track("process_name", provider + 1, 0, name)
        for stage_name in stages:
            yield _named_track("thread_name", provider + 1, STAGES.index(stage_name), stage_name)
    own = [str(name) for name, *_ in result.run["columns"]["auctions"]]
    for row in _rows(result.auctions):
        told = {name: _plain(row[name]) for name in (*TOLD, *own)}
        yield {"name": f"task {row['task']}: {row['winner_kind']}", "cat": "auction", "ph": "i", "s": "p",
               "ts": row["time"] * MICROSECONDS, "pid": AUCTIONEER, "tid": 0, "args": told}  # fmt: skip
    # In `rounds` nobody queues, so tasks overlap in a stage. Slices of one track must not overlap: each task takes the
    # first track of its stage that is free.
    free: dict[tuple[int, int], list[float]] = {}
    begun: set[int] = set()
    for start, end, provider, stage, task in sorted(_served_stages(result)):
        tracks = free.setdefault((provider, stage), [])
        number = next((number for number, until in enumerate(tracks) if until <= start), len(tracks))
        tracks[number:] = [end, *tracks[number + 1 :]]
        track = {"pid": provider + 1, "tid": stage + number * len(STAGES)}
        if number and len(tracks) == number + 1:
            yield _named_track("thread_name", track["pid"], track["tid"], f"{STAGES[stage]} {number + 1}")
        yield {"name": f"task {task}", "cat": "stage", "ph": "X", "ts": start, "dur": end - start, **track}
        # A flow starts in the first stage of the task, continues, and finishes in the last one.
        phase = "f" if STAGES[stage] == stages[-1] else "t" if task in begun else "s"
        begun.add(task)
        flow: dict[str, Any] = {"name": f"task {task}", "cat": "task", "ph": phase, "id": task, "ts": start, **track}
        # "bp": "e" binds the end of a flow to the slice that encloses it. Without it the arrow goes to the next slice.
        yield flow | ({"bp": "e"} if phase == "f" else {})


def _served_stages(result: Result) -> Iterator[tuple[float, float, int, int, int]]:
    """Yield start and end, microseconds, provider, stage and task of each stage that was served to its end."""
    # From the events and not from the table of tasks: an event says when a stage really began and ended.
    # A stage that was cut off by an outage or by the end of the run has no end, and is left out.
    begun: dict[tuple[int, int], float] = {}
    for row in _rows(result.events[result.events["kind"].isin(["stage_started", "stage_finished"])]):
        now: float = row["time"] * MICROSECONDS
        task, stage = int(row["task"]), int(row["value"])
        if row["kind"] == "stage_started":
            begun[task, stage] = now
        else:
            yield begun.pop((task, stage)), now, int(row["provider"]), stage, task


def _named_track(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    """Return the metadata event that names a process or a track."""
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _plain(value: float) -> float | None:
    """Return a number as JSON has it: null for NaN and for infinity."""
    return value if math.isfinite(value) else None


def _sumo_fcd(result: Result, path: Path) -> None:
    """Write SUMO's ``fcd-export``: position, speed, heading and lane of each vehicle on the map, every second.

    Times are those of the recording that was driven.
    """
    if not len(result.paths):
        raise InputError(f"format: a run of '{result.scenario.name}' has no paths, because no vehicle drives in it")
    spans = result.paths.groupby("vehicle")["time"].agg(["min", "max"])
    count = len(spans) + float((spans["max"] - spans["min"]).sum()) / STEP_S
    if count > MOST_PLACES:
        raise InputError(f"format: sumo-fcd would have {count:,.0f} rows, and can have {MOST_PLACES:,}; run less time")
    names = _names(result.vehicles, "vehicle")
    steps, origin = _sampled(result.paths), float(result.run["time_origin"])
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<fcd-export>\n')
        for time, places in steps:
            file.write(f'<timestep time="{origin + time:.{DIGITS}f}">\n')
            for vehicle, lane, *numbers in places:
                x, y, speed, angle = (f'"{number:.{DIGITS}f}"' for number in numbers)
                file.write(
                    f"<vehicle id={xml_attribute(names[vehicle])} x={x} y={y} angle={angle} speed={speed} "
                    f"lane={xml_attribute(lane)}/>\n"
                )
            file.write("</timestep>\n")
        file.write("</fcd-export>\n")


Place = tuple[int, str, float, float, float, float]
"""State of a vehicle: its id, lane, x and y in m, speed in m/s, and heading in degrees clockwise from north."""


def _sampled(paths: pd.DataFrame) -> list[tuple[float, list[Place]]]:
    """Return the states of all vehicles at each full step, interpolated between the rows of `paths`."""
    # Step 0 is written even if no vehicle is there: it tells a reader of the file when the run began.
    # Lane and speed are those of the last row of `paths`; positions lie between that row and the next.
    steps: dict[int, list[Place]] = {0: []}
    vehicles, starts = np.unique(paths["vehicle"].to_numpy(), return_index=True)
    columns = [paths[name].to_numpy() for name in ("time", "x", "y", "speed", "lane")]
    for vehicle, begin, end in zip(vehicles.tolist(), starts, [*starts[1:], len(paths)], strict=True):
        time, x, y, speed, lane = (column[begin:end] for column in columns)
        moments = np.arange(math.ceil(time[0] / STEP_S), math.floor(time[-1] / STEP_S) + 1)
        east, north = (np.interp(moments * STEP_S, time, along) for along in (x, y))
        heading = _headings(x, y)
        for at, row in enumerate(np.searchsorted(time, moments * STEP_S, side="right") - 1):
            place = (vehicle, str(lane[row]), east[at], north[at], speed[row], heading[row])
            steps.setdefault(int(moments[at]), []).append(place)
    return [(moment * STEP_S, steps[moment]) for moment in sorted(steps)]


def _headings(x: FloatArray, y: FloatArray) -> list[float]:
    """Return the heading from each place to the next, in degrees clockwise from north.

    A vehicle that stands keeps its heading, and so does the last place of a path.
    """
    found, heading = [], 0.0
    for east, north in zip(np.diff(x).tolist(), np.diff(y).tolist(), strict=True):
        if east or north:
            heading = math.degrees(math.atan2(east, north)) % 360.0
        found.append(heading)
    return [*found, heading]


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as dictionaries of Python values."""
    # Column by column: `DataFrame.iterrows` makes a Series per row and is many times slower.
    columns = {str(name): table[name].tolist() for name in table.columns}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _names(table: pd.DataFrame, key: str) -> dict[int, str]:
    """Return names by id."""
    return dict(zip(table[key].tolist(), table["name"].astype(str).tolist(), strict=True))


FORMATS: dict[str, tuple[Callable[[Result, Path], None], str]] = {
    "perfetto": (_perfetto, ".perfetto.json"),
    "csv": (_csv, "-csv"),
    "sumo-fcd": (_sumo_fcd, ".fcd.xml"),
    "jsonl": (_jsonl, ".events.jsonl"),
}
"""Formats by name: the function that writes one, and the ending of its file name."""
