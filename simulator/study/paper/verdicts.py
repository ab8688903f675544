"""Verdicts on statements of the paper, from intervals over worlds and trainings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

YES, NO, UNDECIDED, UNTESTED = "reproduced", "not reproduced", "undecided", "not tested"
"""Verdicts; `reproduced if ...` is a fifth."""

# The paper gives no tolerances: it says "stable", "slight" and "13 %". The numbers below are choices of this project.
CLOSE = 0.03
"""Largest difference between a reproduced margin and the paper's."""

SETTLED = 0.01
"""Largest share by which a stable curve may differ from its last value."""

SLIGHT = 0.10
"""Largest share by which a stable surplus may change, and by which a slight fall may reduce a surplus."""


class Interval(NamedTuple):
    """Mean of a figure with the half-width of its 95 % interval.

    Attributes:
        mean: the mean.
        half_width: half-width of the interval.
    """

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width

    def above(self, bound: float = 0.0) -> str:
        """Say whether the figure is above a bound: the entire interval is, or none of it, or it is undecided."""
        return YES if self.low > bound else NO if self.high <= bound else UNDECIDED

    def within(self, low: float, high: float) -> str:
        """Say whether the figure is from ``low`` to ``high``."""
        if low <= self.low and self.high <= high:
            return YES
        return NO if self.high < low or self.low > high else UNDECIDED

    def near(self, paper: float) -> str:
        """Say whether a margin is that of the paper: within `CLOSE` of it, entirely or not at all."""
        return self.within(paper - CLOSE, paper + CLOSE)

    def negative(self) -> Interval:
        """Return the interval of the figure with the other sign."""
        return Interval(-self.mean, self.half_width)

    def percent(self) -> str:
        """Return a share as text in per cent."""
        return f"{100 * self.mean:+.1f} % ± {100 * self.half_width:.1f}"


def all_of(verdicts: Iterable[str]) -> str:
    """Return the verdict on a statement that needs several: one that fails is enough to refute it."""
    found = list(verdicts)
    if NO in found:
        return NO
    return UNDECIDED if UNDECIDED in found else YES
