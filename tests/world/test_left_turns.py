"""Left turns: gaps in the oncoming traffic, phases of their own, and queues that do not fit on their approach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from simulator import Result, Scenario, ScenarioError, simulate
from simulator.scenario.traffic import Signals
from simulator.traffic.plans import MOVEMENTS, protected_lefts, two_phases
from tests.fields import fields
from tests.laws import check_laws

TURNS = ("north", "east", "south", "west")


def crossings(result: Result) -> pd.DataFrame:
    """When each vehicle crosses the stop line of `four_way`, by where it comes from and what it does."""
    paths = result.paths
    last = paths[paths["lane"].str.contains(">junction")].groupby("vehicle")["time"].max()
    after = paths[paths["lane"].str.contains("junction>")].groupby("vehicle")["time"].min()
    vehicles = result.vehicles.set_index("vehicle").loc[after.index]
    gone = vehicles[vehicles["left"].notna()]
    turn = [
        (TURNS.index(there) - TURNS.index(here)) % 4 for here, there in zip(gone["entry"], gone["exit"], strict=True)
    ]
    frame = pd.DataFrame({"entry": gone["entry"], "turn": turn, "time": after.loc[gone.index]})
    assert (frame["time"] >= last.loc[frame.index]).all()
    return frame.sort_values("time").assign(movement=lambda f: f["turn"].map({1: "left", 2: "straight", 3: "right"}))


def run(rule: str, duration: float = 1800.0, /, **more: Any) -> Result:
    turning = {"traffic.turning.left": 0.2, "traffic.turning.straight": 0.6, "traffic.turning.left_rule": rule}
    overrides = {**turning, "traffic.arrivals.rate_per_h": 360, **more}
    return simulate("four_way", "always-uav", duration=duration, **fields(overrides))


def opposite(entry: str) -> str:
    return TURNS[(TURNS.index(entry) + 2) % 4]


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_permissive_left_turn_finds_a_gap_or_goes_last(lanes: int) -> None:
    """What has stood starts 2 s after it has seen 4.5 s: nobody comes within 2.5 s, unless the green is over."""
    result = run("permissive", **{"traffic.roads.lanes": lanes})
    check_laws(result)
    seen = crossings(result)
    lefts = seen[seen["movement"] == "left"]
    last = 0
    for entry, time in zip(lefts["entry"].tolist(), lefts["time"].tolist(), strict=True):
        into = (time - (0.0 if entry in ("north", "south") else 30.0)) % 60.0
        assert 3.0 - 1e-6 <= into <= 27.0 + 1e-6
        others = seen.loc[(seen["entry"] == opposite(entry)) & (seen["movement"] != "left"), "time"].to_numpy()
        late = into > 27.0 - 1e-6
        last += late
        assert late or not ((others > time) & (others < time + 2.5 - 1e-6)).any()
    assert len(lefts) > 60
    assert last > 2, "some go at the end of the green"
    ahead = run("free", **{"traffic.roads.lanes": lanes})
    assert result.vehicles["delay"].mean() > ahead.vehicles["delay"].mean()


def test_against_an_endless_queue_one_left_turn_goes_per_cycle() -> None:
    result = run("permissive", 3600.0, **{
        "traffic.arrivals.rate_per_h": {"south": 740, "north": 300},
        "traffic.arrivals.process": "even",
        "traffic.turning.left": 0.0,
        "traffic.turning.right": 0.0,
    })  # fmt: skip
    busy = crossings(result)
    assert len(busy[busy["entry"] == "south"]) > 700, "straight on, an approach discharges 720 vehicles/h"
    both = run("permissive", 3600.0, **{
        "traffic.arrivals.rate_per_h": {"south": 760, "north": 300},
        "traffic.turning.left": 1e6,
    })  # fmt: skip
    # Only left turns on both sides, whose ways cross: the south goes first and has all of the green.
    turned = crossings(both)
    assert (turned["movement"] == "left").mean() > 0.99
    by_entry = turned[turned["time"] > 1200.0].groupby("entry").size() * 3600.0 / 2400.0
    assert by_entry["south"] == pytest.approx(3600 / 60 * 10, rel=0.12), (
        "25 s of green at the follow-up headway of 2.5 s"
    )
    assert by_entry["north"] == pytest.approx(60.0, rel=0.25)


def test_without_oncoming_traffic_nobody_waits() -> None:
    alone: dict[str, Any] = {"traffic.arrivals.rate_per_h": {"north": 500}, "traffic.turning.left": 0.4}
    one, other = (run(rule, **alone).vehicles for rule in ("permissive", "free"))
    assert one["delay"].sum() == pytest.approx(other["delay"].sum(), rel=0.03)


def test_a_protected_left_turn_has_a_phase_and_a_lane_of_its_own() -> None:
    result = run("protected", **{"traffic.roads.lanes": 2, "traffic.signals.cycle_s": 90})
    check_laws(result)
    assert set(result.signals["group"]) == {"1", "2", "3", "4"}
    seen = crossings(result)
    lanes = result.paths[result.paths["lane"].str.contains(">junction")].groupby("vehicle")["lane"].first()
    left = seen["movement"] == "left"
    assert lanes.loc[seen[left].index].str.endswith("_0").all()
    assert lanes.loc[seen[~left].index].str.endswith("_1").all()
    half = np.where(seen["entry"].isin(["north", "south"]), 0.0, 45.0)
    into = (seen["time"] - half) % 90.0
    # 7 s of green less 2 s lost plus 2 s of yellow; after 5 s of clearance the others have 28 s.
    assert into[left].between(3.0 - 1e-6, 9.0 + 1e-6).all()
    assert into[~left].between(15.0 - 1e-6, 42.0 + 1e-6).all()


def test_too_little_green_for_a_phase_is_one_sentence() -> None:
    with pytest.raises(ScenarioError, match=r"traffic\.signals\.cycle_s: leaves 3 s of green for a phase"):
        Scenario.load("four_way", **fields({"traffic.turning.left_rule": "protected", "traffic.signals.cycle_s": 40}))
    short = fields({"traffic.turning.left_rule": "protected", "traffic.signals.left_green_s": 1})
    with pytest.raises(ScenarioError, match=r"left_green_s: leaves 1 s of green for a phase"):
        Scenario.load("four_way", **short)


@given(st.floats(50.0, 200.0), st.floats(0.0, 4.0), st.floats(0.0, 3.0), st.floats(4.0, 8.0), st.floats(-50.0, 50.0))
def test_no_two_phases_have_green_at_once(cycle: float, yellow: float, red: float, left: float, begin: float) -> None:
    signals = Signals(cycle_s=cycle, yellow_s=yellow, yellow_used_s=min(2.0, yellow), all_red_s=red, left_green_s=left)
    axes = {(name, "junction"): number % 2 for number, name in enumerate(TURNS)}
    for make in (two_phases, protected_lefts):
        plan = make(signals, begin, axes)
        served = [pair for phase in plan.phases for pair in phase.served]
        assert sorted(served) == sorted((road, movement) for road in axes for movement in MOVEMENTS)
        # Each phase ends, with its clearance, before the next one begins.
        clear = yellow + red
        ends = [phase.start_s + phase.green_s + clear for phase in plan.phases]
        begins = [*(phase.start_s for phase in plan.phases[1:]), cycle]
        assert np.allclose(ends, begins)


def test_a_queue_that_does_not_fit_holds_arrivals_back_outside_the_map() -> None:
    result = run("permissive", **{"traffic.arrivals.rate_per_h": 900, "traffic.roads.arm_m": 120})
    check_laws(result)
    vehicles = result.vehicles
    held = vehicles["held"] > 2.0
    assert held.sum() > 50
    assert (vehicles["held"] >= 0.0).all()
    # Nobody stands at the edge of the map for longer than a headway.
    first = result.paths.groupby("vehicle").first()
    second = result.paths.groupby("vehicle").nth(1).set_index("vehicle")["time"]
    stood = (second - first.loc[second.index, "time"])[first.loc[second.index, "speed"] == 0.0]
    assert (stood <= 2.0 + 1e-6).all()
    # Never more vehicles on an approach than fit at jam spacing.
    on_it = result.paths[result.paths["lane"] == "north>junction_0"].groupby("vehicle")["time"].agg(["min", "max"])
    at = np.arange(60.0, 1800.0, 30.0)
    count = [int(((on_it["min"] <= time) & (on_it["max"] > time)).sum()) for time in at]
    assert max(count) <= (120 - 8.2) / 7.5 + 1
    assert max(count) > 10
    # Who is still outside at the end has a row too: what has come by then is what the arrivals bring.
    outside = vehicles[vehicles["entered"].isna()]
    assert len(outside) > 20
    assert (outside["held"] > 0.0).all()
    assert (outside[["distance", "tasks"]] == 0.0).all(axis=None)
    assert not result.paths["vehicle"].isin(outside["vehicle"]).any()
    wide = run("permissive", **{"traffic.arrivals.rate_per_h": 900, "traffic.roads.lanes": 3})
    assert len(wide.vehicles) == len(vehicles)
    free = run("permissive", **{"traffic.arrivals.rate_per_h": 200})
    assert free.vehicles["held"].max() < 10.0


def test_nobody_asks_for_anything_outside_the_map() -> None:
    more = {"traffic.arrivals.rate_per_h": 900, "traffic.roads.arm_m": 120, "tasks.renewal_s": 20}
    result = run("permissive", 600.0, **more)
    entered = result.vehicles.set_index("vehicle")["entered"]
    asked = result.auctions["vehicle"].map(entered)
    assert asked.notna().all()
    assert (result.auctions["time"] >= asked - 1e-9).all()
    assert (result.vehicles["held"] > 10.0).sum() > 20
    assert len(result.auctions) > 100


def test_a_run_that_ends_with_vehicles_outside_is_written_and_read(tmp_path: Path) -> None:
    result = run("permissive", 600.0, **{"traffic.arrivals.rate_per_h": 900, "traffic.roads.arm_m": 120})
    assert result.vehicles["entered"].isna().any()
    again = Result.load(result.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.vehicles, result.vehicles)


def test_a_vehicle_that_has_stood_accelerates_beyond_the_line() -> None:
    """From standstill at the line to 13.9 m/s at 2.6 m/s^2: 2.67 s lost over 37 m."""
    from simulator.model.following import start, with_start

    stood = [(0.0, 0.0), (20.0, 290.0), (31.0, 290.0)]
    loss, over = start(stood, 290.0, 13.9, 2.6)
    assert loss == pytest.approx(13.9 / 5.2)
    assert over == pytest.approx(13.9**2 / 5.2)
    further = start([(0.0, 0.0), (20.0, 275.0), (31.0, 275.0), (33.0, 290.0)], 290.0, 13.9, 2.6)
    assert further[0] == pytest.approx((13.9 - (2 * 2.6 * 15) ** 0.5) ** 2 / (2 * 2.6 * 13.9))
    assert start([(0.0, 0.0), (20.0, 290.0)], 290.0, 13.9, 2.6) == (0.0, 0.0)
    assert start([(0.0, 0.0), (9.0, 100.0), (12.0, 100.0), (26.0, 290.0)], 290.0, 13.9, 2.6) == (0.0, 0.0)
    late = with_start([(31.0 + loss, 0.0), (31.0 + loss + 20.0, 278.0)], 31.0, loss, over)
    assert late[0] == (31.0, 0.0)
    assert late[1] == pytest.approx((31.0 + loss + over / 13.9, over))
    assert late[-1] == (31.0 + loss + 20.0, 278.0)
    slow, quick = (
        run("free", **{"traffic.acceleration_mps2": limit}).vehicles["delay"].mean() for limit in (2.6, None)
    )
    assert 0.7 < slow - quick < 2.67
