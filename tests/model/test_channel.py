from __future__ import annotations

import math

import numpy as np
from hypothesis import given, strategies as st

from simulator.model.channel import (
    data_rate,
    distance_snr_db,
    line_of_sight_probability,
    plane_wave_field,
    snr_ratio,
)

positive = st.floats(1e-3, 1e4)


def test_shannon_rate_of_round_numbers() -> None:
    # 40 MHz at a ratio of 31 is 40 * log2(32) = 200 Mbit/s.
    assert np.isclose(data_rate(np.array([40.0]), np.array([31.0])), 200.0, rtol=1e-15)
    # A faint link is slow, never stuck.
    assert data_rate(np.array([40.0]), np.array([1e-20])) > 0.0


@given(positive, positive, st.floats(1.001, 10))
def test_rate_grows_with_bandwidth_and_snr(bandwidth: float, snr: float, factor: float) -> None:
    rate = data_rate(np.array([bandwidth]), np.array([snr]))
    assert data_rate(np.array([bandwidth * factor]), np.array([snr])) > rate
    assert data_rate(np.array([bandwidth]), np.array([snr * factor])) > rate


def test_decibels_are_a_ratio() -> None:
    assert np.allclose(snr_ratio(np.array([0.0, 10.0, -30.0])), [1.0, 10.0, 1e-3], rtol=1e-14)


def test_distance_costs_ten_times_the_exponent_a_decade() -> None:
    near, far = distance_snr_db(np.array([50.0, 500.0]), 25.0, 50.0, 3.0)
    assert near == 25.0
    assert math.isclose(far, -5.0)


def test_line_of_sight_of_the_published_urban_curve() -> None:
    # Al-Hourani et al. 2014 with a = 9.61, b = 0.16: 1/(1+a) at theta = a, rising to nearly 1 overhead.
    probability = line_of_sight_probability(np.array([9.61, 30.0, 60.0, 90.0]), 9.61, 0.16)
    assert np.isclose(probability[0], 1 / 10.61)
    assert np.all(np.diff(probability) > 0)
    assert probability[-1] > 0.9999


def test_plane_wave_field_is_standard_normal_and_fades_with_distance() -> None:
    rng = np.random.default_rng(1)
    waves, phases = rng.standard_normal((4000, 32, 2)) / 30.0, rng.uniform(0, 2 * math.pi, (4000, 32))
    here, near, far = (plane_wave_field(x, 0.0, waves, phases) for x in (0.0, 30.0, 300.0))
    assert abs(here.mean()) < 0.05
    assert abs(here.std() - 1.0) < 0.05
    # Gaussian wave vectors give the correlation exp(-d^2 / (2 l^2)).
    assert abs(np.corrcoef(here, near)[0, 1] - math.exp(-0.5)) < 0.05
    assert abs(np.corrcoef(here, far)[0, 1]) < 0.05
