"""Generated traffic: vehicles arrive, follow, queue at signals, turn, and ask for tasks on their way."""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import NamedTuple

import numpy as np
import simpy

from simulator.clock import until
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

MOST_TURNS = 32
"""A vehicle takes the first way on at every junction after this many."""

VEHICLES_PER_BLOCK = 64
SLOWEST, FASTEST = 0.6, 1.4
"""Limits of a free speed, as shares of the speed limit."""


class Vehicle:
    """A vehicle on its way.

    Attributes:
        id: number of the vehicle, in order of entry.
        pace: its free speed as a share of the speed limit.
        route: the roads that it drives.
        entered: when it entered, s.
        left: when it left, s; NaN while it is there.
        stretches: the stretches that it has driven or is driving, and its path on each.
        free_s: how long the finished part of its way takes at free flow, s.
        tasks: how many tasks it has asked for.
    """

    __slots__ = ("entered", "free_s", "id", "left", "pace", "route", "stretches", "tasks")

    def __init__(self, vehicle: int, pace: float, route: list[Road], entered: float) -> None:
        self.id, self.pace, self.route, self.entered = vehicle, pace, route, entered
        self.left = math.nan
        self.stretches: list[tuple[Stretch, Path]] = []
        self.free_s = 0.0
        self.tasks = 0

    def leaving_mps(self, last: Stretch) -> float:
        """Speed at which it goes on beyond the edge of the map, m/s."""
        return max(last.speed_mps * self.pace, DEPARTING_MPS)


class CoverageAhead(NamedTuple):
    """Who covers a vehicle from a place of its way on, as far as it has come by then.

    Attributes:
        vehicle: the vehicle.
        number: which of its stretches the place is on.
        at_m: metres from the begin of that stretch.
    """

    vehicle: Vehicle
    number: int
    at_m: float

    def end(self, provider: int) -> float:
        """When the provider, which covers the place, ceases to cover the vehicle, s; `inf` if not known yet."""
        vehicle, at = self.vehicle, self.at_m
        for stretch, path in vehicle.stretches[self.number :]:
            out = end_of_span(stretch.spans[provider], at)
            if out < stretch.length:
                return time_at(path, out)
            at = 0.0
        if len(vehicle.stretches) < len(vehicle.route):
            return math.inf
        # The edge of the map is not the edge of coverage: the vehicle goes on as it leaves.
        return path[-1][0] + float(stretch.beyond_m[provider]) / vehicle.leaving_mps(stretch)


