"""The interface between traffic, the market and the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from simulator.model import FloatArray, IntArray
from simulator.providers.attachment import Coverage

# A vehicle whose trajectory ends at standstill would otherwise stay covered for ever.
DEPARTING_MPS = 5.0
"""Least speed at which a vehicle continues beyond the edge of the map, m/s."""


Columns = dict[str, Any]
"""Columns of a table by name. All are arrays or sequences of one length."""


class Crossing(NamedTuple):
    """The moment at which a vehicle leaves the coverage of the station to which its radio is attached.

    Attributes:
        time: time of the crossing, s.
        station: id of the station.
        x: place, m east.
        y: place, m north.
        providers: ids of the providers that cover the vehicle now, ascending.
        dwell_s: time for which each of them is expected to cover the vehicle from now on, s.
        coverage: time until which each provider really covers the vehicle. No bidder and no price may look at it.
    """

    time: float
    station: int
    x: float
    y: float
    providers: IntArray
    dwell_s: FloatArray
    coverage: Coverage


CrossingHook = Callable[[int, int, Crossing], None]
"""Function of (id of the vehicle, number of its request, crossing)."""


class Traffic(Protocol):
    """Vehicles as the tables see them."""

    def came(self, time: float) -> int:
        """Return the number of vehicles that have come before a time. They have the first ids.

        Args:
            time: the time, s.
        """
        ...

    def came_s(self, vehicle: int) -> float:
        """Return the time at which a vehicle came, s. A later vehicle has a higher id.

        Args:
            vehicle: its id.
        """
        ...

    def gone(self, time: float) -> int:
        """Return the number of the first vehicles that have all left the map before a time.

        Args:
            time: the time, s.
        """
        ...

    def forget(self, vehicles: int, time: float) -> None:
        """Forget the first vehicles, and what happened at stop lines before a time. Nobody asks for them again.

        Args:
            vehicles: number of the vehicles.
            time: the time, s.
        """
        ...

    def vehicle_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `vehicles`.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        ...

    def path_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `paths`.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        ...

    def signal_rows(self, duration: float) -> Columns:
        """Return the columns of the table `signals`.

        Args:
            duration: end of the run, s.
        """
        ...

    def queue_events(self, duration: float) -> FloatArray:
        """Return when vehicles joined the queue at a stop line and when they crossed the line.

        Args:
            duration: time before which that was, s.

        Returns:
            Rows (time, s; id of the vehicle; 0 to join the queue, 1 to cross), shape (events, 3).
        """
        ...


class Vehicles(Traffic, Protocol):
    """Vehicles as the world sees them: traffic that can be started."""

    def kept_bytes(self) -> int:
        """Return the memory of what belongs to this run alone, bytes."""
        ...

    def start(self, on_crossing: CrossingHook) -> None:
        """Start the vehicles.

        Args:
            on_crossing: function that is called when a vehicle leaves the coverage of its station.
        """
        ...


def until_the_end(paths: dict[str, Any], duration: float) -> Columns:
    """Cut the table `paths` at the end of a run.

    Args:
        paths: columns of complete trajectories, in the order of vehicle and time.
        duration: end of the run, s.

    Returns:
        The rows before the end of the run, and one row at the end per vehicle that is still there.
    """
    # The first row of a vehicle after the end is moved back to the end, along the line from the row before.
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
