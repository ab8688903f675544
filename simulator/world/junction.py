"""A junction: vehicles on the map meet providers at their places; nothing is multiplied in by hand."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import simpy

from simulator.model import FloatArray
from simulator.model.latency import STAGES, stage_times
from simulator.scenario import Scenario
from simulator.world.fleet import Equipment, Fleet
from simulator.world.radio import PLACES_KEPT, Radio
from simulator.world.requests import RequestDraws, gpu_work, time_limits
from simulator.world.situation import REFERENCE_MB, Situation
from simulator.world.traffic import Crossing


class Junction:
    """Turns a vehicle's crossing of a cell's rim into the situation that the market is told.

    Args:
        env: the SimPy environment.
        scenario: the scenario.
        fleet: the providers.
        equipment: their equipment.
        radio: the radio map.
        seed: the seed of the run.
    """

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, fleet: Fleet, equipment: Equipment, radio: Radio, seed: int
    ) -> None:
        self._env, self._equipment, self._radio = env, equipment, radio
        self._draws = RequestDraws(scenario, fleet, seed)
        self._gpu_work = gpu_work(scenario)
        self._limits = time_limits(scenario)
        self._tasks = 0
        expected_power = 0.5 * sum(scenario.tasks.power_units)

        @lru_cache(maxsize=PLACES_KEPT)
        def public_times(x: float, y: float, kind: int) -> FloatArray:
            """What the public can predict at a place: the stage times of 30 MB at mean power without fading."""
            snr_db = radio.unit_snr_db(x, y)
            return stage_times(REFERENCE_MB, self._gpu_work[kind], snr_db, expected_power, *equipment)

        self._public_times = public_times

    def situation(self, vehicle: int, request: int, crossing: Crossing) -> Situation:
        """The task of a vehicle that leaves its station's coverage, and what it meets at every provider."""
        _, station, x, y, covered, dwell_s, coverage = crossing
        requests, at = self._draws.of(vehicle, request)
        task = requests.task(at, self._tasks, vehicle, request, self._env.now, self._limits)
        self._tasks += 1
        snr_db = self._radio.unit_snr_db(x, y) + requests.fading_db[at]
        power, work = self._draws.uplink_power(vehicle), self._gpu_work[task.kind]
        times = np.empty((len(STAGES), 2, len(snr_db)))
        times[:, 0] = stage_times(task.size_mb, work, snr_db, power, *self._equipment)
        times[:, 1] = self._public_times(x, y, task.kind)
        return Situation(task, station, times, requests.accuracy[at], requests.match[at], covered, dwell_s, coverage)
