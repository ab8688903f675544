"""A scenario file that is fitted to a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from simulator import Scenario, simulate
from simulator.cli.app import app
from simulator.errors import OutputError, RecordingError
from simulator.providers.fleet import Fleet
from simulator.scenario.yaml_text import read_value
from simulator.traffic.recording import Recording
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.fitting import covered, describe, extent, scenario_text
from tests.fields import fields


def crossing(reach: float, x: float = 0.0, y: float = 0.0, speed: float = 10.0, count: int = 30) -> pd.DataFrame:
    """Vehicles along two roads that cross in a place, from -reach to reach."""
    rows = []
    for number in range(count):
        for step in range(int(2 * reach / speed) + 1):
            along = -reach + speed * step
            here = (x + along, y) if number % 2 else (x, y + along)
            rows.append((4.0 * number + step, f"v{number}", *here, speed))
    columns = ["time", "id", "x", "y", "speed"]
    return pd.DataFrame(rows, columns=columns).sort_values(["time", "id"], ignore_index=True)


@given(st.floats(60.0, 2000.0), st.floats(-5000.0, 5000.0), st.floats(-5000.0, 5000.0))
def test_stations_and_a_uav_cover_the_traffic_wherever_it_is(reach: float, x: float, y: float) -> None:
    recording = Recording.from_frame(crossing(reach, x, y, count=4))
    where = extent(recording)
    assert abs(where.x - x) < 0.2 * reach
    assert abs(where.y - y) < 0.2 * reach
    assert 0.8 * reach <= where.radius_m <= 1.3 * reach
    data = read_value(scenario_text(recording, "mine", "r.csv", Path("r.csv")), "mine")
    found = covered(recording, Fleet(Scenario.model_validate(data)))
    assert found.both > 0.8
    assert found.no_station < 0.05
    assert "duration_s" not in data, "a run has the length of the recording"


def test_the_file_runs_and_has_something_to_auction(tmp_path: Path) -> None:
    crossing(300.0, 1000.0, -500.0).to_csv(tmp_path / "own.csv", index=False)
    done = CliRunner().invoke(app, ["new", str(tmp_path / "own.csv"), "--out", str(tmp_path / "own.yaml")])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == str(tmp_path / "own.yaml")
    assert "30 vehicles" in done.output
    result = simulate(tmp_path / "own.yaml", "conditional")
    assert result.summary["asked"] > 20
    assert result.summary["unserved"] == 0
    assert result.run["duration"] == pytest.approx(recording_of(result.scenario.traffic).end)  # type: ignore[arg-type]


def test_a_scenario_file_is_never_replaced_and_the_recording_stays_relative(tmp_path: Path) -> None:
    crossing(200.0).to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "there").mkdir()
    out = tmp_path / "there" / "mine.yaml"
    assert CliRunner().invoke(app, ["new", str(tmp_path / "own.csv"), "--out", str(out)]).exit_code == 0
    assert "../own.csv" in out.read_text()
    before = out.read_bytes()
    again = CliRunner().invoke(app, ["new", str(tmp_path / "own.csv"), "--out", str(out)])
    assert isinstance(again.exception, OutputError)
    assert out.read_bytes() == before


def test_the_line_about_a_recording_says_what_a_person_would_check() -> None:
    text = describe(Recording.from_frame(crossing(100.0, 50.0, 0.0)))
    assert text == (
        "30 vehicles, 630 positions, 136 s; x -50 to 150 m, y -100 to 100 m; step 1 s; "
        "mean speed 10.0 m/s by position, 10.0 m/s by column"
    )


def test_shares_are_counted_by_hand() -> None:
    """Two stations cover the western half, one the eastern; the UAV covers all but the ends."""
    recording = Recording.from_frame(
        pd.DataFrame(
            {"time": np.arange(101.0), "id": "a", "x": np.linspace(-50.0, 50.0, 101), "y": 0.0, "type": "car"}
        ).assign(speed=1.0)
    )
    places = [
        {"name": "a", "x": -50.0, "y": 0.0, "radius_m": 50.0},
        {"name": "b", "x": 0.0, "y": 0.0, "radius_m": 60.0},
    ]
    scenario = Scenario.load(
        "braunschweig",
        **fields({"stations.placed": places, "uavs.center": [0.0, 0.0], "uavs.radius_m": 40.0}),
    )
    found = covered(recording, Fleet(scenario))
    assert found.two_stations == pytest.approx(51 / 101)
    assert found.uav == pytest.approx(81 / 101)
    assert found.both == pytest.approx(41 / 101)
    assert found.no_station == 0.0


def test_a_recording_in_one_place_fits_nothing() -> None:
    frame = pd.DataFrame({"time": [0.0, 1.0], "id": "a", "x": 200.0, "y": 300.0, "speed": 0.0, "type": "car"})
    with pytest.raises(RecordingError, match=r"own\.csv: all positions are the same"):
        scenario_text(Recording.from_frame(frame), "own", "own.csv", Path("own.csv"))


def test_a_picture_of_the_coverage_is_drawn(tmp_path: Path) -> None:
    figure = tmp_path / "map.png"
    done = CliRunner().invoke(app, ["validate", "braunschweig", "--figure", str(figure)])
    assert done.exit_code == 0, done.output
    assert "two stations cover 100% of the positions" in done.output
    assert figure.stat().st_size > 20_000


def test_a_run_ends_with_its_recording_and_says_what_was_read(tmp_path: Path) -> None:
    """Where a scenario says another length, the shorter one counts; a length that is asked for counts always."""
    crossing(300.0, 264.0, 205.0).to_csv(tmp_path / "own.csv", index=False)
    args = ["run", "braunschweig", "--set", f"traffic.file={tmp_path / 'own.csv'}", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    line = next(line for line in done.output.splitlines() if line.startswith("recording: "))
    assert line.startswith("recording: 30 vehicles, 1,830 positions, 176 s; x -36 to 564 m, y -95 to 505 m; step 1 s; ")
    assert line.endswith("stations stand at x 134 to 394 m, y 92 to 318 m")
    frame = crossing(300.0, 264.0, 205.0)
    assert simulate("braunschweig", recording=frame).run["duration"] == 176.0
    assert simulate("braunschweig", recording=frame, duration_s=50.0).run["duration"] == 50.0
    assert simulate("braunschweig", recording=frame, duration=200.0).run["duration"] == 200.0
    assert simulate("paper", duration=None, duration_s=7.0).run["duration"] == 7.0
    assert run_length(Scenario.load("paper", duration_s=None), None) == 3600.0


def test_a_recording_of_one_moment_has_no_length() -> None:
    with pytest.raises(RecordingError, match="all samples of its recording are of one moment"):
        simulate(
            "braunschweig",
            recording=pd.DataFrame([(3.0, "a", 264.0, 205.0, 1.0)], columns=["time", "id", "x", "y", "speed"]),
        )
