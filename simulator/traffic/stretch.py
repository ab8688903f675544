"""Stretches: what vehicles drive in one go, from stop line to stop line, and who covers them where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.model import BoolArray, FloatArray
from simulator.model.following import Path
from simulator.model.signals import EffectiveGreen
from simulator.providers.attachment import departures, end_of_span
from simulator.providers.coverage import Spans, chord_ahead, circle_intervals
from simulator.providers.fleet import Fleet

Road = tuple[str, str]
"""A road by the nodes at its begin and end."""


@dataclass
class Lane:
    """One lane before a stop line: who crossed last, and the path that the next vehicle follows.

    Attributes:
        plan: when it discharges.
        last_s: when the last vehicle that has entered it crosses the stop line, s.
        leader: that vehicle's path to the stop line.
        leader_length: length of the stretch on which it came, m.
    """

    plan: EffectiveGreen
    last_s: float = -math.inf
    leader: Path | None = None
    leader_length: float = 0.0


class Ahead(NamedTuple):
    """Who covers a place of a stretch, and for how much of the road ahead.

    Attributes:
        covered: which providers cover it, shape (providers,).
        metres: covered road ahead on the stretch, m, shape (providers,); 0 for who does not cover it.
        goes_on: whose coverage reaches the end of the stretch, shape (providers,).
        some_go_on: whether anybody's does.
    """

    covered: BoolArray
    metres: FloatArray
    goes_on: BoolArray
    some_go_on: bool


class Departure(NamedTuple):
    """A place of a stretch at which a vehicle leaves the coverage of the station that its radio is attached to.

    Attributes:
        at_m: metres from the begin of the stretch.
        station: id of the station that it leaves.
        x: place, m east.
        y: place, m north.
        ahead: who covers the place.
    """

    at_m: float
    station: int
    x: float
    y: float
    ahead: Ahead


@dataclass
class Stretch:
    """Across a junction, unless the vehicle has just entered, and along a road; coverage is computed once.

    Attributes:
        road: the road.
        label: the lane's name.
        x: corners, m east.
        y: corners, m north.
        at: metres from the begin of each corner.
        speed_mps: speed limit, m/s.
        lane: the lane before the stop line at its end, None where vehicles leave the map.
        fleet: the providers.
        length: length, m.
        spans: for each provider the intervals (in, out) that it covers, in metres from the begin.
        from_begin: who covers its begin.
        heading: unit vector of the direction in which it ends.
        beyond_m: covered road ahead, m, if a vehicle drives straight on beyond its end, shape (providers,).
    """

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
        self.from_begin = self._ahead(0.0)
        self._departures: dict[int, tuple[list[Departure], int]] = {}

    def place(self, metres: float) -> tuple[float, float]:
        """The place that many metres from the begin, m."""
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
        """Where a vehicle that comes attached to a station, or to none (-1), leaves coverage.

        Returns:
            The departures in order, and the station that it is attached to at the end.
        """
        known = self._departures.get(station)
        if known is None:
            found, after = departures(self.spans, self.fleet, self.place, 0.0, self.length, station)
            places = [Departure(at, left, *self.place(at), self._ahead(at)) for at, left in found]
            known = self._departures[station] = places, after
        return known

    def _ahead(self, at: float) -> Ahead:
        ends = np.array([end_of_span(spans, at) for spans in self.spans])
        covered = np.asarray(ends > at)
        goes_on = ends >= self.length
        return Ahead(covered, np.where(covered, ends - at, 0.0), goes_on, bool(goes_on.any()))
