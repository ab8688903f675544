"""Verdicts on statements of the paper, from intervals over worlds and trainings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulator.study.statistics import CONFIDENCE

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
        p_value: p-value of the test that the mean is 0; NaN if nothing varies.
    """

    mean: float
    half_width: float
    p_value: float = math.nan

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
        return Interval(-self.mean, self.half_width, self.p_value)

    def percent(self) -> str:
        """Return a share as text in per cent."""
        return f"{100 * self.mean:+.1f} % ± {100 * self.half_width:.1f}"


def all_above(intervals: Iterable[Interval]) -> str:
    """Say whether each of several figures is above 0.

    They all are if each interval is. That some figure is not needs more than one interval of many that lies below 0 by
    chance: its p-value is multiplied by the number of figures (Bonferroni).
    """
    found = list(intervals)
    if any_below(found):
        return NO
    return YES if all(one.above() == YES for one in found) else UNDECIDED


def any_below(intervals: Sequence[Interval]) -> bool:
    """Return whether at least one of several figures is below 0, after Bonferroni's correction."""
    # Where nothing varies, there is no p-value, and the mean decides.
    below = [0.0 if math.isnan(one.p_value) else one.p_value for one in intervals if one.above() == NO]
    return bool(below) and min(below) * len(intervals) < 1.0 - CONFIDENCE


def all_of(verdicts: Iterable[str]) -> str:
    """Return the verdict on a statement that needs several: one that fails is enough to refute it."""
    found = list(verdicts)
    if NO in found:
        return NO
    return UNDECIDED if UNDECIDED in found else YES
