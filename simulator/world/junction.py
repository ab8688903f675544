"""The world with places: vehicles and providers on a map.

Latencies follow from queues, distances and lines of sight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import simpy

from simulator.draws import Draws
from simulator.market.ledger import Ledger, RunningLedger
from simulator.market.lots import Situation
from simulator.model import BoolArray
from simulator.model.latency import STAGES
from simulator.providers.outages import Outages
from simulator.providers.queues import Provider, Server
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.traffic.contract import Traffic
from simulator.world.demand import Arrival, JunctionDemand


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
        demand: what does not depend on prices.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        draws: Draws,
        log: JunctionLog,
        demand: JunctionDemand,
    ) -> None:
        self._env, self._demand = env, demand
        self.fleet = fleet = demand.fleet
        # One array for all: each provider writes its own column, and the auctioneer reads all of them at once.
        self.free_at = np.zeros((len(STAGES), fleet.size))
        # Without a size nothing moves, and nobody asks where the twins are.
        self._twins: dict[int, int] | None = {} if scenario.tasks.twin_mb > 0.0 else None
        providers = [Provider(env, number, self.free_at, log.served, self._twins) for number in range(fleet.size)]
        self.providers: list[Server] = list(providers)
        self.ledger: Ledger = RunningLedger(env, scenario, fleet, demand.expected, log.reported)
        self._outages = Outages(env, scenario, fleet, providers, draws, log.went_out_or_came_back)
        self.time_origin, self.left_out = demand.time_origin, demand.left_out
        self.traffic: Traffic | None = None
        self._tasks = 0

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        return self._outages.up_since(time)

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start the vehicles.

        Args:
            on_request: function that is called with the situation of each request, at the time of the request.
        """
        self.traffic = self._demand.start(self._env, lambda arrival: on_request(self._situation(arrival)))

    def _situation(self, arrival: Arrival) -> Situation:
        """Return the situation of a request."""
        time, vehicle, request, station, requests, at, providers = arrival[:7]
        times, accuracy, match, dwell, snr = (
            arrival.times,
            arrival.accuracy,
            arrival.match,
            arrival.dwell_s,
            arrival.snr,
        )
        # A provider that is out covers nothing: the market then treats it like one that is too far away.
        if not self._outages.all_work:
            works = self._outages.working[providers]
            providers = providers[works]
            times, accuracy, match, dwell, snr = (array[..., works] for array in (times, accuracy, match, dwell, snr))
        if self._twins is not None and vehicle in self._twins:
            # Who has the twin needs no migration. The stage times are read-only, for the next replay.
            times = times.copy()
            times[0, :, providers == self._twins[vehicle]] = 0.0
        times.flags.writeable = False
        task = requests.task(at, self._tasks, vehicle, request, time)
        self._tasks += 1
        equipment = self._demand.equipment.take(providers, axis=1)
        return Situation(
            task,
            station,
            providers,
            times,
            accuracy,
            match,
            dwell,
            arrival.coverage,
            arrival.place,
            snr,
            equipment,
            arrival.downlink_s,
        )
