from __future__ import annotations

from typing import Any

import numpy as np

from simulator.draws import Draws
from simulator.providers.fleet import Fleet
from simulator.providers.radio import Radio
from simulator.scenario.scenario import Scenario


def radio(seed: int = 0, **overrides: Any) -> Radio:
    scenario = Scenario.load("braunschweig", **overrides)
    return Radio(scenario, Fleet(scenario), Draws(seed))


def test_the_map_is_a_fixed_function_of_place_and_seed() -> None:
    first, again, other = radio(), radio(), radio(seed=1)
    assert np.array_equal(first.unit_snr(250, 200), again.unit_snr(250, 200))
    assert not np.array_equal(first.unit_snr(250, 200), other.unit_snr(250, 200))


def test_without_shadowing_the_snr_falls_with_distance() -> None:
    plain = radio(**{"stations.radio.shadowing_db": 0})
    fleet = Fleet(Scenario.load("braunschweig"))
    x, y = 250.0, 180.0
    distance = np.hypot(fleet.x - x, fleet.y - y)[1:]
    snr = 10 * np.log10(plain.unit_snr(x, y)[1:])
    assert np.array_equal(np.argsort(distance), np.argsort(-snr))
    assert np.allclose(snr, 15.0 - 30.0 * np.log10(distance / 100.0))


def test_shadowing_has_the_stated_spread() -> None:
    shaded, plain = radio(), radio(**{"stations.radio.shadowing_db": 0})
    places = np.random.default_rng(3).uniform(-2000, 2000, (3000, 2))
    difference = np.array([10 * np.log10(shaded.unit_snr(x, y)[1:] / plain.unit_snr(x, y)[1:]) for x, y in places])
    assert abs(difference.std() - 4.0) < 0.3


def test_the_line_of_sight_loss_has_two_values_and_is_rarer_low_above_the_horizon() -> None:
    flat: dict[str, Any] = {"uavs.radio.exponent": 1e-9}
    high = radio(**flat)
    places = np.random.default_rng(4).uniform(-1, 1, (4000, 2))

    def blocked_share(reach: float) -> float:
        snr = np.array([10 * np.log10(high.unit_snr(264 + reach * x, 205 + reach * y)[0]) for x, y in places])
        assert set(np.round(snr).tolist()) <= {19.0, 0.0}
        return float((snr < 10).mean())

    # Overhead the sight is nearly always free; 45 degrees and lower it is less and less.
    near, far = blocked_share(20.0), blocked_share(600.0)
    assert near < 0.02
    assert far > 0.3
