"""The auctioneer, which holds one auction per task.

It values the task for every provider, invites, asks for a price where there is a contest, and settles.
"""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from simulator.errors import PolicyFailedError, shown
from simulator.market.auction import BID_FIELDS, GROUND, TERMS, UAV_WON, Auction
from simulator.market.contracts import UAV, Information, Mechanism, Observation, Outcome, Truth, UavBid
from simulator.market.guard import describe, policy_label
from simulator.market.ledger import History, Ledger
from simulator.market.lots import REFERENCE_MB, Situation
from simulator.model import FloatArray
from simulator.model.latency import tandem_finish
from simulator.model.mechanism import surplus_weights
from simulator.model.valuation import common_term, mean_with_newest, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.queues import Server
from simulator.providers.task import UNSERVED
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import TASK_KINDS

KIND_FLAGS = tuple(tuple(float(kind == other) for other in TASK_KINDS) for kind in TASK_KINDS)
"""Last market conditions of a task, by the index of its kind: 1 at its own kind, 0 elsewhere."""


class Auctioneer:
    """The platform that holds the auctions.

    Args:
        scenario: scenario with the weights and settings of the market.
        fleet: ids and bid factors of the providers.
        providers: servers of the tasks, by provider id.
        free_at: times at which each stage of each provider is free, s, shape (4, providers).
        history: past terms of (9) and (10) of each provider.
        ledger: records of the platform about past rounds.
        on_settled: function that is called with each settled auction.
        mechanism: rule that decides who wins and what the winner pays.
        information: what the policy may see.

    Attributes:
        pending: auction that waits for a price; None if there is none.
        feedback: function that is called with the outcome of each priced auction; None to call nothing.
        uav_weight: weight zeta of the UAV's value.
    """

    def __init__(
        self,
        scenario: Scenario,
        fleet: Fleet,
        providers: Sequence[Server],
        free_at: FloatArray,
        history: History,
        ledger: Ledger,
        on_settled: Callable[[Auction], None],
        mechanism: Mechanism,
        information: Information,
    ) -> None:
        market = scenario.market
        self.uav_weight = market.uav_weight
        self._surplus_weight = surplus_weights(fleet.is_uav, market.uav_weight).tolist()
        self.pending: Auction | None = None
        self.feedback: Callable[[Outcome], None] | None = None
        # The rows are views of shape (1, providers). They show every change that a provider makes to its column. They
        # broadcast against own and public stage times, shape (2, providers).
        self._fleet, self._providers, self._free_at = fleet, providers, list(free_at[:, None])
        self._uavs, self._stations = range(fleet.uavs), range(fleet.uavs, fleet.size)
        self._bid_factors: list[float] = fleet.bid_factor.tolist()
        self._history, self._ledger, self._on_settled = history, ledger, on_settled
        self._mechanism, self._information = mechanism, information
        self._uav_bid_kind: UavBid = getattr(mechanism, "uav_bid", "reported")
        self._latency_weight = market.latency_weight
        self._uavs_bid_on = scenario.uavs.bids_on
        # E[30 MB / D]. Times omega_1 / T of a task of 30 MB it gives the mean of omega_1 / T over all sizes.
        self._mean_scale = REFERENCE_MB * scenario.tasks.mean_inverse_mb()
        self._window_s = market.load_window_s
        self._recent: deque[float] = deque()

    def request(self, situation: Situation) -> None:
        """Hold the auction of a task.

        The auction becomes `pending` if it needs a price. Otherwise it settles at once.

        Args:
            situation: the task, with its stage times, accuracies and coverage at every provider.
        """
        auction = self._value(situation)
        self._invite(auction)
        self._look(auction)
        if auction.asked:
            auction.observation = self.observe(auction, auction.bids)
            self.pending = auction
        else:
            self._settle_without_price(auction)

    def settle(self, rho: float) -> None:
        """Settle the pending auction.

        Args:
            rho: price scaling factor.

        Raises:
            RuntimeError: no auction is pending.
            PolicyFailedError: the mechanism or the feedback of the policy failed.
        """
        auction = self.pending
        if auction is None:
            raise RuntimeError("no auction is pending")
        self.pending = None
        auction.rho = rho
        position, auction.payment = self.decide(auction, auction.bids, rho)
        auction.winner = auction.uav if position == UAV else auction.ranking[position]
        self._close(auction)
        # (13) compares v_0 with v_max. Only a priced round has both.
        self._ledger.settled(auction.uav_value, auction.top_value)
        if self.feedback is not None:
            by_uav = position == UAV
            self.feedback(
                Outcome(
                    auction.task.id,
                    rho,
                    "uav" if by_uav else "ground",
                    auction.surplus,
                    auction.observation,
                    self._allowed(auction.bids),
                    auction.uav_value if by_uav else None,
                )
            )

    def observe(self, auction: Auction, bids: Sequence[float]) -> Observation:
        """Return what the policy may see of an auction.

        Args:
            auction: an auction that needs a price.
            bids: ground bids in descending order, either those of the auction or hypothetical ones.
        """
        truth = None
        if self._information == "clairvoyant":
            truth = Truth(auction.uav_value, float(auction.value[auction.ranking[0]]))
        return Observation(auction.market, self._allowed(bids), auction.uav_bid, auction.contract, truth)

    def decide(self, auction: Auction, bids: Sequence[float], rho: float) -> tuple[int, float]:
        """Return the winner and the payment that the mechanism decides on.

        Args:
            auction: an auction that needs a price.
            bids: ground bids in descending order, either those of the auction or hypothetical ones.
            rho: price scaling factor.

        Returns:
            Position of the winner in ``bids`` or `UAV`, and the payment on the winner's own scale.

        Raises:
            PolicyFailedError: the mechanism raised an exception, or returned something that is not an outcome.
        """
        position, payment = self._outcome(auction, bids, self._uav_side(auction), rho)
        if position == UAV:
            # The mechanism compares zeta b_0 with ground bids, so its payment is divided by zeta.
            # A UAV never pays more than it has bid: at the contract bid alone it would lose money.
            payment = min(payment / self.uav_weight, auction.uav_bid)
        return position, payment

    def scaled_bid(self, auction: Auction) -> float:
        """Return the bid that rho scales: b_(2), unless the mechanism defines another.

        Args:
            auction: an auction that needs a price.
        """
        scaled = getattr(self._mechanism, "scaled_bid", None)
        return auction.bids[1] if scaled is None else float(scaled(auction.bids, self._uav_side(auction)))

    def _uav_side(self, auction: Auction) -> float:
        """Return the bid that stands for the UAV, times zeta."""
        return self.uav_weight * (auction.contract if self._uav_bid_kind == "contract" else auction.uav_bid)

    def _value(self, situation: Situation) -> Auction:
        """Make the auction of a task, with latencies, values and bids of every provider."""
        history, task = self._history, situation.task
        finish = tandem_finish(task.requested, self._free_at, situation.times)
        own, public = finish[3] - task.requested
        # The platform invites by the public prediction for 30 MB: no provider can invite or exclude itself by what it
        # says, and the invitation reveals nothing of the task's size.
        invited = situation.covered & (situation.dwell_s >= public)
        book = np.empty((len(BID_FIELDS), len(own)))
        auction = Auction(task, situation, finish, public, book, invited)
        _, _, common, match, latency = book
        latency[:] = own
        common[:] = common_term(own, self._latency_weight)
        match[:] = situation.match
        # The terms of this task become the newest entry of the means c_n of (9) and m_n of (10).
        book[TERMS] = mean_with_newest(history.sums, book[TERMS], history.entries)
        auction.value[:] = valuation(common, match, task.demand)
        np.multiply(auction.value, self._fleet.bid_factor, out=auction.bid)
        # By default a UAV bids on its last report, not on its true value now: the paper's information asymmetry.
        for uav in self._uavs:
            auction.bid[uav] = self._bid_factors[uav] * self._uav_says(auction, uav)
        return auction

    def _uav_says(self, auction: Auction, uav: int) -> float:
        """Return the value that a UAV states for a task, by its last report unless the scenario says otherwise."""
        if self._uavs_bid_on == "report":
            return self._ledger.uav_bid(uav)
        if self._uavs_bid_on == "value":
            return float(auction.value[uav])
        # "conditions": E[v_0 | m], as far as the predicted latency and the audited match value tell it.
        match, *_ = self._ledger.audited_match(uav, -1, -1)
        return float(common_term(auction.public[uav], self._latency_weight)) * self._mean_scale * match

    def _invite(self, auction: Auction) -> None:
        """Rank the invited stations, and choose the UAV that gets the task if no station wins."""
        # Plain lists: for a few providers, sorting them takes less time than numpy calls.
        invited, (bids, values) = auction.invited.tolist(), auction.book[:2].tolist()
        ranked = sorted([(-bids[station], station) for station in self._stations if invited[station]])
        auction.ranking = ranking = [station for _, station in ranked]
        auction.bids = [-bid for bid, _ in ranked]
        auction.ground_bidders = count = len(ranking)
        if count:
            auction.top_bid = auction.bids[0]
            auction.top_value = auction.best_surplus = max([values[station] for station in ranking])
            if count > 1:
                auction.second_bid = auction.bids[1]
        contract = self._ledger.contract_bid()
        flying = [uav for uav in self._uavs if invited[uav]]
        if flying:
            # The choice is public, so no UAV can enter the auction or leave it by its bid.
            auction.uav = uav = min(flying, key=auction.public.__getitem__)
            auction.uav_bid, auction.uav_value = bids[uav], values[uav]
            auction.contract_bid = auction.uav_bid if contract is None else contract
            auction.best_surplus = max(auction.best_surplus, *[self.uav_weight * values[uav] for uav in flying])
        # While there are too few rounds for (13), the UAV's own bid takes the place of the contract bid.
        auction.contract = auction.uav_bid if contract is None else contract
        # rho scales b_(2) and decides between the stations and the UAV: it needs two bids and a UAV.
        auction.asked = count >= 2 and bool(flying)

    def _look(self, auction: Auction) -> None:
        """Fill in the public market conditions m^k, NaN where no such provider covers the vehicle."""
        now, seconds = auction.task.requested, auction.public.tolist()
        covered = auction.situation.covered.tolist()
        # Coverage decides which stations count, not invitations or bids: a condition is geometry and backlog.
        stations = sorted([(seconds[station], station) for station in self._stations if covered[station]])
        uav = auction.uav
        # A UAV that covers the vehicle but is too slow to be invited still counts.
        if uav < 0:
            uav = min((other for other in self._uavs if covered[other]), key=seconds.__getitem__, default=-1)
        best, second = (*stations[:2], (math.nan, -1), (math.nan, -1))[:2]
        recent, window = self._recent, self._window_s
        while recent and recent[0] <= now - window:
            recent.popleft()
        # At the start of a run the window is not yet full.
        elapsed = min(window, now)
        load = len(recent) / elapsed if elapsed > 0.0 else 0.0
        # This request is added last: it does not count in its own load.
        recent.append(now)
        auction.market = market = np.array(
            (
                seconds[uav] if uav >= 0 else math.nan,
                best[0],
                second[0],
                len(stations),
                load,
                *self._ledger.audited_match(uav, best[1], second[1]),
                float(auction.bid[uav]) if uav >= 0 else math.nan,
                *KIND_FLAGS[auction.task.kind],
            )
        )
        # The recorder writes this array down after the policy has seen it.
        market.flags.writeable = False

    def _allowed(self, bids: Sequence[float]) -> tuple[float, ...]:
        """Return the bids that the policy may see."""
        if self._information == "public":
            return ()
        return tuple(bids[1:] if self._information == "masked" else bids)

    def _outcome(self, auction: Auction, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """Call the mechanism and check its answer."""
        try:
            # A copy: a mechanism that changes its list must not change the auction.
            position, payment = self._mechanism.settle(list(bids), uav_bid, rho)
            # Accepts numpy integers, refuses 1.0.
            position = operator.index(position)
            valid = -1 <= position < len(bids) and float(payment) >= 0.0
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() in a mechanism is a fault of the mechanism
            raise PolicyFailedError(f"{self._place(auction)}: settle() raised {describe(error)}") from error
        if not valid:
            raise PolicyFailedError(
                f"{self._place(auction)}: settle() returned {shown((position, payment))}; it must be "
                f"a position from 0 to {len(bids) - 1} or UAV (-1), and a payment >= 0"
            )
        return position, float(payment)

    def _place(self, auction: Auction) -> str:
        """Return the place that a message names: the mechanism and the task."""
        return f"mechanism {policy_label(self._mechanism)}, auction of task {auction.task.id}"

    def _settle_without_price(self, auction: Auction) -> None:
        """Settle a round without a contest.

        Without a UAV the top station wins at b_(2). A lone station wins at 0. Without a station the UAV wins.
        """
        if auction.ranking:
            auction.winner = auction.ranking[0]
            # A lone station pays 0. Only this price keeps truth dominant, a second identity useless, and the winner
            # independent of the common value.
            auction.payment = auction.bids[1] if len(auction.bids) > 1 else 0.0
        elif auction.uav >= 0:
            auction.winner = auction.uav
            auction.payment = min(auction.contract, auction.uav_bid)
        self._close(auction)

    def _close(self, auction: Auction) -> None:
        """Give the task to the winner and report the settled auction."""
        task, winner = auction.task, auction.winner
        if winner < 0:
            task.status, auction.payment = UNSERVED, 0.0
        else:
            auction.winner_kind = UAV_WON if winner == auction.uav else GROUND
            auction.surplus = self._surplus_weight[winner] * float(auction.value[winner])
            task.provider = winner
            task.times = auction.situation.times[:, 0, winner].tolist()
            task.accuracy = float(auction.situation.accuracy[winner])
            task.match = float(auction.situation.match[winner])
            # The real coverage decides later whether the task is lost. No bid and no price looks at it.
            task.coverage = auction.situation.coverage
            self._providers[winner].submit(task, auction.finish[:, 0, winner])
        self._on_settled(auction)
