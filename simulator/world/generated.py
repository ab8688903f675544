"""Generated traffic: vehicles arrive, follow, queue at signals, turn, and ask for tasks on their way."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Generator
from functools import lru_cache
from itertools import pairwise

import numpy as np
import simpy

from simulator.draws import generator
from simulator.errors import ScenarioError, nearest
from simulator.model import FloatArray
from simulator.model.following import Path, follow
from simulator.scenario_traffic import Arrivals, GeneratedTraffic
from simulator.world.attachment import Attachment, Coverage, Spans
from simulator.world.coverage import chord_ahead
from simulator.world.fleet import Fleet
from simulator.world.roads import PHASES, Network, Road, Stretch
from simulator.world.traffic import DEPARTING_MPS, Columns, Crossing, until

MOST_TURNS = 32
"""A vehicle takes the first way on at every junction after this many."""

VEHICLES_A_BLOCK = 64
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


class GeneratedVehicles:
    """The vehicles of a network.

    Args:
        env: the SimPy environment; each entry has a process of its own, and so has each vehicle.
        traffic: the scenario's traffic.
        fleet: the providers, by place and radius.
        seed: fixes arrivals, speeds and routes.
        on_crossing: called with (vehicle, request index, crossing) when a vehicle leaves its station's coverage.
    """

    def __init__(
        self,
        env: simpy.Environment,
        traffic: GeneratedTraffic,
        fleet: Fleet,
        seed: int,
        on_crossing: Callable[[int, int, Crossing], None],
    ) -> None:
        self.env, self.network = env, Network(traffic, fleet)
        self._traffic, self._fleet, self._on_crossing = traffic, fleet, on_crossing
        self._all: list[Vehicle] = []
        rates = traffic.arrivals.rate_per_h
        for name in rates if isinstance(rates, dict) else ():
            if name not in self.network.entries:
                offer = nearest(name, self.network.entries)
                raise ScenarioError(f"traffic.arrivals.rate_per_h: there is no entry '{name}'; {offer}")
        self._queue_events = array("d")

        @lru_cache(maxsize=64)
        def draws(block: int) -> tuple[FloatArray, FloatArray]:
            rng = generator(seed, "vehicles", block)
            return rng.standard_normal(VEHICLES_A_BLOCK), rng.random((VEHICLES_A_BLOCK, MOST_TURNS))

        self._draws = draws
        for number, entry in enumerate(self.network.entries):
            env.process(self._arrive(entry, generator(seed, "arrivals", number)))

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
        speeds, turns = self._draws(number // VEHICLES_A_BLOCK)
        row = number % VEHICLES_A_BLOCK
        pace = min(max(1.0 + self._traffic.speed_sd * float(speeds[row]), SLOWEST), FASTEST)
        route = [road]
        choices = self.network.next_roads(road)
        while choices:
            turn = float(turns[row, len(route) - 1]) if len(route) <= MOST_TURNS else 0.0
            route.append(next((onward for share, onward in choices if turn < share), choices[-1][1]))
            choices = self.network.next_roads(route[-1])
            if len(route) > 4 * MOST_TURNS:
                break
        return Vehicle(number, pace, route, self.env.now)

    def _drive(self, vehicle: Vehicle) -> Generator[simpy.Event, None, None]:
        env, network, fleet = self.env, self.network, self._fleet
        coverage, attachment = Coverage(fleet.size), Attachment(fleet)
        before: Road | None = None
        lane = 0
        for number, road in enumerate(vehicle.route):
            begin, lane_before = env.now, lane
            lane = network.shortest_lane(road)
            stretch = network.stretch(before, lane_before, road, lane)
            path = self._path(vehicle, stretch, begin)
            end = path[-1][0]
            vehicle.stretches.append((stretch, path))
            last = number == len(vehicle.route) - 1
            coverage.extend(timed(stretch.spans, path), end)
            departures = list(attachment.departures(coverage, begin, lambda now: stretch.place(metres(path, now))))  # noqa: B023
            if last:
                self._drive_off(vehicle, stretch, end, coverage)
            for time, station in departures:
                yield until(env, time)
                self._cross(vehicle, number, time, station, coverage)
            yield until(env, end)
            vehicle.free_s += stretch.length / (stretch.speed_mps * vehicle.pace)
            before = road
        vehicle.left = env.now

    def _path(self, vehicle: Vehicle, stretch: Stretch, begin: float) -> Path:
        """The vehicle's path along a stretch; where it ends at a signal, behind the one before it in its lane."""
        speed, lane = stretch.speed_mps * vehicle.pace, stretch.lane
        if lane is None:
            return [(begin, 0.0), (begin + stretch.length / speed, stretch.length)]
        length, spacing = stretch.length, self._traffic.jam_spacing_m
        reaction = max(lane.plan.headway_s - spacing / stretch.speed_mps, 0.0)
        leader = None if lane.leader is None else [(time, place + length) for time, place in lane.leader]
        path = follow(begin, speed, length, leader, reaction, spacing)
        crossing = lane.plan.crossing(path[-1][0], lane.last_s)
        if crossing > path[-1][0]:
            path.append((crossing, length))
        lane.last_s, lane.leader = crossing, [(time, place - length) for time, place in path]
        stands = next((path[k][0] for k in range(len(path) - 1) if path[k + 1][1] == path[k][1]), None)
        if stands is not None:
            self._queue_events.extend((stands, vehicle.id, 0.0))
            self._queue_events.extend((crossing, vehicle.id, 1.0))
        return path

    def _drive_off(self, vehicle: Vehicle, stretch: Stretch, end: float, coverage: Coverage) -> None:
        """The edge of the map is not the edge of coverage: the vehicle goes on as it leaves."""
        fleet = self._fleet
        heading, speed = self._leaving(vehicle, stretch)
        beyond = chord_ahead(stretch.x[-1], stretch.y[-1], heading, fleet.x, fleet.y, fleet.radius_m)
        ends = end + beyond / max(speed, DEPARTING_MPS)
        coverage.extend([[(end, ahead)] if ahead > end else [] for ahead in ends.tolist()], math.inf)

    def _leaving(self, vehicle: Vehicle, stretch: Stretch) -> tuple[tuple[float, float], float]:
        step_x, step_y = stretch.x[-1] - stretch.x[-2], stretch.y[-1] - stretch.y[-2]
        length = math.hypot(step_x, step_y)
        return (step_x / length, step_y / length), stretch.speed_mps * vehicle.pace

    def _cross(self, vehicle: Vehicle, number: int, time: float, station: int, coverage: Coverage) -> None:
        stretch, path = vehicle.stretches[number]
        covered = np.array([coverage.end(provider, time) > time for provider in range(self._fleet.size)])
        here = metres(path, time)
        dwell = self._dwell(vehicle, number, here, covered.tolist())
        request = vehicle.tasks
        vehicle.tasks += 1
        crossing = Crossing(time, station, *stretch.place(here), covered, dwell, coverage)
        self._on_crossing(vehicle.id, request, crossing)

    def _dwell(self, vehicle: Vehicle, number: int, here: float, covered: list[bool]) -> FloatArray:
        """Expected seconds of coverage: the covered road ahead at free speed, and the plan's waits at stop lines.

        It looks at geometry, route and signal plan only, never at the queue or at where the vehicle will really be.
        """
        fleet, dwell = self._fleet, np.zeros(len(covered))
        waiting = {provider for provider, is_covered in enumerate(covered) if is_covered}
        stretch, _ = vehicle.stretches[number]
        now = begin = self.env.now
        lane = 0
        while waiting:
            speed = stretch.speed_mps * vehicle.pace
            for provider in list(waiting):
                inside = next((out for into, out in stretch.spans[provider] if into - 1e-6 <= here <= out), None)
                if inside is None or inside < stretch.length:
                    dwell[provider] = now - begin + (max(inside - here, 0.0) / speed if inside is not None else 0.0)
                    waiting.discard(provider)
            now += (stretch.length - here) / speed
            number += 1
            if number == len(vehicle.route):
                heading, _ = self._leaving(vehicle, stretch)
                beyond = chord_ahead(stretch.x[-1], stretch.y[-1], heading, fleet.x, fleet.y, fleet.radius_m)
                for provider in waiting:
                    dwell[provider] = now - begin + float(beyond[provider]) / max(speed, DEPARTING_MPS)
                break
            if stretch.lane is not None:
                now = stretch.lane.plan.crossing(now)
            stretch = self.network.stretch(vehicle.route[number - 1], lane, vehicle.route[number], 0)
            here = 0.0
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
        rows: list[tuple[int, float, float, float, float, str]] = []
        for vehicle in self._all:
            for number, (stretch, path) in enumerate(vehicle.stretches):
                points = sorted({*path, *((time_at(path, at), at) for at in stretch.at[1:-1])})
                moves = [max((high - low) / (end - begin), 0.0) for (begin, low), (end, high) in pairwise(points)]
                if number == len(vehicle.stretches) - 1:
                    moves.append(moves[-1])  # its last place; every other end is the begin of the next stretch
                for (time, at), speed in zip(points, moves, strict=False):
                    if time < duration:
                        rows.append((vehicle.id, time, *stretch.place(at), speed, stretch.label))
        names = ("vehicle", "time", "x", "y", "speed", "lane")
        return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())

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


