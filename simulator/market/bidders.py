"""Who answers for the providers: strategies that are shipped, and the answers to every question of a mechanism."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.errors import PolicyFailedError
from simulator.market.auction import COST, Auction
from simulator.market.contracts import Bidder, Settlement, View
from simulator.market.guard import ask_bid, attribute_of, blamed, policy_label
from simulator.model import FloatArray

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario


@dataclass
class Truthful:
    """Bidder that bids the value of the task."""

    def bid(self, view: View) -> float:
        """Return the value."""
        return view.value


@dataclass
class Shade:
    """Bidder that bids the value times a factor.

    Attributes:
        factor: factor on the value; below 1 it is less than the truth.
    """

    factor: float

    def __post_init__(self) -> None:
        if not isinstance(self.factor, int | float) or not 0.0 <= self.factor <= 1e6:
            raise ValueError(f"factor must be a number from 0 to 1e6, not {self.factor!r}")

    def bid(self, view: View) -> float:
        """Return the value times the factor."""
        return self.factor * view.value


@dataclass
class Exp3:
    """A bandit over multipliers of the value, which learns from its own payoffs.

    Source: Auer, Cesa-Bianchi, Freund and Schapire, "The nonstochastic multiarmed bandit problem", SIAM Journal on
    Computing 32(1), 2002. A payoff is the value less the payment if it wins, else 0, divided by the largest so far.

    Attributes:
        exploration: share of bids with a multiplier drawn uniformly, gamma in the source.
    """

    exploration: float = 0.1

    MULTIPLIERS: ClassVar[tuple[float, ...]] = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5)

    def __post_init__(self) -> None:
        if not isinstance(self.exploration, int | float) or not 0.0 < self.exploration <= 1.0:
            raise ValueError(f"exploration must be above 0 and at most 1, not {self.exploration!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget everything."""
        self._rng = rng
        self._logs: FloatArray = np.zeros(len(self.MULTIPLIERS))
        self._largest = 0.0
        self._played: dict[tuple[int, int], tuple[int, float]] = {}

    def probabilities(self) -> FloatArray:
        """Return the probability of each multiplier, shape (10,)."""
        weights: FloatArray = np.exp(self._logs - self._logs.max())
        arms = len(self._logs)
        return np.asarray((1.0 - self.exploration) * weights / weights.sum() + self.exploration / arms)

    def bid(self, view: View) -> float:
        """Draw a multiplier and return the value times it."""
        chances = self.probabilities()
        drawn = np.searchsorted(np.cumsum(chances), self._rng.random())
        arm = min(int(drawn), len(self.MULTIPLIERS) - 1)  # the sum of the probabilities may round to less than 1
        self._played[view.provider, view.task] = arm, float(chances[arm])
        return self.MULTIPLIERS[arm] * view.value

    def learn(self, settlement: Settlement) -> None:
        """Add the payoff to the multiplier that was played, divided by its probability."""
        played = self._played.pop((settlement.provider, settlement.task), None)
        if played is None:
            return
        arm, chance = played
        payoff = settlement.value - settlement.paid if settlement.won else 0.0
        self._largest = max(self._largest, abs(payoff))
        if self._largest > 0.0:
            # An unbiased estimate of the payoff of every arm: what was not played counts 0.
            self._logs[arm] += self.exploration * payoff / self._largest / chance / len(self._logs)


