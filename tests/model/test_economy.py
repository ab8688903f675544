"""Costs, energy and fairness."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator.model.economy import jain_index, radio_energy, task_cost

SHARES = st.lists(st.just(0.0) | st.floats(1e-200, 1e6), min_size=1, max_size=30).map(np.array)


def test_a_cost_is_what_gpu_and_energy_cost() -> None:
    assert radio_energy(10.0, 2.0) == pytest.approx(2.0), "1 W for 2 s"
    assert task_cost(0.5, 2.0, 3.0, 0.25) == pytest.approx(2.0)
    assert task_cost(0.5, 2.0, 0.0, 0.0) == 0.0


@given(SHARES, st.floats(1e-3, 1e3))
def test_jain_is_between_one_over_n_and_one_and_has_no_unit(shares: np.ndarray, factor: float) -> None:
    found = jain_index(shares)
    if shares.max() == 0.0:
        assert math.isnan(found)
        return
    assert 1.0 / len(shares) - 1e-12 <= found <= 1.0 + 1e-12
    assert jain_index(factor * shares) == pytest.approx(found)


def test_jain_of_equal_shares_is_one_and_of_one_who_has_all_one_over_n() -> None:
    assert jain_index(np.full(7, 0.3)) == pytest.approx(1.0)
    assert jain_index(np.array([0.0, 5.0, 0.0, 0.0])) == 0.25
    assert jain_index(np.array([1.0, 2.0, 3.0])) == pytest.approx(36 / 42)
    assert math.isnan(jain_index(np.array([])))
    assert jain_index(np.array([1e-200, 1e-200])) == pytest.approx(1.0)
