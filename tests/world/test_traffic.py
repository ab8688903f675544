from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import simpy

from simulator import Scenario, simulate
from simulator.providers.fleet import Fleet
from simulator.scenario.tasks import TASK_KINDS
from simulator.traffic.contract import Crossing
from simulator.traffic.recorded import RecordedVehicles
from simulator.traffic.recording import Recording
from tests.fields import fields
from tests.laws import check_laws
from tests.world.traffic_frames import straight

# Two stations on the x axis, 100 m apart, radius 80 m, and a UAV above the middle.
PLACED: dict[str, Any] = {
    "stations.count": None,
    "stations.placed": [{"name": "west", "x": -50, "y": 0}, {"name": "east", "x": 50, "y": 0}],
    "stations.radius_m": 80,
    "uavs.center": [0, 0],
    "uavs.radius_m": 150,
}


def crossings(frame: pd.DataFrame, **overrides: Any) -> list[list[Crossing]]:
    scenario = Scenario.load("braunschweig", **{**PLACED, **overrides})
    recording = Recording.from_frame(frame)
    vehicles = RecordedVehicles(simpy.Environment(), recording, Fleet(scenario), 8.0)
    return [vehicles.crossings(vehicle) for vehicle in range(recording.vehicles)]


def ends(crossing: Crossing) -> list[float]:
    """When the UAV and the eastern station cease to cover the vehicle."""
    return [crossing.coverage.end(provider) for provider in (0, 2)]


def test_a_vehicle_attaches_to_the_nearest_and_asks_when_it_leaves_that_cell() -> None:
    (found,) = crossings(straight(["a"]))
    # At 10 m/s from x = -200: west covers x in [-130, 30]. It attaches there on entering the cell and asks at x = 30,
    # then attaches to east, which covers up to x = 130.
    assert [crossing.station for crossing in found] == [1, 2]
    assert [crossing.x for crossing in found] == pytest.approx([30.0, 130.0])
    assert [crossing.time for crossing in found] == pytest.approx([23.0, 33.0])
    first, second = found
    # The UAV and east cover it at x = 30; west, just left, does not.
    assert first.providers.tolist() == [0, 2]
    assert ends(first) == pytest.approx([35.0, 33.0])
    # Expected dwell: the chord along the heading at the measured speed, 10 m/s.
    assert first.dwell_s.tolist() == pytest.approx([12.0, 10.0])
    assert second.providers.tolist() == [0]


def test_the_edge_of_the_recording_is_not_the_edge_of_coverage_and_no_request() -> None:
    (found,) = crossings(straight(["a"], length=240.0))
    # The recording ends at x = 120 inside east's cell: one request only, at x = 30, and east covers on to x = 130.
    assert [crossing.station for crossing in found] == [1]
    assert ends(found[0]) == pytest.approx([27.0, 25.0])


def test_a_vehicle_that_leaves_slowly_is_taken_to_go_on_at_five_metres_a_second() -> None:
    frame = straight(["a"], length=240.0)
    frame.loc[frame["time"] == 24, "x"] = 111.0  # 1 m/s in the last second
    (found,) = crossings(frame)
    assert ends(found[0])[1] == pytest.approx(24 + 19 / 5)


def test_expected_dwell_is_at_no_less_than_the_reference_speed() -> None:
    (found,) = crossings(straight(["a"], speed=2.0))
    assert found[0].dwell_s[1] == pytest.approx(100 / 8)


def test_nobody_knows_the_future() -> None:
    """What is known at a crossing does not change when the vehicle drives on differently afterwards."""
    frame = straight(["a"])
    turned = frame.copy()
    turned.loc[turned["time"] > 23, "y"] = 10.0 * (turned["time"] - 23)
    (one,), (other,) = crossings(frame), crossings(turned)
    assert one[0].providers.tolist() == other[0].providers.tolist()
    assert one[0].dwell_s.tolist() == other[0].dwell_s.tolist()
    assert ends(one[0]) != ends(other[0])


