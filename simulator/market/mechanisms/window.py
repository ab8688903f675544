"""The form of auctions of a window in which vehicles pay providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import need
from simulator.market.contracts import Mechanism

if TYPE_CHECKING:
    from simulator.market.contracts import Platform


@dataclass
class Window(Mechanism):
    """Base of mechanisms that clear a window in which the value of a task is that of its vehicle.

    Attributes:
        every_s: length of a window, s.
        most_lots: number of requests at which a window is cleared before its end; 0 for no limit.
        units: number of tasks that a provider offers to serve per window; 0 for as many as finish within the deadline.
    """

    every_s: float = 0.5
    most_lots: int = 0
    units: int = 0

    def __post_init__(self) -> None:
        need("scipy")
        check_every(self.every_s)
        for name, number in (("most_lots", self.most_lots), ("units", self.units)):
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 10_000:
                raise ValueError(f"{name} must be a whole number from 0 to 10,000, not {number!r}")
        self.value_of = "vehicle"

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform


def check_every(every_s: object) -> None:
    """Refuse a length of a window that is none.

    Raises:
        ValueError: it is not a number of seconds above 0.
    """
    if isinstance(every_s, bool) or not isinstance(every_s, int | float) or not 0.0 < every_s <= 1e6:
        raise ValueError(f"every_s must be a number of seconds above 0, not {every_s!r}")
