"""The load scales the number of tasks at the same traffic; the demand scales the traffic."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest

from simulator import Result, ScenarioError, simulate
from tests.fields import fields
from tests.laws import check_laws

KEYS = ["vehicle", "requested"]


@cache
def at(scenario: str, load: float) -> Result:
    return simulate(scenario, "conditional", duration=900, **fields({"duration_s": 900, "tasks.load": load}))


@pytest.mark.parametrize("scenario", ["four_way", "braunschweig", "after_the_match"])
def test_the_number_of_tasks_is_the_load_times_that_at_load_1(scenario: str) -> None:
    plain = at(scenario, 1.0)
    for load in (0.5, 1.5, 3.0):
        result = at(scenario, load)
        check_laws(result)
        # Vehicles do not depend on the load. Thinning and renewals are random: four standard deviations.
        assert result.vehicles["vehicle"].tolist() == plain.vehicles["vehicle"].tolist()
        expected = load * len(plain.tasks)
        assert len(result.tasks) == pytest.approx(expected, abs=4 * (expected + 0.01 * expected**2) ** 0.5)


def test_below_1_requests_are_thinned_and_the_worlds_are_nested() -> None:
    plain, more, less = (at("four_way", load).tasks for load in (1.0, 0.75, 0.5))
    drawn = [*KEYS, "size_mb", "demand", "kind"]
    for few, many in ((less, more), (more, plain)):
        merged = few[drawn].merge(many[drawn], on=drawn)
        assert len(merged) == len(few), "each task of the lower load is one of the higher load, with the same draws"


def test_above_1_renewals_are_added_and_departures_stay() -> None:
    plain, loaded = at("braunschweig", 1.0), at("braunschweig", 2.0)
    departed = loaded.auctions[loaded.auctions["station_left"] >= 0]
    assert departed["time"].tolist() == plain.auctions["time"].tolist()
    assert (loaded.auctions["station_left"] < 0).sum() > 0.8 * len(plain.tasks)


def test_the_demand_scales_arrivals() -> None:
    few, many = (
        simulate("four_way", "always-uav", duration=3600, **fields({"traffic.arrivals.scale": scale}))
        for scale in (0.4, 1.2)
    )
    assert len(many.vehicles) == pytest.approx(3 * len(few.vehicles), rel=0.12)
    same = simulate(
        "four_way", "always-uav", duration=600, **fields({"traffic.arrivals.rate_per_h": 0.5 * 370})
    ).vehicles
    half = simulate("four_way", "always-uav", duration=600, **fields({"traffic.arrivals.scale": 0.5})).vehicles
    pd.testing.assert_frame_equal(same, half)


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no load": ("four_way", {"tasks.load": 0}, r"tasks\.load: must be greater than 0"),
    "a load in rounds": ("paper", {"tasks.load": 2}, r"tasks\.load: in 'rounds' no task waits for another"),
    "too many arrivals": ("four_way", {"traffic.arrivals.scale": 99}, r"makes a rate of 36630 vehicles an hour"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_scaled_is_refused(case: str) -> None:
    scenario, overrides, message = WRONG[case]
    with pytest.raises(ScenarioError, match=message):
        simulate(scenario, "always-uav", duration=10, **fields(overrides))
