"""Chi-square tests of independence, unconditional and within strata."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.model import BoolArray, FloatArray, IntArray

LEAST_EXPECTED = 5.0
"""Expected count of every cell of a stratum that is used: the usual rule for the chi-square approximation."""


class Dependence(NamedTuple):
    """A chi-square statistic, its degrees of freedom, and its p-value; NaN where no stratum had enough rounds."""

    statistic: float
    freedom: int
    p_value: float

    def __str__(self) -> str:
        return f"chi-square {self.statistic:.1f} on {self.freedom} df"


def chi_square(happens: BoolArray, value: FloatArray, bins: int, strata: IntArray | None = None) -> Dependence:
    """Whether an event is independent of a value that is cut into bins of equal count.

    Statistics of strata add up, as do their degrees of freedom; strata with an expected count below 5 are left out.

    Args:
        happens: shape (rounds,).
        value: shape (rounds,).
        bins: into how many bins the values of each stratum are cut.
        strata: within which it is tested, shape (rounds,); all rounds are one if None.
    """
    from scipy import stats

    strata = np.zeros(len(happens), dtype=np.int64) if strata is None else strata
    statistic, freedom = 0.0, 0
    for stratum in np.unique(strata):
        event, own = happens[strata == stratum], value[strata == stratum]
        cut = np.searchsorted(np.quantile(own, np.arange(1, bins) / bins), own)
        counts = np.array([[np.sum(event[cut == number] == side) for number in range(bins)] for side in (True, False)])
        if (counts.sum(axis=0) == 0).any() or stats.contingency.expected_freq(counts).min() < LEAST_EXPECTED:
            continue
        found = stats.chi2_contingency(counts, correction=False)
        statistic, freedom = statistic + float(found.statistic), freedom + int(found.dof)
    if not freedom:
        return Dependence(float("nan"), 0, float("nan"))
    return Dependence(statistic, freedom, float(stats.chi2.sf(statistic, freedom)))
