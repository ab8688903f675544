"""Clearing the lots of a round again, with other bids, without any effect on the run."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simulator.market.asking import who_accepts
from simulator.market.auction import Auction
from simulator.market.auctioneer import Auctioneer
from simulator.market.clearing import begin_clearing, check_awards, check_decide
from simulator.market.contracts import NO_TASK, VEHICLE, Ask, Award, Bids, Lot, Mechanism, Policy
from simulator.market.guard import ask_action, blamed, failed, policy_label
from simulator.market.platform import Platform


class Played(NamedTuple):
    """How a lot ends.

    Attributes:
        winner: id of the participant that wins; None if the lot is unsold.
        paid: what the winner pays; a royalty as if the result had the value that is expected.
        from_vehicle: what the vehicle pays.
        value: true value of the task at the winner, behind what it wins before in the same clearing.
        extra_cost: what the task costs the winner beyond a task of the reference size.
        action: the last action of the policy; NaN if it was not asked.
        chances: probability to win and payment then, by participant. It is 1 for the winner unless it was drawn.
    """

    winner: int | None
    paid: float
    from_vehicle: float
    action: float
    value: float = 0.0
    extra_cost: float = 0.0
    chances: Mapping[int, tuple[float, float]] = {}

    def gain(self, value: float, identities: Sequence[int]) -> float:
        """Return what the identities of one participant gain in expectation.

        Args:
            value: what the task is worth to it.
            identities: its ids.
        """
        return sum(chance * (value - paid) for one, (chance, paid) in self.chances.items() if one in identities)


class Offered(NamedTuple):
    """A lot of a round that is cleared again, perhaps with a second identity among the invited."""

    lot: Lot


class Rehearsal:
    """A round as it was before its clearing. It can be cleared any number of times.

    Mechanism and policy are deep copies of what they were before the round, so that each clearing has the state and
    the random numbers that the round itself has.

    Args:
        auctioneer: the auctioneer of the run.
        auctions: the auctions that are about to be cleared.
        platform: the platform of the run.
        policy: the policy; None if the mechanism has no seat.

    Attributes:
        values: what a participant that tells the truth bids for each task, by (task, participant). A UAV says what it
            knows.
        alias: id of a second identity that a participant can take.
    """

    def __init__(
        self, auctioneer: Auctioneer, auctions: Sequence[Auction], platform: Platform, policy: Policy | None
    ) -> None:
        self._auctioneer, self._auctions, self._platform = auctioneer, list(auctions), platform
        with blamed(f"mechanism {policy_label(auctioneer.mechanism)}: a deep copy in the middle of a run"):
            self._mechanism = copy.deepcopy(auctioneer.mechanism)
        with blamed(f"policy {policy_label(policy)}: a deep copy in the middle of a run"):
            self._policy = copy.deepcopy(policy)
        self._now = auctions[0].lot.now
        self._by_vehicles = getattr(self._mechanism, "value_of", "provider") == "vehicle"
        self.values: Bids = {
            (auction.task.id, provider): auction.said_by(provider)
            for auction in auctions
            for provider in auction.lot.invited
            # Who knows that a task is worth nothing to it makes no bid.
            if provider < auction.uavs or auction.said_by(provider) > 0.0
        }
        self.alias = platform.size

    def weight_of(self, provider: int) -> float:
        """Return the weight of a provider's value in the surplus."""
        return self._platform.weights[provider]

    def bids(self) -> Bids:
        """Return the bids of the round as its bidders will state them, if all but few are truthful or shade."""
        factors = self._auctioneer.factors
        bids = {(task, one): factors[one] * value for (task, one), value in self.values.items()}
        return {**bids, **self.limits()} if self._by_vehicles else bids

    def clear(self, bids: Bids, second_identity_of: int | None = None) -> dict[int, Played]:
        """Clear the round with these bids.

        Args:
            bids: the bid of each participant for each task. With `alias` among the participants, it has the place and
                the coverage of the provider whose second identity it is.
            second_identity_of: id of that provider.

        Returns:
            How each lot ends, by task.
        """
        lots = [self._lot(auction, second_identity_of) for auction in self._auctions]
        by_task = {auction.task.id: auction for auction in self._auctions}
        mechanism, policy = self._copies(second_identity_of)
        actions = dict.fromkeys(by_task, math.nan)
        steps = begin_clearing(mechanism, lots)
        reply: Any = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Ask):
                    reply = self._reply(step, lots, bids, second_identity_of)
                    continue
                seat = check_decide(mechanism, step, by_task)
                first = step.lots[0]
                uavs = self._platform.uavs
                # Descending bids; among equal bids the lower id goes first.
                made = [one for one in first.invited if one >= uavs and (first.task, one) in bids]
                ranked = sorted([(-bids[first.task, one], one) for one in made])
                ground = [-bid for bid, _ in ranked]
                top = ranked[0][1] if ranked else None
                if top == self.alias:
                    top = second_identity_of
                top_value = math.nan if top is None else by_task[first.task].worth_to(top)
                uav = by_task[first.task].uav
                uav_bid = bids.get((first.task, uav), math.nan) if uav >= 0 else math.nan
                seen = self._auctioneer.observe(by_task[first.task], ground, uav_bid, step, top_value)
                assert policy is not None
                reply = ask_action(policy, seen, seat.space, first.task)
                for lot in step.lots:
                    actions[lot.task] = float(reply)
        except StopIteration as done:
            awards: Sequence[Award] = done.value
        except BaseException:  # sys.exit() in a user's mechanism must not end this program
            with failed(mechanism, self._auctions[0].task.id):
                raise
        ends = {task: Played(None, 0.0, 0.0, action) for task, action in actions.items()}
        check_awards(mechanism, awards, {lot.task: Offered(lot) for lot in lots})
        queues: dict[int, Sequence[float]] = {}
        for award in awards:
            task = award.lot.task
            if award.provider is None:
                if award.chances:
                    ends[task] = ends[task]._replace(chances=award.chances)
                continue
            real = award.provider if award.provider != self.alias else second_identity_of
            assert real is not None
            value = self._value_in_queue(by_task[task], real, queues, award.paid_by_vehicle)
            if value is None:
                continue
            worth = by_task[task].worth_to(real)
            paid = award.paid_by_provider + award.royalty * max(worth, 0.0)
            chances = award.chances or {award.provider: (1.0, paid)}
            extra = self._extra_cost(by_task[task], real)
            ends[task] = Played(award.provider, paid, award.paid_by_vehicle, actions[task], value, extra, chances)
        return ends

    def _value_in_queue(
        self, auction: Auction, provider: int, queues: dict[int, Sequence[float]], paid_by_vehicle: float
    ) -> float | None:
        """Return the value of a task behind what its winner wins before, and add it to the winner's queue.

        As in the run, a task waits for the next window if its vehicle would pay more than that. Then it is None.

        Args:
            auction: auction of the task.
            provider: id of the winner.
            queues: queues of those who have won before in this clearing, by id; see `Appraiser.finish_of`.
            paid_by_vehicle: what the vehicle pays.
        """
        value = auction.value_to(provider)
        if not self._by_vehicles:
            return value
        appraiser, now = self._auctioneer.appraiser, self._now
        queue = queues.get(provider, ())
        if not queue:
            queue = appraiser.queue_of(provider)
        else:
            done = appraiser.finish_of(auction, provider, now, queue)
            value = appraiser.value_at(auction, provider, done - auction.task.requested)
            if value < paid_by_vehicle:
                return None
        times = appraiser.service_times(auction, provider, now, queue)
        queues[provider] = appraiser.queue_behind(now, queue, times)
        return value

    def _extra_cost(self, auction: Auction, provider: int) -> float:
        offers = [other for other in self._auctions if provider in other.lot.invited]
        return self._auctioneer.appraiser.extra_cost(auction, provider, offers, self._now)

    def _reply(
        self, step: Ask, lots: Sequence[Lot], bids: Bids, second_identity_of: int | None
    ) -> dict[tuple[int, int], Any]:
        """Return the answers to a question with these bids, which hold the limits of both sides too."""
        asked = [(lot.task, one) for lot in step.lots for one in lot.invited if step.to is None or one in step.to]
        if step.what == "quote":
            by_task = {auction.task.id: auction for auction in self._auctions}
            own = second_identity_of
            # A second identity serves with what its provider has.
            real = [(by_task[task], [one if own is None or one != self.alias else own]) for task, one in asked]
            quotes = self._auctioneer.asking.quotes(real, self._auctions, self._now, min(step.places, len(lots)))
            return {(task, one): quotes[task, who] for (task, one), (_, [who]) in zip(asked, real, strict=True)}
        if step.side == "vehicles":
            asked = [(lot.task, VEHICLE) for lot in step.lots]
        elif not step.lots:
            everybody = sorted({one for lot in lots for one in lot.invited})
            asked = [(NO_TASK, one) for one in everybody if step.to is None or one in step.to]
        found = {key: bids[key] for key in asked if key in bids}
        return found if step.what == "bid" else who_accepts(step, found)

    def limits(self, honest: bool = False) -> Bids:
        """Return the limits of both sides as the round has them: of each vehicle, and of each provider.

        Args:
            honest: whether they are the true ones, even of a provider that shades.
        """
        offers: dict[int, list[Auction]] = {}
        for auction in self._auctions:
            for one in auction.lot.invited:
                offers.setdefault(one, []).append(auction)
        asking = self._auctioneer.asking
        return {**asking.limits(self._auctions), **asking.reserves(offers, self._now, honest)}

    def _copies(self, second_identity_of: int | None) -> tuple[Mechanism, Policy | None]:
        # The memo hands a deep copy another platform: one on which the second identity is a provider.
        memo: dict[int, object] = {}
        if second_identity_of is not None:
            memo[id(self._platform)] = self._platform.with_alias(second_identity_of)
        return copy.deepcopy(self._mechanism, memo), copy.deepcopy(self._policy)

    def _lot(self, auction: Auction, second_identity_of: int | None) -> Lot:
        lot = auction.lot
        if second_identity_of is None or second_identity_of not in lot.invited:
            return lot
        own = second_identity_of
        return lot._replace(
            invited=(*lot.invited, self.alias),
            predicted_s={**lot.predicted_s, self.alias: lot.predicted_s[own]},
            free_at={**lot.free_at, self.alias: lot.free_at[own]},
        )


def changed(bids: Mapping[tuple[int, int], float], participant: int, factor: float) -> Bids:
    """Return bids in which one participant multiplies what it would bid by a factor."""
    return {(task, one): factor * bid if one == participant else bid for (task, one), bid in bids.items()}
