from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator.model import FloatArray
from simulator.model.following import Path, follow
from simulator.model.signals import EffectiveGreen

SPEED, SPACING, HEADWAY, LENGTH = 12.5, 7.5, 2.0, 300.0
REACTION = HEADWAY - SPACING / SPEED


def platoon(entries: list[float], plan: EffectiveGreen, speeds: list[float] | None = None) -> list[Path]:
    """Vehicles of one lane, each following the one before it and held by the signal."""
    paths: list[Path] = []
    last = -np.inf
    for number, entry in enumerate(entries):
        speed = speeds[number] if speeds else SPEED
        path = follow(entry, speed, LENGTH, paths[-1] if paths else None, REACTION, SPACING)
        last = plan.crossing(path[-1][0], last)
        if last > path[-1][0]:
            path = [*path, (last, LENGTH)]
        paths.append(path)
    return paths


def at(path: Path, times: FloatArray) -> FloatArray:
    return np.asarray(np.interp(times, [point[0] for point in path], [point[1] for point in path]))


def test_alone_a_vehicle_drives_at_its_own_speed() -> None:
    assert follow(5.0, SPEED, LENGTH, None, REACTION, SPACING) == [(5.0, 0.0), (29.0, 300.0)]


def test_a_queue_stands_at_its_places_and_creeps_up_in_a_wave() -> None:
    plan = EffectiveGreen(cycle_s=100.0, start_s=60.0, green_s=30.0, headway_s=HEADWAY)
    paths = platoon([0.0, 5.0, 10.0], plan)
    # Before the green they stand one spacing apart.
    assert [float(at(path, np.array(59.0))) for path in paths] == pytest.approx([300.0, 292.5, 285.0])
    # They cross at saturation headway, and start one reaction time after each other.
    assert [path[-1][0] for path in paths] == pytest.approx([61.0, 63.0, 65.0])
    starts = [path[-2][0] for path in paths[1:]]
    assert starts == pytest.approx([61.0 + REACTION, 61.0 + 2 * REACTION])


def test_those_that_miss_the_green_creep_up_to_the_line_and_stand_again() -> None:
    plan = EffectiveGreen(cycle_s=60.0, start_s=30.0, green_s=4.0, headway_s=HEADWAY)
    paths = platoon([0.0, 1.0, 2.0, 3.0], plan)
    assert [path[-1][0] for path in paths] == pytest.approx([31.0, 33.0, 91.0, 93.0])
    places = at(paths[2], np.array([29.0, 89.0]))
    assert places.tolist() == pytest.approx([285.0, 300.0])


@given(
    st.lists(st.floats(0.0, 8.0), min_size=2, max_size=25),
    st.lists(st.floats(6.0, 18.0), min_size=25, max_size=25),
    st.floats(5.0, 40.0),
)
def test_nobody_overtakes_speeds_or_goes_back(gaps: list[float], speeds: list[float], green: float) -> None:
    plan = EffectiveGreen(cycle_s=60.0, start_s=20.0, green_s=green, headway_s=HEADWAY)
    entries = np.cumsum(gaps).tolist()
    paths = platoon(entries, plan, speeds)
    for number, path in enumerate(paths):
        assert path[0] == (entries[number], 0.0)
        assert path[-1][1] == LENGTH
        for (begin, low), (end, high) in pairwise(path):
            assert end > begin
            assert -1e-9 <= (high - low) / (end - begin) <= speeds[number] + 1e-6
    for one, other in pairwise(paths):
        times = np.linspace(other[0][0], other[-1][0], 200)
        ahead = np.where(times > one[-1][0], np.inf, at(one, times))
        behind = at(other, times)
        assert (behind <= ahead + 1e-6).all()
        moving = behind > 1e-6  # but at the begin of the road, where a long queue stacks up
        assert (behind[moving] <= np.maximum(ahead[moving] - SPACING, 0.0) + 1e-6).all()
        assert other[-1][0] - one[-1][0] >= HEADWAY - 1e-9
