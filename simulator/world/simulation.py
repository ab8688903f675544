"""The simulation: an iterator that steps the SimPy kernel until a price is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import simpy

from simulator.clock import check_times
from simulator.draws import stream
from simulator.market.auction import Auction
from simulator.market.auctioneer import Auctioneer
from simulator.market.contracts import Information, Mechanism
from simulator.market.guard import reset_mechanism
from simulator.market.ledger import Books, History, RunningBooks
from simulator.market.lots import Situation
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.model.latency import STAGES
from simulator.model.valuation import common_term
from simulator.providers.fleet import Fleet
from simulator.providers.outages import Outages
from simulator.providers.queues import Provider, UnqueuedProvider
from simulator.providers.radio import Radio
from simulator.providers.task import COMPLETED, LOST, Task
from simulator.record.recorder import Recorder
from simulator.record.tables import World
from simulator.scenario.scenario import Scenario
from simulator.scenario.shipped import data_path
from simulator.scenario.traffic import GeneratedTraffic, RecordedTraffic, Rounds
from simulator.traffic.contract import Crossing, Traffic
from simulator.traffic.generated import GeneratedVehicles
from simulator.traffic.recorded import RecordedVehicles
from simulator.traffic.recording import Recording
from simulator.world.junction import Junction
from simulator.world.rounds import RoundCalibration, RoundSource

if TYPE_CHECKING:
    import pandas as pd


class Simulation:
    """One run of a scenario: iterate over the auctions that want a price and settle each.

    Args:
        scenario: the scenario.
        seed: fixes everything that does not depend on prices.
        duration: length of the run, s; that of the scenario if None.
        mechanism: who wins and what is paid; `msb` if None.
        information: what an observation holds.
        recording: trajectories to drive instead of the scenario's file, as columns of `Recording.from_frame`.

    Example:
        >>> simulation = Simulation(Scenario.load("paper"), duration=3)
        >>> for auction in simulation:
        ...     simulation.settle(rho=1.3)
        >>> simulation.now
        3.0
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int = 0,
        duration: float | None = None,
        mechanism: Mechanism | None = None,
        information: Information = "public",
        recording: pd.DataFrame | None = None,
    ) -> None:
        self.scenario, self.seed = scenario, seed
        check_times(seed, scenario.duration_s if duration is None else duration, 0.0)
        self.duration = float(scenario.duration_s if duration is None else duration)
        self.fleet = fleet = Fleet(scenario)
        self.recorder = Recorder(fleet.size)
        if mechanism is None:
            mechanism = ModifiedSecondBid()
        reset_mechanism(mechanism, scenario)
        self._env = env = simpy.Environment()
        free_at = np.zeros((len(STAGES), fleet.size))
        self._latency_weight = scenario.market.latency_weight
        self._history = History(fleet.size, scenario.market.history)
        self._books: Books
        traffic: Traffic | None = None
        origin, left_out = 0.0, dict[str, int]()
        providers: list[Provider] | list[UnqueuedProvider]
        if isinstance(scenario.traffic, Rounds):
            providers = [UnqueuedProvider(env, self._served) for _ in range(fleet.size)]
            calibration = RoundCalibration(scenario, fleet, seed)
            self._books = calibration
            RoundSource(env, scenario, fleet, seed, calibration, self._request)
        else:
            providers = [Provider(env, number, free_at, self._served) for number in range(fleet.size)]
            radio = Radio(scenario, fleet, seed)
            equipment = fleet.draw_equipment(stream(seed, "equipment"))
            self._books = RunningBooks(env, scenario, fleet, equipment, radio, seed, self._reported)
            self._junction = Junction(env, scenario, fleet, equipment, radio, seed)
            self._outages = Outages(env, scenario, fleet, providers, seed, self._went_out_or_came_back)
            if isinstance(scenario.traffic, GeneratedTraffic):
                traffic = GeneratedVehicles(env, scenario.traffic, fleet, seed, self._crossed)
            else:
                trajectories = _trajectories(scenario.traffic, recording)
                origin, left_out = trajectories.origin, trajectories.left_out
                speed = scenario.traffic.reference_speed_mps
                traffic = RecordedVehicles(env, trajectories, fleet, speed, self._crossed)
        self.world = World(scenario, fleet, traffic, origin, left_out)
        self._auctioneer = Auctioneer(
            scenario, fleet, providers, free_at, self._history, self._books, self.recorder, mechanism, information
        )

    @property
    def now(self) -> float:
        """Simulated time, s."""
        return float(self._env.now)

    @property
    def auctioneer(self) -> Auctioneer:
        """The auctioneer."""
        return self._auctioneer

    def __iter__(self) -> Iterator[Auction]:
        return self

    def __next__(self) -> Auction:
        """Step until the next auction that wants a price; stop when the run's time is over."""
        env, auctioneer, duration = self._env, self._auctioneer, self.duration
        if auctioneer.pending is not None:
            raise RuntimeError("the pending auction wants a price: call settle(rho) first")
        while env.peek() < duration:
            env.step()
            if auctioneer.pending is not None:
                return auctioneer.pending
        if env.now < duration:
            env.run(until=duration)
        raise StopIteration

    def settle(self, rho: float) -> None:
        """Settle the pending auction at a price scaling factor rho >= 1 (`inf`: the UAV gets the task).

        Raises:
            ValueError: rho is below 1 or NaN.
            RuntimeError: no auction is pending.
        """
        if not rho >= 1.0:
            raise ValueError(f"rho must be a number >= 1, not {rho!r}")
        self._auctioneer.settle(rho)

    def _request(self, situation: Situation) -> None:
        self._auctioneer.request(situation)

    def _crossed(self, vehicle: int, request: int, crossing: Crossing) -> None:
        if not self._outages.all_work:
            crossing = crossing._replace(covered=crossing.covered & self._outages.working)
        self._auctioneer.request(self._junction.situation(vehicle, request, crossing))

    def _reported(self, uav: int, bid: float) -> None:
        self.recorder.report(self._env.now, uav, bid * float(self.fleet.bid_factor[uav]))

    def _went_out_or_came_back(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        self.recorder.outage(self._env.now, provider, is_out)
        for task in dropped:
            task.status, task.cut_at = LOST, self._env.now
            self.recorder.task_done(task, task.lost_at)

    def _served(self, task: Task) -> None:
        """A task has passed its last stage: it is delivered if the vehicle is still there and the deadline not past."""
        lost_at = task.lost_at
        delivered = self._env.now <= lost_at
        task.status = COMPLETED if delivered else LOST
        self.recorder.task_done(task, lost_at)
        self._history.add(task.provider, float(common_term(task.latency, self._latency_weight)), task.match)
        self._books.served(task, delivered)


def _trajectories(traffic: RecordedTraffic, recording: pd.DataFrame | None) -> Recording:
    if recording is not None:
        return Recording.from_frame(recording, max_gap_s=traffic.max_gap_s)
    return Recording.read(data_path(traffic.file), traffic.max_gap_s)
