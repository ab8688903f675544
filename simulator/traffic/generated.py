"""Generated traffic: the flow of vehicles in the time of a run, their requests, and their tables."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Generator
from itertools import chain

import numpy as np
import simpy

from simulator.clock import LAST, until
from simulator.draws import Draws
from simulator.model import FloatArray
from simulator.model.following import metres
from simulator.providers.fleet import Fleet
from simulator.scenario.traffic import GeneratedTraffic
from simulator.traffic.contract import Columns, Crossing, CrossingHook, until_the_end
from simulator.traffic.flow import Flow
from simulator.traffic.network import Network
from simulator.traffic.renewals import renewals
from simulator.traffic.stretch import Departure
from simulator.traffic.thinning import Thinning
from simulator.traffic.vehicles import CoverageAhead, Vehicle

AHEAD_S = 60.0
"""Time by which the flow runs ahead at least if no vehicle leaves a coverage, s."""


class GeneratedVehicles:
    """The vehicles of a road network.

    Args:
        env: SimPy environment. One process brings the requests of all vehicles.
        traffic: traffic of the scenario.
        fleet: providers.
        draws: randomness of the run, for arrivals, speeds, routes and renewals.
        renewal_s: mean time between two renewals of a twin, s; None for none.
        made: which requests the vehicles make; None for all.

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
        renewal_s: float | None = None,
        made: Thinning | None = None,
    ) -> None:
        self.env, self.network = env, Network(traffic, fleet)
        self._fleet, self._made = fleet, made
        self._flow = Flow(traffic, self.network, draws, renewals(draws, renewal_s), fleet.uavs)

    def start(self, on_crossing: CrossingHook) -> None:
        """Start the vehicles.

        Args:
            on_crossing: function that is called when a vehicle leaves the coverage of its station.
        """
        self.env.process(self._drive(on_crossing))

    def _drive(self, on_crossing: CrossingHook) -> Generator[simpy.Event, None, None]:
        """Report where vehicles leave the coverage of a station, in the order of time."""
        env = self.env
        while True:
            limit = env.now + AHEAD_S
            passing = self._flow.next_passing(limit)
            if passing is None:
                yield until(env, limit, LAST)
                continue
            yield until(env, passing.time, LAST)
            vehicle, number, departure = passing.vehicle, passing.number, passing.departure
            request = vehicle.requests
            vehicle.requests += 1
            if self._made is not None and not self._made(vehicle.id, request):
                continue
            vehicle.tasks += 1
            at, station, x, y, ahead = departure
            dwell = self._dwell(vehicle, number, departure)
            coverage = CoverageAhead(vehicle, number, at, self.network, self._flow.follow)
            on_crossing(vehicle.id, request, Crossing(env.now, station, x, y, ahead.providers, dwell, coverage))

    def kept_bytes(self) -> int:
        """Return the memory of what belongs to this run alone, bytes."""
        # A point of a path is a tuple of two numbers. A vehicle has an object and a list per stretch. A stretch of the
        # network has a span per provider. The numbers of routes are drawn in blocks.
        vehicles = self._flow.vehicles.values()
        points = sum(len(path) for vehicle in vehicles for _, path in vehicle.stretches)
        own = sum(1_600 + 180 * len(vehicle.route) for vehicle in vehicles)
        stretches = {id(stretch) for vehicle in vehicles for stretch, _ in vehicle.stretches}
        return 120 * points + own + len(stretches) * (2_000 + 150 * self._fleet.size)

    def _dwell(self, vehicle: Vehicle, number: int, departure: Departure) -> FloatArray:
        """Return the expected time of coverage by each provider that covers the place of a departure, s.

        It is the covered road ahead at free speed, plus the waits of a free-flow arrival at the signals. It looks at
        geometry, route and signal plan, but never at queues or at the real future of the vehicle.
        """
        stretch, _ = vehicle.stretches[number]
        speed = stretch.speed_mps * vehicle.pace
        dwell = departure.ahead.metres / speed
        places = {one: place for place, one in enumerate(departure.ahead.providers.tolist())}
        goes_on = departure.ahead.goes_on
        now = self.env.now + (stretch.length - departure.at_m) / speed
        # `goes_on` marks providers whose coverage has no gap up to here: a later part behind a gap does not count.
        while goes_on:
            number += 1
            if number == len(vehicle.route):
                for one in goes_on:
                    dwell[places[one]] += stretch.beyond_m[one] / vehicle.leaving_mps(stretch)
                break
            wait = 0.0
            if stretch.lane is not None:
                wait = stretch.lane.greens[self.network.movement(vehicle.route, number - 1)].crossing(now) - now
            # The lanes ahead are not chosen yet. Lane 0 stands for them.
            stretch = self.network.stretch(vehicle.route[number - 1], 0, vehicle.route[number], 0)
            speed = stretch.speed_mps * vehicle.pace
            for one in goes_on:
                dwell[places[one]] += wait + stretch.from_begin_m.get(one, 0.0) / speed
            goes_on &= {one for one in goes_on if stretch.from_begin_m.get(one, 0.0) >= stretch.length}
            now += wait + stretch.length / speed
        return dwell

    def came(self, time: float) -> int:
        """Return the number of vehicles that have come before a time. They have the first ids.

        Args:
            time: the time, s.
        """
        # The flow is ahead of the run.
        return bisect_left(self._flow.arrivals, time)

    def came_s(self, vehicle: int) -> float:
        """Return the time at which a vehicle came, s. A later vehicle has a higher id.

        Args:
            vehicle: its id.
        """
        return self._flow.arrivals[vehicle]

    def gone(self, time: float) -> int:
        """Return the number of the first vehicles that have all left the map before a time.

        Args:
            time: the time, s.
        """
        return next((number for number, one in self._flow.vehicles.items() if not one.left < time), self.came(time))

    def forget(self, vehicles: int, time: float) -> None:
        """Forget the first vehicles, and what happened at stop lines before a time. Nobody asks for them again.

        Args:
            vehicles: number of the vehicles.
            time: the time, s.
        """
        flow = self._flow
        for number in [number for number in flow.vehicles if number < vehicles]:
            del flow.vehicles[number]
        rows = np.array(flow.queue_events, dtype=np.float64).reshape(-1, 3)
        flow.queue_events = array("d", rows[rows[:, 0] >= time].tobytes())

    def vehicle_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `vehicles`.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        distance, exits, left = [], [], []
        # Every vehicle has a row, so that row i is vehicle i. Some are still held outside the map at the end.
        found = [self._flow.vehicles[number] for number in vehicles]
        for vehicle in found:
            if vehicle.entered >= duration:
                distance.append(0.0)
                exits.append(vehicle.route[0][0])
                left.append(math.nan)
                continue
            pieces = [(stretch, path) for stretch, path in vehicle.stretches if path[0][0] < duration]
            stretch, path = pieces[-1]
            gone = vehicle.left < duration
            distance.append(sum(piece.length for piece, _ in pieces[:-1]) + metres(path, duration))
            exits.append(vehicle.route[-1][1] if gone else stretch.label)
            left.append(vehicle.left if gone else math.nan)
        entered = np.array([vehicle.entered for vehicle in found], dtype=np.float64)
        held = np.array([vehicle.held_s for vehicle in found], dtype=np.float64)
        held = np.where(entered < duration, held, duration - (entered - held))
        entered[entered >= duration] = np.nan
        free_s = np.array([vehicle.free_s for vehicle in found], dtype=np.float64)
        return {
            "vehicle": np.array(vehicles, dtype=np.int64),
            "name": [f"{vehicle.route[0][0]}.{vehicle.id}" for vehicle in found],
            "entered": entered,
            "left": np.array(left, dtype=np.float64),
            "entry": [vehicle.route[0][0] for vehicle in found],
            "exit": exits,
            "distance": distance,
            "delay": np.array(left, dtype=np.float64) - entered - free_s,
            "held": held,
            "tasks": [vehicle.tasks for vehicle in found],
        }

    def path_rows(self, duration: float, vehicles: range) -> Columns:
        """Return the columns of the table `paths`, one row per corner of a stretch and per change of speed.

        Args:
            duration: end of the run, s.
            vehicles: ids of the vehicles.
        """
        pieces = [
            (number, *piece)
            for number in vehicles
            for piece in self._flow.vehicles[number].stretches
            if piece[1][0][0] < duration
        ]
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
        rows = [
            (time, junction, group, state)
            for junction in self.network.junctions()
            for time, group, state in self.network.plan(junction).changes(duration)
        ]
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
            duration: time before which that was, s.

        Returns:
            Rows (time, s; id of the vehicle; 0 to join the queue, 1 to cross), shape (events, 3).
        """
        # A path is recorded on entry, so it may reach beyond the end of the run.
        rows = np.array(self._flow.queue_events, dtype=np.float64).reshape(-1, 3)
        return rows[rows[:, 0] < duration]
