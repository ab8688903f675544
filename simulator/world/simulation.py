"""The simulation: an iterator that steps the SimPy kernel until a price is wanted."""

from __future__ import annotations

from collections.abc import Iterator

import simpy

from simulator.clock import check_times
from simulator.draws import Draws
from simulator.market.auction import Auction
from simulator.market.auctioneer import Auctioneer
from simulator.market.contracts import Information, Mechanism
from simulator.market.guard import reset_mechanism
from simulator.market.ledger import History
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.model.valuation import common_term
from simulator.providers.task import COMPLETED, LOST, Task
from simulator.record.recorder import Recorder
from simulator.record.tables import Tables
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import Recording
from simulator.world.junction import JunctionSite
from simulator.world.rounds import RoundsSite
from simulator.world.site import Site


class Simulation:
    """One run of a scenario: iterate over the auctions that want a price and settle each.

    Args:
        scenario: the scenario.
        draws: all randomness of the world, ``Draws(seed)``; that of seed 0 if None.
        duration: length of the run, s; that of the scenario if None.
        mechanism: who wins and what is paid; `msb` if None.
        information: what an observation holds.
        recording: trajectories to drive instead of those in the scenario's file.

    Attributes:
        site: the world without its market.
        auctioneer: who holds the auctions.
        recorder: what has been written down so far.

    Raises:
        InputError: the seed or the duration cannot be.

    Example:
        >>> simulation = Simulation(Scenario.load("paper"), Draws(0), duration=3)
        >>> for auction in simulation:
        ...     simulation.settle(rho=1.3)
        >>> simulation.now
        3.0
    """

    def __init__(
        self,
        scenario: Scenario,
        draws: Draws | None = None,
        duration: float | None = None,
        mechanism: Mechanism | None = None,
        information: Information = "public",
        recording: Recording | None = None,
    ) -> None:
        self.scenario, self.draws = scenario, Draws(0) if draws is None else draws
        duration = scenario.duration_s if duration is None else duration
        check_times(self.draws.seed, duration, 0.0)
        self.duration = float(duration)
        if mechanism is None:
            mechanism = ModifiedSecondBid()
        reset_mechanism(mechanism, scenario)
        self._env = env = simpy.Environment()
        self._latency_weight = scenario.market.latency_weight
        self.site: Site
        if scenario.traffic.has_places:
            self.site = JunctionSite(env, scenario, self.draws, self, recording)
        else:
            self.site = RoundsSite(env, scenario, self.draws, self.served)
        fleet = self.site.fleet
        self.recorder = Recorder()
        self._history = History(fleet.size, scenario.market.history)
        self.auctioneer = Auctioneer(
            scenario,
            fleet,
            self.site.providers,
            self.site.free_at,
            self._history,
            self.site.ledger,
            self.recorder.auction,
            mechanism,
            information,
        )
        self.site.start(self.auctioneer.request)

    @property
    def now(self) -> float:
        """Simulated time, s."""
        return float(self._env.now)

    def __iter__(self) -> Iterator[Auction]:
        return self

    def __next__(self) -> Auction:
        """Step until the next auction that wants a price; stop when the run's time is over."""
        env, auctioneer, duration = self._env, self.auctioneer, self.duration
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
        self.auctioneer.settle(rho)

    def tables(self) -> Tables:
        """Return the tables of what has happened so far."""
        site = self.site
        return Tables(self.recorder, self.scenario, site.fleet, site.traffic, self.duration)

    def reported(self, uav: int, bid: float) -> None:
        """Write down the report of a UAV: what it takes a mean task to be worth, before its bid factor."""
        self.recorder.report(self._env.now, uav, bid * float(self.site.fleet.bid_factor[uav]))

    def went_out_or_came_back(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        """Write down that a provider has gone out or come back; the tasks that it dropped are lost."""
        self.recorder.outage(self._env.now, provider, is_out)
        for task in dropped:
            task.status, task.cut_at = LOST, self._env.now
            self.recorder.task_done(task, task.lost_at)

    def served(self, task: Task) -> None:
        """Settle what became of a task that has passed its last stage, and let everybody remember it."""
        # Delivered is what comes back while the vehicle is still covered and the deadline is not past.
        lost_at = task.lost_at
        delivered = self._env.now <= lost_at
        task.status = COMPLETED if delivered else LOST
        self.recorder.task_done(task, lost_at)
        self._history.add(task.provider, float(common_term(task.latency, self._latency_weight)), task.match)
        self.site.ledger.served(task, delivered)
