"""The flow of vehicles: they follow each other, queue at stop lines, and yield when they turn left.

A vehicle's path follows from that of the vehicle ahead, which is known when that vehicle has crossed the stop line. A
left turn looks for a gap in the traffic that is already on the opposite approach. So the flow runs ahead of the
simulated time, stop line by stop line, as far as the next request needs it. Nothing in it depends on the market.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import chain, count, pairwise, repeat
from typing import NamedTuple

import numpy as np

from simulator.draws import Draws
from simulator.model.following import Path, follow, metres, start, time_at, with_start
from simulator.scenario.traffic import GeneratedTraffic
from simulator.traffic.arrivals import arrival_times
from simulator.traffic.lanes import Lane
from simulator.traffic.network import Network
from simulator.traffic.plans import Movement, Road
from simulator.traffic.renewals import Renewals
from simulator.traffic.stretch import Departure, Stretch
from simulator.traffic.vehicles import Vehicle

# Random turns alone might lead a vehicle through a grid without end.
MOST_TURNS = 32
"""Number of random turns of a vehicle. At later junctions it takes the first road in the list."""

VEHICLES_PER_BLOCK = 64
"""Vehicles whose random numbers are drawn with one generator."""

SLOWEST, FASTEST = 0.6, 1.4
"""Limits of a free speed, divided by the speed limit."""


class Queued(NamedTuple):
    """A vehicle that drives to a stop line, with its path not yet known.

    Attributes:
        vehicle: the vehicle.
        stretch: stretch that it is on.
        entered: time at which it has entered the stretch, s.
        movement: what it will do at the junction.
        number: number of the entry.
    """

    vehicle: Vehicle
    stretch: Stretch
    entered: float
    movement: Movement
    number: int


class Passing(NamedTuple):
    """A vehicle that leaves the coverage of its station, or renews its twin.

    Attributes:
        time: time, s.
        vehicle_id: id of the vehicle. Of one moment, the vehicle with the lower id comes first.
        number: index of the stretch.
        order: index of the departure on the stretch; renewals come after departures.
        vehicle: the vehicle.
        departure: the place.
    """

    time: float
    vehicle_id: int
    number: int
    order: int
    vehicle: Vehicle
    departure: Departure


class Flow:
    """Vehicles on a road network, as far ahead as their paths are known.

    Args:
        traffic: traffic of the scenario.
        network: road network.
        draws: randomness of the run, for arrivals, speeds and routes.
        renewals: times at which vehicles would renew their twins.
        uavs: number of UAVs, which have the first ids.

    Attributes:
        vehicles: vehicles that have arrived so far and are not forgotten, by id, in the order of their ids.
        arrivals: times at which all vehicles have arrived, s, by id.
        queue_events: flat rows (time, s; id of the vehicle; 0 to join a queue, 1 to cross the stop line).
    """

    def __init__(
        self, traffic: GeneratedTraffic, network: Network, draws: Draws, renewals: Renewals, uavs: int
    ) -> None:
        self.vehicles: dict[int, Vehicle] = {}
        self.arrivals = array("d")
        self.queue_events = array("d")
        self._traffic, self._network, self._renewals, self._uavs = traffic, network, renewals, uavs
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._passings: list[Passing] = []
        # Entries into stretches by time, with their numbers, and the numbers of those whose path is not known yet.
        self._unknown: list[tuple[float, int]] = []
        self._queued: set[int] = set()
        self._queues: defaultdict[Lane, deque[Queued]] = defaultdict(deque)

        @lru_cache(maxsize=64)
        def of_block(block: int) -> tuple[list[float], list[list[float]]]:
            """Return the paces of a block of vehicles, and a uniform number for each turn of each vehicle."""
            rng = draws.generator("vehicles", block)
            speeds = np.clip(1.0 + traffic.speed_sd * rng.standard_normal(VEHICLES_PER_BLOCK), SLOWEST, FASTEST)
            return speeds.tolist(), rng.random((VEHICLES_PER_BLOCK, MOST_TURNS)).tolist()

        self._draws = of_block
        for number, entry in enumerate(network.entries):
            arrivals = traffic.arrivals
            rate = arrivals.rate_per_h.get(entry, 0.0) if isinstance(arrivals.rate_per_h, dict) else arrivals.rate_per_h
            times = arrival_times(arrivals, arrivals.scale * rate / 3600.0, draws.generator("arrivals", number))
            self._next_arrival(network.entries[entry], times)

    def next_passing(self, limit_s: float) -> Passing | None:
        """Return the next vehicle that leaves the coverage of its station; None if none does up to a time.

        Args:
            limit_s: the time, s. All paths up to it, or up to the time of the passing, are known afterwards.
        """
        passings, events = self._passings, self._events
        while True:
            known = self._known_until()
            if passings and passings[0].time < known and passings[0].time <= limit_s:
                return heapq.heappop(passings)
            if known > limit_s:
                return None
            _, _, event = heapq.heappop(events)
            event()

    def follow(self, vehicle: Vehicle, time: float) -> None:
        """Work out the path of a vehicle up to a time, or to the end of its route.

        Args:
            vehicle: the vehicle.
            time: the time, s.
        """
        # No vehicle looks at the market, so what comes of them may be worked out before its time.
        while vehicle.stretches[-1][1][-1][0] < time and len(vehicle.stretches) < len(vehicle.route):
            _, _, event = heapq.heappop(self._events)
            event()

    def _known_until(self) -> float:
        """Return the time up to which all paths are known, s."""
        unknown, queued = self._unknown, self._queued
        while unknown and unknown[0][1] not in queued:
            heapq.heappop(unknown)
        known = unknown[0][0] if unknown else math.inf
        return min(known, self._events[0][0]) if self._events else known

    def _at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def _next_arrival(self, road: Road, times: Iterator[float]) -> None:
        time = next(times, None)
        if time is not None:
            self._at(time, partial(self._arrive, time, road, times))

    def _arrive(self, time: float, road: Road, times: Iterator[float]) -> None:
        """Let a vehicle arrive at the edge of the map, and plan the next arrival.

        Args:
            time: time, s.
            road: road by which it enters.
            times: times of later arrivals there.
        """
        number = len(self.arrivals)
        block, row = divmod(number, VEHICLES_PER_BLOCK)
        paces, turns = self._draws(block)
        route = [road]
        # A turn of 0 takes the first road. The number of roads is bounded in case these lead round in a circle.
        for turn in chain(turns[row], repeat(0.0, 3 * MOST_TURNS)):
            onward = self._network.next_road(route[-1], turn)
            if onward is None:
                break
            route.append(onward)
        vehicle = Vehicle(number, paces[row], route, time, self._renewals(number, time))
        self.vehicles[number] = vehicle
        self.arrivals.append(time)
        self._enter(vehicle, 0, time)
        self._next_arrival(road, times)

    def _enter(self, vehicle: Vehicle, number: int, time: float) -> None:
        """Let a vehicle enter the next road of its route, or leave the map.

        Args:
            vehicle: the vehicle.
            number: index of the road in its route.
            time: time, s.
        """
        if number == len(vehicle.route):
            vehicle.left = time
            return
        network, road = self._network, vehicle.route[number]
        before = vehicle.route[number - 1] if number else None
        movement = network.movement(vehicle.route, number)
        lane_before, vehicle.lane = vehicle.lane, network.choose_lane(road, movement)
        stretch = network.stretch(before, lane_before, road, vehicle.lane)
        lane = stretch.lane
        if lane is None:
            path = vehicle.free_path(stretch, time, vehicle.start)
            vehicle.start = 0.0, 0.0
            self._known(vehicle, path, stretch)
            return
        entry = next(self._numbers)
        self._queues[lane].append(Queued(vehicle, stretch, time, movement, entry))
        lane.waiting += 1
        self._queued.add(entry)
        heapq.heappush(self._unknown, (time, entry))
        if lane.waiting == 1:
            self._first(lane)
        elif lane.waiting == 2:
            self._second(lane)

    def _first(self, lane: Lane) -> None:
        """Work out when the first vehicle in a queue reaches the stop line, and plan its crossing."""
        if not lane.waiting:
            lane.crossing_s = math.inf
            return
        vehicle, stretch, entered, movement, _ = self._queues[lane][0]
        lane.movement = movement
        spacing, length = self._traffic.jam_spacing_m, stretch.length
        green = lane.greens[movement]
        # Newell's rule in `follow`: headway = reaction + spacing / speed. A queue discharges at the saturation headway.
        reaction = max(green.headway_s - spacing / stretch.speed_mps, 0.0)
        leader, shift = lane.leader, length - lane.leader_length
        # The leader may have come from another road, on a longer or shorter stretch. Only the distance to the common
        # stop line counts.
        if leader is not None and shift:
            leader = [(time, place + shift) for time, place in leader]
        late, over = vehicle.start
        path = follow(entered + late, stretch.speed_mps * vehicle.pace, length, leader, reaction, spacing)
        lane.path = with_start(path, entered, late, over)
        ready = lane.path[-1][0]
        if lane.opposing and movement == lane.last_movement == "left":
            ready = max(ready, lane.last_s + self._traffic.turning.follow_up_s)
        lane.stood = lane.going = False
        self._second(lane)
        self._plan_crossing(lane, green.crossing(ready, lane.last_s))

    def _second(self, lane: Lane) -> None:
        """Note when the second vehicle of a queue may be at the stop line at the earliest."""
        lane.second_s = math.inf
        if lane.waiting > 1:
            vehicle, stretch, entered, movement, _ = self._queues[lane][1]
            if movement != "left":
                lane.second_s = entered + stretch.length / (stretch.speed_mps * vehicle.pace)

    def _plan_crossing(self, lane: Lane, time: float) -> None:
        lane.crossing_s = time
        self._at(time, partial(self._cross, lane, time))

    def _cross(self, lane: Lane, time: float) -> None:
        """Let the first vehicle of a lane cross the stop line, or wait for a gap.

        Args:
            lane: the lane.
            time: time, s.
        """
        vehicle, stretch, _, movement, number = self._queues[lane][0]
        if movement == "left" and lane.opposing and not lane.going:
            wait = self._gap(lane, time)
            if wait is not None:
                self._plan_crossing(lane, wait)
                return
        path = lane.path
        if time > path[-1][0]:
            path.append((time, stretch.length))
        lane.last_s, lane.last_movement, lane.leader, lane.leader_length = time, movement, path, stretch.length
        self._queues[lane].popleft()
        lane.waiting -= 1
        self._queued.discard(number)
        speed = stretch.speed_mps * vehicle.pace
        if self._traffic.acceleration_mps2 is not None:
            vehicle.start = start(path, stretch.length, speed, self._traffic.acceleration_mps2)
        self._known(vehicle, path, stretch)
        self._note_queue(vehicle, path, time)
        self._first(lane)

    def _gap(self, lane: Lane, time: float) -> float | None:
        """Return when a left turn looks again for a gap, s; None if it may go now.

        It goes if no vehicle to which it yields comes within the critical gap, or when the others have no green any
        more. A vehicle that has stood starts with the start-up lost time, like a queue at the begin of green.
        """
        green = lane.greens["left"]
        end = green.end_s(time)
        conflict = lane.conflict_s()
        if conflict > end or conflict - time >= self._traffic.turning.critical_gap_s:
            lane.going = True
            again = min(time + self._traffic.signals.startup_lost_s, end)
            return again if lane.stood and again > time else None
        lane.stood = True
        # At the end of the green it clears the junction. Behind the vehicle that it waits for, it looks again.
        if time >= end:
            lane.going = True
            return None
        return min(max(conflict, math.nextafter(time, math.inf)), end)

    def _known(self, vehicle: Vehicle, path: Path, stretch: Stretch) -> None:
        """Note the path of a vehicle on a stretch, and plan what comes of it."""
        number = len(vehicle.stretches)
        # Behind a vehicle that has just entered, a vehicle waits for less than a headway. If it waits longer, the
        # approach is full, and it waits outside the map.
        headway_s = self._traffic.signals.saturation_headway_s
        if number == 0 and len(path) > 2 and path[1][1] == 0.0 and path[1][0] - path[0][0] > headway_s:
            vehicle.held_s = path[1][0] - path[0][0]
            del path[0]
            vehicle.entered = path[0][0]
            # Outside the map it asks for nothing.
            while vehicle.renewal_s < vehicle.entered:
                vehicle.renewal_s = next(vehicle.renewals)
        vehicle.stretches.append((stretch, path))
        vehicle.free_s += stretch.length / (stretch.speed_mps * vehicle.pace)
        found, vehicle.station = stretch.departures(vehicle.station)
        for order, departure in enumerate(found):
            passing = Passing(time_at(path, departure.at_m), vehicle.id, number, order, vehicle, departure)
            heapq.heappush(self._passings, passing)
        order, end = len(found), path[-1][0]
        while vehicle.renewal_s < end:
            # The first vehicle in a queue stands at the very end of the stretch, which belongs to no span.
            at = min(metres(path, vehicle.renewal_s), math.nextafter(stretch.length, 0.0))
            ahead = stretch.ahead(at)
            # A vehicle that no station covers has nobody to renew its twin with.
            # The ids are ascending, and those of the stations come after those of the UAVs.
            if len(ahead.providers) and ahead.providers[-1] >= self._uavs:
                renewal = Departure(at, -1, *stretch.place(at), ahead)
                heapq.heappush(self._passings, Passing(vehicle.renewal_s, vehicle.id, number, order, vehicle, renewal))
                order += 1
            vehicle.renewal_s = next(vehicle.renewals)
        self._at(end, partial(self._enter, vehicle, number + 1, end))

    def _note_queue(self, vehicle: Vehicle, path: Path, crossing: float) -> None:
        """Note when a vehicle joined the queue and when it crossed the line: it joins when it first stands."""
        for before, after in pairwise(path):
            if after[1] == before[1]:
                self.queue_events.extend((before[0], vehicle.id, 0.0, crossing, vehicle.id, 1.0))
                return
