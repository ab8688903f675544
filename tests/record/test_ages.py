"""The age of twins, against a clock that is read in small steps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from simulator import simulate
from simulator.record.ages import twin_ages
from tests.fields import fields


def frames(
    tasks: list[tuple[int, float, float, str]], stays: list[tuple[float, float]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tasks as (vehicle, requested, finished, status), and vehicles as (entered, left)."""
    columns = ["vehicle", "requested", "finished", "status"]
    vehicles = pd.DataFrame(stays, columns=["entered", "left"])
    types = {"vehicle": "int64", "requested": "float64", "finished": "float64", "status": "str"}
    return pd.DataFrame(tasks, columns=columns).astype(types), vehicles.assign(vehicle=range(len(vehicles)))


def test_the_age_of_one_twin_by_hand() -> None:
    # From 0 to 10 s; results at 4 s of data of 3 s, at 8 s of data of 6 s, and one that was lost.
    tasks, vehicles = frames(
        [(0, 3.0, 4.0, "completed"), (0, 6.0, 8.0, "completed"), (0, 9.0, math.nan, "lost")], [(0.0, 10.0)]
    )
    found = twin_ages(tasks, vehicles, 0.0, 0.0, 100.0)
    # Triangles: 0..4 from age 0; 4..8 from age 1 to 5; 8..10 from age 2 to 4.
    assert found["age_mean"] == pytest.approx((8.0 + 12.0 + 6.0) / 10.0)
    assert found["age_peak"] == pytest.approx((4.0 + 5.0) / 2)


def test_a_result_that_is_older_than_what_the_vehicle_has_changes_nothing() -> None:
    late = [(0, 6.0, 7.0, "completed"), (0, 3.0, 8.0, "completed")]
    one = twin_ages(*frames(late[:1], [(0.0, 10.0)]), 0.0, 0.0, 100.0)
    assert twin_ages(*frames(late, [(0.0, 10.0)]), 0.0, 0.0, 100.0) == pytest.approx(one)


def test_without_vehicles_or_results_there_is_no_age_or_no_peak() -> None:
    nobody = twin_ages(*frames([], []), 0.0, 0.0, 10.0)
    assert all(math.isnan(age) for age in nobody.values())
    alone = twin_ages(*frames([], [(2.0, 6.0), (math.nan, math.nan)]), 0.0, 0.0, 10.0)
    assert alone["age_mean"] == 2.0
    assert math.isnan(alone["age_peak"])


def test_the_ages_of_a_run_are_those_of_a_clock_read_often() -> None:
    result = simulate("after_the_match", "conditional", duration=400, **fields({"tasks.sensing_s": 0.5}))
    tasks, vehicles, end = result.tasks, result.vehicles, 400.0
    done = tasks[tasks["status"] == "completed"]
    step, area, seconds = 0.05, 0.0, 0.0
    for vehicle, entered, left in vehicles[["vehicle", "entered", "left"]].itertuples(index=False):
        if math.isnan(entered):
            continue
        times = np.arange(entered, min(end if math.isnan(left) else left, end), step) + step / 2
        sensed = np.full(len(times), entered)
        own = done[done["vehicle"] == vehicle]
        for requested, finished in own[["requested", "finished"]].itertuples(index=False):
            sensed = np.where(times >= finished, np.maximum(sensed, requested - 0.5), sensed)
        area, seconds = area + float((times - sensed).sum()) * step, seconds + len(times) * step
    assert len(done) > 100
    assert result.summary["age_mean"] == pytest.approx(area / seconds, rel=2e-3)