def arrival_times(arrivals: Arrivals, rate: float, rng: np.random.Generator) -> Generator[float, None, None]:
    """Times at which vehicles enter, s, without end unless the rate stays 0.

    The profile scales the rate: unit-rate arrivals are spaced in the integral of the rate over time.
    """
    times, factors = np.array(arrivals.profile).T
    if rate <= 0.0 or factors.max() == 0.0:
        return
    # The integral of the rate at the profile's points, straight beyond them.
    area = np.concatenate([[0.0], np.cumsum(np.diff(times) * (factors[1:] + factors[:-1]) / 2)])
    area += times[0] * factors[0]
    done, now = 0.0, 0.0
    while True:
        gaps = np.ones(256) if arrivals.process == "even" else rng.exponential(1.0, 256)
        for gap in gaps.tolist():
            if arrivals.process == "headway":
                share = min(arrivals.min_headway_s * rate * float(np.interp(now, times, factors)), 1.0)
                gap = share + (1.0 - share) * gap
            done += gap / rate
            found = _inverse(done, times, factors, area)
            if found is None:
                return
            now = max(found, now)
            yield now


def _inverse(done: float, times: FloatArray, factors: FloatArray, area: FloatArray) -> float | None:
    """The time at which the integral of the factor reaches ``done``; None if it never does."""
    if done <= area[0]:
        return float(done / factors[0]) if factors[0] > 0.0 else None
    if done >= area[-1]:
        return float(times[-1] + (done - area[-1]) / factors[-1]) if factors[-1] > 0.0 else None
    piece = int(np.searchsorted(area, done, side="right")) - 1
    low, slope = float(factors[piece]), float((factors[piece + 1] - factors[piece]) / (times[piece + 1] - times[piece]))
    rest = float(done - area[piece])
    if abs(slope) < 1e-12:
        return float(times[piece] + rest / low)
    return float(times[piece] + (math.sqrt(low * low + 2.0 * slope * rest) - low) / slope)


def metres(path: Path, now: float) -> float:
    """Where on its stretch a vehicle is at a time, m from the begin."""
    before = path[0]
    for point in path:
        if now <= point[0]:
            break
        before = point
    else:
        return path[-1][1]
    span = point[0] - before[0]
    return before[1] if span <= 0.0 else before[1] + (now - before[0]) / span * (point[1] - before[1])


def time_at(path: Path, place: float) -> float:
    """When a vehicle first is that many metres along its stretch, s."""
    before = path[0]
    for point in path:
        if place <= point[1]:
            break
        before = point
    run = point[1] - before[1]
    return point[0] if run <= 0.0 else before[0] + (place - before[1]) / run * (point[0] - before[0])


def timed(spans: Spans, path: Path) -> Spans:
    """The times at which a vehicle is on intervals of its stretch."""
    end = path[-1][1]
    found: Spans = []
    for pieces in spans:
        times = []
        for into, out in pieces:
            begin = path[0][0] if into <= 0.0 else time_at(path, into)
            times.append((begin, path[-1][0] if out >= end else time_at(path, out)))
        found.append(times)
    return found
