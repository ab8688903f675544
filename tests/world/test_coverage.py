from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st

from simulator.providers.coverage import chord_ahead, circle_intervals

ONE = np.array([0.0]), np.array([0.0]), np.array([100.0])


def test_crossings_between_samples_are_exact() -> None:
    # Along y = 60 the circle of radius 100 is entered at x = -80 and left at x = 80; 10 m/s from x = -200.
    time = np.array([0.0, 7.0, 40.0])
    (spans,) = circle_intervals(time, -200.0 + 10.0 * time, np.full(3, 60.0), *ONE)
    assert list(spans) == [0]
    assert np.allclose(spans[0], [(12.0, 28.0)])


def test_a_path_that_dips_in_between_two_samples_is_seen() -> None:
    (spans,) = circle_intervals(np.array([0.0, 400.0]), np.array([-200.0, 200.0]), np.array([60.0, 60.0]), *ONE)
    assert np.allclose(spans[0], [(120.0, 280.0)])


def test_one_that_only_touches_or_stays_out_is_not() -> None:
    for y in (100.0, 130.0):
        assert circle_intervals(np.array([0.0, 40.0]), np.array([-200.0, 200.0]), np.array([y, y]), *ONE) == [{}]


def test_standing_inside_counts() -> None:
    time = np.array([0.0, 5.0, 9.0])
    assert circle_intervals(time, np.full(3, 10.0), np.zeros(3), *ONE) == [{0: [(0.0, 9.0)]}]
    assert circle_intervals(time, np.full(3, 110.0), np.zeros(3), *ONE) == [{}]


@given(st.lists(st.tuples(st.floats(-200, 200), st.floats(-200, 200)), min_size=2, max_size=12), st.integers(0, 999))
def test_inside_and_intervals_agree_at_every_moment(points: list[tuple[float, float]], per_mille: int) -> None:
    x, y = np.array(points).T
    time = np.arange(len(points), dtype=float)
    (found,) = circle_intervals(time, x, y, *ONE)
    spans = found.get(0, [])
    assert all(begin < end for begin, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    moment = (len(points) - 1) * per_mille / 1000
    distance = math.hypot(np.interp(moment, time, x), np.interp(moment, time, y))
    if abs(distance - 100.0) > 1e-3:
        assert any(begin <= moment <= end for begin, end in spans) == (distance < 100.0)


@given(st.integers(0, 2**32), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_many_paths_at_once_are_each_path_alone(seed: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    start = np.concatenate([[0], np.cumsum(lengths)])
    time = np.concatenate([np.arange(length, dtype=float) + rng.integers(9) for length in lengths])
    x, y = rng.uniform(-200, 200, (2, len(time)))
    circles = np.array([0.0, 80.0]), np.array([0.0, -50.0]), np.array([100.0, 120.0])
    together = circle_intervals(time, x, y, *circles, start)
    for number, (begin, end) in enumerate(pairwise(start)):
        (alone,) = circle_intervals(time[begin:end], x[begin:end], y[begin:end], *circles)
        assert together[number] == alone


@given(st.integers(0, 2**32))
def test_circles_far_away_change_nothing(seed: int) -> None:
    """Only circles near the paths are computed, and each has the intervals that it has alone."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-200, 200, (2, 6))
    circles = rng.uniform(-900, 900, 40), rng.uniform(-900, 900, 40), rng.uniform(20, 300, 40)
    time = np.arange(6, dtype=float)
    (together,) = circle_intervals(time, x, y, *circles)
    assert list(together) == sorted(together)
    for number in range(40):
        east, north, radius = (values[[number]] for values in circles)
        (alone,) = circle_intervals(time, x, y, east, north, radius)
        assert alone.get(0) == together.get(number)
        moments = np.linspace(0, 5, 501)
        near = np.hypot(np.interp(moments, time, x) - east, np.interp(moments, time, y) - north).min()
        assert number in together or near > radius[0] - 1.0


@given(st.floats(-99, 99), st.floats(0, 2 * math.pi))
def test_the_chord_ahead_ends_on_the_rim(x: float, angle: float) -> None:
    heading = math.cos(angle), math.sin(angle)
    (reach,) = chord_ahead(x, 0.0, heading, *ONE)
    assert math.isclose(math.hypot(x + reach * heading[0], reach * heading[1]), 100.0, rel_tol=1e-9)


def test_there_is_no_chord_from_outside() -> None:
    assert chord_ahead(150.0, 0.0, (-1.0, 0.0), *ONE).tolist() == [0.0]
