"""What a world with places asks for. It does not depend on prices, so it can be drawn once and replayed.

A replay brings the same requests at the same times as the vehicles would. Who is invited depends on backlogs, and who
is out on the outages of the run, so neither is replayed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import simpy

from simulator.clock import LAST, until
from simulator.draws import Draws
from simulator.market.ledger import expected_values
from simulator.market.requests import RequestDraws, Requests, gpu_work
from simulator.model import FloatArray, IntArray
from simulator.model.latency import STAGES, received, stage_times, stage_work
from simulator.providers.attachment import Coverage
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.kept import Kept
from simulator.providers.radio.radio_map import PLACE_BYTES, PLACES_BYTES, RadioMap
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import PENETRATION_DB
from simulator.traffic.contract import Crossing, Vehicles
from simulator.traffic.generated import GeneratedVehicles
from simulator.traffic.recorded import RecordedVehicles
from simulator.traffic.recording import Recording
from simulator.traffic.renewals import renewals
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.traffic.thinning import thinning
from simulator.world.load import renewal_for


class Arrival(NamedTuple):
    """A request as it comes from the traffic.

    Attributes:
        time: time of the request, s.
        vehicle: id of the vehicle.
        request: number of the request among those that its vehicle could make.
        station: id of the station whose coverage the vehicle leaves; -1 for a renewal.
        requests: block of requests to which it belongs.
        at: its index in the block.
        providers: ids of the providers that cover the vehicle, ascending. The arrays below have their order.
        times: stage times, s, shape (5, 2, providers). Index 0 of the second axis is the task, index 1 the public task
            of the reference size.
        accuracy: accuracy R of the task at each provider, shape (providers,).
        match: match term omega_2 / (1 - R)^beta of that accuracy, shape (providers,).
        dwell_s: time for which each provider is expected to cover the vehicle from now on, s, shape (providers,).
        coverage: time until which each provider really covers the vehicle.
        place: place of the vehicle, (m east, m north).
        snr: signal-to-noise ratios of uplink and downlink at each provider, plain ratios, shape (2, providers).
        downlink_s: function from (provider, time, s) to the seconds of the downlink if it begins at that time; None if
            the place of the request counts.
    """

    time: float
    vehicle: int
    request: int
    station: int
    requests: Requests
    at: int
    providers: IntArray
    times: FloatArray
    accuracy: FloatArray
    match: FloatArray
    dwell_s: FloatArray
    coverage: Coverage
    place: tuple[float, float]
    snr: FloatArray
    downlink_s: Callable[[int, float], float] | None

    @property
    def bytes(self) -> int:
        """Memory of the request and of its arrays, bytes."""
        arrays = (self.providers, self.times, self.accuracy, self.match, self.dwell_s, self.snr)
        # The numbers, the tuples and what stands for the coverage take about as much as a tuple of 20 numbers.
        return sum(map(sys.getsizeof, arrays)) + sys.getsizeof(self) + 20 * 32


class JunctionDemand:
    """What does not depend on prices in a world with places: providers, radio map, vehicles and requests.

    Args:
        scenario: scenario with generated or recorded traffic.
        draws: randomness of the run.
        recording: trajectories of recorded traffic; None to read the file of the scenario.

    Attributes:
        fleet: providers by id.
        expected: what is expected before the first task.
        equipment: `EQUIPMENT` of each provider, read-only, shape (5, providers).
        time_origin: time in the source's clock at the start of the run, s.
        left_out: numbers of rows of a recording that were left out or mended, by reason.
        kept_bytes: memory of what is kept, bytes; 0 if nothing is.
    """

    def __init__(self, scenario: Scenario, draws: Draws, recording: Recording | None = None) -> None:
        self.fleet = fleet = Fleet(scenario)
        equipment = fleet.draw_equipment(fleet.generators(draws, "equipment"))
        radio = RadioMap(scenario, fleet, equipment, draws)
        self.equipment = equipment.rows()
        self.equipment.flags.writeable = False
        self.expected = expected_values(scenario, fleet, equipment, radio, draws)
        self._source: _Source | None = _Source(scenario, fleet, draws, equipment, radio, recording)
        self.time_origin, self.left_out = 0.0, dict[str, int]()
        if self._source.recording is not None:
            self.time_origin, self.left_out = self._source.recording.origin, self._source.recording.left_out
        self.kept_bytes = 0
        self._kept: tuple[Vehicles, list[Arrival]] | None = None

    def start(self, env: simpy.Environment, on_arrival: Callable[[Arrival], None]) -> Vehicles:
        """Let requests come, from the vehicles or from what is kept, and return the vehicles.

        Args:
            env: SimPy environment.
            on_arrival: function that is called with each request, at its time.
        """
        if self._source is None:
            assert self._kept is not None
            vehicles, arrivals = self._kept
            env.process(_replay(env, arrivals, on_arrival))
            return vehicles
        vehicles = self._source.vehicles(env)

        def cross(vehicle: int, request: int, crossing: Crossing) -> None:
            # The vehicles keep this function. The source must not stay in memory with them.
            assert self._source is not None
            on_arrival(self._source.arrival(vehicle, request, crossing))

        vehicles.start(cross)
        return vehicles

    def keep(self, duration: float, most_bytes: int) -> None:
        """Draw all requests of a run and keep them, unless they do not fit.

        Args:
            duration: length of the run, s.
            most_bytes: largest memory of what is kept, bytes.
        """
        env = simpy.Environment()
        arrivals: list[Arrival] = []
        blocks: set[int] = set()
        kept = 0

        def note(arrival: Arrival) -> None:
            nonlocal kept
            # Copies: a row of an array would keep the complete array in memory.
            mine = arrival._replace(accuracy=arrival.accuracy.copy(), match=arrival.match.copy())
            for array in (mine.accuracy, mine.match, mine.providers, mine.dwell_s):
                array.flags.writeable = False
            arrivals.append(mine)
            kept += mine.bytes + (0 if id(mine.requests) in blocks else mine.requests.bytes)
            blocks.add(id(mine.requests))

        vehicles = self.start(env, note)
        # An event at the very end of a run does not happen.
        while env.peek() < duration and kept <= most_bytes:
            env.step()
        kept += vehicles.kept_bytes()
        if kept <= most_bytes:
            self._kept, self.kept_bytes, self._source = (vehicles, arrivals), kept, None


class _Source:
    """Vehicles, and the numbers of their requests."""

    def __init__(
        self,
        scenario: Scenario,
        fleet: Fleet,
        draws: Draws,
        equipment: Equipment,
        radio: RadioMap,
        recording: Recording | None,
    ) -> None:
        self._traffic, self._fleet, self._draws, self._radio = scenario.traffic, fleet, draws, radio
        self._requests = RequestDraws(scenario, fleet, equipment, draws)
        self._public_times = _public_times(scenario, fleet, equipment, radio)
        self.recording: Recording | None = None
        if scenario.traffic.kind == "recorded":
            self.recording = recording_of(scenario.traffic) if recording is None else recording
        tasks, self._made = scenario.tasks, thinning(draws, scenario.tasks.load)
        self._renewal_s = tasks.renewal_s
        if tasks.load > 1.0:
            length = run_length(scenario, self.recording)
            self._renewal_s = renewal_for(tasks.load, tasks.renewal_s, self._vehicles, length)

    def vehicles(self, env: simpy.Environment) -> Vehicles:
        """Return the vehicles of the scenario, at the start."""
        return self._vehicles(env, self._renewal_s)

    def _vehicles(self, env: simpy.Environment, renewal_s: float | None) -> Vehicles:
        """Return the vehicles of the scenario, at the start, with a mean time between renewals, s; None for none."""
        traffic = self._traffic
        if traffic.kind == "generated":
            return GeneratedVehicles(env, traffic, self._fleet, self._draws, renewal_s, self._made)
        # Rounds have no places, so they never come here.
        assert traffic.kind == "recorded"
        assert self.recording is not None
        often = renewals(self._draws, renewal_s)
        return RecordedVehicles(env, self.recording, self._fleet, traffic.reference_speed_mps, often, self._made)

    def arrival(self, vehicle: int, request: int, crossing: Crossing) -> Arrival:
        """Return the request of a vehicle that leaves the coverage of its station."""
        time, station, x, y, providers, dwell_s, coverage = crossing
        drawn = self._requests.of(vehicle, request, providers)
        times, radio, work = np.empty((len(STAGES), 2, len(providers))), self._radio, drawn.work
        snr, modem = received(work, radio.at(x, y, providers)), radio.modem_of(providers)
        times[:, 0] = stage_times(work, snr, modem, self._fleet.migration_s[providers])
        times[:, 1] = self._public_times(x, y, int(drawn.requests.kind[drawn.at]), providers.tobytes())
        # Bidders see the stage times. A replay shows the same array to the next run.
        times.flags.writeable = False
        later = None
        if radio.along_path.any():

            def later(provider: int, begin: float) -> float:
                """Return the seconds of the downlink from a provider if it begins at a time, s."""
                place = int(np.searchsorted(providers, provider))
                if not radio.along_path[provider]:
                    return float(times[-1, 0, place])
                there = received(work, radio.at(*coverage.place(begin), providers))
                return float(stage_times(work, there, modem)[-1, place])

        return Arrival(
            time,
            vehicle,
            request,
            station,
            drawn.requests,
            drawn.at,
            providers,
            times,
            drawn.accuracy,
            drawn.match,
            dwell_s,
            coverage,
            (x, y),
            snr,
            later,
        )


def _replay(
    env: simpy.Environment, arrivals: list[Arrival], on_arrival: Callable[[Arrival], None]
) -> Generator[simpy.Event, None, None]:
    """Let the kept requests come."""
    for arrival in arrivals:
        # Like the events of vehicles, a request comes after all other events of its moment.
        yield until(env, arrival.time, LAST)
        on_arrival(arrival)


def _public_times(
    scenario: Scenario, fleet: Fleet, equipment: Equipment, radio: RadioMap
) -> Callable[[float, float, int, bytes], FloatArray]:
    """Return a function that predicts the public stage times, s, shape (5, providers).

    Its arguments are (x, y, kind of task, ids of the providers as bytes).

    The prediction is for a task of the reference size at the mean power of the vehicles, without fading.
    """
    # Size, power and fading of the request are left out because they are not public.
    expected_power = 0.5 * sum(scenario.tasks.power_units)
    reference_mb = scenario.tasks.predicted_mb
    loss = PENETRATION_DB[scenario.tasks.antenna][0]
    works = [
        stage_work(reference_mb, work, 0.0, expected_power, *equipment, penetration_db=loss)
        for work in gpu_work(scenario)
    ]

    def public_times(x: float, y: float, kind: int, ids: bytes) -> FloatArray:
        """Return the public stage times, s, shape (5, providers)."""
        providers = np.frombuffer(ids, dtype=np.int64)
        work = works[kind].of(providers)
        snr = received(work, radio.at(x, y, providers))
        return stage_times(work, snr, radio.modem_of(providers), fleet.migration_s[providers])

    return Kept(public_times, lambda times: PLACE_BYTES + times.nbytes, PLACES_BYTES)
