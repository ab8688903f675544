"""The world with places: vehicles and providers on a map.

Latencies follow from queues, distances and lines of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import simpy

from simulator.draws import Draws
from simulator.market.ledger import Ledger, RunningLedger
from simulator.market.lots import REFERENCE_MB, Situation
from simulator.market.requests import RequestDraws, gpu_work
from simulator.model import BoolArray, FloatArray
from simulator.model.latency import STAGES, stage_times, stage_work
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.outages import Outages
from simulator.providers.queues import Provider, Server
from simulator.providers.radio import PLACES_KEPT, Radio
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Crossing, Traffic, Vehicles
from simulator.traffic.generated import GeneratedVehicles
from simulator.traffic.recorded import RecordedVehicles
from simulator.traffic.recording import Recording, recording_of


class JunctionLog(Protocol):
    """The receiver of the events of a world with places, other than requests."""

    def served(self, task: Task) -> None:
        """Receive a task that has passed its last stage.

        Args:
            task: the task.
        """
        ...

    def reported(self, uav: int, bid: float) -> None:
        """Receive a new report of a UAV.

        Args:
            uav: id of the UAV.
            bid: its bid from this report on, before its bid factor.
        """
        ...

    def went_out_or_came_back(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        """Receive the start or the end of an outage.

        Args:
            provider: id of the provider.
            is_out: whether the provider is out from now on.
            dropped: tasks that the provider has dropped.
        """
        ...


class JunctionSite:
    """The world with places: queues at providers, a radio map, outages, and vehicles on a map.

    Args:
        env: SimPy environment.
        scenario: scenario with generated or recorded traffic.
        draws: randomness of the run.
        log: receiver of the events.
        recording: trajectories of recorded traffic; None to read the file of the scenario.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        draws: Draws,
        log: JunctionLog,
        recording: Recording | None = None,
    ) -> None:
        self._env = env
        self.fleet = fleet = Fleet(scenario)
        # One array for all: each provider writes its own column, and the auctioneer reads all of them at once.
        self.free_at = np.zeros((len(STAGES), fleet.size))
        providers = [Provider(env, number, self.free_at, log.served) for number in range(fleet.size)]
        self.providers: Sequence[Server] = providers
        self._radio = radio = Radio(scenario, fleet, draws)
        equipment = fleet.draw_equipment(draws.stream("equipment"))
        self.ledger: Ledger = RunningLedger(env, scenario, fleet, equipment, radio, draws, log.reported)
        self._requests = RequestDraws(scenario, fleet, equipment, draws)
        self._public_times = _public_times(scenario, equipment, radio)
        self._outages = Outages(env, scenario, fleet, providers, draws, log.went_out_or_came_back)
        self.time_origin, self.left_out = 0.0, dict[str, int]()
        self.traffic: Traffic | None
        self._vehicles: Vehicles
        if scenario.traffic.kind == "generated":
            self._vehicles = GeneratedVehicles(env, scenario.traffic, fleet, draws)
        else:
            # Rounds have no places, so they never come here.
            assert scenario.traffic.kind == "recorded"
            recording = recording_of(scenario.traffic) if recording is None else recording
            self._vehicles = RecordedVehicles(env, recording, fleet, scenario.traffic.reference_speed_mps)
            self.time_origin, self.left_out = recording.origin, recording.left_out
        self.traffic = self._vehicles
        self._tasks = 0

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        return self._outages.up_since(time)

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start the vehicles.

        Args:
            on_request: function that is called with the situation of each request, at the time of the request.
        """
        self._vehicles.start(lambda vehicle, request, crossing: on_request(self._situation(vehicle, request, crossing)))

    def _situation(self, vehicle: int, request: int, crossing: Crossing) -> Situation:
        """Return the situation of a request: a vehicle has left the coverage of its station."""
        _, station, x, y, covered, dwell_s, coverage = crossing
        # A provider that is out covers nothing: the market then treats it like one that is too far away.
        if not self._outages.all_work:
            covered = covered & self._outages.working
        requests, at, work = self._requests.of(vehicle, request)
        task = requests.task(at, self._tasks, vehicle, request, self._env.now)
        self._tasks += 1
        own, public = stage_times(work, self._radio.unit_snr(x, y)), self._public_times(x, y, task.kind)
        times = np.concatenate((own[:, None], public[:, None]), axis=1)
        return Situation(
            task, station, times, requests.accuracy[at], requests.match[at], covered, dwell_s, coverage, (x, y)
        )


def _public_times(scenario: Scenario, equipment: Equipment, radio: Radio) -> Callable[[float, float, int], FloatArray]:
    """Return a function (x, y, kind of task) that predicts the public stage times, s, shape (4, providers).

    The prediction is for a task of 30 MB at the mean power of the vehicles, without fading.
    """
    # Size, power and fading of the request are left out because they are not public.
    expected_power = 0.5 * sum(scenario.tasks.power_units)
    works = [stage_work(REFERENCE_MB, work, 0.0, expected_power, *equipment) for work in gpu_work(scenario)]

    @lru_cache(maxsize=PLACES_KEPT)
    def public_times(x: float, y: float, kind: int) -> FloatArray:
        """Return the public stage times, s, shape (4, providers)."""
        return stage_times(works[kind], radio.unit_snr(x, y))

    return public_times
