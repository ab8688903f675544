"""Sealed double auctions: everybody says a limit price, and one rule sets the price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from simulator.market.contracts import NO_TASK, VEHICLE, Ask, Column, Information, Lot
from simulator.market.mechanisms.pairing import first_units, trade, units_of
from simulator.market.mechanisms.window import Window

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing


class Cleared(NamedTuple):
    """What a rule makes of limit prices.

    Attributes:
        units: number of units that trade.
        buyers_pay: price of a unit for a buyer.
        sellers_get: price of a unit for a seller.
    """

    units: int
    buyers_pay: float
    sellers_get: float


def mcafee(bids: Sequence[float], asks: Sequence[float]) -> Cleared:
    """Return the trades of McAfee's rule.

    Let k be the largest number of pairs with a bid of at least the ask. If the mean of the next pair is a price that
    all of the k pairs accept, they trade at it. Otherwise the last pair is left out and sets both prices.

    Source: McAfee, "A dominant strategy double auction", Journal of Economic Theory 56(2), 1992.

    Args:
        bids: limit prices of the buyers, falling.
        asks: limit prices of the sellers, rising.
    """
    efficient = _efficient(bids, asks)
    if 0 < efficient < min(len(bids), len(asks)):
        price = 0.5 * (bids[efficient] + asks[efficient])
        if asks[efficient - 1] <= price <= bids[efficient - 1]:
            return Cleared(efficient, price, price)
    return trade_reduction(bids, asks)


def trade_reduction(bids: Sequence[float], asks: Sequence[float]) -> Cleared:
    """Return the trades if the last efficient pair is always left out and sets the prices.

    Args:
        bids: limit prices of the buyers, falling.
        asks: limit prices of the sellers, rising.
    """
    efficient = _efficient(bids, asks)
    if efficient < 2:
        return Cleared(0, 0.0, 0.0)
    return Cleared(efficient - 1, bids[efficient - 1], asks[efficient - 1])


def _efficient(bids: Sequence[float], asks: Sequence[float]) -> int:
    """Return how many pairs gain by trade."""
    return sum(bid >= ask for bid, ask in zip(bids, asks, strict=False))


@dataclass
class McAfee(Window):
    """Sealed double auction of a window: one price, or two of which the platform keeps the difference.

    Vehicles say the most that they would pay, providers the least for which they would serve a task of the reference
    size. McAfee's rule says who trades and at what prices. Lots go to providers as in the double Dutch auction.

    It is truthful for identical goods and one unit per seller. Tasks differ, so it does not claim that here.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.columns = (
            Column("clear_price", "float", "", "price for vehicles at which the window traded; NaN if it did not"),
        )

    def claims(self, information: Information) -> frozenset[str]:
        """Return what it has: no pair below the price trades, and the platform does not pay."""
        return frozenset({"individually rational", "budget balance"})

    def rule(self, bids: Sequence[float], asks: Sequence[float]) -> Cleared:
        """Return who trades and at what prices.

        Args:
            bids: limit prices of the vehicles, falling.
            asks: limit prices of the providers' units, rising.
        """
        return mcafee(bids, asks)

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask both sides for their limits, apply the rule, and pair those who trade."""
        bids = yield Ask("bid", lots, side="vehicles")
        asks = yield Ask("bid")
        units = units_of(lots, self.units)
        # Among equal limits the earlier task, or the lower id, goes first.
        buyers = sorted(lots, key=lambda lot: (-bids[lot.task, VEHICLE], lot.task))
        sellers = sorted((one for one in units if (NO_TASK, one) in asks), key=lambda one: (asks[NO_TASK, one], one))
        done = self.rule(
            [bids[lot.task, VEHICLE] for lot in buyers],
            [asks[NO_TASK, one] for one in sellers for _ in range(units[one])],
        )
        sold = first_units(sellers, units, done.units)
        costs = {one: asks[NO_TASK, one] for one in sold}
        said = {"clear_price": done.buyers_pay}
        return (yield from trade(buyers[: done.units], sold, costs, done.buyers_pay, said, done.sellers_get))


@dataclass
class TradeReduction(McAfee):
    """Sealed double auction of a window in which the last efficient pair is left out and sets both prices."""

    def rule(self, bids: Sequence[float], asks: Sequence[float]) -> Cleared:
        """Return who trades and at what prices."""
        return trade_reduction(bids, asks)
