"""The assignment that a platform makes that knows everything: a bound for auctions of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import need
from simulator.market.contracts import NO_TASK, Ask, Award, Information, Lot, Mechanism
from simulator.market.mechanisms.double_dutch import check_window
from simulator.market.mechanisms.pairing import pair, units_of

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


@dataclass
class Efficient(Mechanism):
    """The assignment of a window with the largest sum of values less costs, if everybody tells the truth.

    Nobody pays, so that nobody has a reason to tell the truth. It is a bound for auctions with the same windows, not a
    mechanism to use. It maximises the sum of the window; what it does to later windows is not in it.

    Attributes:
        every_s: length of a window, s.
        most_lots: number of requests at which a window is cleared before its end; 0 for no limit.
        units: number of tasks that a provider serves per window; 0 for as many as finish within the deadline.
    """

    every_s: float = 0.5
    most_lots: int = 0
    units: int = 0

    def __post_init__(self) -> None:
        need("scipy")
        check_window(self.every_s, self.most_lots, self.units)
        self.value_of = "vehicle"

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds where nobody pays."""
        return frozenset({"budget balance"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Do nothing: there is nothing to remember."""

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for everything, and assign."""
        quotes = yield Ask("quote", lots)
        asks = yield Ask("bid")
        units = {one: count for one, count in units_of(lots, self.units).items() if (NO_TASK, one) in asks}
        found = pair(lots, units, quotes, {one: asks[NO_TASK, one] for one in units})
        return [Award(lot, found[lot.task]) for lot in lots if lot.task in found]
