"""The simulation: an iterator that steps the SimPy kernel until a decision is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import simpy

from simulator.clock import check_times
from simulator.draws import Draws
from simulator.errors import PolicyFailedError
from simulator.market.appraisal import Appraiser
from simulator.market.auctioneer import Auctioneer, Decision
from simulator.market.bidders import Bidders
from simulator.market.contracts import Bidder, Information, Mechanism, PriceScale
from simulator.market.guard import check_choice, check_price, reset_bidder, reset_mechanism
from simulator.market.ledger import History
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.market.platform import Platform
from simulator.market.plugins import mechanism_columns, strategies_of
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
    """One run of a scenario: iterate over the decisions that policies make, and answer each.

    Args:
        scenario: the scenario.
        draws: all randomness of the world, ``Draws(seed)``; that of seed 0 if None.
        duration: length of the run, s; that of the scenario if None.
        mechanism: who serves and who pays; `msb` if None.
        information: what an observation holds.
        recording: trajectories to drive instead of those in the scenario's file.
        strategies: who answers for each provider, by id; those that the scenario names if None.

    Attributes:
        site: the world without its market.
        auctioneer: who holds the auctions.
        recorder: what has been written down so far.

    Raises:
        InputError: the seed or the duration cannot be.

    Example:
        >>> simulation = Simulation(Scenario.load("paper"), Draws(0), duration=3)
        >>> for decision in simulation:
        ...     simulation.answer(1.3)
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
        strategies: Sequence[Bidder] | None = None,
    ) -> None:
        self.scenario, self.draws = scenario, Draws(0) if draws is None else draws
        duration = scenario.duration_s if duration is None else duration
        check_times(self.draws.seed, duration, 0.0)
        self.duration = float(duration)
        self._env = env = simpy.Environment()
        self._latency_weight = scenario.market.latency_weight
        self.site: Site
        if scenario.traffic.has_places:
            self.site = JunctionSite(env, scenario, self.draws, self, recording)
        else:
            self.site = RoundsSite(env, scenario, self.draws, self.served)
        site, fleet = self.site, self.site.fleet
        self.mechanism = ModifiedSecondBid() if mechanism is None else mechanism
        platform = Platform(fleet, scenario.market, site.ledger, scenario.traffic.has_places)
        reset_mechanism(self.mechanism, platform, self.draws.generator("mechanism"))
        found = strategies_of(fleet) if strategies is None else list(strategies)
        for number, bidder in enumerate({id(one): one for one in found}.values()):
            reset_bidder(bidder, scenario, self.draws.generator("bidder", number))
        self._bidders = bidders = Bidders(found, fleet.uavs)
        self.recorder = Recorder(mechanism_columns(self.mechanism))
        self._history = History(fleet.size, scenario.market.history)
        self.auctioneer = Auctioneer(
            env,
            Appraiser(scenario, fleet, site.free_at, self._history, site.ledger, bidders.factors),
            bidders,
            site.providers,
            site.ledger,
            self.recorder,
            self.mechanism,
            information,
            scenario.market.patience_s,
            site.up_since,
        )
        self._handed_out: Decision | None = None
        self.site.start(self.auctioneer.request)

    @property
    def now(self) -> float:
        """Simulated time, s."""
        return float(self._env.now)

    def __iter__(self) -> Iterator[Decision]:
        return self

    def __next__(self) -> Decision:
        """Step until the next decision that a policy makes; stop when the run's time is over."""
        env, auctioneer, duration = self._env, self.auctioneer, self.duration
        if auctioneer.pending is not None:
            if self._handed_out is auctioneer.pending:
                raise RuntimeError("the pending decision wants an answer: call answer(action) first")
            self._handed_out = auctioneer.pending
            return auctioneer.pending
        while env.peek() < duration:
            env.step()
            if auctioneer.pending is not None:
                self._handed_out = auctioneer.pending
                return auctioneer.pending
        if env.now < duration:
            env.run(until=duration)
        auctioneer.finish()
        raise StopIteration

    def answer(self, action: Any) -> None:
        """Answer the pending decision.

        Args:
            action: for a price, a factor rho >= 1 (`inf`: the UAV gets the task); for a choice, its index.

        Raises:
            ValueError: the action is not in the space of the seat.
            RuntimeError: no decision is pending.
        """
        decision = self.auctioneer.pending
        if decision is None:
            raise RuntimeError("no decision is pending")
        try:
            if isinstance(decision.place.space, PriceScale):
                action = check_price(action, "answer()")
            else:
                action = check_choice(action, decision.place.space, decision.observation.mask, "answer()")
        except PolicyFailedError as error:
            raise ValueError(str(error)) from None
        self.auctioneer.answer(action)

    def tables(self) -> Tables:
        """Return the tables of what has happened so far."""
        site = self.site
        return Tables(self.recorder, self.scenario, site.fleet, site.traffic, self.duration)

    def reported(self, uav: int, bid: float) -> None:
        """Write down the report of a UAV: what it takes a mean task to be worth, before its bid factor."""
        self.recorder.report(self._env.now, uav, bid * self._bidders.factors[uav])

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
