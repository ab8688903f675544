"""Virtual values, ironing, and the revenues of optimal auctions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from simulator.model import FloatArray
from simulator.model.myerson import EmpiricalValues, ExponentialValues, UniformValues, Virtual, optimal_auction

RNG = np.random.default_rng(4)
SAMPLES = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=40)


def irregular(rng: np.random.Generator, count: int) -> FloatArray:
    """Three quarters uniform on [0, 3], one quarter on [3, 8]: not monotone without ironing."""
    low = rng.random(count) < 0.75
    return np.where(low, rng.uniform(0.0, 3.0, count), rng.uniform(3.0, 8.0, count))


def revenue(drawn: FloatArray, values: list[Virtual]) -> float:
    """Mean revenue over rounds, shape (rounds, bidders)."""
    sales = [optimal_auction(bids, values) for bids in drawn.tolist()]
    return sum(sale.paid for sale in sales if sale is not None) / len(drawn)


def uniform(bidders: int) -> FloatArray:
    return RNG.random((60_000, bidders))


def test_a_lone_uniform_bidder_is_offered_half() -> None:
    sale = optimal_auction([0.7], [UniformValues(0.0, 1.0)])
    assert sale is not None
    assert sale.paid == 0.5
    assert optimal_auction([0.49], [UniformValues(0.0, 1.0)]) is None
    assert optimal_auction([], []) is None


FIVE = [UniformValues(0.0, largest) for largest in range(1, 6)]


@pytest.mark.parametrize(
    ("draw", "closed", "exact", "second_price"),
    [
        (lambda rng, n: rng.random((n, 3)), [UniformValues(0.0, 1.0)] * 3, 0.5312, 0.5),
        (lambda rng, n: rng.exponential(3.0, (n, 3)), [ExponentialValues(3.0)] * 3, 2.75, 2.5),
        (
            lambda rng, n: rng.random((n, 5)) * np.arange(1, 6),
            [UniformValues(0.0, k) for k in range(1, 6)],
            2.298,
            2.025,
        ),
        (lambda rng, n: irregular(rng, 3 * n).reshape(n, 3), None, 2.380, 2.225),
    ],
    ids=["uniform", "exponential", "asymmetric", "irregular"],
)
def test_the_revenues_of_arena_md(
    draw: Callable[[np.random.Generator, int], FloatArray],
    closed: list[Virtual] | None,
    exact: float,
    second_price: float,
) -> None:
    rng = np.random.default_rng(1)
    drawn, known = draw(rng, 60_000), draw(rng, 20_000)
    assert np.sort(drawn, axis=1)[:, -2].mean() == pytest.approx(second_price, abs=0.03)
    if closed is not None:
        assert revenue(drawn, closed) == pytest.approx(exact, abs=0.02)
    # From a sample alone. Rounds of it are others than those of the auction.
    by_sample: list[Virtual] = [EmpiricalValues(known[:, one].tolist()) for one in range(known.shape[1])]
    assert revenue(drawn, by_sample) == pytest.approx(exact, abs=0.02)


def test_an_empirical_virtual_value_is_that_of_the_distribution() -> None:
    sample = EmpiricalValues((np.arange(20_000) / 20_000 + 2.5e-5).tolist())
    for value in (0.2, 0.5, 0.8):
        assert sample.phi(value) == pytest.approx(2 * value - 1, abs=0.01)
    assert sample.least(0.0) == pytest.approx(0.5, abs=0.01)


@given(SAMPLES, st.floats(0.0, 120.0), st.floats(-50.0, 110.0))
def test_least_is_the_inverse_of_phi(sample: list[float], value: float, virtual: float) -> None:
    known = EmpiricalValues(sample)
    least = known.least(virtual)
    if least < math.inf:
        assert known.phi(least) >= virtual
        below = [one for one in sample if one < least]
        assert not below or known.phi(max(below)) < virtual
    # What is ironed is monotone.
    assert known.phi(value) <= known.phi(value + 1.0)
    assert known.least(known.phi(value)) <= value or known.phi(value) == -math.inf


@given(SAMPLES)
def test_the_ironed_curve_is_the_least_concave_majorant_of_the_revenue(sample: list[float]) -> None:
    falling = np.sort(sample)[::-1]
    count = len(falling)
    known = EmpiricalValues(sample)
    points = np.append(0.0, np.arange(1, count + 1) * falling)
    # The majorant at a point is the largest chord above it.
    majorant = [
        max(
            (points[a] * (b - at) + points[b] * (at - a)) / (b - a) if b > a else points[at]
            for a in range(at + 1)
            for b in range(at, count + 1)
        )
        for at in range(count + 1)
    ]
    slopes = np.array(known._slopes[::-1])
    assert np.allclose(np.append(0.0, np.cumsum(slopes)), majorant, rtol=1e-9, atol=1e-9)


BIDS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(BIDS, st.data(), st.booleans(), st.integers(0, 5), st.floats(0.0, 150.0))
def test_no_lie_pays_and_nobody_pays_more_than_it_bids(
    bids: list[float], data: st.DataObject, alike: bool, who: int, said: float
) -> None:
    """Any sample gives a truthful auction, ironed stretches and ties of bidders who are alike included."""
    shared = EmpiricalValues(data.draw(SAMPLES)), data.draw(st.floats(0.1, 3.0))
    values: list[Virtual] = [shared[0] if alike else EmpiricalValues(data.draw(SAMPLES)) for _ in bids]
    scales = [shared[1] if alike else data.draw(st.floats(0.1, 3.0)) for _ in bids]
    who %= len(bids)

    def utility(stated: list[float]) -> float:
        sale = optimal_auction(stated, values, scales)
        if sale is None:
            return 0.0
        assert sale.paid <= stated[sale.winner]
        return bids[who] - sale.paid if sale.winner == who else 0.0

    lie = [*bids]
    lie[who] = said
    assert utility(lie) <= utility(bids) + 1e-9