@dataclass
class Patient:
    """Bidder that bids the value less the delay cost of its own later tasks.

    A task that keeps the slowest stage busy for s seconds delays later tasks. Tasks are won at a rate of lambda per
    second, so lambda s of them come meanwhile, and each waits s/2 longer on average. A task of value v and latency T
    loses v/T per second of delay, as values are proportional to 1/T: the cost is ``lambda s^2 / 2 * mean(v / T)``.

    Attributes:
        memory: number of own wins from which rate and mean are computed.
    """

    memory: int = 20
    _wins: dict[int, deque[tuple[float, float]]] = field(default_factory=dict, init=False, repr=False)
    _last: dict[tuple[int, int], float] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.memory, bool) or not isinstance(self.memory, int) or self.memory < 2:
            raise ValueError(f"memory must be a whole number >= 2, not {self.memory!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Forget everything."""
        self._wins.clear()
        self._last.clear()

    def bid(self, view: View) -> float:
        """Return the value less the cost, at least 0."""
        self._last[view.provider, view.task] = view.value / view.predicted_s
        wins = self._wins.get(view.provider)
        if wins is None or len(wins) < 2 or view.now <= wins[0][0]:
            return view.value
        rate = len(wins) / (view.now - wins[0][0])
        busy_s = float(view.service_s.max())
        loss = sum(per_s for _, per_s in wins) / len(wins)
        return max(view.value - 0.5 * rate * busy_s**2 * loss, 0.0)

    def learn(self, settlement: Settlement) -> None:
        """Remember when a task was won, and what a second of delay costs it."""
        per_s = self._last.pop((settlement.provider, settlement.task), None)
        if settlement.won and per_s is not None:
            wins = self._wins.setdefault(settlement.provider, deque(maxlen=self.memory))
            wins.append((settlement.now, per_s))


class Bidders:
    """The answers of all providers.

    Args:
        strategies: the strategy of each provider, by id. Providers of one owner share one object.
        uavs: number of UAVs, which have the first ids.

    Attributes:
        uavs: number of UAVs.
        factors: factor of each provider that bids its value times a factor, by id; 1 for other strategies.
    """

    def __init__(self, strategies: Sequence[Bidder], uavs: int) -> None:
        self._strategies, self.uavs = list(strategies), uavs
        self.factors = [one.factor if isinstance(one, Shade) else 1.0 for one in strategies]
        self._factors = np.array(self.factors)
        self._plain = not (self._factors != 1.0).any()
        # Truth and shading are one multiplication for all providers: only other strategies are called one by one.
        self._others = {number for number, one in enumerate(strategies) if not isinstance(one, Truthful | Shade)}
        self._learners = {
            number for number in self._others if callable(attribute_of(strategies[number], "learn", "bidder"))
        }

    def bid(self, auction: Auction, now: float, asked: Sequence[int]) -> FloatArray:
        """Ask providers for their bids for a task, and return all bids for it so far.

        Args:
            auction: the auction of the task.
            now: time, s.
            asked: ids of the invited providers that are asked.

        Returns:
            The row of bids of the auction's book, in the order of the covering providers.
        """
        bids, columns = auction.bid, auction.columns
        if len(asked) == len(auction.lot.invited):
            if self._plain:
                bids[:] = auction.says
            else:
                np.multiply(auction.says, self._factors[auction.situation.providers], out=bids)
        else:
            for provider in asked:
                bids[columns[provider]] = auction.said_by(provider) * self.factors[provider]
        if auction.ground_bidders < auction.invited_stations:
            # Who knows that a task is worth nothing to it does not bid for it. A UAV cannot refuse.
            for provider in asked:
                if provider >= self.uavs and not auction.said_by(provider) > 0.0:
                    bids[columns[provider]] = math.nan
        for provider in asked if self._others else ():
            if provider in self._others and not math.isnan(auction.bid_of(provider)):
                bids[columns[provider]] = ask_bid(self._strategies[provider], self._view(auction, provider, now))
        return bids

    def reserve(self, provider: int, truth: float) -> float:
        """Return the least payment for which a provider says that it serves a task of the reference size.

        Args:
            provider: id of the provider.
            truth: the least payment by which it gains.
        """
        # Who shades claims more than the truth here: a factor below 1 on what it would pay is one above 1 on a cost.
        factor = self.factors[provider]
        return truth / factor if factor > 0.0 else math.inf

    def learn(self, auction: Auction, now: float) -> None:
        """Tell every strategy that wants to learn how an auction in which it has bid has settled."""
        for provider in auction.lot.invited if self._learners else ():
            bid = auction.bid_of(provider)
            if provider in self._learners and not math.isnan(bid):
                won = auction.winner == provider
                value = auction.said_by(provider)
                # What a royalty comes to is known only when the task has ended.
                due = auction.royalty * max(auction.worth_to(provider), 0.0)
                paid = auction.paid_by_provider + due if won else 0.0
                told = Settlement(provider, auction.task.id, now, value, bid, won, paid)
                with blamed(f"bidder {policy_label(self._strategies[provider])}: learn()", PolicyFailedError):
                    self._strategies[provider].learn(told)  # type: ignore[attr-defined]

    def _view(self, auction: Auction, provider: int, now: float) -> View:
        return View(
            provider,
            auction.task.id,
            now,
            auction.said_by(provider),
            float(auction.book[COST, auction.columns[provider]]),
            auction.situation.times[:, 0, auction.columns[provider]],
            float(auction.book[-1, auction.columns[provider]]),
            auction.market,
        )