class GeneratedVehicles:
    """The vehicles of a network.

    Args:
        env: the SimPy environment; each entry has a process of its own, and so has each vehicle.
        traffic: the scenario's traffic.
        fleet: the providers, by place and radius.
        draws: the randomness of the run, which fixes arrivals, speeds and routes.
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
            rng = draws.generator("vehicles", block)
            speeds = np.clip(1.0 + traffic.speed_sd * rng.standard_normal(VEHICLES_PER_BLOCK), SLOWEST, FASTEST)
            return speeds.tolist(), rng.random((VEHICLES_PER_BLOCK, MOST_TURNS)).tolist()

        self._draws = of_block

    def start(self, on_crossing: CrossingHook) -> None:
        """Let vehicles arrive at every entry.

        Args:
            on_crossing: called when a vehicle leaves the coverage of its station.
        """
        self._on_crossing = on_crossing
        for number, entry in enumerate(self.network.entries):
            self.env.process(self._arrive(entry, self._source.generator("arrivals", number)))

    def _arrive(self, entry: str, rng: np.random.Generator) -> Generator[simpy.Event, None, None]:
        arrivals = self._traffic.arrivals
        rate = arrivals.rate_per_h.get(entry, 0.0) if isinstance(arrivals.rate_per_h, dict) else arrivals.rate_per_h
        for time in arrival_times(arrivals, rate / 3600.0, rng):
            yield until(self.env, time)
            vehicle = self._new_vehicle(self.network.entries[entry])
            self._all.append(vehicle)
            self.env.process(self._drive(vehicle))

    def _new_vehicle(self, road: Road) -> Vehicle:
        number = len(self._all)
        block, row = divmod(number, VEHICLES_PER_BLOCK)
        paces, turns = self._draws(block)
        route = [road]
        for turn in chain(turns[row], repeat(0.0, 3 * MOST_TURNS)):
            onward = self.network.next_road(route[-1], turn)
            if onward is None:
                break
            route.append(onward)
        return Vehicle(number, paces[row], route, self.env.now)

    def _drive(self, vehicle: Vehicle) -> Generator[simpy.Event, None, None]:
        env, network, pace = self.env, self.network, vehicle.pace
        before: Road | None = None
        lane, station = 0, -1
        for number, road in enumerate(vehicle.route):
            lane_before, lane = lane, network.shortest_lane(road)
            stretch = network.stretch(before, lane_before, road, lane)
            path = self._path(vehicle, stretch, env.now)
            vehicle.stretches.append((stretch, path))
            departures, station = stretch.departures(station)
            for departure in departures:
                yield until(env, time_at(path, departure.at_m))
                self._cross(vehicle, number, departure)
            yield until(env, path[-1][0])
            vehicle.free_s += stretch.length / (stretch.speed_mps * pace)
            before = road
        vehicle.left = env.now

    def _path(self, vehicle: Vehicle, stretch: Stretch, begin: float) -> Path:
        """The vehicle's path along a stretch; where it ends at a signal, behind the one before it in its lane."""
        speed, lane = stretch.speed_mps * vehicle.pace, stretch.lane
        if lane is None:
            return [(begin, 0.0), (begin + stretch.length / speed, stretch.length)]
        length, spacing = stretch.length, self._traffic.jam_spacing_m
        reaction = max(lane.plan.headway_s - spacing / stretch.speed_mps, 0.0)
        leader, shift = lane.leader, length - lane.leader_length
        if leader is not None and shift:  # it came to the stop line from another side, on a longer or shorter way
            leader = [(time, place + shift) for time, place in leader]
        path = follow(begin, speed, length, leader, reaction, spacing)
        crossing = lane.plan.crossing(path[-1][0], lane.last_s)
        if crossing > path[-1][0]:
            path.append((crossing, length))
        lane.last_s, lane.leader, lane.leader_length = crossing, path, length
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
        request = vehicle.tasks
        vehicle.tasks += 1
        at, station, x, y, ahead = departure
        dwell = self._dwell(vehicle, number, departure)
        coverage = CoverageAhead(vehicle, number, at)
        self._on_crossing(vehicle.id, request, Crossing(self.env.now, station, x, y, ahead.covered, dwell, coverage))

    def _dwell(self, vehicle: Vehicle, number: int, departure: Departure) -> FloatArray:
        """Expected seconds of coverage: the covered road ahead at free speed, and the plan's waits at stop lines.

        It looks at geometry, route and signal plan only, never at the queue or at where the vehicle will really be.
        """
        stretch, _ = vehicle.stretches[number]
        speed = stretch.speed_mps * vehicle.pace
        dwell = departure.ahead.metres / speed
        goes_on, some_go_on = departure.ahead.goes_on, departure.ahead.some_go_on
        now = self.env.now + (stretch.length - departure.at_m) / speed
        while some_go_on:
            number += 1
            if number == len(vehicle.route):
                return np.asarray(dwell + goes_on * stretch.beyond_m / vehicle.leaving_mps(stretch))
            wait = 0.0 if stretch.lane is None else stretch.lane.plan.crossing(now) - now
            stretch = self.network.stretch(vehicle.route[number - 1], 0, vehicle.route[number], 0)
            speed = stretch.speed_mps * vehicle.pace
            dwell = dwell + goes_on * (wait + stretch.from_begin.metres / speed)
            goes_on = goes_on & stretch.from_begin.goes_on
            some_go_on = stretch.from_begin.some_go_on and bool(goes_on.any())
            now += wait + stretch.length / speed
        return dwell

    def vehicle_rows(self, duration: float) -> Columns:
        """The columns of the table `vehicles`."""
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
        """The columns of the table `paths`: a row per corner of a stretch and per change of speed."""
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
        # Apart by more than any length, the pieces are one increasing axis: the times at all corners in one go.
        apart = 1.0 + max(stretch.length for stretch in stretches)
        corners = np.fromiter(chain.from_iterable(stretch.at[1:-1] for _, stretch, _ in pieces), np.float64)
        turning = np.repeat(np.arange(len(pieces)), [len(stretch.at) - 2 for _, stretch, _ in pieces])
        turns = np.interp(corners + apart * turning, points[:, 1] + apart * owner, points[:, 0])
        time, at = np.append(points[:, 0], turns), np.append(points[:, 1], corners)
        owner = np.append(owner, turning)
        order = np.lexsort((at, time, owner))
        owner, time, at = owner[order], time[order], at[order]
        new = np.append(True, (np.diff(owner) != 0) | (np.diff(time) > 0.0))
        owner, time, at = owner[new], time[new], at[new]
        last = np.append(np.diff(owner) != 0, True)
        speed = np.append(np.diff(at) / np.where(last[:-1], 1.0, np.diff(time)), 0.0)
        speed[last] = speed[np.flatnonzero(last) - 1]
        # The end of a piece is the begin of the next, where there is one.
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
        """The columns of the table `signals`: what each phase of each junction shows from a time on."""
        signals = self.network.signals
        rows = []
        for junction in self.network.junctions():
            for phase, group in enumerate(PHASES):
                green = self.network.cycle_begin(junction) + phase * signals.cycle_s / 2
                # The cycle that is under way at the start, and then each one that begins.
                green -= math.ceil(green / signals.cycle_s) * signals.cycle_s
                while green < duration:
                    for state, time in enumerate(
                        (green, green + signals.green_s, green + signals.green_s + signals.yellow_s)
                    ):
                        rows.append((time, junction, group, state))
                    green += signals.cycle_s
        shown: dict[tuple[str, str], tuple[float, str, str, int]] = {}
        for row in sorted(rows):
            if row[0] <= 0.0:
                shown[row[1], row[2]] = (0.0, *row[1:])
        kept = sorted([*shown.values(), *(row for row in rows if 0.0 < row[0] < duration)])
        names = ("time", "junction", "group", "state")
        return dict(zip(names, zip(*kept, strict=True), strict=True)) if kept else dict.fromkeys(names, ())

    def queue_events(self, duration: float) -> FloatArray:
        """When vehicles came to stand before a stop line and when they crossed it: rows (time, vehicle, 0 or 1)."""
        rows = np.array(self._queue_events, dtype=np.float64).reshape(-1, 3)
        return rows[rows[:, 0] < duration]
