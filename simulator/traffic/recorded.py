"""Recorded traffic: vehicles follow their trajectories, and request a task when they leave a cell."""

from __future__ import annotations

import heapq
import math
from collections.abc import Generator, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import simpy

from simulator.clock import LAST, until
from simulator.model import FloatArray, IntArray
from simulator.providers.attachment import KnownCoverage, departures, end_of_span
from simulator.providers.coverage import Spans, chord_ahead, circle_intervals
from simulator.providers.fleet import Fleet
from simulator.traffic.contract import DEPARTING_MPS, Columns, Crossing, CrossingHook, until_the_end
from simulator.traffic.recording import CLOCK_ROUNDING_S, Recording
from simulator.traffic.renewals import Renewals
from simulator.traffic.thinning import Thinning

VEHICLES_PER_BLOCK = 64
"""Recorded vehicles whose coverage is computed together."""

MOTION_S, MOTION_M = 1.0, 1.0
"""Least time, s, and least distance, m, of a movement that has a heading."""


class VehicleLog(NamedTuple):
    """The log of one vehicle.

    Attributes:
        vehicle: id of the vehicle.
        entered: time of entry, s.
        left: time at which the vehicle left the map, s; NaN while it is there.
        tasks: number of requested tasks.
    """

    vehicle: int
    entered: float
    left: float
    tasks: int


