"""Inputs that once went wrong without a word, each with what is right. Each stands for its kind."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from simulator import RecordingError, RecordingWarning, Result, simulate
from simulator.traffic.recording import Recording
from tests.fields import fields


def cars(count: int = 3, steps: int = 30, speed: float = 10.0, step_s: float = 1.0, x: float = 114.0) -> pd.DataFrame:
    """Cars one after the other, eastbound along y = 205, through the middle of `braunschweig`."""
    return pd.DataFrame(
        [
            (round(40.0 * number + step * step_s, 6), f"car{number}", x + speed * step * step_s, 205.0, speed)
            for number in range(count)
            for step in range(steps)
        ],
        columns=["time", "id", "x", "y", "speed"],
    ).sort_values(["time", "id"], ignore_index=True)


def read(frame: pd.DataFrame, said: str | None = None, max_gap_s: float = 5.0) -> Recording:
    """The recording of a frame, with the one thing that is said about it."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        recording = Recording.from_frame(frame, max_gap_s=max_gap_s)
    assert len(found) == (said is not None), [str(one.message) for one in found]
    assert said is None or said in str(found[0].message)
    return recording


def drive(frame: pd.DataFrame, duration: float = 150.0) -> Result:
    return simulate("braunschweig", "conditional", duration=duration, recording=frame)


def test_nothing_is_said_of_an_ordinary_recording() -> None:
    assert read(cars()).vehicles == 3


@pytest.mark.parametrize("kind", ["personal_car", "ped_car", "car", "person_carrier"])
def test_in_xml_the_tag_tells_who_is_a_vehicle(kind: str, tmp_path: Path) -> None:
    steps = "".join(
        f'<timestep time="{second}"><vehicle id="a" x="{10 * second}" y="205" type="{kind}" speed="10" lane="e_0"/>'
        "</timestep>"
        for second in range(5)
    )
    (tmp_path / "r.xml").write_text(f"<fcd-export>{steps}</fcd-export>")
    assert Recording.read(tmp_path / "r.xml", 5.0).vehicles == 1


def test_elsewhere_a_type_is_taken_by_its_complete_name() -> None:
    assert read(cars().assign(type="personal_car")).vehicles == 3
    walking = cars().assign(type=["pedestrian" if name == "car1" else "car" for name in cars()["id"]])
    assert read(walking, "30 x row of a person or container, left out").vehicles == 2


def test_in_sumos_csv_who_has_an_edge_and_no_lane_is_no_vehicle(tmp_path: Path) -> None:
    """The file as SUMO writes it with persons and containers in it; the blanks after the separator are a hand's."""
    lines = ["timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_type;vehicle_speed;vehicle_lane;vehicle_edge"]
    for second in range(6):
        lines += [
            f"{second};car;{10 * second};205;car;10;e_0;",
            f"{second};walk;{second};205;commuter;1;;e",
            f"{second};box;50;205;DEFAULT_CONTAINERTYPE;0;;e",
        ]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    with pytest.warns(RecordingWarning, match="12 x row of a person or container, left out"):
        assert Recording.read(tmp_path / "r.csv", 5.0).vehicles == 1


def test_where_nothing_tells_persons_apart_slow_trajectories_are_named() -> None:
    slow = cars(count=1, speed=1.3).assign(id="walker")
    both = pd.concat([cars(), slow]).sort_values("time", ignore_index=True)
    assert read(both, "1 of 4 trajectories are never faster than 3 m/s and may be persons").vehicles == 4
    assert read(both.assign(type="car")).vehicles == 4


def stopping(stop_s: int) -> pd.DataFrame:
    """Westbound cars at 1 Hz that stand a while two metres before they leave their station."""
    rows = []
    for number in range(4):
        second, x = 60.0 * number, 414.0
        while x > 60.0:
            rows.append((second, f"w{number}", x, 205.0, 8.0))
            if x == 262.0:
                rows += [(second + wait, f"w{number}", x, 205.0, 0.0) for wait in range(1, stop_s + 1)]
                second += stop_s
            second, x = second + 1.0, x - 8.0
    return pd.DataFrame(rows, columns=["time", "id", "x", "y", "speed"]).sort_values("time", ignore_index=True)


@pytest.mark.parametrize("stop_s", [1, 20])
def test_who_stands_before_a_boundary_keeps_its_heading(stop_s: int) -> None:
    straight, stops = drive(stopping(0), 300.0), drive(stopping(stop_s), 300.0)
    assert len(straight.auctions) == len(stops.auctions) > 0
    assert straight.auctions["invited"].tolist() == stops.auctions["invited"].tolist()
    assert (stops.tasks["status"] != "lost").all()


def test_noise_of_a_standing_vehicle_has_no_heading() -> None:
    """At 25 Hz with centimetres of noise, as drones record it."""
    rng = np.random.default_rng(1)
    frame = cars(steps=500, step_s=0.04)
    stands = frame["x"] > 230.0
    frame.loc[stands, "x"] = 230.0
    frame.loc[stands, "speed"] = 0.0
    frame[["x", "y"]] += 0.02 * rng.standard_normal((len(frame), 2))
    from simulator.traffic.recorded import _motion

    time, x, y = (frame.loc[frame["id"] == "car0", name].to_numpy() for name in ("time", "x", "y"))
    heading, _ = _motion(float(time[-1]), time, x, y)
    assert heading[0] > 0.98


