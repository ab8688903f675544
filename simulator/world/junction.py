"""A junction: vehicles on the map meet providers at their places; nothing is multiplied in by hand."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import simpy

from simulator.market.lots import REFERENCE_MB, Situation
from simulator.market.requests import RequestDraws, gpu_work
from simulator.model import FloatArray
from simulator.model.latency import stage_times, stage_work
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.radio import PLACES_KEPT, Radio
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Crossing


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
        self._env, self._radio = env, radio
        self._draws = RequestDraws(scenario, fleet, equipment, seed)
        self._tasks = 0
        expected_power = 0.5 * sum(scenario.tasks.power_units)
        public = [stage_work(REFERENCE_MB, work, 0.0, expected_power, *equipment) for work in gpu_work(scenario)]

        @lru_cache(maxsize=PLACES_KEPT)
        def public_times(x: float, y: float, kind: int) -> FloatArray:
            """What the public can predict at a place: the stage times of 30 MB at mean power without fading."""
            return stage_times(public[kind], radio.unit_snr(x, y))

        self._public_times = public_times

    def situation(self, vehicle: int, request: int, crossing: Crossing) -> Situation:
        """The task of a vehicle that leaves its station's coverage, and what it meets at every provider."""
        _, station, x, y, covered, dwell_s, coverage = crossing
        requests, at, work = self._draws.of(vehicle, request)
        task = requests.task(at, self._tasks, vehicle, request, self._env.now)
        self._tasks += 1
        own, public = stage_times(work, self._radio.unit_snr(x, y)), self._public_times(x, y, task.kind)
        times = np.concatenate((own[:, None], public[:, None]), axis=1)
        return Situation(task, station, times, requests.accuracy[at], requests.match[at], covered, dwell_s, coverage)
