"""What every kind of traffic tells the market and the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from simulator.model import BoolArray, FloatArray
from simulator.providers.attachment import Coverage

DEPARTING_MPS = 5.0
"""A vehicle that has left the map goes on at least this fast, m/s."""


Columns = dict[str, Any]
"""Columns of a table by name, each an array or a sequence of one length."""


class Crossing(NamedTuple):
    """A vehicle leaves the coverage of the station that its radio is attached to.

    Attributes:
        time: when, s.
        station: id of the station that it leaves.
        x: place, m east.
        y: place, m north.
        covered: which providers cover the vehicle now, shape (providers,).
        dwell_s: how long each is expected to cover it still, s, shape (providers,).
        coverage: how long each will really cover it; no bidder and no price looks into it.
    """

    time: float
    station: int
    x: float
    y: float
    covered: BoolArray
    dwell_s: FloatArray
    coverage: Coverage


CrossingHook = Callable[[int, int, Crossing], None]
"""Called with (vehicle, request index, crossing) when a vehicle leaves the coverage of its station."""


class Traffic(Protocol):
    """Vehicles of one kind or another, as the tables want them; every column is an array or a sequence."""

    def vehicle_rows(self, duration: float) -> Columns:
        """The columns of the table `vehicles`."""
        ...

    def path_rows(self, duration: float) -> Columns:
        """The columns of the table `paths`."""
        ...

    def signal_rows(self, duration: float) -> Columns:
        """The columns of the table `signals`."""
        ...

    def queue_events(self, duration: float) -> FloatArray:
        """When vehicles came to stand before a stop line and when they crossed it: rows (time, vehicle, 0 or 1)."""
        ...


class Vehicles(Traffic, Protocol):
    """Traffic that can be started."""

    def start(self, on_crossing: CrossingHook) -> None:
        """Let the vehicles drive.

        Args:
            on_crossing: called when a vehicle leaves the coverage of its station.
        """
        ...


def until_the_end(paths: dict[str, Any], duration: float) -> Columns:
    """Rows of `paths` before the end of a run, and one at it for each vehicle that is still under way.

    Args:
        paths: the columns, in order of vehicle and time, of all that is known of the vehicles' ways.
        duration: the end, s.
    """
    vehicle, time = paths["vehicle"], paths["time"]
    inside = time < duration
    closing = 1 + np.flatnonzero(inside[:-1] & ~inside[1:] & (vehicle[1:] == vehicle[:-1]))
    share = (duration - time[closing - 1]) / (time[closing] - time[closing - 1])
    closed = {name: column.copy() for name, column in paths.items()}
    for axis in ("x", "y"):
        before, after = paths[axis][closing - 1], paths[axis][closing]
        closed[axis][closing] = before + share * (after - before)
    for name in ("speed", "lane"):
        closed[name][closing] = paths[name][closing - 1]
    closed["time"][closing] = duration
    keep = inside.copy()
    keep[closing] = True
    return {name: column[keep] for name, column in closed.items()}
