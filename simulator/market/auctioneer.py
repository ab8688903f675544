"""The auctioneer, which drives a mechanism: it takes requests, answers questions, hands out decisions and settles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import simpy

from simulator.clock import until
from simulator.market.appraisal import Appraiser
from simulator.market.asking import Asking
from simulator.market.auction import (
    GROUND,
    NO_BID,
    NOT_COVERED,
    NOT_INVITED,
    NOT_UNSERVED,
    UAV,
    UNSOLD,
    Auction,
)
from simulator.market.bidders import Bidders
from simulator.market.clearing import begin_clearing, check_awards, check_columns, check_decide
from simulator.market.contracts import (
    Ask,
    Award,
    Decide,
    Information,
    Lot,
    Mechanism,
    Observation,
    Truth,
)
from simulator.market.costs import POWER
from simulator.market.decisions import Clearance, Decision, MarketLog
from simulator.market.guard import failed
from simulator.market.ledger import Ledger
from simulator.market.lots import Situation
from simulator.market.telling import Telling
from simulator.market.windows import Windows
from simulator.model import BoolArray
from simulator.providers.queues import Server
from simulator.providers.task import UNSERVED, Task


class Auctioneer:
    """The platform that holds the auctions.

    Args:
        env: the SimPy environment, for windows.
        appraiser: computes values, predictions and market conditions.
        bidders: the answers of the providers.
        providers: servers of the tasks, by provider id.
        ledger: what the platform remembers of past rounds.
        log: who writes down what happens.
        mechanism: rule that says who serves and who pays.
        information: what a policy may see.
        grid: price scaling factors of a learner's actions.
        most_bids: number of bids in the array of an observation.
        patience_s: how long a task waits for an award in windows, s.
        message_s: time of one round of messages, there and back, s.
        up_since: function that returns which providers have not been out since a time, shape (providers,).
        outages_possible: whether a provider can go out during the run.

    Attributes:
        appraiser: computes values, predictions and market conditions.
        asking: who answers the questions of the mechanism.
        pending: decision that waits for an answer; None if there is none.
        telling: tells a policy how its auctions settle.
        before_clearing: function that is called with the auctions of each clearing before it begins; None for nothing.
    """

    def __init__(
        self,
        env: simpy.Environment,
        appraiser: Appraiser,
        bidders: Bidders,
        providers: Sequence[Server],
        ledger: Ledger,
        log: MarketLog,
        mechanism: Mechanism,
        information: Information,
        grid: Sequence[float],
        most_bids: int,
        patience_s: float,
        message_s: float,
        up_since: Callable[[float], BoolArray],
        outages_possible: bool,
    ) -> None:
        self.appraiser, self.mechanism = appraiser, mechanism
        self.pending: Decision | None = None
        self.before_clearing: Callable[[list[Auction]], None] | None = None
        self._env, self._bidders, self._providers = env, bidders, providers
        self._ledger, self._log, self._information = ledger, log, information
        self._grid, self._most_bids = tuple(grid), most_bids
        self._columns = tuple(column.name for column in getattr(mechanism, "columns", ()))
        self._by_vehicles = getattr(mechanism, "value_of", "provider") == "vehicle"
        self._patience_s, self._message_s, self._outages_possible = patience_s, message_s, outages_possible
        self.asking = Asking(mechanism, appraiser, bidders, up_since)
        self.telling = Telling(appraiser, self._allowed)
        every_s: float = getattr(mechanism, "every_s", 0.0)
        most_lots: int = getattr(mechanism, "most_lots", 0)
        self._windows = Windows(env, every_s, most_lots, self._close_window) if every_s > 0.0 else None
        # Clearings that wait for messages, by their first task.
        self._in_flight: dict[int, Clearance] = {}

    def request(self, situation: Situation) -> None:
        """Take in the request for a task. It is cleared at once, or at the end of the window.

        Args:
            situation: the task, with its stage times, accuracies and coverage at the covering providers.
        """
        auction = self.appraiser.open(situation)
        if not auction.lot.invited:
            # Nobody can serve it, so no mechanism is asked.
            self._unsold(auction, NOT_INVITED if auction.columns else NOT_COVERED)
        elif self._windows is not None:
            self._windows.take(auction)
        else:
            self._begin([auction])

    def answer(self, action: Any) -> None:
        """Answer the pending decision.

        Args:
            action: a price scaling factor, or the index of a choice, as the space of the seat says.

        Raises:
            RuntimeError: no decision is pending.
            PolicyFailedError: the mechanism failed.
        """
        decision = self.pending
        if decision is None:
            raise RuntimeError("no decision is pending")
        self.pending = None
        self._log.decision(decision, action)
        for auction in decision.auctions:
            auction.asked, auction.decided = True, (decision, action)
        self._advance(decision.clearance, action)

    @property
    def factors(self) -> Sequence[float]:
        """Factor of each provider that bids its value times a factor, by id; 1 for other strategies."""
        return self._bidders.factors

    def finish(self) -> None:
        """End the run: what still waits for a clearing stays open."""
        under_way = [auction for one in self._in_flight.values() for auction in one.auctions.values()]
        waiting = [] if self._windows is None else self._windows.waiting
        for auction in (*under_way, *waiting):
            self._log.auction(auction)
        waiting.clear()
        self._in_flight = {}

    def observe(
        self, auction: Auction, ground: Sequence[float], uav_bid: float, step: Decide, top_value: float | None = None
    ) -> Observation:
        """Return what a policy may see of an auction.

        Args:
            auction: the auction.
            ground: ground bids in descending order, either those of the auction or hypothetical ones.
            uav_bid: bid of the invited UAV with the best public prediction; NaN without one.
            step: what the mechanism wants to have decided.
            top_value: true value of the station with the highest bid; None to take it from the bids of the auction.
        """
        truth = None
        if self._information == "clairvoyant":
            truth = Truth(auction.uav_value, auction.worth_to_top if top_value is None else top_value)
        contract = self._ledger.contract_bid()
        if contract is None:
            contract = self._ledger.uav_report(auction.uav) if auction.uav >= 0 else math.nan
        return Observation(
            auction.market,
            self._allowed(ground),
            # A UAV that knows what a price does with its word would not say the truth.
            math.nan if self._information == "public" else uav_bid,
            contract,
            truth,
            step.state,
            step.mask,
            self._grid,
            self._most_bids,
        )

    def _allowed(self, ground: Sequence[float]) -> tuple[float, ...]:
        """Return the bids that a policy may see."""
        if self._information == "public":
            return ()
        return tuple(ground[1:] if self._information == "masked" else ground)

    def _close_window(self, waiting: list[Auction]) -> None:
        """Clear what waits and can still be served; the rest is unserved."""
        now, ready = self._env.now, list[Auction]()
        for auction in waiting:
            invited = self.asking.still_invited(auction, now)
            if now - auction.task.requested > self._patience_s or not invited.any():
                self._unsold(auction, UNSOLD)
            else:
                self.appraiser.renew(auction, now, invited)
                ready.append(auction)
        if ready:
            self._begin(ready)

    def _begin(self, auctions: list[Auction]) -> None:
        if self.before_clearing is not None:
            self.before_clearing(auctions)
        lots, cleared = list[Lot](), dict[int, Auction]()
        for auction in auctions:
            lots.append(auction.lot)
            cleared[auction.task.id] = auction
        self._advance(Clearance(cleared, begin_clearing(self.mechanism, lots)), None)

    def _advance(self, clearance: Clearance, reply: Any) -> None:
        """Drive the mechanism to its next decision, or to its awards."""
        task = next(iter(clearance.auctions))
        try:
            while True:
                step = clearance.steps.send(reply)
                if isinstance(step, Ask):
                    reply = self.asking.ask(clearance, step, self._env.now)
                    if self._message_s > 0.0:
                        self._go_on_later(clearance, reply)
                        return
                else:
                    self.pending = self._decision(clearance, step)
                    return
        except StopIteration as done:
            awards = done.value
        except BaseException:  # sys.exit() in a user's mechanism must not end this program
            with failed(self.mechanism, task):
                raise
        self._settle(clearance, awards)

    def _go_on_later(self, clearance: Clearance, reply: Any) -> None:
        """Give a mechanism the answers to its question when they have arrived."""
        first = next(iter(clearance.auctions))
        self._in_flight[first] = clearance

        def arrived(_: simpy.Event) -> None:
            del self._in_flight[first]
            self._advance(clearance, reply)

        wake = until(self._env, self._env.now + self._message_s)
        assert wake.callbacks is not None
        wake.callbacks.append(arrived)

    def _decision(self, clearance: Clearance, step: Decide) -> Decision:
        seat = check_decide(self.mechanism, step, clearance.auctions)
        # A decision about several lots sees the conditions and the bids of the first of them.
        first = clearance.auctions[step.lots[0].task]
        auctions = [first] if len(step.lots) == 1 else [clearance.auctions[lot.task] for lot in step.lots]
        uav_bid = first.bid_of(first.uav) if first.uav >= 0 else math.nan
        seen = self.observe(first, first.bids, uav_bid, step)
        task = first.task.id if len(auctions) == 1 else -1
        return Decision(step.seat, seat, self._env.now, task, auctions, seen, clearance, float(step.reward))

    def _settle(self, clearance: Clearance, awards: Sequence[Award]) -> None:
        """Give each lot to its winner; what is unsold waits for the next window if there is one."""
        check_awards(self.mechanism, awards, clearance.auctions)
        share = clearance.messages / len(clearance.auctions)
        for auction in clearance.auctions.values():
            auction.messages += share
            auction.rounds += clearance.rounds
        now = self._env.now
        won: set[int] = set()
        left = dict(clearance.auctions)
        for award in awards:
            if award.provider is None:
                if self._columns:
                    left[award.lot.task].extra = check_columns(self.mechanism, award, self._columns)
                continue
            auction = left[award.lot.task]
            late = auction.lot.now < now
            if late and not self.asking.still_invited(auction, now)[auction.columns[award.provider]]:
                continue  # the winner has failed or lost the vehicle while the messages were under way
            again = late or award.provider in won
            if again and self._by_vehicles and self._is_at_a_loss(auction, award):
                continue
            del left[award.lot.task]
            self._sold(auction, award, again)
            won.add(award.provider)
            self._tell(auction)
        for auction in left.values():
            if self._windows is not None:
                self._windows.wait_again(auction)
            else:
                self._unsold(auction, NO_BID if auction.bid_by_nobody else UNSOLD)

    def _is_at_a_loss(self, auction: Auction, award: Award) -> bool:
        """Return whether a vehicle would pay more than the task is worth behind what its winner has won before.

        A quote says what a task is worth behind others of its own length. Behind longer ones it can be worth less.
        """
        assert award.provider is not None
        winner, now = int(award.provider), self._env.now
        done = self.appraiser.finish_of(auction, winner, now, self.appraiser.queue_of(winner))
        return self.appraiser.value_at(auction, winner, done - auction.task.requested) < award.paid_by_vehicle

    def _sold(self, auction: Auction, award: Award, again: bool) -> None:
        """Hand a task to its winner.

        Args:
            auction: the auction.
            award: its award.
            again: whether the queue of the winner may be another by now: messages have taken time, or it has won
                another lot of this clearing.
        """
        assert award.provider is not None
        task, winner, now = auction.task, int(award.provider), self._env.now
        column = auction.columns[winner]
        queue = self.appraiser.queue_of(winner)
        done = self.appraiser.finish_of(auction, winner, now, queue) if again or self._by_vehicles else math.nan
        auction.winner = winner
        auction.winner_kind = UAV if winner < self._bidders.uavs else GROUND
        auction.paid_by_provider, auction.paid_by_vehicle = float(award.paid_by_provider), float(award.paid_by_vehicle)
        auction.royalty, auction.unserved_reason = float(award.royalty), NOT_UNSERVED
        auction.extra = check_columns(self.mechanism, award, self._columns)
        task.awarded, task.provider = now, winner
        task.times = self.appraiser.service_times(auction, winner, now, queue)
        task.accuracy = float(auction.situation.accuracy[column])
        task.match = float(auction.situation.match[column])
        task.sender_units = float(auction.situation.equipment[POWER, column])
        # The real coverage decides later whether the task is lost. No bid and no price looks at it.
        task.coverage = auction.situation.coverage
        self._providers[winner].submit(task)
        task.cost = self.appraiser.cost_of(auction, queue[-1])
        worth = auction.worth_to(winner)
        if again:
            worth = self.appraiser.value_at(auction, winner, done - task.requested) - task.cost
        if auction.winner_kind == UAV:
            auction.uav_value = worth
        auction.surplus = self.appraiser.weights[winner] * worth
        if self._by_vehicles:
            self.appraiser.delays.note(winner, now, (worth + task.cost) / (done - task.requested))
        auction.realised_surplus = self._foreseen(task)
        self._log.auction(auction)

    def _foreseen(self, task: Task) -> float:
        """Return the realised surplus of a task that has just been awarded; NaN if it cannot be known yet."""
        # The queues are first come, first served, so the end of the task is known unless an outage moves it.
        done = task.finished[-1]
        if self._outages_possible or not (task.coverage is None or task.coverage.is_known(task.provider, done)):
            return math.nan
        return self.appraiser.realised_surplus(task, done <= task.lost_at)

    def _unsold(self, auction: Auction, reason: int) -> None:
        auction.task.status, auction.task.awarded = UNSERVED, self._env.now
        auction.unserved_reason, auction.realised_surplus = reason, 0.0
        self._log.auction(auction)
        self._tell(auction)

    def _tell(self, auction: Auction) -> None:
        """Tell the platform, the bidders and the policy how an auction has settled."""
        if auction.ground_bidders >= 2 and auction.uav >= 0:
            # The contract bid (13) is about rounds in which stations and a UAV compete.
            self._ledger.settled(auction.uav_value, auction.top_value)
        self._bidders.learn(auction, self._env.now)
        self.telling.settled(auction, self._env.now)