def test_a_long_gap_makes_a_vehicle_leave_and_enter_again() -> None:
    frame = straight(["a"])
    holes = frame[(frame["time"] <= 15) | (frame["time"] >= 25)]
    with pytest.warns(UserWarning, match="1 x gap longer than 5 s, after which the vehicle enters again"):
        recording = Recording.from_frame(holes)
    assert recording.names == ["a", "a"]
    assert recording.time[recording.start[:-1]].tolist() == [0.0, 25.0]
    short = frame[(frame["time"] <= 15) | (frame["time"] >= 20)]
    assert Recording.from_frame(short).vehicles == 1


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_vehicles_of_a_run() -> None:
    result = simulate("braunschweig", "always-ground", duration=60, recording=straight(["a", "b"]), **PLACED)
    vehicles = result.vehicles
    assert vehicles["name"].tolist() == ["a", "b"]
    assert vehicles["entered"].tolist() == [0.0, 4.0]
    assert vehicles["left"].tolist() == [40.0, 44.0]
    assert vehicles["distance"].tolist() == [400.0, 400.0]
    assert vehicles["tasks"].tolist() == [2, 2]
    cut = simulate("braunschweig", "always-ground", duration=30, recording=straight(["a", "b"]), **PLACED).vehicles
    assert cut["left"].isna().all()
    assert cut["distance"].tolist() == [300.0, 260.0]
    assert cut["tasks"].tolist() == [1, 1]
    assert np.isnan(cut["delay"]).all()


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_a_task_is_lost_when_its_result_comes_after_the_vehicle_has_left_coverage() -> None:
    # A vehicle is covered for 10 s more. It is invited by the public prediction, which is well below that, while
    # fading, which the public does not see, makes some links far slower.
    slow = {**PLACED, "stations.radio": {"model": "distance", "spread_db": 18.0, "shadowing_db": 0}, "uavs.count": 0}
    result = simulate(
        "braunschweig",
        "always-ground",
        duration=1200,
        recording=straight([f"v{i}" for i in range(100)], headway=10.0),
        **slow,
    )
    tasks = result.tasks
    lost = tasks[tasks["status"] == "lost"]
    assert len(lost) >= 1
    events = result.events
    # What it would have been is known once the work is done; the loss itself is an event at the time of leaving.
    known = lost[lost["latency"].notna()]
    at = events[events["kind"] == "task_lost"].set_index("task")["time"]
    assert (at[known["task"]].to_numpy() < known["finished"].to_numpy()).all()
    assert (lost["realised_surplus"] == 0).all()


@pytest.mark.parametrize("grace_s", [0.0, 0.8])
def test_a_result_that_has_lost_its_worth_is_lost(grace_s: float) -> None:
    late = {f"tasks.kinds.{kind}.{name}": value for kind in TASK_KINDS for name, value in
            (("deadline_s", 1.2), ("grace_s", grace_s))}  # fmt: skip
    result = simulate("braunschweig", "conditional", duration=900, **fields(late))
    check_laws(result)
    tasks, events = result.tasks, result.events
    limit = 1.2 + grace_s
    ended = tasks["latency"].notna()
    left = tasks[ended & (tasks["status"] == "lost") & (tasks["latency"] <= limit)]
    assert (tasks.loc[ended & (tasks["latency"] > limit), "status"] == "lost").all()
    assert len(left) < 0.05 * len(tasks), "few have left coverage"
    lost = events[events["kind"] == "task_lost"].set_index("task")["time"]
    asked = tasks.set_index("task")["requested"]
    assert np.all(lost <= asked[lost.index] + limit + 1e-9)
    # All that is lost to the deadline is lost at it; with grace, what is left is lost by leaving coverage.
    assert np.isclose(lost, asked[lost.index] + limit).any() == (grace_s == 0.0)
    # Whoever knows that its result comes too late makes no bid. So what is late is late at the UAV: it cannot refuse.
    assert (tasks.loc[ended & (tasks["latency"] > limit), "provider"] == 0).all()
    if grace_s:
        done = tasks[(tasks["status"] == "completed") & (tasks["latency"] > 1.2)]
        worth = 0.1 / (1 - np.minimum(done["accuracy"], 0.98)) ** 2 / done["latency"] * done["demand"]
        assert len(done) > 50
        assert np.allclose(done["realised_surplus"], worth * (1 - (done["latency"] - 1.2) / grace_s))
    else:
        assert result.summary["no_bid"] > 10
        assert result.summary["failed_share"] > result.summary["lost_share"]
