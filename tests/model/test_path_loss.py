"""Each check value of the radio page, for 3.5 GHz, and the properties that its formulas have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator.model.channel import UNIT_DBM, line_of_sight_probability, noise_dbm, snr_ratio, spectral_efficiency
from simulator.model.path_loss import (
    break_point_m,
    free_space_db,
    macro_cell_db,
    macro_from_above_db,
    macro_sight_from_above,
    macro_spread_from_above_db,
    micro_from_above_db,
    micro_sight_from_above,
    micro_spread_from_above_db,
    sight_in_streets,
    street_canyon_db,
)

PLACES = np.array([50.0, 100.0, 150.0, 200.0, 300.0, 500.0])


def near(found: object, expected: list[float], digits: int) -> None:
    assert np.round(found, digits).tolist() == expected  # type: ignore[call-overload]


def test_check_values_of_the_street_canyon() -> None:
    assert round(break_point_m(10.0, 1.5, 3.5)) == 210
    seen, hidden = street_canyon_db(PLACES, 10.0, 1.5, 3.5)
    near(seen, [79.1, 85.3, 89.0, 91.6, 98.2, 107.1], 1)
    near(hidden, [94.2, 104.6, 110.8, 115.2, 121.4, 129.3], 1)
    near(sight_in_streets(PLACES, 36.0), [0.52, 0.23, 0.13, 0.09, 0.06, 0.04], 2)


def test_check_values_from_above() -> None:
    seen, hidden = micro_from_above_db(PLACES, 100.0, 1.5, 3.5)
    near(seen, [85.2, 87.4, 89.7, 91.7, 94.9, 99.3], 1)
    near(hidden, [100.5, 103.4, 106.4, 109.0, 113.3, 119.1], 1)
    near(micro_sight_from_above(PLACES, 100.0), [1.0, 1.0, 1.0, 0.92, 0.77, 0.55], 2)
    elevation = np.degrees(np.arctan2(100.0, PLACES))
    near(line_of_sight_probability(elevation, 9.61, 0.16), [1.0, 0.97, 0.83, 0.61, 0.30, 0.12], 2)


def test_check_values_of_the_link_budget() -> None:
    """40 MHz; a station of 33 dBm and noise figure 5, a car of 23 dBm and 9, a UAV at 100 m; 150 m apart."""
    noise = float(noise_dbm(40.0, 9.0))
    assert round(noise) == -89
    seen, hidden = (float(loss[2]) for loss in street_canyon_db(PLACES, 10.0, 1.5, 3.5))
    assert [round(33.0 - loss - noise) for loss in (seen, hidden)] == [33, 11]
    station = float(noise_dbm(40.0, 5.0))
    # 26.98 and 5.2 dB: the page rounds them to 27 and 5.
    assert [round(23.0 - loss - station) for loss in (seen, hidden)] == [27, 5]
    above = float(micro_from_above_db(PLACES, 100.0, 1.5, 3.5)[0][2])
    assert round(23.0 - above - station) == 26


def test_check_values_of_a_task() -> None:
    """30 MB up from a car at 23 dBm over 40 MHz, 140 m away: .95 s in sight, 3.7 s out of sight."""
    place = np.array([140.0])
    seconds = []
    for loss in street_canyon_db(place, 10.0, 1.5, 3.5):
        snr = snr_ratio(23.0 - loss - noise_dbm(40.0, 5.0))
        rate = 40.0 * spectral_efficiency(snr, 0.75, 7.4063, 0.08)
        seconds.append(float(240.0 / rate[0]))
    assert seconds == pytest.approx([0.95, 3.7], rel=0.05)


def test_eight_decibels_of_shadowing_make_it_twelve_seconds() -> None:
    """The third check value of that task: out of sight, and 8 dB below the mean."""
    _, hidden = street_canyon_db(np.array([140.0]), 10.0, 1.5, 3.5)
    snr = snr_ratio(23.0 - hidden - 8.0 - noise_dbm(40.0, 5.0))
    assert float(240.0 / (40.0 * spectral_efficiency(snr, 0.75, 7.4063, 0.08))[0]) == pytest.approx(12.0, rel=0.05)


def test_the_macro_cell_from_above_by_hand() -> None:
    """60 m above a street, 200 m away, 3.5 GHz, so 208.4 m in space: tables B-1 and B-2 of TR 36.777.

    In sight 28 + 22 lg 208.4 + 20 lg 3.5; out of sight -17.5 + (46 - 7 lg 60) lg 208.4 + 20 lg(40 pi 3.5 / 3). At 300 m
    d1 = 460 lg 60 - 700 = 118 m and p1 = 4300 lg 60 - 3800 = 3846 m.
    """
    seen, hidden = macro_from_above_db(np.array([200.0]), 60.0, 1.5, 3.5)
    assert (float(seen[0]), float(hidden[0])) == pytest.approx((89.90, 103.63), abs=0.01)
    chance = 117.95 / 300.0 + math.exp(-300.0 / 3846.0) * (1.0 - 117.95 / 300.0)
    assert float(macro_sight_from_above(np.array(300.0), 60.0)) == pytest.approx(chance, abs=1e-4)
    assert chance == pytest.approx(0.954, abs=0.001)


def test_the_ceiling_is_that_of_256qam() -> None:
    assert float(spectral_efficiency(snr_ratio(22.0), 1.0, 7.4063, 0.0)) == pytest.approx(7.32, abs=0.01)
    assert float(spectral_efficiency(snr_ratio(43.0), 1.0, 7.4063, 0.0)) == 7.4063
    assert float(spectral_efficiency(snr_ratio(43.0), 1.0, math.inf, 0.0)) == pytest.approx(14.3, abs=0.1)
    # Truncated Shannon, TR 36.942: min(0.6 log2(1 + snr), 4.4).
    assert float(spectral_efficiency(np.array(31.0), 0.6, 4.4, 0.0)) == pytest.approx(3.0)
    assert float(spectral_efficiency(np.array(1e6), 0.6, 4.4, 0.14)) == pytest.approx(0.86 * 4.4)


def test_a_power_unit_is_100_mw() -> None:
    assert 10 * math.log10(100.0) == UNIT_DBM


def test_free_space_at_one_metre_and_one_gigahertz() -> None:
    assert float(free_space_db(np.array(1.0), 1.0)) == pytest.approx(32.45, abs=0.01)


def test_shadowing_from_above() -> None:
    assert micro_spread_from_above_db(50.0) == pytest.approx((5.0 * math.exp(-0.5), 8.0))
    assert micro_spread_from_above_db(150.0) == (2.0, 8.0)
    assert macro_spread_from_above_db(100.0) == pytest.approx((4.64 * math.exp(-0.66), 6.0))


MODELS = {
    "umi": lambda d: street_canyon_db(d, 10.0, 1.5, 3.5),
    "uma": lambda d: macro_cell_db(d, 25.0, 1.5, 3.5),
    "umi-av": lambda d: micro_from_above_db(d, 60.0, 1.5, 3.5),
    "uma-av": lambda d: macro_from_above_db(d, 60.0, 1.5, 3.5),
}
SIGHTS = {
    "umi": lambda d: sight_in_streets(d, 36.0),
    "uma": lambda d: sight_in_streets(d, 63.0),
    "umi-av": lambda d: micro_sight_from_above(d, 60.0),
    "uma-av": lambda d: macro_sight_from_above(d, 60.0),
    "uma-av above 100 m": lambda d: macro_sight_from_above(d, 120.0),
}


@pytest.mark.parametrize("model", MODELS)
def test_loss_grows_with_distance_and_is_larger_out_of_sight(model: str) -> None:
    seen, hidden = MODELS[model](np.linspace(1.0, 2000.0, 4000))
    assert (np.diff(seen) >= -1e-9).all()
    assert (np.diff(hidden) >= -1e-9).all()
    assert (hidden >= seen).all()


@pytest.mark.parametrize("model", SIGHTS)
def test_sight_is_a_probability_that_falls_with_distance(model: str) -> None:
    chance = SIGHTS[model](np.linspace(0.0, 3000.0, 6000))
    assert (np.diff(chance) <= 1e-12).all()
    assert chance[0] == 1.0
    assert (chance > 0.0).all()


def test_check_values_of_the_macro_cell_by_hand() -> None:
    """Break point 4 x 24 x 0.5 x 3.5e9 / c = 560 m; lg of the 3-D distance at 100 m on the ground is 2.0117."""
    assert round(break_point_m(25.0, 1.5, 3.5)) == 560
    seen, hidden = macro_cell_db(np.array([100.0]), 25.0, 1.5, 3.5)
    lg_d = math.log10(math.hypot(100.0, 23.5))
    assert seen[0] == pytest.approx(28 + 22 * lg_d + 20 * math.log10(3.5))
    assert hidden[0] == pytest.approx(13.54 + 39.08 * lg_d + 20 * math.log10(3.5))
    assert round(float(sight_in_streets(np.array(100.0), 63.0)), 2) == 0.35


@given(st.floats(1e-6, 1e6), st.floats(1.01, 10.0), st.floats(0.1, 1.0), st.floats(0.0, 0.5))
def test_efficiency_grows_with_the_ratio_up_to_its_ceiling(snr: float, more: float, share: float, over: float) -> None:
    low, high = (float(spectral_efficiency(np.array(one), share, 7.4, over)) for one in (snr, more * snr))
    assert 0.0 < low <= high <= 7.4 * (1.0 - over)


def test_noise_grows_with_bandwidth() -> None:
    assert float(noise_dbm(80.0, 5.0) - noise_dbm(40.0, 5.0)) == pytest.approx(10 * math.log10(2.0))
