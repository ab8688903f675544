"""One price scaling factor for every auction, and its two extremes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.market.contracts import Observation


@dataclass
class Constant:
    """Always the same rho.

    Attributes:
        rho: the price scaling factor, >= 1; ``inf`` gives every priced task to the UAV.
    """

    rho: float

    def __post_init__(self) -> None:
        if not isinstance(self.rho, int | float) or not self.rho >= 1.0:
            raise ValueError(f"rho must be a number >= 1, not {self.rho!r}")

    def price(self, observation: Observation) -> float:
        """The constant."""
        return self.rho


class AlwaysGround(Constant):
    """rho = 1: the top station wins unless the top two tie."""

    def __init__(self) -> None:
        super().__init__(1.0)


class AlwaysUav(Constant):
    """rho = inf: the UAV gets every task that is priced."""

    def __init__(self) -> None:
        super().__init__(math.inf)
