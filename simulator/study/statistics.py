"""Statistics of runs: tests of independence, intervals over worlds, and corrected paired tests."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.model import BoolArray, FloatArray, IntArray

LEAST_EXPECTED = 5.0
"""Least expected count of each cell of a stratum.

This is the usual rule for the chi-square approximation (Cochran, Biometrics 10, 1954).
"""


class Dependence(NamedTuple):
    """Result of a chi-square test of independence.

    Attributes:
        statistic: the chi-square statistic; NaN if no stratum has enough rounds.
        freedom: degrees of freedom; 0 if no stratum has enough rounds.
        p_value: probability of such a statistic under independence; NaN if no stratum has enough rounds.
    """

    statistic: float
    freedom: int
    p_value: float

    def __str__(self) -> str:
        return f"chi-square {self.statistic:.1f} on {self.freedom} df"


def chi_square(happens: BoolArray, value: FloatArray, bins: int, strata: IntArray | None = None) -> Dependence:
    """Test whether an event is independent of a value, within strata.

    The values of a stratum are cut into bins of equal count. The statistics and the degrees of freedom of the strata
    are added up. A stratum with an expected count below `LEAST_EXPECTED` is left out.

    Args:
        happens: whether the event happens, shape (rounds,).
        value: the value, shape (rounds,).
        bins: number of bins in each stratum.
        strata: number of the stratum, shape (rounds,); if None, all rounds are one stratum.
    """
    from scipy import stats

    strata = np.zeros(len(happens), dtype=np.int64) if strata is None else strata
    statistic, freedom = 0.0, 0
    for stratum in np.unique(strata):
        event, own = happens[strata == stratum], value[strata == stratum]
        # Bins of equal count make the smallest expected count as large as it can be.
        cut = np.searchsorted(np.quantile(own, np.arange(1, bins) / bins), own)
        counts = np.array([[np.sum(event[cut == number] == side) for number in range(bins)] for side in (True, False)])
        if (counts.sum(axis=0) == 0).any() or stats.contingency.expected_freq(counts).min() < LEAST_EXPECTED:
            continue
        # Without Yates' correction: Pearson's statistics of independent strata add up to a chi-square variable.
        found = stats.chi2_contingency(counts, correction=False)
        statistic, freedom = statistic + float(found.statistic), freedom + int(found.dof)
    if not freedom:
        return Dependence(float("nan"), 0, float("nan"))
    return Dependence(statistic, freedom, float(stats.chi2.sf(statistic, freedom)))


EQUAL = 1e-12
"""Numbers that differ by no more than this share of the largest of them count as equal."""

CONFIDENCE = 0.95
"""Probability with which an interval covers the true value."""


def ratio_of_means(values: FloatArray, base: FloatArray) -> tuple[float, float]:
    """Return the ratio of two means over the same worlds, and the half-width of its 95 % interval.

    The interval is by linearisation: ``half_width(values - ratio * base) / mean(base)`` (Cochran, "Sampling
    Techniques", 1977, section 6.4).

    Args:
        values: numerator of each world, shape (worlds,).
        base: denominator of each world, shape (worlds,).

    Returns:
        Ratio and half-width; NaN if the mean of ``base`` is 0.
    """
    mean = float(base.mean()) or math.nan
    ratio = float(values.mean() / mean)
    # Not the interval of the difference, divided by the mean. A policy may have 90 % of the surplus in every world:
    # then its ratio has no error, but its difference has one.
    return ratio, half_width(values - ratio * base) / mean


class Crossed(NamedTuple):
    """Mean of a figure over worlds and trainings.

    Attributes:
        mean: the mean.
        half_width: half-width of its 95 % interval over worlds and trainings.
        p_value: p-value of the test that the mean is 0; NaN if nothing varies.
    """

    mean: float
    half_width: float
    p_value: float


def crossed(values: FloatArray) -> Crossed:
    """Return the mean of a figure and its interval, where each training was run in each world.

    Worlds and trainings are both samples: a new study would have others of both. So their variances add up, as in the
    analysis of variance of two crossed random factors. The degrees of freedom are those of Satterthwaite (Biometrics
    Bulletin 2, 1946). With one training the interval is over worlds only.

    Args:
        values: the figure, shape (worlds, trainings).
    """
    from scipy import stats

    worlds, trainings = values.shape
    mean = float(values.mean())
    if not np.isfinite(values).all():
        return Crossed(mean, math.nan, math.nan)
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return Crossed(mean, 0.0, math.nan)
    if worlds == 1 or trainings == 1:
        line = values.ravel()
        return Crossed(mean, half_width(line) if len(line) > 1 else math.nan, p_value(line))
    of_world, of_training = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    # Mean squares. Without truncation a component could have a negative variance.
    rest = float(((values - of_world - of_training + mean) ** 2).sum()) / ((worlds - 1) * (trainings - 1))
    squares = max(trainings * float(of_world.var(ddof=1)), rest), max(worlds * float(of_training.var(ddof=1)), rest)
    total = sum(squares) - rest
    freedom = total**2 / (
        squares[0] ** 2 / (worlds - 1) + squares[1] ** 2 / (trainings - 1) + rest**2 / ((worlds - 1) * (trainings - 1))
    )
    # With a truncated component it can fall below that of the smaller sample, which would leave an interval of nothing.
    freedom = max(freedom, min(worlds, trainings) - 1.0)
    error = math.sqrt(total / (worlds * trainings))
    return Crossed(
        mean,
        error * float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)),
        2.0 * float(stats.t.sf(abs(mean) / error, freedom)),
    )


def crossed_ratio(values: FloatArray, base: FloatArray) -> Crossed:
    """Return the ratio of two means over the same worlds, with its interval over worlds and trainings.

    Args:
        values: numerator, shape (worlds, trainings).
        base: denominator of each world, shape (worlds,), or one per world and training.

    Returns:
        The ratio with its half-width by linearisation, as in `ratio_of_means`, and the p-value of a ratio of 1.
    """
    below = base[:, None] if base.ndim == 1 else base
    mean = float(below.mean()) or math.nan
    ratio = float(values.mean()) / mean
    return Crossed(ratio, crossed(values - ratio * below).half_width / mean, crossed(values - below).p_value)


def half_width(values: FloatArray) -> float:
    """Return the half-width of the 95 % interval of a mean, by Student's t distribution.

    Args:
        values: one value per world, shape (worlds,).

    Returns:
        The half-width; 0 if all values are equal, NaN if one is not finite.
    """
    return float(half_widths(values[:, None])[0])


def half_widths(values: FloatArray) -> FloatArray:
    """Return the half-width of the 95 % interval of the mean of each column.

    Args:
        values: one row per world, shape (worlds, figures).

    Returns:
        Half-widths, shape (figures,); 0 for a column of equal values, NaN for a column with a value that is not finite.
    """
    from scipy import stats

    # All columns in one call: with one call per column a test of `compare` took three minutes.
    # Columns of equal values keep the width 0, which rounding could make a tiny positive number.
    widths = np.where(np.isfinite(values).all(axis=0), 0.0, np.nan)
    varies = (widths == 0.0) & (np.ptp(values, axis=0) > 0.0)
    if varies.any():
        worlds = len(values)
        widths[varies] = stats.sem(values[:, varies], axis=0) * stats.t.ppf(0.5 + CONFIDENCE / 2, worlds - 1)
    return widths


def p_value(difference: FloatArray) -> float:
    """Return the p-value of the paired t test that a mean difference is 0.

    Args:
        difference: difference in each world, shape (worlds,).

    Returns:
        The p-value; NaN if all differences are equal or one is not finite.
    """
    from scipy import stats

    # Equal differences have no variance, so t is 0 / 0 or infinite. This is so for the first policy against itself.
    # What is equal may differ in its last digits.
    if not np.isfinite(difference).all() or np.ptp(difference) <= EQUAL * np.abs(difference).max():
        return math.nan
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def p_text(p: float) -> str:
    """Return a p-value as text: empty if it is missing, and ``<.001`` where three digits would be 0."""
    return "" if math.isnan(p) else f"{p:.3f}" if p >= 0.0005 else "<.001"


def corrected(p_values: FloatArray) -> FloatArray:
    """Return p-values that are corrected for their number by Holm's method.

    Args:
        p_values: p-values, shape (tests,). NaN stays NaN and does not count as a test.
    """
    from statsmodels.stats.multitest import multipletests

    # Holm's method holds for dependent tests too. These are dependent: all policies are compared with the same runs.
    found = np.full(len(p_values), np.nan)
    there = np.isfinite(p_values)
    if there.any():
        found[there] = multipletests(p_values[there], method="holm")[1]
    return found
