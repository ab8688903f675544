"""Stretches: the pieces of a route from one stop line to the next, with their coverage by each provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.model import FloatArray, IntArray
from simulator.providers.attachment import departures, end_of_span
from simulator.providers.coverage import Spans, chord_ahead, circle_intervals
from simulator.providers.fleet import Fleet
from simulator.traffic.lanes import Lane
from simulator.traffic.plans import Road


class Ahead(NamedTuple):
    """The coverage of a place of a stretch and of the road ahead.

    Attributes:
        providers: ids of the providers that cover the place, ascending.
        metres: covered road ahead on the stretch by each of them, m.
        goes_on: those of them that cover the road up to the end of the stretch.
    """

    providers: IntArray
    metres: FloatArray
    goes_on: frozenset[int]


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
        spans: intervals (in, out) that a provider covers, in metres from the start, by id.
        from_begin_m: covered road from the start by each provider that covers the start, m, by id.
        heading: unit vector of the direction at the end.
        beyond_m: covered length of a straight road beyond the end by each provider that covers the end, m, by id.
    """

    # Coverage depends on the place only. All vehicles drive the same few stretches, so it is computed once for each.
    # Nothing here has an entry for a provider that is far away: a city has hundreds of them.

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
    from_begin_m: dict[int, float] = field(init=False)
    heading: tuple[float, float] = field(init=False)
    beyond_m: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        fleet, x, y = self.fleet, self.x, self.y
        self.length = self.at[-1]
        (self.spans,) = circle_intervals(np.array(self.at), np.array(x), np.array(y), *fleet.circles())
        step = self.at[-1] - self.at[-2]
        self.heading = (x[-1] - x[-2]) / step, (y[-1] - y[-2]) / step
        at_end = [one for one, spans in self.spans.items() if spans[-1][1] >= self.length]
        beyond = chord_ahead(x[-1], y[-1], self.heading, *fleet.circles(at_end))
        self.beyond_m = dict(zip(at_end, beyond.tolist(), strict=True))
        begin = self.ahead(0.0)
        self.from_begin_m = dict(zip(begin.providers.tolist(), begin.metres.tolist(), strict=True))
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
        ends = {one: end_of_span(spans, at) for one, spans in self.spans.items()}
        ends = {one: end for one, end in ends.items() if end > at}
        goes_on = frozenset(one for one, end in ends.items() if end >= self.length)
        return Ahead(np.array(list(ends), dtype=np.int64), np.array(list(ends.values())) - at, goes_on)
