"""The double Dutch auction: a falling clock for vehicles and a rising one for providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.files.reading import is_number
from simulator.market.contracts import (
    Ask,
    Column,
    Decide,
    Information,
    Lot,
    Numbers,
    Quote,
    Seat,
)
from simulator.market.mechanisms.pairing import first_units, trade, units_of
from simulator.market.mechanisms.window import Window

if TYPE_CHECKING:
    import numpy as np

    from simulator.market.contracts import Clearing, Platform

STEPS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Steps of a learner, as shares of the price range."""

RANGE = 5.0
"""Highest price of the clocks, in multiples of the largest expected value of a lot at the mean demand.

One task in a hundred has a demand above 4.7 with the default spread. Its vehicle accepts at the first price.
"""

STATE = (
    Column("side", "float", "0/1", "whose clock moves: 0 that of the vehicles, 1 that of the providers"),
    Column("round", "float", "", "number of steps so far"),
    Column("buyer_clock", "float", "share", "price for vehicles, as a share of the price range"),
    Column("seller_clock", "float", "share", "price for providers, as a share of the price range"),
    Column("buyers_in", "float", "", "vehicles that have accepted"),
    Column("sellers_in", "float", "", "units of providers that have accepted"),
    Column("buyers_left", "float", "", "vehicles that have not accepted yet"),
    Column("sellers_left", "float", "", "units of providers that have not accepted yet"),
    Column("accepted", "float", "", "how many accepted the last price"),
)


@dataclass
class Clocks:
    """The two clocks of a market, and who has accepted, in the order of the answers.

    Attributes:
        top: highest price, at which the clock of the vehicles starts. The clock of the providers starts at 0.
        waiting: vehicles by position, and providers by id, that have not accepted yet.
        accepted: those that have, in order.
        units: units of each side's participants.
        count: how many units of each side have accepted.
        left: how many units of each side have not accepted yet.
        steps: number of steps so far.
        last: how many units accepted the last price.
    """

    top: float
    waiting: tuple[list[int], list[int]]
    units: tuple[dict[int, int], dict[int, int]]
    accepted: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    prices: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=lambda: [0, 0])
    left: list[int] = field(default_factory=list)
    steps: int = 0
    last: int = 0

    def __post_init__(self) -> None:
        self.prices = [self.top, 0.0]
        self.left = [sum(units[one] for one in who) for units, who in zip(self.units, self.waiting, strict=True)]

    @property
    def side(self) -> int:
        """The side with fewer units that have accepted: 0 the vehicles, 1 the providers."""
        # If the sides took turns, the numbers of those who accept would drift apart.
        return 0 if self.count[0] <= self.count[1] else 1

    def state(self) -> dict[str, float]:
        """Return what the policy sees, by the names of `STATE`."""
        return {
            "side": float(self.side),
            "round": float(self.steps),
            "buyer_clock": self.prices[0] / self.top,
            "seller_clock": self.prices[1] / self.top,
            "buyers_in": float(self.count[0]),
            "sellers_in": float(self.count[1]),
            "buyers_left": float(self.left[0]),
            "sellers_left": float(self.left[1]),
            "accepted": float(self.last),
        }

    def move(self, share: float) -> bool:
        """Move the clock of the side whose turn it is, unless the clocks would cross.

        Args:
            share: the step, as a share of the price range.
        """
        side, step = self.side, share * self.top
        # A gap of exactly one step may be rounded below it.
        if step > (self.prices[0] - self.prices[1]) * (1.0 + 1e-9):
            return False
        self.prices[side] += step if side else -step
        self.steps += 1
        return True

    def take(self, side: int, who: list[int]) -> None:
        """Note who has accepted the price of a side.

        Args:
            side: the side.
            who: those who have accepted, in order.
        """
        self.accepted[side].extend(who)
        for one in who:
            self.waiting[side].remove(one)
        self.last = sum(self.units[side][one] for one in who)
        self.count[side] += self.last
        self.left[side] -= self.last


