"""The simulation, an iterator that steps the SimPy kernel until a policy has to decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import simpy

from simulator.clock import check_times
from simulator.draws import Draws
from simulator.errors import PolicyFailedError
from simulator.market.appraisal import Appraiser
from simulator.market.auction import Auction
from simulator.market.auctioneer import Auctioneer
from simulator.market.bidders import Bidders
from simulator.market.conditions import bids_shown
from simulator.market.contracts import Bidder, Information, Mechanism
from simulator.market.decisions import Decision
from simulator.market.declarations import check_unchanged, declarations_of
from simulator.market.guard import check_action, reset_bidder, reset_mechanism, seats_of
from simulator.market.ledger import History
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.market.platform import Platform
from simulator.market.plugins import mechanism_columns, scalar_state, strategies_of
from simulator.model.valuation import common_term
from simulator.providers.task import COMPLETED, LOST, Task
from simulator.record.recorder import Recorder
from simulator.record.tables import Tables
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import Recording
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.demand import JunctionDemand
from simulator.world.junction import JunctionSite
from simulator.world.rounds import RoundsDemand, RoundsSite
from simulator.world.site import Site

Demand: TypeAlias = JunctionDemand | RoundsDemand
"""What does not depend on prices in a world."""


def demand_of(scenario: Scenario, draws: Draws, recording: Recording | None = None) -> Demand:
    """Return what does not depend on prices in a world.

    Args:
        scenario: scenario of the world.
        draws: randomness of the world.
        recording: trajectories of recorded traffic; None to read the file of the scenario.
    """
    if scenario.traffic.has_places:
        return JunctionDemand(scenario, draws, recording)
    return RoundsDemand(scenario, draws)


class Simulation:
    """One run of a scenario, as an iterator over the decisions that policies make.

    The caller answers each decision before it asks for the next one.

    Args:
        scenario: scenario to run.
        draws: randomness of the world; None for ``Draws(0)``.
        duration: length of the run, s; None for the duration of the scenario.
        mechanism: rule that says who serves and who pays; None for the Modified Second-Bid auction.
        information: what an observation shows.
        recording: trajectories of recorded traffic; None to read the file of the scenario.
        strategies: who answers for each provider, by id; None for the bidders that the scenario names.
        demand: what does not depend on prices, of this scenario and seed; None to draw it.

    Attributes:
        scenario: scenario of the run.
        draws: randomness of the world.
        duration: length of the run, s.
        site: world without its market.
        auctioneer: auctioneer of the market.
        mechanism: rule that says who serves and who pays.
        platform: what the mechanism may know.
        recorder: recorder of everything that has happened so far.

    Raises:
        InputError: the seed or the duration is out of range.
        RunError: the mechanism failed in its ``reset``.

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
        demand: Demand | None = None,
    ) -> None:
        self.scenario, self.draws = scenario, Draws(0) if draws is None else draws
        if duration is None:
            if recording is None and scenario.traffic.kind == "recorded":
                recording = recording_of(scenario.traffic)
            duration = run_length(scenario, recording)
        check_times(self.draws.seed, duration, 0.0)
        self.duration = float(duration)
        self._env = env = simpy.Environment()
        self._latency_weight = scenario.market.latency_weight
        self.site: Site
        if demand is None:
            demand = demand_of(scenario, self.draws, recording)
        if isinstance(demand, JunctionDemand):
            self.site = JunctionSite(env, scenario, self.draws, self, demand)
        else:
            self.site = RoundsSite(env, scenario, demand, self.served)
        site, fleet = self.site, self.site.fleet
        self.mechanism = ModifiedSecondBid() if mechanism is None else mechanism
        size_factor, has_places = scenario.tasks.size_factor(), scenario.traffic.has_places
        cap = scenario.tasks.accuracy_cap
        self.platform = Platform(fleet, scenario.market, site.ledger, has_places, size_factor, cap)
        declared = declarations_of(self.mechanism)
        reset_mechanism(self.mechanism, self.platform, self.draws.generator("mechanism"))
        check_unchanged(self.mechanism, declared)
        found = strategies_of(fleet) if strategies is None else list(strategies)
        # A bidder draws by the first provider for which it answers: one more provider changes no other bidder.
        named = {id(one): (one, name) for one, name in zip(reversed(found), reversed(fleet.names), strict=True)}
        for bidder, name in reversed(named.values()):
            reset_bidder(bidder, scenario, self.draws.generator("bidder", name))
        self._bidders = bidders = Bidders(found, fleet.uavs)
        self.recorder = Recorder(
            mechanism_columns(self.mechanism),
            scalar_state(self.mechanism),
            getattr(self.mechanism, "value_of", "provider"),
        )
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
            scenario.market.prices(),
            bids_shown(scenario, information),
            scenario.market.patience_s,
            scenario.market.message_s,
            site.up_since,
            scenario.outages.possible,
        )
        self._handed_out: Decision | None = None
        self.site.start(self.auctioneer.request)

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "a running world cannot be copied, because its processes cannot; make a second one with the same scenario "
            "and seed, and give it the same answers"
        )

    @property
    def has_seats(self) -> bool:
        """Whether a policy decides anything in the mechanism."""
        return bool(seats_of(self.mechanism))

    def columns_of(self, auction: Auction) -> dict[str, float]:
        """Return the values of the mechanism's own columns of a settled auction, by name."""
        names = [column.name for column in self.recorder.columns]
        return dict(zip(names, auction.extra, strict=True)) if auction.extra else {}

    @property
    def now(self) -> float:
        """The simulated time, s."""
        return float(self._env.now)

    def __iter__(self) -> Iterator[Decision]:
        return self

    def __next__(self) -> Decision:
        """Return the next decision, or stop at the end of the run.

        Raises:
            RuntimeError: the last decision has not been answered.
            StopIteration: the run is over.
        """
        env, auctioneer, duration = self._env, self.auctioneer, self.duration
        if auctioneer.pending is not None:
            # A mechanism may want several decisions in one clearing.
            if self._handed_out is auctioneer.pending:
                raise RuntimeError("the pending decision wants an answer: call answer(action) first")
            self._handed_out = auctioneer.pending
            return auctioneer.pending
        # An event at the very end of the run does not happen: a run covers the times 0 <= t < duration.
        while env.peek() < duration:
            env.step()
            if auctioneer.pending is not None:
                self._handed_out = auctioneer.pending
                return auctioneer.pending
        # Moves the clock to the end of the run.
        if env.now < duration:
            env.run(until=duration)
        auctioneer.finish()
        raise StopIteration

    def until(self, time: float) -> Iterator[Decision]:
        """Iterate over the decisions before a time, without ending the run.

        Args:
            time: time at which to stop, s.
        """
        while self.auctioneer.pending is not None or self._env.peek() < min(time, self.duration):
            if self.auctioneer.pending is None:
                self._env.step()
            if self.auctioneer.pending is not None:
                yield self.auctioneer.pending

    def answer(self, action: Any) -> None:
        """Answer the pending decision.

        Args:
            action: for a price, a factor rho >= 1 (`inf`: the UAV gets the task); for a choice, its index; else a
                number in the range of the seat.

        Raises:
            ValueError: the action is not in the space of the seat.
            RuntimeError: no decision is pending.
        """
        decision = self.auctioneer.pending
        if decision is None:
            raise RuntimeError("no decision is pending")
        try:
            action = check_action(action, decision.place.space, decision.observation.mask, "answer()")
        except PolicyFailedError as error:
            raise ValueError(str(error)) from None
        self.auctioneer.answer(action)

    def tables(self) -> Tables:
        """Return the tables of everything that has happened so far."""
        site = self.site
        return Tables(self.recorder, self.scenario, site.fleet, site.traffic, self.now)

    def reported(self, uav: int, bid: float) -> None:
        """Record the report of a UAV.

        Args:
            uav: id of the UAV.
            bid: its bid from this report on, before the factor of its bidder.
        """
        self.recorder.report(self._env.now, uav, bid * self._bidders.factors[uav])

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
            self.platform.reputations.note(provider, False, self._env.now)
            self.recorder.task_done(task, task.lost_at)
            self.site.ledger.dropped(task)
            self.auctioneer.telling.ended(task, self.now)

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
        self.platform.reputations.note(task.provider, delivered, self._env.now)
        self.auctioneer.telling.ended(task, self.now)
