"""The simulation, an iterator that steps the SimPy kernel until an auction needs a price."""

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
    """One run of a scenario, as an iterator over the auctions that need a price.

    The caller settles each auction before it asks for the next one.

    Args:
        scenario: scenario to run.
        draws: randomness of the world; None for ``Draws(0)``.
        duration: length of the run, s; None for the duration of the scenario.
        mechanism: rule that decides who wins and what the winner pays; None for the Modified Second-Bid auction.
        information: what an observation shows.
        recording: trajectories of recorded traffic; None to read the file of the scenario.

    Attributes:
        scenario: scenario of the run.
        draws: randomness of the world.
        duration: length of the run, s.
        site: world without its market.
        auctioneer: auctioneer of the market.
        recorder: recorder of everything that has happened so far.

    Raises:
        InputError: the seed or the duration is out of range.
        RunError: the mechanism failed in its ``reset``.

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
        # Before anything is built: a mechanism takes its settings from the scenario, such as `market.reference`.
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
        """The simulated time, s."""
        return float(self._env.now)

    def __iter__(self) -> Iterator[Auction]:
        return self

    def __next__(self) -> Auction:
        """Return the next auction that needs a price, or stop at the end of the run.

        Raises:
            RuntimeError: the last auction has not been settled.
            StopIteration: the run is over.
        """
        env, auctioneer, duration = self._env, self.auctioneer, self.duration
        if auctioneer.pending is not None:
            raise RuntimeError("the pending auction needs a price; call settle(rho) first")
        # An event at the very end of the run does not happen: a run covers the times 0 <= t < duration.
        while env.peek() < duration:
            env.step()
            if auctioneer.pending is not None:
                return auctioneer.pending
        # Moves the clock to the end of the run.
        if env.now < duration:
            env.run(until=duration)
        raise StopIteration

    def settle(self, rho: float) -> None:
        """Settle the pending auction.

        Args:
            rho: price scaling factor, at least 1. The value ``inf`` gives the task to the UAV.

        Raises:
            ValueError: rho is below 1 or NaN.
            RuntimeError: no auction is pending.
            PolicyFailedError: the mechanism or the feedback of the policy failed.
        """
        # Written this way round, the comparison refuses NaN too.
        if not rho >= 1.0:
            raise ValueError(f"rho must be a number >= 1, not {rho!r}")
        self.auctioneer.settle(rho)

    def tables(self) -> Tables:
        """Return the tables of everything that has happened so far."""
        site = self.site
        return Tables(self.recorder, self.scenario, site.fleet, site.traffic, self.duration)

    def reported(self, uav: int, bid: float) -> None:
        """Record the report of a UAV.

        Args:
            uav: id of the UAV.
            bid: its bid from this report on, before its bid factor.
        """
        self.recorder.report(self._env.now, uav, bid * float(self.site.fleet.bid_factor[uav]))

    def went_out_or_came_back(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        """Record the start or the end of an outage, and the dropped tasks as lost.

        Args:
            provider: id of the provider.
            is_out: whether the provider is out from now on.
            dropped: tasks that the provider has dropped.
        """
        self.recorder.outage(self._env.now, provider, is_out)
        for task in dropped:
            task.status, task.cut_at = LOST, self._env.now
            self.recorder.task_done(task, task.lost_at)

    def served(self, task: Task) -> None:
        """Decide whether a task that has passed its last stage is completed or lost, and record it.

        Args:
            task: the task.
        """
        # A result is delivered if it comes before the vehicle leaves coverage and before the deadline.
        lost_at = task.lost_at
        delivered = self._env.now <= lost_at
        task.status = COMPLETED if delivered else LOST
        self.recorder.task_done(task, lost_at)
        # (9) and (10) average over all tasks that the provider finished, the lost ones too.
        self._history.add(task.provider, float(common_term(task.latency, self._latency_weight)), task.match)
        self.site.ledger.served(task, delivered)
