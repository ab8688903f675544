"""A vehicle on its route, and the time for which providers cover it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from simulator.model.following import Path, metres, time_at, with_start
from simulator.providers.attachment import end_of_span
from simulator.traffic.contract import DEPARTING_MPS
from simulator.traffic.network import Network
from simulator.traffic.plans import Road
from simulator.traffic.stretch import Stretch


class Vehicle:
    """A vehicle on its route.

    Attributes:
        id: number of the vehicle in the order of arrival.
        pace: free speed divided by the speed limit.
        route: roads of the route.
        entered: time of entry, s; while its path is not known, that of its arrival at the edge of the map.
        held_s: time for which a full approach has held it back outside the map, s.
        left: time at which the vehicle leaves the map, s; NaN while that is not known.
        stretches: stretches whose path is known, each with the path of the vehicle on it.
        lane: lane on the last stretch that it has entered.
        renewals: times at which it would renew its twin, s, from the next one on.
        renewal_s: the next of them, s; `inf` if there is none.
        start: loss, s, and distance, m, of its start on the next stretch, because it has stood before the stop line.
        station: id of the station to which its radio is attached at the end of the known stretches; -1 for none.
        free_s: travel time at free flow on the known stretches, s.
        requests: number of tasks that it could have requested.
        tasks: number of requested tasks.
    """

    __slots__ = (
        "entered", "free_s", "held_s", "id", "lane", "left", "pace", "renewal_s", "renewals", "requests", "route",
        "start", "station", "stretches", "tasks",
    )  # fmt: skip

    def __init__(self, vehicle: int, pace: float, route: list[Road], entered: float, renewals: Iterator[float]) -> None:
        self.id, self.pace, self.route, self.entered = vehicle, pace, route, entered
        self.renewals, self.renewal_s = renewals, next(renewals, math.inf)
        self.left = math.nan
        self.stretches: list[tuple[Stretch, Path]] = []
        self.free_s = self.held_s = 0.0
        self.requests = self.tasks = self.lane = 0
        self.station = -1
        self.start = 0.0, 0.0

    def free_path(self, stretch: Stretch, begin: float, start: tuple[float, float]) -> Path:
        """Return the path of the vehicle along a stretch without a stop line.

        Args:
            stretch: the stretch.
            begin: time at which the vehicle enters it, s.
            start: loss, s, and distance, m, of its start.
        """
        late = begin + start[0]
        path = [(late, 0.0), (late + stretch.length / (stretch.speed_mps * self.pace), stretch.length)]
        return with_start(path, begin, *start)

    def leaving_mps(self, last: Stretch) -> float:
        """Return the speed at which the vehicle continues beyond the edge of the map, m/s.

        Args:
            last: last stretch of the route.
        """
        return max(last.speed_mps * self.pace, DEPARTING_MPS)


class CoverageAhead(NamedTuple):
    """The coverage of a vehicle from a place on.

    Attributes:
        vehicle: the vehicle.
        number: index of the stretch of the place.
        at_m: metres from the start of that stretch.
        network: road network.
        follow: function that works out the path of the vehicle up to a time, s.
    """

    # It holds the vehicle and not times: a path is known only when the vehicle ahead has crossed the stop line.

    vehicle: Vehicle
    number: int
    at_m: float
    network: Network
    follow: Callable[[Vehicle, float], None]

    def end(self, provider: int) -> float:
        """Return the time at which a provider that covers the place stops covering the vehicle, s.

        Args:
            provider: id of the provider.

        Returns:
            The time, or `inf` if the path is not known so far.
        """
        vehicle, at = self.vehicle, self.at_m
        for stretch, path in chain(vehicle.stretches[self.number :], self._onward()):
            out = end_of_span(stretch.spans.get(provider, []), at)
            if out < stretch.length:
                return time_at(path, out)
            at = 0.0
        if stretch.road != vehicle.route[-1]:
            return math.inf
        # The edge of the map is not the edge of coverage: the vehicle continues straight on.
        return path[-1][0] + stretch.beyond_m[provider] / vehicle.leaving_mps(stretch)

    def is_known(self, provider: int, time: float) -> bool:
        """Return whether it is known already if a provider covers the vehicle up to a time.

        Args:
            provider: id of the provider.
            time: the time, s.
        """
        return time <= self.vehicle.stretches[-1][1][-1][0] or self.end(provider) < math.inf

    def place(self, time: float) -> tuple[float, float]:
        """Return where the vehicle is at a time, m east and m north.

        Args:
            time: a time from the request on, s.
        """
        self.follow(self.vehicle, time)
        for stretch, path in chain(self.vehicle.stretches[self.number :], self._onward()):
            if time <= path[-1][0]:
                return stretch.place(metres(path, time))
        # The edge of the map is not the end of the road.
        return stretch.place(stretch.length + (time - path[-1][0]) * self.vehicle.leaving_mps(stretch))

    def _onward(self) -> Iterator[tuple[Stretch, Path]]:
        """Iterate over the stretches ahead on which nothing can hold the vehicle, up to the next stop line."""
        vehicle, network, lane = self.vehicle, self.network, self.vehicle.lane
        number = len(vehicle.stretches)
        time, start = vehicle.stretches[-1][1][-1][0], vehicle.start
        while number < len(vehicle.route) and not network.has_stop_line(vehicle.route[number]):
            before, road = vehicle.route[number - 1 : number + 1]
            lane_before, lane = lane, network.rightmost_lane(road)
            stretch = network.stretch(before, lane_before, road, lane)
            path = vehicle.free_path(stretch, time, start)
            yield stretch, path
            time, number, start = path[-1][0], number + 1, (0.0, 0.0)