def test_sumos_invalid_position_is_left_out() -> None:
    frame = cars()
    frame.loc[[3, 4, 40], ["x", "y"]] = -1073741824.0
    assert read(frame, "3 x row without a valid position, left out").vehicles == 3


@given(st.floats(150.0, 1000.0), st.integers(1, 5), st.floats(3.0, 30.0))
def test_an_id_that_is_used_again_is_another_vehicle(back: float, gap_s: int, speed: float) -> None:
    one = cars(count=1, speed=speed)
    again = one.assign(time=one["time"] + one["time"].max() + gap_s, x=one["x"] + one["x"].max() - 114.0 - back)
    both = pd.concat([one, again], ignore_index=True)
    assert read(both, "1 x movement that nobody can drive, after which the vehicle enters again").vehicles == 2


@given(st.lists(st.floats(-8.0, 8.0), min_size=5, max_size=60), st.sampled_from([0.04, 0.1, 0.5, 1.0, 2.0]))
def test_what_a_car_can_drive_is_never_cut(pedal: list[float], step_s: float) -> None:
    """Braking and accelerating at random up to 8 m/s2, up to motorway speed, with decimetres of noise."""
    speed = np.clip(np.cumsum(np.repeat(pedal, 3)) * step_s + 20.0, 0.0, 50.0)
    x = np.cumsum(speed) * step_s + 0.1 * np.random.default_rng(len(pedal)).standard_normal(len(speed))
    frame = pd.DataFrame({"time": step_s * np.arange(len(x)), "id": "a", "x": 1000.0 + x, "y": 0.0, "type": "car"})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*sample without a speed")
        assert Recording.from_frame(frame).vehicles == 1


def test_degrees_are_no_metres() -> None:
    frame = cars()
    frame["x"], frame["y"] = 10.52 + (frame["x"] - 114.0) / 68_000.0, 52.26
    with pytest.raises(RecordingError, match=r"x and y span 0\.00426 m and 0 m, and look like degrees"):
        Recording.from_frame(frame)


def test_a_gap_as_long_as_the_longest_is_no_gap_whatever_the_rounding() -> None:
    """8192.03 - 8187.03 is 5.000000000000909 once 6937.68 has been taken away."""
    early = cars(count=1).assign(id="first", time=6937.68)[:1]
    rows = cars(count=1, steps=20, step_s=5.0, speed=5.0)
    late = rows.assign(id="p0", time=(8187.03 + 5.0 * np.arange(len(rows))).round(2))
    frame = pd.concat([early, late], ignore_index=True)
    assert read(frame).vehicles == 2
    assert read(frame, "19 x gap longer than 4.99 s", max_gap_s=4.99).vehicles == 21


def test_blanks_around_the_names_of_columns_do_not_count(tmp_path: Path) -> None:
    text = cars().to_csv(index=False).splitlines()
    (tmp_path / "b.csv").write_text("\n".join([text[0].replace(",", ", "), *text[1:]]))
    assert Recording.read(tmp_path / "b.csv", 5.0).vehicles == 3


@pytest.mark.parametrize(
    ("factor", "said"),
    [(3.6, "speeds look like km/h"), (2.2369, "miles per hour"), (3.2808, "feet per second"), (0.3048, "feet")],
)
def test_speeds_in_other_units_are_named(factor: float, said: str) -> None:
    frame = cars()
    frame["speed"] *= factor
    assert read(frame, said).vehicles == 3


@pytest.mark.parametrize(("clock", "said"), [(1000.0, "milliseconds"), (25.0, "frames at 25 per second")])
def test_times_in_other_units_are_named(clock: float, said: str) -> None:
    frame = cars(step_s=0.04)
    frame["time"] = (frame["time"] * clock).round()
    assert read(frame, said, max_gap_s=1e9).vehicles == 3


def test_swapped_axes_are_named_where_angles_tell() -> None:
    frame = cars().assign(angle=90.0)
    assert read(frame).vehicles == 3
    swapped = frame.rename(columns={"x": "y", "y": "x"})
    assert read(swapped, "x and y look swapped").vehicles == 3


def test_stations_far_from_the_traffic_are_still_an_empty_market() -> None:
    with pytest.warns(UserWarning, match="no auction asked for a price"):
        simulate("braunschweig", "conditional", duration=60, **fields({"stations.center": [5000.0, 5000.0]}))


@pytest.mark.parametrize(("factor", "step_s"), [(1000.0, 1.0), (1000.0, 0.1), (25.0, 1.0)])
def test_times_that_are_so_long_that_every_step_is_a_gap_are_named(factor: float, step_s: float) -> None:
    """Milliseconds, or frames of sparse samples: no vehicle may be cut into single samples without a word."""
    frame = cars(step_s=step_s)
    frame["time"] *= factor
    tables = [frame, frame.drop(columns="speed")] if factor == 1000.0 else [frame]
    for table in tables:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(RecordingError, match="times may be milliseconds or frames, so divide them"):
                Recording.from_frame(table)


def test_frames_without_speeds_may_be_what_makes_everybody_slow() -> None:
    frame = cars(steps=250, step_s=0.04)
    frame["time"] *= 25.0
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        Recording.from_frame(frame.drop(columns="speed"))
    assert any("may be persons, or times may be frames" in str(one.message) for one in found)
