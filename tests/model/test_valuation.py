from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from simulator.model.accuracy import log_normal_accuracy, matched_pixels, pixel_accuracy, power_law_accuracy
from simulator.model.valuation import common_term, match_term, mean_with_newest, valuation


def test_pixels_match_by_equations_7_and_8() -> None:
    matched = matched_pixels(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4]))
    assert pixel_accuracy(matched, 4) == 0.75


@given(st.floats(0, 0.97), st.floats(0.001, 0.01))
def test_match_value_grows_with_accuracy_up_to_its_cap(accuracy: float, more: float) -> None:
    low, high = match_term(np.array([accuracy, accuracy + more]), 0.1, 2.0, 0.98)
    assert low < high
    assert match_term(np.array([1.0]), 0.1, 2.0, 0.98) == match_term(np.array([0.98]), 0.1, 2.0, 0.98)
    assert np.isclose(match_term(np.array([0.98]), 0.1, 2.0, 0.98), 250.0)


def test_means_take_in_the_newest_entry() -> None:
    assert mean_with_newest(np.array([6.0]), np.array([3.0]), np.array([3.0])) == 3.0
    assert mean_with_newest(np.array([0.0]), np.array([3.0]), np.array([1.0])) == 3.0


def test_a_value_in_round_numbers() -> None:
    """(11): demand 4, a common value of 1/2 and of 2, a match value of 3 and of 5."""
    assert valuation(np.array([0.5, 2.0]), np.array([3.0, 5.0]), 4.0).tolist() == [6.0, 40.0]


def test_common_value_is_the_inverse_latency() -> None:
    assert common_term(2.0, 1.0) == 0.5


def test_accuracy_draws_stay_in_their_range() -> None:
    uniform = np.array([0.0, 2.0**-6, 1.0])
    assert power_law_accuracy(uniform, 0.5, 6.0).tolist() == [1.0, 0.75, 0.5]
    assert np.allclose(log_normal_accuracy(np.array([0.0, 100.0]), 0.34, 0.15), [0.66, 0.0])
