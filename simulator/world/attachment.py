"""A vehicle's coverage over time, and the station that its radio is attached to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from simulator.world.fleet import Fleet

Spans = list[list[tuple[float, float]]]
"""For each provider the disjoint intervals (in, out), s, in which it covers something."""


class Coverage:
    """When each provider covers a vehicle, as far as the vehicle's way is known.

    Args:
        providers: how many providers there are.

    Attributes:
        known_until: up to when the way is known, s; nobody can tell what comes after.
    """

    def __init__(self, providers: int) -> None:
        self._spans: Spans = [[] for _ in range(providers)]
        self.known_until = -math.inf

    def extend(self, spans: Spans, until: float) -> None:
        """Take in the next piece of the way; a span that goes on where the last one ended is one span.

        Args:
            spans: for each provider its intervals on the piece.
            until: where in time the piece ends, s; `inf` if nothing comes after it.
        """
        for own, more in zip(self._spans, spans, strict=True):
            for begin, end in more:
                if own and own[-1][1] >= begin:
                    own[-1] = (own[-1][0], end)
                else:
                    own.append((begin, end))
        self.known_until = until

    def end(self, provider: int, now: float) -> float:
        """When the provider, which covers the vehicle at ``now``, ceases to; `inf` if not as far as is known.

        Returns -inf if it does not cover the vehicle at ``now``.
        """
        for begin, end in self._spans[provider]:
            if begin <= now < end:
                return end if end < self.known_until else math.inf
        return -math.inf

    def next_begin(self, providers: range, now: float) -> float:
        """When the next of these providers begins to cover the vehicle after ``now``; `inf` if none as far as known."""
        coming = [begin for provider in providers for begin, _ in self._spans[provider] if begin > now]
        return min(coming, default=math.inf)


class Attachment:
    """The station that a vehicle's radio is attached to.

    It attaches to the nearest station that covers the vehicle and stays until the distance exceeds that station's
    radius; then to the nearest that covers it at that moment, or the first that covers it again (model.md 3h).

    Args:
        fleet: the providers.

    Attributes:
        station: id of the station, -1 while none covers the vehicle.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.station = -1
        self._x, self._y = fleet.x.tolist(), fleet.y.tolist()
        self._stations = range(fleet.uavs, fleet.size)

    def departures(
        self, coverage: Coverage, begin: float, place: Callable[[float], tuple[float, float]]
    ) -> Iterator[tuple[float, int]]:
        """Every moment from ``begin`` on, as far as is known, at which the vehicle leaves its station's coverage.

        Args:
            coverage: the vehicle's coverage.
            begin: from when on, s.
            place: where the vehicle is at a time, m.

        Yields:
            (time, id of the station that it leaves).
        """
        now = begin
        while True:
            if self.station < 0:
                self.station = self._nearest(coverage, now, place)
            if self.station < 0:
                now = coverage.next_begin(self._stations, now)
                if now >= coverage.known_until:
                    return
                continue
            end = coverage.end(self.station, now)
            if end == math.inf:
                return
            left, self.station, now = self.station, -1, end
            yield now, left

    def _nearest(self, coverage: Coverage, now: float, place: Callable[[float], tuple[float, float]]) -> int:
        covering = [station for station in self._stations if coverage.end(station, now) > now]
        if len(covering) < 2:
            return covering[0] if covering else -1
        x, y = place(now)
        return min(covering, key=lambda station: math.hypot(self._x[station] - x, self._y[station] - y))
