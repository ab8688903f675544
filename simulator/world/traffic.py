"""Vehicles as processes: they enter, attach to stations, ask for a task when they leave a cell, and leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import simpy

from simulator.model import BoolArray, FloatArray
from simulator.world.coverage import chord_ahead, circle_intervals
from simulator.world.fleet import Fleet
from simulator.world.recording import Recording

DEPARTING_MPS = 5.0
"""A vehicle that has left the map goes on at least this fast, m/s (model.md 3k)."""


class Crossing(NamedTuple):
    """A vehicle leaves the coverage of the station that its radio is attached to.

    Attributes:
        time: when, s.
        station: id of the station that it leaves.
        x: place, m east.
        y: place, m north.
        covered: which providers cover the vehicle now, shape (providers,).
        dwell_s: how long each is expected to cover it still, s, shape (providers,).
        coverage_end: when each that covers it will cease to, s, shape (providers,).
    """

    time: float
    station: int
    x: float
    y: float
    covered: BoolArray
    dwell_s: FloatArray
    coverage_end: FloatArray


class VehicleLog(NamedTuple):
    """One vehicle's row: when it entered and left (NaN: still there), and how many tasks it asked for."""

    vehicle: int
    entered: float
    left: float
    tasks: int


class RecordedVehicles:
    """The vehicles of a recording.

    Args:
        env: the SimPy environment.
        recording: the trajectories.
        fleet: the providers, by place and radius.
        reference_speed_mps: a vehicle is expected to leave a coverage at least this fast, m/s.
        on_crossing: called with (vehicle, request index, crossing) when a vehicle leaves its station's coverage.
    """

    def __init__(
        self,
        env: simpy.Environment,
        recording: Recording,
        fleet: Fleet,
        reference_speed_mps: float,
        on_crossing: Callable[[int, int, Crossing], None],
    ) -> None:
        self.env = env
        self.recording = recording
        self.log: dict[int, VehicleLog] = {}
        self._fleet = fleet
        self._reference_speed = reference_speed_mps
        self._on_crossing = on_crossing
        env.process(self._enter_all())

    def _enter_all(self) -> Generator[simpy.Event, None, None]:
        recording = self.recording
        for vehicle, entry in enumerate(recording.time[recording.start[:-1]].tolist()):
            yield _until(self.env, entry)
            self.env.process(self._drive(vehicle))

    def _drive(self, vehicle: int) -> Generator[simpy.Event, None, None]:
        entered = self.env.now
        self.log[vehicle] = VehicleLog(vehicle, entered, math.nan, 0)
        crossings = self.crossings(vehicle)
        for request, crossing in enumerate(crossings):
            yield _until(self.env, crossing.time)
            self.log[vehicle] = VehicleLog(vehicle, entered, math.nan, request + 1)
            self._on_crossing(vehicle, request, crossing)
        yield _until(self.env, float(self.recording.time[self.recording.start[vehicle + 1] - 1]))
        self.log[vehicle] = VehicleLog(vehicle, entered, self.env.now, len(crossings))

    def crossings(self, vehicle: int) -> list[Crossing]:
        """Every moment at which the vehicle leaves the coverage of the station it is attached to, in order.

        It attaches, on entry, to the nearest station that covers it and stays until the distance exceeds that
        station's radius; then to the nearest that covers it at that moment, or the first that covers it again.
        """
        samples, fleet = self.recording.samples(vehicle), self._fleet
        time, x, y = self.recording.time[samples], self.recording.x[samples], self.recording.y[samples]
        intervals = circle_intervals(time, x, y, fleet.x, fleet.y, fleet.radius_m)
        left = float(time[-1])
        crossings: list[Crossing] = []
        now = float(time[0])
        while True:
            here = _at(now, time, x), _at(now, time, y)
            attached = self._nearest(intervals, now, here)
            if attached is None:
                coming = [begin for spans in intervals[fleet.uavs :] for begin, _ in spans if begin > now]
                if not coming:
                    return crossings
                now = min(coming)
                continue
            now = next(end for begin, end in intervals[attached] if begin <= now < end)
            if now >= left:
                return crossings
            crossings.append(self._crossing(now, attached, intervals, time, x, y))

    def _nearest(self, intervals: list[list[tuple[float, float]]], now: float, here: tuple[float, float]) -> int | None:
        fleet = self._fleet
        covering = [
            station
            for station in range(fleet.uavs, fleet.size)
            if any(begin <= now < end for begin, end in intervals[station])
        ]
        if not covering:
            return None
        return min(covering, key=lambda station: math.hypot(fleet.x[station] - here[0], fleet.y[station] - here[1]))

    def _crossing(
        self,
        now: float,
        station: int,
        intervals: list[list[tuple[float, float]]],
        time: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> Crossing:
        fleet, left = self._fleet, float(time[-1])
        ends = np.array([next((end for begin, end in spans if begin <= now < end), -math.inf) for spans in intervals])
        covered = ends > now
        segment = max(int(np.searchsorted(time, now, side="left")), 1)  # the one that led here: nobody sees ahead
        heading, speed = _motion(time, x, y, segment)
        here_x, here_y = _at(now, time, x), _at(now, time, y)
        chord = chord_ahead(here_x, here_y, heading, fleet.x, fleet.y, fleet.radius_m)
        dwell = chord / max(speed, self._reference_speed)
        if bool(np.any(ends == left)):
            # The edge of the recording is not the edge of coverage: the vehicle goes on as it left.
            last_heading, last_speed = _last_motion(time, x, y)
            beyond = chord_ahead(float(x[-1]), float(y[-1]), last_heading, fleet.x, fleet.y, fleet.radius_m)
            ends = np.where(ends == left, left + beyond / max(last_speed, DEPARTING_MPS), ends)
        return Crossing(now, station, here_x, here_y, covered, np.where(covered, dwell, 0.0), ends)


def _until(env: simpy.Environment, time: float) -> simpy.Event:
    return env.timeout(max(time - env.now, 0.0))


def _at(now: float, time: FloatArray, values: FloatArray) -> float:
    return float(np.interp(now, time, values))


def _motion(time: FloatArray, x: FloatArray, y: FloatArray, segment: int) -> tuple[tuple[float, float], float]:
    """Unit heading and speed, m/s, on the segment that ends at a sample."""
    step_x, step_y = float(x[segment] - x[segment - 1]), float(y[segment] - y[segment - 1])
    length = math.hypot(step_x, step_y)
    if length == 0.0:
        return (1.0, 0.0), 0.0
    return (step_x / length, step_y / length), length / float(time[segment] - time[segment - 1])


def _last_motion(time: FloatArray, x: FloatArray, y: FloatArray) -> tuple[tuple[float, float], float]:
    """Unit heading and speed of the last segment on which the vehicle moved."""
    for segment in range(len(time) - 1, 0, -1):
        heading, speed = _motion(time, x, y, segment)
        if speed > 0.0:
            return heading, speed
    return (1.0, 0.0), 0.0
