"""Intervals over worlds and trainings, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.model import FloatArray
from simulator.study.statistics import crossed, crossed_ratio, half_width, p_value, ratio_of_means


def table(rng: np.random.Generator, worlds: int, trainings: int, of_world: float, of_training: float) -> FloatArray:
    parts = rng.normal(0.0, of_world, (worlds, 1)), rng.normal(0.0, of_training, (1, trainings))
    return parts[0] + parts[1] + rng.normal(0.0, 1.0, (worlds, trainings))


@pytest.mark.parametrize(("of_world", "of_training"), [(0.0, 0.0), (3.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_the_interval_covers_the_mean_as_often_as_it_says(of_world: float, of_training: float) -> None:
    rng, tables = np.random.default_rng(0), 2_000
    found = [crossed(table(rng, 12, 3, of_world, of_training)) for _ in range(tables)]
    covered = np.mean([abs(one.mean) <= one.half_width for one in found])
    # With three trainings the degrees of freedom are an approximation, on the side of caution where nothing varies.
    assert 0.93 <= covered <= (0.975 if of_world or of_training else 1.0)
    rejected = np.mean([one.p_value < 0.05 for one in found])
    assert rejected == pytest.approx(1.0 - covered, abs=1e-9)


def test_an_interval_over_worlds_alone_is_too_narrow_where_trainings_differ() -> None:
    rng = np.random.default_rng(1)
    alone = [values.mean() for values in (table(rng, 12, 3, 0.0, 1.0) for _ in range(500))]
    rng = np.random.default_rng(1)
    widths = [half_width(table(rng, 12, 3, 0.0, 1.0).mean(axis=1)) for _ in range(500)]
    assert np.mean(np.abs(alone) <= widths) < 0.6


def test_one_training_has_the_interval_over_worlds() -> None:
    values = np.random.default_rng(2).normal(1.0, 1.0, 9)
    found = crossed(values[:, None])
    assert found == (values.mean(), half_width(values), p_value(values))
    base = np.random.default_rng(3).uniform(1.0, 2.0, 9)
    assert crossed_ratio(values[:, None], base)[:2] == pytest.approx(ratio_of_means(values, base))


def test_what_is_the_same_everywhere_has_no_width() -> None:
    assert crossed(np.full((4, 3), 0.3)).half_width == 0.0
    ratio = crossed_ratio(np.array([[0.9, 0.9], [1.8, 1.8]]), np.array([1.0, 2.0]))
    assert ratio.mean == pytest.approx(0.9)
    assert ratio.half_width == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(crossed(np.array([[1.0, np.nan]])).half_width)


def test_an_interval_has_at_least_the_freedom_of_the_smaller_sample() -> None:
    """Where a component is truncated, Satterthwaite's freedom falls towards 0."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        values = rng.normal(0.0, 1.0, (3, 3))
        found = crossed(values)
        of_world, of_training = values.mean(axis=1), values.mean(axis=0)
        rest = ((values - of_world[:, None] - of_training + values.mean()) ** 2).sum() / 4
        error = np.sqrt((max(3 * of_world.var(ddof=1), rest) + max(3 * of_training.var(ddof=1), rest) - rest) / 9)
        assert found.half_width <= 4.3027 * error
