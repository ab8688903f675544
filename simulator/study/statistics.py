"""Chi-square tests of independence, unconditional and within strata."""

from __future__ import annotations

import math
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


CONFIDENCE = 0.95


def ratio_of_means(values: FloatArray, base: FloatArray) -> tuple[float, float]:
    """The ratio of two means over the same worlds, and half its 95 % interval by linearisation (Cochran 1977, 6.4).

    NaN where the second mean is 0: nothing can be said in relation to it.
    """
    mean = float(base.mean()) or math.nan
    ratio = float(values.mean() / mean)
    return ratio, half_width(values - ratio * base) / mean


def half_width(values: FloatArray) -> float:
    """Half-width of the 95 % interval of a mean by Student's t; 0 where all values are equal, NaN where one is NaN."""
    return float(half_widths(values[:, None])[0])


def half_widths(values: FloatArray) -> FloatArray:
    """`half_width` of each column of values of shape (worlds, figures)."""
    from scipy import stats

    widths = np.where(np.isfinite(values).all(axis=0), 0.0, np.nan)
    varies = (widths == 0.0) & (np.ptp(values, axis=0) > 0.0)
    if varies.any():
        worlds = len(values)
        widths[varies] = stats.sem(values[:, varies], axis=0) * stats.t.ppf(0.5 + CONFIDENCE / 2, worlds - 1)
    return widths


def p_value(difference: FloatArray) -> float:
    """p-value of the paired t test that a mean difference is 0; NaN where the difference never varies."""
    from scipy import stats

    if not np.isfinite(difference).all() or np.ptp(difference) == 0.0:
        return math.nan
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def corrected(p_values: FloatArray) -> FloatArray:
    """p-values corrected by Holm's method for their number; NaN stays NaN and does not count."""
    from statsmodels.stats.multitest import multipletests

    found = np.full(len(p_values), np.nan)
    there = np.isfinite(p_values)
    if there.any():
        found[there] = multipletests(p_values[there], method="holm")[1]
    return found