@dataclass
class DoubleDutch(Window):
    """Double Dutch auction of a window. One price, at which the platform passes each payment on.

    The clock of the vehicles falls from the highest price, that of the providers rises from 0. The side with fewer
    acceptances moves, by a step that the policy sets. The clocks stop before they cross, or when nobody is left on the
    side that would move. The price is their mean. Among those who have accepted first, equally many of each side, lots
    go to providers so that the sum of values less costs is the largest. A pair whose value is below the price does not
    trade. Who does not trade waits for the next window.

    Source: the double Dutch auction with a learned auctioneer of arXiv 2111.03776 (ICC 2022). Its abstract was read;
    the rules for the end, the pairs and the price are ours.

    Attributes:
        message_cost: what each message of the clocks costs in the reward of a policy that learns. The values of tasks
            are around 1.
    """

    message_cost: float = 0.0005

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.message_cost) or not 0.0 <= self.message_cost <= 1e6:
            raise ValueError(f"message_cost must be a number >= 0, not {self.message_cost!r}")
        self._reward = 0.0
        self.seats = {"auctioneer": Seat(Numbers(0.001, 1.0, STEPS), STATE)}
        self.columns = (
            Column("clock_price", "float", "", "price at which the window traded; NaN if it did not"),
            Column("clock_steps", "float", "", "number of steps of both clocks in the window"),
        )
        self.policy = "gap-step"

    def claims(self, information: Information) -> frozenset[str]:
        """Return what it has: no pair below the price trades, and the platform keeps nothing."""
        return frozenset({"individually rational", "budget balance"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform; nothing is earned yet."""
        super().reset(platform, rng)
        self._reward = 0.0

    def _told(self) -> float:
        """Return what messages have cost since this was last asked, as a reward."""
        reward, self._reward = self._reward, 0.0
        return reward

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Run the clocks, and pair those who trade."""
        return (yield from self.run(lots, units_of(lots, self.units)))

    def run(
        self, lots: Sequence[Lot], units: dict[int, int], quotes: Mapping[tuple[int, int], Quote] | None = None
    ) -> Clearing:
        """Run the clocks, and pair those who trade.

        Args:
            lots: lots that take part.
            units: units that each provider offers, by id. Others do not take part.
            quotes: what providers promise, if that is known already. Only these pairs are possible.
        """
        top = highest_price(self.platform, lots)
        if not top > 0.0:
            return []  # no result is expected to come in time to have any worth
        sides = list(range(len(lots))), list(units)
        clocks = Clocks(top, sides, (dict.fromkeys(sides[0], 1), units))
        entered: dict[int, float] = {}
        place = {lot.task: one for one, lot in enumerate(lots)}
        while clocks.waiting[clocks.side]:
            share = yield Decide("auctioneer", lots, clocks.state(), reward=self._told())
            side = clocks.side
            if not clocks.move(share):
                break
            price, asked = clocks.prices[side], len(clocks.waiting[side])
            if side == 0:
                waiting = [lots[one] for one in clocks.waiting[0]]
                reply = yield Ask("accept", waiting, side="vehicles", price=price)
                who = [place[task] for task, _ in reply]
            else:
                reply = yield Ask("accept", to=tuple(clocks.waiting[1]), price=price)
                who = [one for _, one in reply]
                entered.update(dict.fromkeys(who, price))
            clocks.take(side, who)
            self._reward -= self.message_cost * (asked + len(who))
        count, price = min(clocks.count), 0.5 * sum(clocks.prices)
        winners = [lots[one] for one in clocks.accepted[0][:count]]
        sellers = first_units(clocks.accepted[1], units, count)
        said = {"clock_price": price, "clock_steps": float(clocks.steps)}
        # The cost of a provider is known to be at most the price that it has accepted.
        return (yield from trade(winners, sellers, entered, price, said, quotes=quotes))


def highest_price(platform: Platform, lots: Sequence[Lot]) -> float:
    """Return the highest price of a market, from the public predictions.

    Args:
        platform: what the mechanism knows.
        lots: the lots of the window.
    """
    return RANGE * max(
        platform.expected_value(one, lot.predicted_s[one], lot.limit_s, lot.grace_s)
        for lot in lots
        for one in lot.invited
    )
