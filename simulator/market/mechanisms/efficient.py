"""The best assignment of a window, made by a platform that is told the truth: a bound for its auctions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.market.contracts import NO_TASK, Ask, Award, Information, Lot
from simulator.market.mechanisms.pairing import pair, units_of
from simulator.market.mechanisms.window import Window

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing


@dataclass
class Efficient(Window):
    """The assignment of a window with the largest sum of values less costs, if everybody tells the truth.

    Nobody pays, so that nobody has a reason to tell the truth. It is a bound for auctions with the same windows, not a
    mechanism to use. Of later windows it knows what each provider counts as a cost: the delay of its own later tasks.
    """

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds where nobody pays."""
        return frozenset({"budget balance"})

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for everything, and assign."""
        quotes = yield Ask("quote", lots)
        asks = yield Ask("bid")
        units = {one: count for one, count in units_of(lots, self.units).items() if (NO_TASK, one) in asks}
        found = pair(lots, units, quotes, {one: asks[NO_TASK, one] for one in units})
        return [Award(lot, found[lot.task]) for lot in lots if lot.task in found]
