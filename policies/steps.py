"""Steps of a clock: a constant share of the price range, or a part of the gap between two clocks."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import InputError
from simulator.market.contracts import Numbers, Observation, Seat

BUYER, SELLER = "buyer_clock", "seller_clock"
"""Columns of a seat's state that hold the two clocks."""

LEAST = 0.01
"""Least step of a part of the gap, as a share of the price range. Without it, the clocks would never meet."""


@dataclass
class FixedStep:
    """A constant share of the price range.

    Attributes:
        share: the share, from .001 to 1.
    """

    share: float = 0.05

    def __post_init__(self) -> None:
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0.001 <= self.share <= 1.0:
            raise ValueError(f"share must be a number from 0.001 to 1, not {self.share!r}")

    def number(self, observation: Observation, space: Numbers) -> float:
        """Return the share, whatever the clocks show."""
        return self.share


@dataclass
class GapStep:
    """A part of the gap between the two clocks, but at least .01 of the price range.

    Attributes:
        parts: number of parts of the gap.
    """

    parts: float = 4.0

    def __post_init__(self) -> None:
        if isinstance(self.parts, bool) or not isinstance(self.parts, int | float) or not 1.0 <= self.parts <= 1000.0:
            raise ValueError(f"parts must be a number from 1 to 1000, not {self.parts!r}")

    def sit(self, seat: Seat) -> None:
        """Take a seat.

        Args:
            seat: the seat.

        Raises:
            InputError: its state has no clocks.
        """
        missing = {BUYER, SELLER} - {column.name for column in seat.state}
        if missing:
            raise InputError(f"policy gap-step: the seat has no {' and no '.join(sorted(missing))}, so there is no gap")

    def number(self, observation: Observation, space: Numbers) -> float:
        """Return the gap divided by the number of parts."""
        gap = float(observation.state[BUYER]) - float(observation.state[SELLER])
        return min(max(gap / self.parts, LEAST), space.high)
