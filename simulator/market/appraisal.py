"""What a task is worth to whom at a moment, and what everybody may see of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from simulator.market.auction import BID_FIELDS, COST, TERMS, Auction
from simulator.market.contracts import Lot
from simulator.market.costs import DOWNLINK, GPU, POWER, Costs
from simulator.market.delays import DelayCosts
from simulator.market.ledger import History, Ledger
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.model.latency import tandem_finish, tandem_times
from simulator.model.mechanism import surplus_weights
from simulator.model.valuation import common_term, expected_value, mean_with_newest, timeliness_of, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import TASK_KINDS

NO_DEADLINE_S = 60.0
"""Market condition `deadline_s` in a scenario in which no kind of task has a deadline, s."""

KIND_FLAGS = tuple(tuple(float(kind == other) for other in TASK_KINDS) for kind in TASK_KINDS)
"""Last market conditions of a task, by the index of its kind: 1 at its own kind, 0 elsewhere."""


class Appraiser:
    """Computes values, predictions and market conditions.

    Args:
        scenario: scenario with the weights and settings of the market.
        fleet: the providers.
        free_at: times at which each stage of each provider is free, s, shape (5, providers).
        history: past terms of (9) and (10) of each provider.
        ledger: what the platform remembers of past rounds.
        factors: what each UAV multiplies its report with, by id; 1 for a truthful one.

    Attributes:
        weights: weight of each provider's value in the surplus, zeta for a UAV and 1 for a station, by id.
        delays: what one more task makes each provider lose by delay.
    """

    def __init__(
        self,
        scenario: Scenario,
        fleet: Fleet,
        free_at: FloatArray,
        history: History,
        ledger: Ledger,
        factors: Sequence[float],
    ) -> None:
        market = scenario.market
        self.weights: list[float] = surplus_weights(fleet.is_uav, market.uav_weight).tolist()
        self._uav_weight = market.uav_weight
        # It shows every change that a provider makes to its column.
        self._free_at = free_at
        self._uavs = fleet.uavs
        self._history, self._ledger, self._factors = history, ledger, factors
        self._costs = Costs(scenario, fleet)
        self.delays = DelayCosts(fleet.size)
        self._latency_weight = market.latency_weight
        self._averages = market.history > 1
        self._uavs_know = scenario.uavs.bids_on
        self._size_factor, self._reference_mb = scenario.tasks.size_factor(), scenario.tasks.predicted_mb
        limits = [kind.deadline_s for kind in scenario.tasks.kinds.values() if kind.deadline_s is not None]
        # In a world of rounds a provider serves every task at once.
        self._has_queues = scenario.traffic.kind != "rounds"
        self._longest_s = max(limits, default=NO_DEADLINE_S)
        self._window_s = market.load_window_s
        self._recent: deque[float] = deque()

    def open(self, situation: Situation) -> Auction:
        """Return the auction of a task at its request, with who is invited."""
        task = situation.task
        seconds = self._finish(situation, task.requested) - task.requested
        public = seconds[1]
        # The platform invites by the public prediction for the reference size: no provider can invite or exclude itself
        # by what it says, and the invitation reveals nothing of the task's size.
        invited: BoolArray = situation.dwell_s >= public
        if task.limit_s < math.inf:
            # A result that comes when it has lost its worth is no use: under load this check keeps queues short.
            invited &= public <= task.limit_s if task.grace_s == 0.0 else public < task.limit_s + task.grace_s
        auction = Auction(task, situation, invited, self._uavs)
        self._value(auction, seconds, task.requested)
        self._recent.append(task.requested)
        return auction

    def renew(self, auction: Auction, now: float, invited: BoolArray) -> None:
        """Value a task that has waited for its clearing.

        Args:
            auction: its auction.
            now: time of the clearing, s.
            invited: who is still invited, shape (providers,).
        """
        auction.invited = invited
        # Who is no longer invited counts no more, and nobody has bid in this clearing yet.
        auction.invited_stations, auction.ground_bidders, auction.uav, auction.bids = 0, 0, -1, ()
        auction.top_bid = auction.second_bid = auction.uav_bid = math.nan
        auction.top_value = auction.uav_value = math.nan
        auction.best_surplus = 0.0
        self._value(auction, self._finish(auction.situation, now) - auction.task.requested, now)

    def revalue(self, auction: Auction, now: float) -> None:
        """Value a task again in the middle of its clearing, because messages have taken time.

        Args:
            auction: its auction. Its bids stay.
            now: time, s.
        """
        bids = auction.bid.copy()
        self._value(auction, self._finish(auction.situation, now) - auction.task.requested, now)
        auction.bid[:] = bids

    def limit_of(self, auction: Auction) -> float:
        """Return the most that the vehicle would pay: the mean expected value of the task at the invited providers.

        It knows its demand and the size of its task. Latencies and accuracies it knows as everybody does.
        """
        task, lot = auction.task, auction.lot
        scale = self._reference_mb / task.size_mb
        total = 0.0
        for one in lot.invited:
            match = self._audited_match(one)
            total += expected_value(lot.predicted_s[one], self._latency_weight, scale, match, lot.limit_s, lot.grace_s)
        return task.demand * total / len(lot.invited)

    def reserve_of(self, provider: int, offers: Sequence[Auction], now: float) -> float:
        """Return the least payment for which a provider gains by serving one more task of the reference size.

        It is the cost of the task, and what it makes the provider lose by delay of its later tasks.

        Args:
            provider: id of the provider.
            offers: auctions of tasks to which it is invited. Their mean says what a task of the reference size takes.
            now: time, s.
        """
        busy_s = sum(float(one.situation.times[:, 1, one.columns[provider]].max()) for one in offers) / len(offers)
        backlog_s = max(float(self._free_at[-1, provider]) - now, 0.0)
        return self._reference_cost(provider, offers, now) + self.delays.cost(provider, now, busy_s, backlog_s)

    def extra_cost(self, auction: Auction, provider: int, offers: Sequence[Auction], now: float) -> float:
        """Return what a task costs a provider beyond a task of the reference size.

        Args:
            auction: auction of the task.
            provider: id of the provider.
            offers: auctions of tasks to which it is invited, as in `reserve_of`.
            now: time, s.
        """
        if self._costs.free:
            return 0.0
        return float(auction.book[COST, auction.columns[provider]]) - self._reference_cost(provider, offers, now)

    def _reference_cost(self, provider: int, offers: Sequence[Auction], now: float) -> float:
        """Return what a task of the reference size costs a provider."""
        cost = 0.0
        if self._costs.free:
            return cost
        free_at = float(self._free_at[-1, provider])
        for auction in offers:
            column, situation = auction.columns[provider], auction.situation
            times = situation.times[:, 1, column]
            stay_s = float(auction.public[column]) + auction.task.requested - max(free_at, now)
            power = float(situation.equipment[POWER, column])
            cost += float(self._costs.at(provider, times[GPU], power, times[DOWNLINK], stay_s))
        return cost / len(offers)

    def _audited_match(self, provider: int) -> float:
        """Return the mean audited match value of a provider."""
        if provider < self._uavs:
            return self._ledger.audited_match(provider, -1, -1)[0]
        return self._ledger.audited_match(-1, provider, -1)[1]

    def _finish(self, situation: Situation, now: float) -> FloatArray:
        """Return when each covering provider would finish a task that comes now, own and public, shape (2, providers).

        Only the providers that cover the vehicle are looked at, however many there are.
        """
        return tandem_finish(now, self._free_at.take(situation.providers, axis=1)[:, None], situation.times)

    def queue_of(self, provider: int) -> list[float]:
        """Return when each stage of a provider will have served what it has accepted, s."""
        queue: list[float] = self._free_at[:, provider].tolist()
        return queue

    def finish_of(self, auction: Auction, provider: int, now: float, queue: Sequence[float]) -> float:
        """Return when a provider would finish a task that is awarded now, s.

        Args:
            auction: auction of the task.
            provider: id of the provider.
            now: time, s.
            queue: when each of its stages has served what is before the task, s.
        """
        times = auction.situation.times[:, 0, auction.columns[provider]].tolist()
        return tandem_times(now, queue, times)[1][-1]

    def service_times(self, auction: Auction, provider: int, now: float, queue: Sequence[float]) -> list[float]:
        """Return the stage times of a task that is awarded now, s. The arguments are those of `finish_of`."""
        situation = auction.situation
        times: list[float] = situation.times[:, 0, auction.columns[provider]].tolist()
        if situation.downlink_s is not None:
            # Nobody knew at the auction where the vehicle will be when its downlink begins.
            times[-1] = situation.downlink_s(provider, tandem_times(now, queue, times)[0][-1])
        return times

    def queue_behind(self, now: float, queue: Sequence[float], times: Sequence[float]) -> Sequence[float]:
        """Return when each stage will have served what is in a queue and a task that joins it now, s.

        Args:
            now: time, s.
            queue: when each stage has served what is before the task, s.
            times: stage times of the task, s.
        """
        return tandem_times(now, queue, times)[1] if self._has_queues else queue

    def value_at(self, auction: Auction, provider: int, latency_s: float) -> float:
        """Return the true value v_n of a task to a provider at a latency, equation (11), without its cost."""
        return float(self.values_at(auction, provider, np.array([latency_s]))[0])

    def values_at(self, auction: Auction, provider: int, latency_s: FloatArray) -> FloatArray:
        """Return the true values v_n of a task to a provider at several latencies, of the shape of the latencies."""
        history, task = self._history, auction.task
        newest = common_term(latency_s, self._latency_weight), auction.situation.match[auction.columns[provider]]
        common, match = (
            mean_with_newest(past, term, history.entries[provider])
            for past, term in zip(history.sums[:, provider], newest, strict=True)
        )
        timely = np.array([timeliness_of(one, task.limit_s, task.grace_s) for one in latency_s.tolist()])
        return valuation(common, match, task.demand, timely)

    def latencies_behind(self, auction: Auction, provider: int, now: float, count: int) -> FloatArray:
        """Return the latencies of a task behind others that are awarded now and are as long as itself, s.

        Args:
            auction: auction of the task.
            provider: id of the provider.
            now: time, s.
            count: largest number of others.

        Returns:
            Latencies behind 1 to `count` others, shape (count,).
        """
        times: list[float] = auction.situation.times[:, 0, auction.columns[provider]].tolist()
        queue, done = self.queue_behind(now, self.queue_of(provider), times), list[float]()
        for _ in range(count):
            done.append(tandem_times(now, queue, times)[1][-1] - auction.task.requested)
            queue = self.queue_behind(now, queue, times)
        return np.array(done)

    def cost_of(self, auction: Auction, free_at: float) -> float:
        """Return what a task costs its winner, which has just accepted it.

        Args:
            auction: its auction.
            free_at: time at which the winner would have served everything without this task, s.
        """
        if self._costs.free:
            return 0.0
        power = float(auction.situation.equipment[POWER, auction.columns[auction.winner]])
        return self._costs.of(auction.task, power, free_at)

    def realised_surplus(self, task: Task, delivered: bool) -> float:
        """Return the surplus of a task that has ended: (11) at its own terms less its cost, times zeta for a UAV.

        Args:
            task: a task that has ended.
            delivered: whether its result has come in time; otherwise it has no value.
        """
        value = task.demand * task.own_term(self._latency_weight) if delivered else 0.0
        return self.weights[task.provider] * (value - task.cost)

    def _value(self, auction: Auction, seconds: FloatArray, now: float) -> None:
        """Value a task with given latencies, own and public, s, shape (2, providers)."""
        history, task, situation = self._history, auction.task, auction.situation
        own, auction.public = seconds
        auction.book = book = np.empty((len(BID_FIELDS), len(own)))
        bid, value, cost, common, match, timely, latency = book
        auction.bid, auction.worth = bid, value
        bid.fill(math.nan)
        latency[:] = own
        common[:] = common_term(own, self._latency_weight)
        match[:] = situation.match
        if self._averages:
            # The terms of this task become the newest entry of the means c_n of (9) and m_n of (10).
            who = situation.providers
            book[TERMS] = mean_with_newest(history.sums[:, who], book[TERMS], history.entries[who])
        if task.limit_s < math.inf:
            timely[:] = [timeliness_of(one, task.limit_s, task.grace_s) for one in own.tolist()]
            value[:] = valuation(common, match, task.demand, timely)
        else:
            timely.fill(1.0)
            value[:] = valuation(common, match, task.demand)
        if self._costs.free:
            cost.fill(0.0)
        else:
            free_at = self._free_at[-1].take(situation.providers)
            cost[:] = self._costs.predicted(situation, own + task.requested, free_at, now)
            auction.worth = value - cost
        # By default a UAV knows its last report, not its true value now: the paper's information asymmetry.
        auction.says = says = auction.worth.copy()
        for one, column in auction.columns.items():
            if one >= self._uavs:
                break  # the ids are ascending
            # It cannot refuse: a task that costs more than it is worth gets a bid of nothing.
            says[column] = max(self._uav_knows(auction, one) - cost[column], 0.0)
        self._look(auction, now)

    def _uav_knows(self, auction: Auction, uav: int) -> float:
        """Return what a UAV takes the value of a task to be, by its last report unless the scenario says otherwise."""
        if self._uavs_know == "report":
            return self._ledger.uav_bid(uav)
        if self._uavs_know == "value":
            return auction.value_to(uav)
        # "conditions": E[v_0 | m], as far as the predicted latency and the audited match value tell it.
        match, *_ = self._ledger.audited_match(uav, -1, -1)
        seconds, task = float(auction.public[auction.columns[uav]]), auction.task
        return expected_value(seconds, self._latency_weight, self._size_factor, match, task.limit_s, task.grace_s)

    def _look(self, auction: Auction, now: float) -> None:
        """Fill in who could serve the task best, the public market conditions m^k, and the lot."""
        # Plain numbers and one loop: for a few providers they take less time than numpy calls.
        waits, situation, task = auction.public.tolist(), auction.situation, auction.task
        called, values, uavs = auction.invited.tolist(), auction.worth.tolist(), self._uavs
        seconds = dict(zip(auction.columns, waits, strict=True))
        invited = list[int]()
        uav = uav_covering = best = second = -1
        covering = grounded = bidding = 0
        top_value = best_surplus = uav_value = 0.0
        # Coverage decides which stations count, not invitations or bids: a condition is geometry and backlog. Among
        # equal predictions the lower id goes first.
        for (one, wait), is_called, value in zip(seconds.items(), called, values, strict=True):
            if one < uavs:
                if uav_covering < 0 or wait < seconds[uav_covering]:
                    uav_covering = one
                if is_called:
                    invited.append(one)
                    # The choice is public, so no UAV can become the fallback or avoid it by its bid.
                    if uav < 0 or wait < seconds[uav]:
                        uav, uav_value = one, value
                    best_surplus = max(best_surplus, self._uav_weight * value)
                continue
            covering += 1
            if best < 0 or wait < seconds[best]:
                best, second = one, best
            elif second < 0 or wait < seconds[second]:
                second = one
            if is_called:
                invited.append(one)
                grounded += 1
                bidding += value > 0.0
                top_value = max(top_value, value)
        if grounded:
            auction.invited_stations, auction.ground_bidders, auction.top_value = grounded, bidding, top_value
        if uav >= 0:
            auction.uav, auction.uav_value = uav, uav_value
        auction.best_surplus = max(best_surplus, top_value)
        # NaN where no UAV covers the vehicle.
        uav = uav if uav >= 0 else uav_covering
        recent, window = self._recent, self._window_s
        while recent and recent[0] <= now - window:
            recent.popleft()
        # At the start of a run the window is not yet full.
        elapsed = min(window, now)
        load = len(recent) / elapsed if elapsed > 0.0 else 0.0
        auction.market = market = np.array(
            (
                seconds[uav] if uav >= 0 else math.nan,
                seconds[best] if best >= 0 else math.nan,
                seconds[second] if second >= 0 else math.nan,
                covering,
                load,
                *self._ledger.audited_match(uav, best, second),
                self._ledger.uav_report(uav) if uav >= 0 else math.nan,
                min(task.limit_s, self._longest_s),
                *KIND_FLAGS[task.kind],
            )
        )
        # The recorder writes this array down after the policy has seen it.
        market.flags.writeable = False
        free_at = dict(zip(seconds, self._free_at[-1].take(situation.providers).tolist(), strict=True))
        if len(invited) < len(seconds):
            seconds, free_at = ({one: by_id[one] for one in invited} for by_id in (seconds, free_at))
        auction.lot = Lot(
            task.id,
            now,
            task.requested,
            tuple(invited),
            MappingProxyType(seconds),
            MappingProxyType(free_at),
            situation.place,
            market,
            limit_s=task.limit_s,
            grace_s=task.grace_s,
        )
