from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from simulator.model.valuation import expected_value, timeliness, timeliness_of, valuation

seconds = st.floats(0.0, 100.0)


def test_worth_falls_linearly_over_the_grace_and_at_once_without_one() -> None:
    latency = np.array([1.0, 3.0, 3.5, 4.0, 5.0, 9.0])
    assert timeliness(latency, 3.0, 2.0).tolist() == [1.0, 1.0, 0.75, 0.5, 0.0, 0.0]
    assert timeliness(latency, 3.0, 0.0).tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert timeliness(latency, math.inf, 0.0).tolist() == [1.0] * 6
    assert timeliness(latency, np.full(6, 3.0), np.array([2.0, 0.0, 2.0, 0.0, 0.0, 1.0])).tolist() == [
        1.0, 1.0, 0.75, 0.0, 0.0, 0.0,
    ]  # fmt: skip


@given(seconds, seconds, seconds, seconds)
def test_later_is_never_worth_more(first: float, second: float, limit: float, grace: float) -> None:
    early, late = sorted((first, second))
    assert 0.0 <= float(timeliness(late, limit, grace)) <= float(timeliness(early, limit, grace)) <= 1.0


def test_a_value_is_the_product_of_its_four_factors() -> None:
    assert float(valuation(np.array(0.5), np.array(0.8), 2.0, 0.25)) == pytest.approx(0.2)
    # 1 s over 2 s, sizes between 20 and 40 MB at a reference of 30 MB, match .9, half of the grace gone.
    factor = 30.0 * math.log(2.0) / 20.0
    assert expected_value(2.0, 1.0, factor, 0.9, 1.5, 1.0) == pytest.approx(0.5 * factor * 0.9 * 0.5)


@given(
    st.one_of(seconds, st.just(math.inf)), st.one_of(seconds, st.just(math.inf)), st.one_of(seconds, st.just(1e-300))
)
def test_one_latency_has_the_timeliness_that_many_have(latency: float, limit: float, grace: float) -> None:
    assume(not (math.isinf(latency) and math.isinf(limit)))
    assert timeliness_of(latency, limit, grace) == float(timeliness(latency, limit, grace))
