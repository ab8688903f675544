"""A junction: vehicles on the map meet providers at their places; nothing is multiplied in by hand."""

from __future__ import annotations

import math

import numpy as np
import simpy

from simulator.model.latency import STAGES, stage_times
from simulator.scenario import TASK_KINDS, Scenario
from simulator.world.fleet import Equipment, Fleet
from simulator.world.radio import Radio
from simulator.world.requests import RequestDraws
from simulator.world.rounds import gpu_work
from simulator.world.situation import REFERENCE_MB, Situation
from simulator.world.task import Task
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
        self._gpu_work = gpu_work(scenario).tolist()
        self._expected_power = 0.5 * sum(scenario.tasks.power_units)
        self._deadlines = [
            scenario.tasks.kinds[kind].deadline_s if kind in scenario.tasks.kinds else None for kind in TASK_KINDS
        ]
        self._tasks = 0

    def situation(self, vehicle: int, request: int, crossing: Crossing) -> Situation:
        """The task of a vehicle that leaves its station's coverage, and what it meets at every provider."""
        requests, at = self._draws.of(vehicle, request)
        now, kind, size = self._env.now, int(requests.kind[at]), float(requests.size_mb[at])
        deadline = self._deadlines[kind]
        task = Task(
            self._tasks,
            vehicle,
            request,
            kind,
            size,
            float(requests.demand[at]),
            now,
            math.inf if deadline is None else now + deadline,
        )
        self._tasks += 1
        public = self._radio.unit_snr_db(crossing.x, crossing.y)
        work, equipment = self._gpu_work[kind], self._equipment
        times = np.empty((len(STAGES), 2, len(public)))
        power = self._draws.uplink_power(vehicle)
        times[:, 0] = stage_times(size, work, public + requests.fading_db[at], power, *equipment)
        times[:, 1] = stage_times(REFERENCE_MB, work, public, self._expected_power, *equipment)
        return Situation(
            task,
            crossing.station,
            times,
            requests.accuracy[at],
            requests.match[at],
            crossing.covered,
            crossing.dwell_s,
            crossing.coverage,
        )
