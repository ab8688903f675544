"""The best assignment of a window, made by a platform that is told the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.market.contracts import NO_TASK, Ask, Award, Information, Lot
from simulator.market.mechanisms.pairing import ask_for_quotes, pair, units_of
from simulator.market.mechanisms.window import Window

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing


@dataclass
class Efficient(Window):
    """The assignment of a window with the largest sum of values less costs, if everybody tells the truth.

    Nobody pays, so that nobody has a reason to tell the truth. Auctions with the same windows are measured with it. It
    takes the lots before another one in a queue to be as long as that one. Of later windows it knows what each provider
    counts as a cost: the delay of its own later tasks.
    """

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds where nobody pays."""
        return frozenset({"budget balance"})

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for everything, and assign."""
        units = units_of(lots, self.units)
        quotes = yield ask_for_quotes(lots, units)
        asks = yield Ask("bid")
        units = {one: count for one, count in units.items() if (NO_TASK, one) in asks}
        found = pair(lots, units, quotes, {one: asks[NO_TASK, one] for one in units})
        by_task = {lot.task: lot for lot in lots}
        return [Award(by_task[task], one) for task, one in found.items()]
