"""The station to which a vehicle's radio is attached, and the time for which a provider covers the vehicle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from simulator.providers.coverage import Spans
from simulator.providers.fleet import Fleet


class Coverage(Protocol):
    """The time until which each provider really covers a vehicle, from a given moment on.

    No bidder and no price may look at it: it is the vehicle's future.
    """

    def end(self, provider: int) -> float:
        """Return the time at which a provider that covered the vehicle stops covering it, s.

        Args:
            provider: id of the provider.

        Returns:
            The time, or `inf` if it is not known yet.
        """
        ...

    def is_known(self, provider: int, time: float) -> bool:
        """Return whether it is known already if a provider covers the vehicle up to a time.

        Args:
            provider: id of the provider.
            time: the time, s.
        """
        ...

    def place(self, time: float) -> tuple[float, float]:
        """Return where the vehicle is at a time, as far as that is known, m east and m north.

        Args:
            time: a time from the given moment on, s.
        """
        ...


class KnownCoverage(NamedTuple):
    """The coverage of a vehicle whose complete trajectory is known.

    Attributes:
        ends: time at which each covering provider stops covering the vehicle, s, by id.
        place: function from a time, s, to the place of the vehicle, m east and m north.
    """

    ends: dict[int, float]
    place: Callable[[float], tuple[float, float]]

    def end(self, provider: int) -> float:
        """Return the time at which a provider stops covering the vehicle, s.

        Args:
            provider: id of a provider that covers the vehicle.
        """
        return self.ends[provider]

    def is_known(self, provider: int, time: float) -> bool:
        """Return True: the complete trajectory is known.

        Args:
            provider: id of the provider.
            time: any time, s.
        """
        return True


def end_of_span(spans: list[tuple[float, float]], at: float) -> float:
    """Return the end of the span that contains a point; -inf if no span does.

    Args:
        spans: disjoint spans (begin, end). The end does not belong to a span.
        at: the point.
    """
    for begin, end in spans:
        if begin <= at < end:
            return end
    return -math.inf


def departures(
    spans: Spans,
    fleet: Fleet,
    place: Callable[[float], tuple[float, float]],
    begin: float,
    end: float,
    station: int = -1,
) -> tuple[list[tuple[float, int]], int]:
    """Return every point of an axis at which a vehicle leaves the coverage of its station.

    The axis is time, or metres along the way of the vehicle. The radio attaches to the nearest station that covers the
    vehicle. It stays attached until the distance exceeds the radius of that station. Then it attaches to the nearest
    station that covers the vehicle at that point. If no station does, it attaches to the next one that will.

    Args:
        spans: spans of the axis in which each provider covers the vehicle.
        fleet: providers.
        place: function from a point of the axis to the place of the vehicle, m east and m north.
        begin: first point of the way.
        end: last known point of the way. A coverage that lasts up to this point does not count as left.
        station: id of the station to which the radio is attached at the start; -1 for none.

    Returns:
        The departures, each a point and the id of the station. Then the id of the station at the end, -1 for none.
    """
    stations = {one: own for one, own in spans.items() if one >= fleet.uavs}
    found: list[tuple[float, int]] = []
    now = begin
    while True:
        if station < 0:
            covering = [other for other, own in stations.items() if end_of_span(own, now) > now]
            if not covering:
                # Nobody covers the vehicle here. Go to the next point at which a station begins to.
                now = min((into for own in stations.values() for into, _ in own if into > now), default=math.inf)
                if now >= end:
                    return found, -1
                continue
            x, y = place(now)
            distance = {other: math.hypot(fleet.x[other] - x, fleet.y[other] - y) for other in covering}
            station = min(covering, key=distance.__getitem__)
        # -inf if the vehicle comes attached to a station that does not cover its first point: it leaves at once.
        out = end_of_span(stations.get(station, []), now)
        if out >= end:
            return found, station
        now = max(now, out)
        found.append((now, station))
        station = -1
