"""One price scaling factor for all auctions, and the two extreme cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.market.contracts import Observation


@dataclass
class Constant:
    """The same price scaling factor rho in all auctions.

    Attributes:
        rho: the price scaling factor, at least 1. ``inf`` gives the UAV every task for which a price is asked.
    """

    rho: float

    def __post_init__(self) -> None:
        # "not rho >= 1" refuses NaN too, for which every comparison is false.
        if not isinstance(self.rho, int | float) or not self.rho >= 1.0:
            raise ValueError(f"rho must be a number >= 1, not {self.rho!r}")

    def price(self, observation: Observation) -> float:
        """Return the constant."""
        return self.rho


class AlwaysGround(Constant):
    """The lowest price, rho = 1: the top station wins unless the two highest bids tie."""

    def __init__(self) -> None:
        super().__init__(1.0)


class AlwaysUav(Constant):
    """The highest price, rho = inf: the UAV wins every task for which a price is asked."""

    def __init__(self) -> None:
        super().__init__(math.inf)
