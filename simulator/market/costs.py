"""What a task costs each provider: seconds of its GPU, and energy."""

from __future__ import annotations

import numpy as np

from simulator.market.lots import Situation
from simulator.model import FloatArray, IntArray
from simulator.model.economy import radio_energy, task_cost
from simulator.model.latency import STAGES
from simulator.providers.fleet import EQUIPMENT, Fleet
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario

GPU, DOWNLINK = STAGES.index("gpu"), STAGES.index("downlink")
POWER = EQUIPMENT.index("power_units")


class Costs:
    """The costs of tasks at the providers.

    Args:
        scenario: scenario with the prices.
        fleet: the providers.

    Attributes:
        free: whether no task costs anything, as in the paper.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet) -> None:
        kinds = (scenario.stations, scenario.uavs)
        of = fleet.is_uav.astype(np.int64)
        self._gpu = np.array([kind.price_gpu_s for kind in kinds])[of]
        self._joule = np.array([kind.price_J for kind in kinds])[of]
        # A station stands where it is in any case.
        self._hover_w = np.where(fleet.is_uav, scenario.uavs.hover_w, 0.0)
        self.free = not (self._gpu.any() or self._joule.any())

    def predicted(self, situation: Situation, finish: FloatArray, free_at: FloatArray, now: float) -> FloatArray:
        """Return what a task would cost each covering provider, shape (providers,).

        Args:
            situation: the task, with its stage times at the providers.
            finish: time at which each provider would finish the task, s, shape (providers,).
            free_at: time at which each provider will have served what it has accepted, s, shape (providers,).
            now: time, s.
        """
        who, times = situation.providers, situation.times[:, 0]
        stay_s = finish - np.maximum(free_at, now)
        return self.at(who, times[GPU], situation.equipment[POWER], times[DOWNLINK], stay_s)

    def of(self, task: Task, power_units: float, free_at: float) -> float:
        """Return what a task costs its winner.

        Args:
            task: a task that its winner has just accepted.
            power_units: transmit power p^d of the winner, units of 100 mW.
            free_at: time at which the winner would have served everything without this task, s.
        """
        times = task.times
        # A UAV stays for a task from when it would be free without it, at the earliest from now on. So the stays of
        # all tasks add up to the time for which the UAV has any.
        stay_s = task.finished[-1] - max(free_at, task.awarded)
        return float(self.at(task.provider, times[GPU], power_units, times[DOWNLINK], stay_s))

    def at(
        self,
        who: IntArray | int,
        gpu_s: FloatArray | float,
        power_units: FloatArray | float,
        downlink_s: FloatArray | float,
        stay_s: FloatArray | float,
    ) -> FloatArray:
        """Return what tasks cost at providers, of the shape of the arguments.

        Args:
            who: ids of the providers.
            gpu_s: time of the GPU stage, s.
            power_units: transmit power p^d, units of 100 mW.
            downlink_s: time of the downlink, s.
            stay_s: time for which the task makes the provider stay, s; it counts for a UAV only.
        """
        energy = radio_energy(power_units, downlink_s) + self._hover_w[who] * stay_s
        return task_cost(gpu_s, energy, self._gpu[who], self._joule[who])
