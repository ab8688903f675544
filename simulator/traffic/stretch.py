"""Stretches: the pieces of a route from one stop line to the next, with their coverage by each provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.model import BoolArray, FloatArray
from simulator.providers.attachment import departures, end_of_span
from simulator.providers.coverage import Spans, chord_ahead, circle_intervals
from simulator.providers.fleet import Fleet
from simulator.traffic.lanes import Lane
from simulator.traffic.plans import Road


class Ahead(NamedTuple):
    """The coverage of a place of a stretch and of the road ahead.

    Attributes:
        covered: which providers cover the place, shape (providers,).
        metres: covered road ahead on the stretch, m, shape (providers,); 0 where the place itself is not covered.
        goes_on: which providers cover the road up to the end of the stretch, shape (providers,).
        some_go_on: whether any provider covers the road up to the end of the stretch.
    """

    covered: BoolArray
    metres: FloatArray
    goes_on: BoolArray
    some_go_on: bool


class Departure(NamedTuple):
    """The place of a stretch at which a vehicle leaves the coverage of its station.

    Attributes:
        at_m: metres from the start of the stretch.
        station: id of the station; -1 if the vehicle renews its twin and leaves no coverage.
        x: place, m east.
        y: place, m north.
        ahead: coverage of the place and of the road ahead.
    """

    at_m: float
    station: int
    x: float
    y: float
    ahead: Ahead


@dataclass
class Stretch:
    """A piece of a route: across a junction, unless the vehicle has just entered the map, and along a road.

    Attributes:
        road: the road.
        label: name of the lane.
        x: corners, m east.
        y: corners, m north.
        at: metres from the start to each corner.
        speed_mps: speed limit, m/s.
        lane: lane before the stop line at the end; None without a stop line.
        fleet: providers.
        length: length of the stretch, m.
        spans: for each provider, the intervals (in, out) that it covers, in metres from the start.
        from_begin: coverage of the start and of the road ahead.
        heading: unit vector of the direction at the end.
        beyond_m: covered length of a straight road beyond the end, m, shape (providers,).
    """

    # Coverage depends on the place only. All vehicles drive the same few stretches, so it is computed once for each.

    road: Road
    label: str
    x: list[float]
    y: list[float]
    at: list[float]
    speed_mps: float
    lane: Lane | None
    fleet: Fleet
    length: float = field(init=False)
    spans: Spans = field(init=False)
    from_begin: Ahead = field(init=False)
    heading: tuple[float, float] = field(init=False)
    beyond_m: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        fleet, x, y = self.fleet, self.x, self.y
        circles = fleet.x, fleet.y, fleet.radius_m
        self.length = self.at[-1]
        (self.spans,) = circle_intervals(np.array(self.at), np.array(x), np.array(y), *circles)
        step = self.at[-1] - self.at[-2]
        self.heading = (x[-1] - x[-2]) / step, (y[-1] - y[-2]) / step
        self.beyond_m = chord_ahead(x[-1], y[-1], self.heading, *circles)
        self.from_begin = self.ahead(0.0)
        self._departures: dict[int, tuple[list[Departure], int]] = {}

    def place(self, metres: float) -> tuple[float, float]:
        """Return the place at a distance from the start, m east and m north.

        Args:
            metres: distance from the start, m.
        """
        for corner in range(1, len(self.at)):
            if metres <= self.at[corner] or corner == len(self.at) - 1:
                share = (metres - self.at[corner - 1]) / (self.at[corner] - self.at[corner - 1])
                x, y = self.x, self.y
                return (
                    x[corner - 1] + share * (x[corner] - x[corner - 1]),
                    y[corner - 1] + share * (y[corner] - y[corner - 1]),
                )
        raise AssertionError("a stretch has two corners or more")

    def departures(self, station: int) -> tuple[list[Departure], int]:
        """Return where a vehicle on this stretch leaves the coverage of its station.

        Args:
            station: id of the station to which the radio is attached at the start; -1 for none.

        Returns:
            The departures in order, and the id of the station at the end, -1 for none.
        """
        known = self._departures.get(station)
        if known is None:
            found, after = departures(self.spans, self.fleet, self.place, 0.0, self.length, station)
            places = [Departure(at, left, *self.place(at), self.ahead(at)) for at, left in found]
            known = self._departures[station] = places, after
        return known

    def ahead(self, at: float) -> Ahead:
        """Return the coverage of a place and of the road ahead.

        Args:
            at: metres from the start.
        """
        ends = np.array([end_of_span(spans, at) for spans in self.spans])
        covered = np.asarray(ends > at)
        goes_on = ends >= self.length
        return Ahead(covered, np.where(covered, ends - at, 0.0), goes_on, bool(goes_on.any()))
