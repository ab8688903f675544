"""A scenario fitted to a recording: where its traffic is, and stations and a UAV that cover it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.errors import RecordingError, one_line
from simulator.model import BoolArray
from simulator.providers.fleet import Fleet
from simulator.traffic.recording import Recording

INNER_SHARE = 0.99
"""Share of the positions that the extent holds. A few stray positions must not move the stations."""

STATIONS, MOST_STATIONS = 6, 60
"""Number of stations on a ring, and largest number on a lattice."""

# As in `braunschweig`: cells overlap, but none covers the complete map, so that vehicles leave cells inside it.
RING, CELL, UAV_CELL = 0.8, 0.9, 1.5
"""Radius of the ring, of a station's coverage and of the UAV's coverage, divided by the radius of the traffic."""

# Half a spacing from a row of stations, a circle still spans two spacings and more: two stations cover each place.
SPACING = 0.75
"""Distance of two neighbours on a lattice, divided by the radius of their coverage."""

LARGEST_CELL_M = 300.0
"""Largest coverage radius of a station, m. A larger map gets stations on a lattice."""


class Extent(NamedTuple):
    """Where the traffic of a recording is.

    Attributes:
        x: middle of the traffic, m east.
        y: middle of the traffic, m north.
        radius_m: distance from the middle within which nearly all positions are, m.
    """

    x: float
    y: float
    radius_m: float


class Covered(NamedTuple):
    """How well providers cover the positions of a recording.

    Attributes:
        two_stations: share of the positions with two stations or more.
        uav: share of the positions with a UAV.
        both: share of the positions with two stations and a UAV.
        no_station: share of the positions without a station.
    """

    two_stations: float
    uav: float
    both: float
    no_station: float

    def __str__(self) -> str:
        return (
            f"two stations cover {self.two_stations:.0%} of the positions, a UAV {self.uav:.0%}, both {self.both:.0%}; "
            f"no station covers {self.no_station:.0%}"
        )


def extent(recording: Recording) -> Extent:
    """Return where the traffic of a recording is.

    Args:
        recording: the recording.
    """
    edge = 0.5 * (1.0 - INNER_SHARE)
    low_x, high_x = np.quantile(recording.x, [edge, 1.0 - edge])
    low_y, high_y = np.quantile(recording.y, [edge, 1.0 - edge])
    x, y = 0.5 * float(low_x + high_x), 0.5 * float(low_y + high_y)
    return Extent(x, y, float(np.quantile(np.hypot(recording.x - x, recording.y - y), INNER_SHARE)))


def covered(recording: Recording, fleet: Fleet) -> Covered:
    """Return how well providers cover the positions of a recording.

    Args:
        recording: the recording.
        fleet: providers.
    """
    inside: list[BoolArray] = [
        np.hypot(recording.x - x, recording.y - y) <= radius
        for x, y, radius in zip(fleet.x, fleet.y, fleet.radius_m, strict=True)
    ]
    nobody = np.zeros(len(recording.x), dtype=np.int64)
    uavs, stations = (sum(part, nobody) for part in (inside[: fleet.uavs], inside[fleet.uavs :]))
    two, flying = stations >= 2, uavs >= 1
    return Covered(float(two.mean()), float(flying.mean()), float((two & flying).mean()), float((stations == 0).mean()))


def describe(recording: Recording) -> str:
    """Return a line about a recording: vehicles, ranges, step, and speeds by position and by column.

    Args:
        recording: the recording.
    """
    inner = np.ones(len(recording.time) - 1, dtype=np.bool_)
    inner[recording.start[1:-1] - 1] = False
    steps, metres = np.diff(recording.time)[inner], np.hypot(np.diff(recording.x), np.diff(recording.y))[inner]
    driven = float(metres.sum() / steps.sum()) if steps.sum() > 0.0 else math.nan
    x, y = recording.x, recording.y
    return (
        f"{recording.vehicles:,} vehicles, {len(recording.time):,} positions, {recording.end:g} s; "
        f"x {x.min():.0f} to {x.max():.0f} m, y {y.min():.0f} to {y.max():.0f} m; "
        f"step {float(np.median(steps)) if len(steps) else math.nan:g} s; "
        f"mean speed {driven:.1f} m/s by position, {float(recording.speed.mean()):.1f} m/s by column"
    )


def stand(fleet: Fleet) -> str:
    """Return a sentence about where the ground stations stand.

    Args:
        fleet: providers, with one ground station or more.
    """
    x, y = fleet.x[fleet.uavs :], fleet.y[fleet.uavs :]
    return f"stations stand at x {x.min():.0f} to {x.max():.0f} m, y {y.min():.0f} to {y.max():.0f} m"


def scenario_text(recording: Recording, name: str, file: str, source: Path) -> str:
    """Return a scenario file that is fitted to a recording, with comments.

    Args:
        recording: the recording.
        name: name of the scenario.
        file: the recording as the scenario file names it.
        source: the recording, for messages.

    Raises:
        RecordingError: all positions are the same.
    """
    where = extent(recording)
    if where.radius_m <= 0.0:
        raise RecordingError(f"{source}: all positions are the same, so nothing can be fitted to them")
    cell = min(CELL * where.radius_m, LARGEST_CELL_M)
    if cell < LARGEST_CELL_M:
        stations = [
            f"  count: {STATIONS}",
            f"  center: [{where.x:.0f}, {where.y:.0f}]",
            f"  ring_m: {RING * where.radius_m:.0f}",
        ]
    else:
        places = lattice(recording, where, cell)
        stations = ["  placed:", *(f"    - {{name: s{n}, x: {x:.0f}, y: {y:.0f}}}" for n, (x, y) in places)]
    return "\n".join(
        [
            f"# Fitted to {one_line(source.name)}.",
            *(f"# {part}" for part in describe(recording).split("; ")),
            f"# 99 % of the positions are within {where.radius_m:.0f} m of ({where.x:.0f}, {where.y:.0f}).",
            f"name: {json.dumps(name, allow_nan=False)}",
            f"about: {json.dumps(f'recorded traffic of {source.name}', allow_nan=False)}",
            f"traffic: {{kind: recorded, file: {json.dumps(file, allow_nan=False)}}}",
            "# Cells overlap, and none covers the complete map: a task is requested where a vehicle leaves a cell.",
            "stations:",
            *stations,
            f"  radius_m: {cell:.0f}",
            "uavs:",
            "  count: 1",
            f"  center: [{where.x:.0f}, {where.y:.0f}]",
            f"  radius_m: {UAV_CELL * where.radius_m:.0f}",
            "  altitude_m: 100",
            "",
        ]
    )


def lattice(recording: Recording, where: Extent, cell: float) -> Iterator[tuple[int, tuple[float, float]]]:
    """Yield number and place of stations on a lattice, where there is traffic, the busiest first.

    Args:
        recording: the recording.
        where: where its traffic is.
        cell: coverage radius of a station, m.
    """
    apart = SPACING * cell
    column = np.round((recording.x - where.x) / apart).astype(np.int64)
    row = np.round((recording.y - where.y) / apart).astype(np.int64)
    places, counts = np.unique(np.stack([column, row]), axis=1, return_counts=True)
    busiest = np.asarray(places[:, np.argsort(-counts, kind="stable")][:, :MOST_STATIONS] * apart, dtype=np.float64)
    for number, (x, y) in enumerate(busiest.T.tolist(), 1):
        yield number, (where.x + x, where.y + y)
