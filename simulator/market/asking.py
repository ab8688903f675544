"""The answers to the questions of a mechanism, and the messages that they take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.market.appraisal import Appraiser
from simulator.market.auction import Auction
from simulator.market.bidders import Bidders
from simulator.market.clearing import check_ask
from simulator.market.contracts import NO_TASK, VEHICLE, Ask, Bids, Mechanism, Quote
from simulator.market.decisions import Clearance
from simulator.model import BoolArray


class Asking:
    """Who answers the questions of a mechanism.

    Args:
        mechanism: the mechanism, for messages.
        appraiser: computes values, costs and predictions.
        bidders: the strategies of the participants.
        up_since: function that returns which providers have not been out since a time, shape (providers,).
    """

    def __init__(
        self,
        mechanism: Mechanism,
        appraiser: Appraiser,
        bidders: Bidders,
        up_since: Callable[[float], BoolArray],
    ) -> None:
        self._mechanism, self._appraiser, self._bidders, self._up_since = mechanism, appraiser, bidders, up_since

    def still_invited(self, auction: Auction, now: float) -> BoolArray:
        """Return who was invited and has neither left the vehicle behind nor failed since, shape (providers,).

        Args:
            auction: the auction of a task that waits.
            now: time, s.
        """
        task, coverage = auction.task, auction.situation.coverage
        invited = auction.invited & self._up_since(task.requested)[auction.situation.providers]
        if coverage is not None:
            for provider, column in auction.columns.items():
                if invited[column]:
                    invited[column] = coverage.end(provider) > now
        return invited

    def ask(self, clearance: Clearance, step: Ask, now: float) -> dict[tuple[int, int], Any]:
        """Return the answers to a question, and count its messages.

        A question to k participants is k messages, and each answer is one. To decline a price is no answer.

        Args:
            clearance: the clearing that asks.
            step: the question.
            now: time, s.

        Raises:
            PolicyFailedError: nobody can answer this, or a bidder failed.
        """
        check_ask(self._mechanism, step, clearance.auctions)
        clearance.rounds += 1
        auctions = [clearance.auctions[lot.task] for lot in step.lots]
        # Messages take time: what has changed since the last question counts.
        late = False
        for auction in auctions or clearance.auctions.values():
            if auction.lot.now < now:
                self._appraiser.revalue(auction, now)
                late = True
        if step.what == "bid" and auctions and step.side == "providers":
            return self._bids(clearance, step, auctions, now, late)
        asked, limits = self._limits(clearance, step, auctions, now, late)
        clearance.messages += asked + len(limits)
        return limits

    def _asked(self, auction: Auction, step: Ask, now: float, late: bool) -> tuple[int, ...]:
        """Return which invited providers are asked about a lot."""
        asked = auction.lot.invited
        if step.to is not None:
            asked = tuple([one for one in asked if one in step.to])
        if late:
            still = self.still_invited(auction, now)
            asked = tuple([one for one in asked if still[auction.columns[one]]])
        return asked

    def _bids(self, clearance: Clearance, step: Ask, auctions: list[Auction], now: float, late: bool) -> Bids:
        """Return the bids of providers for lots, and write them into the auctions."""
        bids: Bids = {}
        for auction in auctions:
            task, asked = auction.task.id, self._asked(auction, step, now, late)
            book = dict(zip(auction.columns, self._bidders.bid(auction, now, asked).tolist(), strict=True))
            clearance.messages += len(asked)
            for provider in asked:
                if book[provider] == book[provider]:
                    bids[task, provider] = book[provider]
                    clearance.messages += 1
            ground, uavs, flying = list[float](), auction.uavs, -math.inf
            for provider in auction.lot.invited:
                bid = book[provider]
                # Who was asked before, in this clearing, has bid too. Who was never asked, or made no bid, has NaN.
                if bid != bid:
                    continue
                if provider >= uavs:
                    ground.append(bid)
                elif bid > flying:
                    flying = bid
            ground.sort(reverse=True)
            auction.bids = ground
            if ground:
                auction.top_bid = ground[0]
                if len(ground) > 1:
                    auction.second_bid = ground[1]
            if flying >= 0.0:
                auction.uav_bid = flying
        return bids

    def _limits(
        self, clearance: Clearance, step: Ask, auctions: list[Auction], now: float, late: bool
    ) -> tuple[int, dict[tuple[int, int], Any]]:
        """Return how many are asked, and the answers to every other question."""
        if step.what == "quote":
            quotes = self.quotes(
                [(auction, self._asked(auction, step, now, late)) for auction in auctions],
                list(clearance.auctions.values()), now, min(step.places, len(clearance.auctions)),
            )  # fmt: skip
            return len(quotes), quotes
        if clearance.limits_at != now:
            clearance.limits, clearance.limits_at = {}, now
        known = clearance.limits
        if step.side == "vehicles":
            keys = [(auction.task.id, VEHICLE) for auction in auctions]
            new = [auction for auction, key in zip(auctions, keys, strict=True) if key not in known]
            known.update(self.limits(new))
        else:
            by_provider: dict[int, list[Auction]] = {}
            for auction in clearance.auctions.values():
                for one in self._asked(auction, step, now, late):
                    by_provider.setdefault(one, []).append(auction)
            keys = [(NO_TASK, one) for one in sorted(by_provider)]
            known.update(self.reserves({one: by_provider[one] for _, one in keys if (NO_TASK, one) not in known}, now))
        limits = {key: known[key] for key in keys}
        return len(limits), limits if step.what == "bid" else who_accepts(step, limits)

    def limits(self, auctions: Sequence[Auction]) -> Bids:
        """Return the most that each vehicle would pay, by (task, `VEHICLE`).

        Args:
            auctions: auctions of the vehicles' tasks.
        """
        return {(auction.task.id, VEHICLE): self._appraiser.limit_of(auction) for auction in auctions}

    def reserves(self, offers: Mapping[int, Sequence[Auction]], now: float, honest: bool = False) -> Bids:
        """Return the least payment for which each provider says that it serves a task, by (`NO_TASK`, provider).

        Args:
            offers: auctions of tasks to which each provider is invited, by its id.
            now: time, s.
            honest: whether it is the true one, even of a provider that shades.
        """
        truth = {one: self._appraiser.reserve_of(one, auctions, now) for one, auctions in sorted(offers.items())}
        return {(NO_TASK, one): limit if honest else self._bidders.reserve(one, limit) for one, limit in truth.items()}

    def quotes(
        self, asked: Sequence[tuple[Auction, Sequence[int]]], auctions: Sequence[Auction], now: float, places: int = 1
    ) -> dict[tuple[int, int], Quote]:
        """Return what providers promise for tasks. It can be verified afterwards, so nobody promises otherwise.

        Args:
            asked: auctions, each with the ids of the providers that are asked about it.
            auctions: all auctions of the clearing. Their mean says what a task of the reference size costs a provider.
            now: time, s.
            places: number of places in a provider's queue for which it quotes.
        """
        found: dict[tuple[int, int], Quote] = {}
        for auction, providers in asked:
            for one in providers:
                offers = [other for other in auctions if one in other.lot.invited]
                found[auction.task.id, one] = self._quote(auction, one, offers, now, places)
        return found

    def _quote(self, auction: Auction, provider: int, offers: Sequence[Auction], now: float, places: int) -> Quote:
        column, situation, appraiser = auction.columns[provider], auction.situation, self._appraiser
        _, value, *_, latency_s = auction.book[:, column].tolist()
        dwell_s = max(float(situation.dwell_s[column]) - (auction.lot.now - auction.lot.requested), 0.0)
        extra = appraiser.extra_cost(auction, provider, offers, now)
        accuracy = float(situation.accuracy[column])
        later: tuple[Quote, ...] = ()
        if places > 1:
            latencies = appraiser.latencies_behind(auction, provider, now, places - 1)
            values = appraiser.values_at(auction, provider, latencies)
            later = tuple(
                Quote(behind_s, accuracy, worth, dwell_s, extra)
                for behind_s, worth in zip(latencies.tolist(), values.tolist(), strict=True)
            )
        return Quote(latency_s, accuracy, value, dwell_s, extra, later)


def who_accepts(step: Ask, limits: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], bool]:
    """Return who trades at a price: a vehicle up to its limit, a provider down to its own.

    Args:
        step: the question.
        limits: limits of those who are asked.
    """
    sign = 1.0 if step.side == "vehicles" else -1.0
    return {key: True for key, limit in limits.items() if sign * (limit - step.price) >= 0.0}
