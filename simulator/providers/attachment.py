"""Which station a vehicle's radio is attached to, and how long a provider covers the vehicle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from simulator.providers.coverage import Spans
from simulator.providers.fleet import Fleet


class Coverage(Protocol):
    """How long each provider covers a vehicle from a moment on; no bidder and no price looks into it."""

    def end(self, provider: int) -> float:
        """When the provider, which covered the vehicle at that moment, ceases to, s; `inf` if that is not known yet."""
        ...


class KnownCoverage(NamedTuple):
    """The coverage of a vehicle whose whole way is known.

    Attributes:
        ends: when each provider ceases to cover it, s, by id; what covers nothing has any time before now.
    """

    ends: list[float]

    def end(self, provider: int) -> float:
        """When the provider ceases to cover the vehicle, s."""
        return self.ends[provider]


def end_of_span(spans: list[tuple[float, float]], at: float) -> float:
    """Where the span that holds a point ends; -inf if none does."""
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
    """Every point of an axis at which a vehicle leaves the coverage of the station that it is attached to.

    The radio attaches to the nearest station that covers the vehicle and stays until the distance exceeds that
    station's radius; then to the nearest that covers it there, or the first that covers it again.

    Args:
        spans: where each provider covers the vehicle, by time or by metres of its way.
        fleet: the providers.
        place: where the vehicle is at a point of the axis, m.
        begin: the point at which it comes.
        end: the point up to which its way is known; leaving a coverage there is left to what comes after.
        station: the station that it is attached to when it comes, -1 for none.

    Returns:
        The departures, (point, id of the station that it leaves), and the station it is attached to at the end.
    """
    stations = range(fleet.uavs, fleet.size)
    found: list[tuple[float, int]] = []
    now = begin
    while True:
        if station < 0:
            covering = [other for other in stations if end_of_span(spans[other], now) > now]
            if not covering:
                now = min((into for other in stations for into, _ in spans[other] if into > now), default=math.inf)
                if now >= end:
                    return found, -1
                continue
            x, y = place(now)
            distance = {other: math.hypot(fleet.x[other] - x, fleet.y[other] - y) for other in covering}
            station = min(covering, key=distance.__getitem__)
        out = end_of_span(spans[station], now)
        if out >= end:
            return found, station
        now = max(now, out)
        found.append((now, station))
        station = -1
