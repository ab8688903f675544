from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.world.sumo_junction import BIN, CAPACITY_PER_H, DEGREES, RATES_PER_H, SEEDS, both

pytestmark = pytest.mark.skipif(
    not (BIN / "sumo").exists(), reason="needs SUMO: pip install eclipse-sumo (in the extra dev)"
)


@pytest.mark.parametrize("rate_per_h", RATES_PER_H)
def test_the_same_junction_in_sumo(rate_per_h: float) -> None:
    """Delay and queue, vehicles below half the speed limit before the stop lines, are within 15 % of each other."""
    here, there = both(rate_per_h)
    assert there.vehicles == pytest.approx(here.vehicles, rel=0.01)
    assert here.delay_s == pytest.approx(there.delay_s, rel=0.15)
    assert here.queue == pytest.approx(there.queue, rel=0.15)


# With left turns the queue is within 15 % of SUMO's, or inside its interval over the worlds, at every demand. The delay
# is not: the page of results says by how much it misses.
WITHIN = {"queue": 0.15, "delay_s": 0.20}


@pytest.mark.slow
@pytest.mark.parametrize("degree", DEGREES)
def test_the_same_junction_with_left_turns(degree: float) -> None:
    pairs = [both(degree * CAPACITY_PER_H, 0.2, seed) for seed in SEEDS]
    for name, within in WITHIN.items():
        here, there = (np.array([getattr(pair[side], name) for pair in pairs]) for side in (0, 1))
        half = float(stats.t.ppf(0.975, len(SEEDS) - 1)) * float(there.std(ddof=1)) / len(SEEDS) ** 0.5
        apart = abs(float(here.mean() - there.mean()))
        assert apart <= max(within * float(there.mean()), half), (name, here, there)