class RecordedVehicles:
    """The vehicles of a recording.

    Args:
        env: SimPy environment.
        recording: trajectories.
        fleet: providers.
        reference_speed_mps: least speed at which a vehicle is expected to leave a coverage, m/s.
        renewals: times at which vehicles would renew their twins; None for none.
        made: which requests the vehicles make; None for all.

    Attributes:
        env: SimPy environment.
        recording: trajectories.
        log: logs of the vehicles that have entered, by id.
    """

    def __init__(
        self,
        env: simpy.Environment,
        recording: Recording,
        fleet: Fleet,
        reference_speed_mps: float,
        renewals: Renewals | None = None,
        made: Thinning | None = None,
    ) -> None:
        self.env = env
        self.recording = recording
        self.log: dict[int, VehicleLog] = {}
        self._fleet = fleet
        self._reference_speed, self._renewals, self._made = reference_speed_mps, renewals, made

        # Vehicles enter in the order of their ids, so only the latest blocks are needed.
        @lru_cache(maxsize=2)
        def spans(block: int) -> list[Spans]:
            """Return the spans of a block of vehicles."""
            start = recording.start[block * VEHICLES_PER_BLOCK :][: VEHICLES_PER_BLOCK + 1]
            samples = slice(start[0], start[-1])
            path = recording.time[samples], recording.x[samples], recording.y[samples]
            return circle_intervals(*path, *fleet.circles(), start - start[0])

        self._spans = spans

    def start(self, on_crossing: CrossingHook) -> None:
        """Start the vehicles, each at its time of entry.

        Args:
            on_crossing: function that is called when a vehicle leaves the coverage of its station.
        """
        self.env.process(self._drive(on_crossing))

    def kept_bytes(self) -> int:
        """Return the memory of what belongs to this run alone, bytes."""
        # The trajectories are shared by all runs of the process.
        return 240 * len(self.log)

    def _drive(self, on_crossing: CrossingHook) -> Generator[simpy.Event, None, None]:
        """Let each moment of the vehicles come, in the order of time."""
        vehicles = range(len(self.recording.start) - 1)
        # `merge` goes on with a vehicle when it is asked for the moment after: then it is the time of the vehicle.
        for time in heapq.merge(*(self._moments(vehicle, on_crossing) for vehicle in vehicles)):
            yield until(self.env, time, LAST)

    def _moments(self, vehicle: int, on_crossing: CrossingHook) -> Iterator[float]:
        """Yield the times of a vehicle, s. What happens at a time is done before the next one is yielded.

        A vehicle is logged, and reports where it leaves the coverage of a station.
        """
        first, last = self.recording.start[vehicle], self.recording.start[vehicle + 1] - 1
        entered, left = float(self.recording.time[first]), float(self.recording.time[last])
        yield entered
        self.log[vehicle] = VehicleLog(vehicle, entered, math.nan, 0)
        tasks = 0
        for request, crossing in enumerate(self.crossings(vehicle)):
            if self._made is not None and not self._made(vehicle, request):
                continue
            yield crossing.time
            tasks += 1
            self.log[vehicle] = VehicleLog(vehicle, entered, math.nan, tasks)
            on_crossing(vehicle, request, crossing)
        yield left
        self.log[vehicle] = VehicleLog(vehicle, entered, left, tasks)

    def crossings(self, vehicle: int) -> list[Crossing]:
        """Return every crossing of a vehicle, in the order of time.

        Args:
            vehicle: id of the vehicle.
        """
        samples, fleet = self.recording.samples(vehicle), self._fleet
        time, x, y = self.recording.time[samples], self.recording.x[samples], self.recording.y[samples]
        spans = self._spans(vehicle // VEHICLES_PER_BLOCK)[vehicle % VEHICLES_PER_BLOCK]
        left = float(time[-1])

        def place(now: float) -> tuple[float, float]:
            """Return the place of the vehicle at a time, m east and m north."""
            return float(np.interp(now, time, x)), float(np.interp(now, time, y))

        found, _ = departures(spans, fleet, place, float(time[0]), left)
        stations = [own for one, own in spans.items() if one >= fleet.uavs]
        for now in () if self._renewals is None else self._renewals(vehicle, float(time[0])):
            if now >= left:
                break
            # A vehicle that no station covers has nobody to renew its twin with.
            if any(end_of_span(own, now) > now for own in stations):
                found.append((now, -1))
        found.sort(key=lambda pair: pair[0])
        if not found:
            return []
        # The end of the trajectory is not the end of coverage: the vehicle continues straight on, at its last speed.
        heading, speed = _motion(left, time, x, y)
        leaving = max(speed, DEPARTING_MPS)

        def anywhere(now: float) -> tuple[float, float]:
            """Return the place of the vehicle at a time, also after it has left, m east and m north."""
            here, gone = place(now), max(now - left, 0.0) * leaving
            return here[0] + gone * heading[0], here[1] + gone * heading[1]

        at_end = [one for one, own in spans.items() if own[-1][1] == left]
        beyond = chord_ahead(float(x[-1]), float(y[-1]), heading, *fleet.circles(at_end))
        ahead = dict(zip(at_end, (left + beyond / leaving).tolist(), strict=True))
        crossings = []
        for now, station in found:
            ends = {one: end_of_span(own, now) for one, own in spans.items()}
            # A coverage that lasts up to the last sample continues beyond it.
            ends = {one: ahead[one] if end == left else end for one, end in ends.items() if end > now}
            here, providers = place(now), np.array(list(ends), dtype=np.int64)
            dwell = self._dwell(now, here, providers, time, x, y)
            crossings.append(Crossing(now, station, *here, providers, dwell, KnownCoverage(ends, anywhere)))
        return crossings

    def _dwell(
        self,
        now: float,
        place: tuple[float, float],
        providers: IntArray,
        time: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """Return the expected time of coverage by providers that cover a vehicle, s, in their order.

        It is the chord of the coverage along the heading, at the measured or the reference speed, whichever is higher.
        """
        heading, speed = _motion(now, time, x, y)
        chord = chord_ahead(*place, heading, *self._fleet.circles(providers))
        return np.asarray(chord / max(speed, self._reference_speed))

    def came(self, time: float) -> int:
        """Return the number of vehicles that have come before a time. They have the first ids.

        Args:
            time: the time, s.
        """
        return len(self.log)

    def came_s(self, vehicle: int) -> float:
        """Return the time at which a vehicle came, s. A later vehicle has a higher id.

        Args:
            vehicle: its id.
        """
        return float(self.recording.time[self.recording.start[vehicle]])

    def gone(self, time: float) -> int:
        """Return the number of the first vehicles that have all left the map before a time.

        Args:
            time: the time, s.
        """
        return next((number for number, one in self.log.items() if not one.left < time), len(self.log))

    def forget(self, vehicles: int, time: float) -> None:
        """Forget nothing: the trajectories are in memory as long as the recording is.

        Args:
            vehicles: number of the vehicles.
            time: the time, s.
        """

    @cached_property
    def _driven_m(self) -> FloatArray:
        """The way from the first sample to each sample, m."""
        # Only differences within one vehicle are used, so the jumps from one vehicle to the next cancel.
        steps = np.hypot(np.diff(self.recording.x), np.diff(self.recording.y))
        return np.concatenate([[0.0], np.cumsum(steps)])

    def vehicle_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `vehicles`.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        recording, log = self.recording, [self.log[number] for number in vehicles]
        samples = [recording.samples(row.vehicle) for row in log]
        last = [
            piece.start + int(np.searchsorted(recording.time[piece], duration, side="right")) - 1 for piece in samples
        ]
        return {
            "vehicle": [row.vehicle for row in log],
            "name": [recording.names[row.vehicle] for row in log],
            "entered": [row.entered for row in log],
            "left": [row.left for row in log],
            "entry": recording.lane[[piece.start for piece in samples]],
            "exit": recording.lane[last],
            "distance": [
                self._driven_m[end] - self._driven_m[piece.start] for piece, end in zip(samples, last, strict=True)
            ],
            "delay": np.full(len(log), np.nan),
            "held": np.zeros(len(log)),
            "tasks": [row.tasks for row in log],
        }

    def path_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `paths`, without samples of a vehicle that keeps standing.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        recording = self.recording
        begins = recording.start[vehicles.start : vehicles.stop + 1]
        samples = slice(begins[0], begins[-1])
        vehicle = np.repeat(np.array(vehicles), np.diff(begins))
        time, x, y, speed, lane = (
            column[samples] for column in (recording.time, recording.x, recording.y, recording.speed, recording.lane)
        )
        same = (
            (np.diff(vehicle) == 0)
            & (np.diff(x) == 0.0)
            & (np.diff(y) == 0.0)
            & (np.diff(speed) == 0.0)
            & (lane[1:] == lane[:-1])
        ).astype(np.bool_)
        redundant = np.zeros(len(vehicle), dtype=np.bool_)
        redundant[1:-1] = same[:-1] & same[1:]
        columns = {"vehicle": vehicle, "lane": lane, "time": time, "x": x, "y": y, "speed": speed}
        return until_the_end({name: column[~redundant] for name, column in columns.items()}, duration)

    def signal_rows(self, duration: float) -> Columns:
        """Return the columns of the table `signals`, which is empty: a recording has no signals.

        Args:
            duration: end of the run, s.
        """
        return {"time": (), "junction": (), "group": (), "state": ()}

    def queue_events(self, duration: float) -> FloatArray:
        """Return no events: a recording does not tell who waits at a stop line.

        Args:
            duration: end of the run, s.
        """
        return np.empty((0, 3))


def _motion(now: float, time: FloatArray, x: FloatArray, y: FloatArray) -> tuple[tuple[float, float], float]:
    """Return the unit vector of the heading and the speed, m/s, from the last real movement up to a time.

    The movement takes `MOTION_S` or more and covers `MOTION_M` or more. A vehicle that stands keeps the heading of the
    way to its place, and noise of its position has no heading. A vehicle that has not moved heads east at speed 0.
    """
    # Nobody knows the next sample. A vehicle that has just entered has only its first step.
    end = max(int(np.searchsorted(time, now, side="right")) - 1, 1 if len(time) > 1 else 0)
    away = np.hypot(x[end] - x[:end], y[end] - y[:end])
    before = np.flatnonzero((time[end] - time[:end] >= MOTION_S - CLOCK_ROUNDING_S) & (away >= MOTION_M))
    begin = int(before[-1]) if len(before) else 0
    step_x, step_y = float(x[end] - x[begin]), float(y[end] - y[begin])
    length = math.hypot(step_x, step_y)
    if length == 0.0:
        return (1.0, 0.0), 0.0
    return (step_x / length, step_y / length), length / float(time[end] - time[begin])
