"""Generated traffic: vehicles arrive, follow each other, queue at signals, turn, and request tasks."""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator, Iterator
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import NamedTuple

import numpy as np
import simpy

from simulator.clock import LAST, until
from simulator.draws import Draws
from simulator.model import FloatArray
from simulator.model.following import Path, follow, metres, time_at
from simulator.providers.attachment import end_of_span
from simulator.providers.fleet import Fleet
from simulator.scenario.traffic import GeneratedTraffic
from simulator.traffic.arrivals import arrival_times
from simulator.traffic.contract import DEPARTING_MPS, Columns, Crossing, CrossingHook, until_the_end
from simulator.traffic.network import PHASES, Network
from simulator.traffic.stretch import Departure, Road, Stretch

# Random turns alone might lead a vehicle through a grid without end.
MOST_TURNS = 32
"""Number of random turns of a vehicle. At later junctions it takes the first road in the list."""

VEHICLES_PER_BLOCK = 64
"""Vehicles whose random numbers are drawn with one generator."""

SLOWEST, FASTEST = 0.6, 1.4
"""Limits of a free speed, divided by the speed limit."""


class Vehicle:
    """A vehicle on its route.

    Attributes:
        id: number of the vehicle in the order of entry.
        pace: free speed divided by the speed limit.
        route: roads of the route.
        entered: time of entry, s.
        left: time at which the vehicle left the map, s; NaN while it is there.
        stretches: stretches up to the current one, each with the path of the vehicle on it.
        lane: lane on the current stretch.
        free_s: travel time at free flow on the finished stretches, s.
        tasks: number of requested tasks.
    """

    __slots__ = ("entered", "free_s", "id", "lane", "left", "pace", "route", "stretches", "tasks")

    def __init__(self, vehicle: int, pace: float, route: list[Road], entered: float) -> None:
        self.id, self.pace, self.route, self.entered = vehicle, pace, route, entered
        self.left = math.nan
        self.stretches: list[tuple[Stretch, Path]] = []
        self.free_s = 0.0
        self.tasks = self.lane = 0

    def free_path(self, stretch: Stretch, begin: float) -> Path:
        """Return the path of the vehicle along a stretch without a stop line.

        Args:
            stretch: the stretch.
            begin: time at which the vehicle enters it, s.
        """
        return [(begin, 0.0), (begin + stretch.length / (stretch.speed_mps * self.pace), stretch.length)]

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
    """

    # It holds the vehicle and not times: the path up to a stop line is known only when the vehicle enters its stretch.

    vehicle: Vehicle
    number: int
    at_m: float
    network: Network

    def end(self, provider: int) -> float:
        """Return the time at which a provider that covers the place stops covering the vehicle, s.

        Args:
            provider: id of the provider.

        Returns:
            The time, or `inf` if the vehicle has not come so far yet.
        """
        vehicle, at = self.vehicle, self.at_m
        for stretch, path in chain(vehicle.stretches[self.number :], self._onward()):
            out = end_of_span(stretch.spans[provider], at)
            if out < stretch.length:
                return time_at(path, out)
            at = 0.0
        if stretch.road != vehicle.route[-1]:
            return math.inf
        # The edge of the map is not the edge of coverage: the vehicle continues straight on.
        return path[-1][0] + float(stretch.beyond_m[provider]) / vehicle.leaving_mps(stretch)

    def is_known(self, provider: int, time: float) -> bool:
        """Return whether it is known already if a provider covers the vehicle up to a time.

        Args:
            provider: id of the provider.
            time: the time, s.
        """
        return time <= self.vehicle.stretches[-1][1][-1][0] or self.end(provider) < math.inf

    def place(self, time: float) -> tuple[float, float]:
        """Return where the vehicle is at a time, m east and m north; the last stop line if it is not known further.

        Args:
            time: a time from the request on, s.
        """
        for stretch, path in chain(self.vehicle.stretches[self.number :], self._onward()):
            if time <= path[-1][0]:
                return stretch.place(metres(path, time))
        if stretch.road != self.vehicle.route[-1]:
            return stretch.place(stretch.length)
        return stretch.place(stretch.length + (time - path[-1][0]) * self.vehicle.leaving_mps(stretch))

    def _onward(self) -> Iterator[tuple[Stretch, Path]]:
        """Iterate over the stretches ahead on which nothing can hold the vehicle, up to the next stop line."""
        vehicle, network, lane = self.vehicle, self.network, self.vehicle.lane
        number = len(vehicle.stretches)
        time = vehicle.stretches[-1][1][-1][0]
        while number < len(vehicle.route) and not network.has_stop_line(vehicle.route[number]):
            before, road = vehicle.route[number - 1 : number + 1]
            lane_before, lane = lane, network.shortest_lane(road)
            stretch = network.stretch(before, lane_before, road, lane)
            path = vehicle.free_path(stretch, time)
            yield stretch, path
            time, number = path[-1][0], number + 1


class GeneratedVehicles:
    """The vehicles of a road network.

    Args:
        env: SimPy environment. Each entry and each vehicle has a process of its own.
        traffic: traffic of the scenario.
        fleet: providers.
        draws: randomness of the run, for arrivals, speeds and routes.

    Attributes:
        env: SimPy environment.
        network: road network.
    """

    def __init__(
        self,
        env: simpy.Environment,
        traffic: GeneratedTraffic,
        fleet: Fleet,
        draws: Draws,
    ) -> None:
        self.env, self.network = env, Network(traffic, fleet)
        self._traffic, self._fleet, self._source = traffic, fleet, draws
        self._all: list[Vehicle] = []
        self._on_crossing: CrossingHook
        self._queue_events = array("d")

        @lru_cache(maxsize=64)
        def of_block(block: int) -> tuple[list[float], list[list[float]]]:
            """Return the paces of a block of vehicles, and a uniform number for each turn of each vehicle."""
            rng = draws.generator("vehicles", block)
            speeds = np.clip(1.0 + traffic.speed_sd * rng.standard_normal(VEHICLES_PER_BLOCK), SLOWEST, FASTEST)
            return speeds.tolist(), rng.random((VEHICLES_PER_BLOCK, MOST_TURNS)).tolist()

        self._draws = of_block

    def start(self, on_crossing: CrossingHook) -> None:
        """Start the arrivals at every entry.

        Args:
            on_crossing: function that is called when a vehicle leaves the coverage of its station.
        """
        self._on_crossing = on_crossing
        for number, entry in enumerate(self.network.entries):
            self.env.process(self._arrive(entry, self._source.generator("arrivals", number)))

    def kept_bytes(self) -> int:
        """Return the memory of what belongs to this run alone, bytes."""
        # A point of a path is a tuple of two numbers. A vehicle has an object, its random numbers, and a list per
        # stretch. A stretch of the network has a span per provider.
        points = sum(len(path) for vehicle in self._all for _, path in vehicle.stretches)
        own = sum(320 + 40 * MOST_TURNS + 180 * len(vehicle.route) for vehicle in self._all)
        stretches = {id(stretch) for vehicle in self._all for stretch, _ in vehicle.stretches}
        return 120 * points + own + len(stretches) * (2_000 + 150 * self._fleet.size)

    def _arrive(self, entry: str, rng: np.random.Generator) -> Generator[simpy.Event, None, None]:
        """Let vehicles arrive at one entry."""
        arrivals = self._traffic.arrivals
        rate = arrivals.rate_per_h.get(entry, 0.0) if isinstance(arrivals.rate_per_h, dict) else arrivals.rate_per_h
        for time in arrival_times(arrivals, rate / 3600.0, rng):
            yield until(self.env, time, LAST)
            vehicle = self._new_vehicle(self.network.entries[entry])
            self._all.append(vehicle)
            self.env.process(self._drive(vehicle))

    def _new_vehicle(self, road: Road) -> Vehicle:
        """Make the next vehicle, with its pace and its route."""
        number = len(self._all)
        block, row = divmod(number, VEHICLES_PER_BLOCK)
        paces, turns = self._draws(block)
        route = [road]
        # A turn of 0 takes the first road. The number of roads is bounded in case these lead round in a circle.
        for turn in chain(turns[row], repeat(0.0, 3 * MOST_TURNS)):
            onward = self.network.next_road(route[-1], turn)
            if onward is None:
                break
            route.append(onward)
        return Vehicle(number, paces[row], route, self.env.now)

    def _drive(self, vehicle: Vehicle) -> Generator[simpy.Event, None, None]:
        """Drive a vehicle along its route, and report where it leaves the coverage of a station."""
        env, network, pace = self.env, self.network, vehicle.pace
        before: Road | None = None
        station = -1
        for number, road in enumerate(vehicle.route):
            lane_before, vehicle.lane = vehicle.lane, network.shortest_lane(road)
            stretch = network.stretch(before, lane_before, road, vehicle.lane)
            # The path on a stretch is known on entry: it depends only on the signal plan and on the vehicle ahead.
            path = self._path(vehicle, stretch, env.now)
            vehicle.stretches.append((stretch, path))
            departures, station = stretch.departures(station)
            for departure in departures:
                yield until(env, time_at(path, departure.at_m), LAST)
                self._cross(vehicle, number, departure)
            yield until(env, path[-1][0], LAST)
            vehicle.free_s += stretch.length / (stretch.speed_mps * pace)
            before = road
        vehicle.left = env.now

    def _path(self, vehicle: Vehicle, stretch: Stretch, begin: float) -> Path:
        """Return the path of a vehicle along a stretch, behind the last vehicle that entered the same lane."""
        speed, lane = stretch.speed_mps * vehicle.pace, stretch.lane
        if lane is None:
            return vehicle.free_path(stretch, begin)
        length, spacing = stretch.length, self._traffic.jam_spacing_m
        # Newell's rule in `follow`: headway = reaction + spacing / speed. A queue discharges at the saturation headway.
        reaction = max(lane.plan.headway_s - spacing / stretch.speed_mps, 0.0)
        leader, shift = lane.leader, length - lane.leader_length
        # The leader may have come from another road, on a longer or shorter stretch. Only the distance to the common
        # stop line counts.
        if leader is not None and shift:
            leader = [(time, place + shift) for time, place in leader]
        path = follow(begin, speed, length, leader, reaction, spacing)
        crossing = lane.plan.crossing(path[-1][0], lane.last_s)
        if crossing > path[-1][0]:
            path.append((crossing, length))
        lane.last_s, lane.leader, lane.leader_length = crossing, path, length
        # The vehicle joins the queue when it first stands.
        stands = None
        for before, after in pairwise(path):
            if after[1] == before[1]:
                stands = before[0]
                break
        if stands is not None:
            self._queue_events.extend((stands, vehicle.id, 0.0))
            self._queue_events.extend((crossing, vehicle.id, 1.0))
        return path

    def _cross(self, vehicle: Vehicle, number: int, departure: Departure) -> None:
        """Report that a vehicle leaves the coverage of its station."""
        request = vehicle.tasks
        vehicle.tasks += 1
        at, station, x, y, ahead = departure
        dwell = self._dwell(vehicle, number, departure)
        coverage = CoverageAhead(vehicle, number, at, self.network)
        self._on_crossing(vehicle.id, request, Crossing(self.env.now, station, x, y, ahead.covered, dwell, coverage))

    def _dwell(self, vehicle: Vehicle, number: int, departure: Departure) -> FloatArray:
        """Return the expected time of coverage by each provider, s, shape (providers,).

        It is the covered road ahead at free speed, plus the waits of a free-flow arrival at the signals. It looks at
        geometry, route and signal plan, but never at queues or at the real future of the vehicle.
        """
        stretch, _ = vehicle.stretches[number]
        speed = stretch.speed_mps * vehicle.pace
        dwell = departure.ahead.metres / speed
        goes_on, some_go_on = departure.ahead.goes_on, departure.ahead.some_go_on
        now = self.env.now + (stretch.length - departure.at_m) / speed
        # `goes_on` marks providers whose coverage has no gap up to here: a later part behind a gap does not count.
        while some_go_on:
            number += 1
            if number == len(vehicle.route):
                return np.asarray(dwell + goes_on * stretch.beyond_m / vehicle.leaving_mps(stretch))
            wait = 0.0 if stretch.lane is None else stretch.lane.plan.crossing(now) - now
            # The lanes ahead are not chosen yet. Lane 0 stands for them.
            stretch = self.network.stretch(vehicle.route[number - 1], 0, vehicle.route[number], 0)
            speed = stretch.speed_mps * vehicle.pace
            dwell = dwell + goes_on * (wait + stretch.from_begin.metres / speed)
            goes_on = goes_on & stretch.from_begin.goes_on
            some_go_on = stretch.from_begin.some_go_on and bool(goes_on.any())
            now += wait + stretch.length / speed
        return dwell

    def vehicle_rows(self, duration: float) -> Columns:
        """Return the columns of the table `vehicles`.

        Args:
            duration: end of the run, s.
        """
        vehicles = self._all
        distance, exits = [], []
        for vehicle in vehicles:
            stretch, path = vehicle.stretches[-1] if vehicle.stretches else (None, [])
            done = sum(piece.length for piece, _ in vehicle.stretches[:-1])
            distance.append(done + (metres(path, duration) if path else 0.0))
            exits.append(vehicle.route[-1][1] if not math.isnan(vehicle.left) else (stretch.label if stretch else ""))
        left = np.array([vehicle.left for vehicle in vehicles], dtype=np.float64)
        entered = np.array([vehicle.entered for vehicle in vehicles], dtype=np.float64)
        return {
            "vehicle": np.array([vehicle.id for vehicle in vehicles], dtype=np.int64),
            "name": [f"{vehicle.route[0][0]}.{vehicle.id}" for vehicle in vehicles],
            "entered": entered,
            "left": left,
            "entry": [vehicle.route[0][0] for vehicle in vehicles],
            "exit": exits,
            "distance": distance,
            "delay": left - entered - np.array([vehicle.free_s for vehicle in vehicles]),
            "tasks": [vehicle.tasks for vehicle in vehicles],
        }

    def path_rows(self, duration: float) -> Columns:
        """Return the columns of the table `paths`, one row per corner of a stretch and per change of speed.

        Args:
            duration: end of the run, s.
        """
        pieces = [(vehicle.id, *piece) for vehicle in self._all for piece in vehicle.stretches]
        if not pieces:
            return dict.fromkeys(("vehicle", "time", "x", "y", "speed", "lane"), ())
        vehicle = np.array([number for number, _, _ in pieces])
        stretches = list({id(stretch): stretch for _, stretch, _ in pieces}.values())
        numbers = {id(stretch): number for number, stretch in enumerate(stretches)}
        which = np.array([numbers[id(stretch)] for _, stretch, _ in pieces])
        flat = chain.from_iterable(chain.from_iterable(path for _, _, path in pieces))
        points = np.fromiter(flat, np.float64).reshape(-1, 2)
        owner = np.repeat(np.arange(len(pieces)), [len(path) for _, _, path in pieces])
        # One interpolation finds the times at all corners. For that, the pieces lie one after another on one axis. They
        # are further apart than the longest stretch, so the axis increases.
        apart = 1.0 + max(stretch.length for stretch in stretches)
        corners = np.fromiter(chain.from_iterable(stretch.at[1:-1] for _, stretch, _ in pieces), np.float64)
        turning = np.repeat(np.arange(len(pieces)), [len(stretch.at) - 2 for _, stretch, _ in pieces])
        turns = np.interp(corners + apart * turning, points[:, 1] + apart * owner, points[:, 0])
        time, at = np.append(points[:, 0], turns), np.append(points[:, 1], corners)
        owner = np.append(owner, turning)
        order = np.lexsort((at, time, owner))
        owner, time, at = owner[order], time[order], at[order]
        # A corner may fall on a point of the path: only one of the two rows stays.
        new = np.append(True, (np.diff(owner) != 0) | (np.diff(time) > 0.0))
        owner, time, at = owner[new], time[new], at[new]
        last = np.append(np.diff(owner) != 0, True)
        # The speed of a row holds up to the next row of the piece. The last row repeats the speed before it. The step
        # from one piece to the next has no speed: the divisor 1 only avoids a division by 0.
        speed = np.append(np.diff(at) / np.where(last[:-1], 1.0, np.diff(time)), 0.0)
        speed[last] = speed[np.flatnonzero(last) - 1]
        # The last row of a piece is the first row of the vehicle's next piece. Only one of the two stays. The maximum
        # below removes speeds that rounding made negative.
        keep = ~last | np.append(vehicle[1:] != vehicle[:-1], True)[owner]
        owner, time, at, speed = owner[keep], time[keep], at[keep], np.maximum(speed[keep], 0.0)
        stretch_of, x, y = which[owner], np.empty(len(at)), np.empty(len(at))
        for number, stretch in enumerate(stretches):
            rows = stretch_of == number
            x[rows], y[rows] = np.interp(at[rows], stretch.at, stretch.x), np.interp(at[rows], stretch.at, stretch.y)
        lane = np.array([stretch.label for stretch in stretches], dtype=object)[stretch_of]
        columns = {"vehicle": vehicle[owner], "time": time, "x": x, "y": y, "speed": speed, "lane": lane}
        return until_the_end(columns, duration)

    def signal_rows(self, duration: float) -> Columns:
        """Return the columns of the table `signals`, one row per change of a signal group.

        Args:
            duration: end of the run, s.
        """
        signals = self.network.signals
        rows = []
        for junction in self.network.junctions():
            for phase, group in enumerate(PHASES):
                green = self.network.cycle_begin(junction) + phase * signals.cycle_s / 2
                # Begin with the cycle that is under way at time 0.
                green -= math.ceil(green / signals.cycle_s) * signals.cycle_s
                while green < duration:
                    for state, time in enumerate(
                        (green, green + signals.green_s, green + signals.green_s + signals.yellow_s)
                    ):
                        rows.append((time, junction, group, state))
                    green += signals.cycle_s
        shown: dict[tuple[str, str], tuple[float, str, str, int]] = {}
        for row in sorted(rows):
            # The last state from before the run is the state at time 0.
            if row[0] <= 0.0:
                shown[row[1], row[2]] = (0.0, *row[1:])
        kept = sorted([*shown.values(), *(row for row in rows if 0.0 < row[0] < duration)])
        names = ("time", "junction", "group", "state")
        return dict(zip(names, zip(*kept, strict=True), strict=True)) if kept else dict.fromkeys(names, ())

    def queue_events(self, duration: float) -> FloatArray:
        """Return when vehicles joined the queue at a stop line and when they crossed the line.

        Args:
            duration: end of the run, s.

        Returns:
            Rows (time, s; id of the vehicle; 0 to join the queue, 1 to cross), shape (events, 3).
        """
        # A path is recorded on entry, so it may reach beyond the end of the run.
        rows = np.array(self._queue_events, dtype=np.float64).reshape(-1, 3)
        return rows[rows[:, 0] < duration]
