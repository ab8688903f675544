from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator.model import FloatArray
from simulator.model.signals import EffectiveGreen, uniform_delay, webster_delay

PLAN = EffectiveGreen(cycle_s=90.0, start_s=13.0, green_s=40.0, headway_s=2.0)


def cross(plan: EffectiveGreen, arrivals: FloatArray) -> FloatArray:
    crossings, last = [], -np.inf
    for arrival in arrivals.tolist():
        last = plan.crossing(arrival, last)
        crossings.append(last)
    return np.array(crossings)


@pytest.mark.parametrize("degree", [0.3, 0.5, 0.7, 0.9])
def test_evenly_spaced_arrivals_wait_the_uniform_delay(degree: float) -> None:
    # A rate that shares no period with the cycle meets every phase of it.
    flow = degree * PLAN.green_s / PLAN.cycle_s / PLAN.headway_s * 0.99937
    arrivals = np.arange(60_000) / flow
    delay = float((cross(PLAN, arrivals) - arrivals).mean())
    assert delay == pytest.approx(uniform_delay(flow, PLAN.cycle_s, PLAN.green_s, PLAN.headway_s), rel=0.03)


@pytest.mark.parametrize("degree", [0.6, 0.7, 0.8, 0.9, 0.95])
def test_poisson_arrivals_wait_as_webster_says(degree: float) -> None:
    flow = degree * PLAN.green_s / PLAN.cycle_s / PLAN.headway_s
    arrivals = np.cumsum(np.random.default_rng(4).exponential(1 / flow, 150_000))
    delay = float((cross(PLAN, arrivals) - arrivals).mean())
    assert delay == pytest.approx(webster_delay(flow, PLAN.cycle_s, PLAN.green_s, PLAN.headway_s), rel=0.10)


@given(st.floats(20, 120), st.floats(0, 100), st.floats(0.1, 0.9), st.floats(1, 4), st.integers(0, 99))
def test_departures_are_ordered_in_green_and_never_above_saturation_flow(
    cycle: float, start: float, share: float, headway: float, seed: int
) -> None:
    plan = EffectiveGreen(cycle, start, max(share * cycle, headway), headway)
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(0.7 * headway, 400))
    crossings = cross(plan, arrivals)
    assert (crossings >= arrivals).all()
    assert (np.diff(crossings) >= headway * (1 - 1e-9)).all()
    phase = (crossings - start) % cycle
    assert ((phase >= headway / 2 - 1e-6) & (phase <= plan.green_s + 1e-6)).all()
    per_cycle = np.unique(np.floor((crossings - start) / cycle), return_counts=True)[1]
    assert per_cycle.max() <= plan.capacity * cycle + 1e-9
    assert plan.capacity <= plan.green_s / headway / cycle + 0.5 / cycle


def test_a_vehicle_that_meets_green_and_no_queue_does_not_wait() -> None:
    assert PLAN.crossing(30.0) == 30.0
    assert PLAN.crossing(30.0, 29.0) == 31.0
    assert PLAN.crossing(60.0) == 104.0  # the next green begins at 103, its first vehicle crosses half a headway later
