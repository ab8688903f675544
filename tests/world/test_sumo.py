from __future__ import annotations

import pytest

from tests.world.sumo_junction import BIN, RATES_PER_H, both


@pytest.mark.skipif(not (BIN / "sumo").exists(), reason="needs SUMO: pip install eclipse-sumo (in the extra dev)")
@pytest.mark.parametrize("rate_per_h", RATES_PER_H)
def test_the_same_junction_in_sumo(rate_per_h: float) -> None:
    """Delay and queue, vehicles below half the speed limit before the stop lines, are within 15 % of each other."""
    here, there = both(rate_per_h)
    assert there.vehicles == pytest.approx(here.vehicles, rel=0.01)
    assert here.delay_s == pytest.approx(there.delay_s, rel=0.15)
    assert here.queue == pytest.approx(there.queue, rel=0.15)
