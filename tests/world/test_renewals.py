"""Renewals: a vehicle that a station covers renews its twin now and then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import Scenario, ScenarioError, plan, simulate
from tests.fields import fields
from tests.laws import check_laws

EVERY_S = 20.0


@pytest.mark.parametrize("scenario", ["four_way", "braunschweig"])
def test_renewals_are_a_poisson_process_over_the_time_in_coverage(scenario: str) -> None:
    """Counted against the way of each vehicle, sampled twice per second."""
    result = simulate(scenario, "always-uav", duration=1200, **fields({"tasks.renewal_s": EVERY_S}))
    check_laws(result)
    places = result.providers[result.providers["kind"] == "ground"]
    radius = result.scenario.stations.radius_m
    covered = 0.0
    for _, way in result.paths.groupby("vehicle"):
        at = np.arange(float(way["time"].iloc[0]), float(way["time"].iloc[-1]), 0.5)
        x, y = np.interp(at, way["time"], way["x"]), np.interp(at, way["time"], way["y"])
        far = np.hypot(x - places["x"].to_numpy()[:, None], y - places["y"].to_numpy()[:, None])
        covered += 0.5 * float((far <= radius).any(axis=0).sum())
    renewed = result.auctions[result.auctions["station_left"] < 0]
    expected = covered / EVERY_S
    assert expected > 500
    assert abs(len(renewed) - expected) < 4 * expected**0.5
    assert (renewed["m_covering"] >= 1).all()
    gaps = renewed.sort_values("time").groupby("vehicle")["time"].diff().dropna()
    assert gaps.min() < 0.05 * EVERY_S, "exponential gaps have no least length"


def test_without_renewals_and_with_them_vehicles_drive_and_leave_alike() -> None:
    without, with_them = (
        simulate("four_way", "conditional", duration=600, **fields(more)) for more in ({}, {"tasks.renewal_s": 30.0})
    )
    assert without.paths.equals(with_them.paths)
    left = with_them.auctions[with_them.auctions["station_left"] >= 0]
    assert left["time"].tolist() == without.auctions["time"].tolist()
    assert left["vehicle"].tolist() == without.auctions["vehicle"].tolist()
    assert len(with_them.auctions) > 2 * len(left)


@pytest.mark.parametrize("scenario", ["four_way", "braunschweig", "grid"])
def test_renewals_do_not_depend_on_prices_and_are_replayed(scenario: str) -> None:
    more: dict[str, Any] = fields({"tasks.renewal_s": 25.0})
    one, two = (plan(scenario, policy, duration=300, **more) for policy in ("always-ground", "conditional"))
    demand = one.demand(2**30)
    ran, replayed = two.run(), two.run(demand=demand)
    for name in ("auctions", "bids", "tasks"):
        assert getattr(ran, name).equals(getattr(replayed, name))
    assert one.run().tasks["requested"].equals(ran.tasks["requested"])


def test_in_rounds_there_is_nothing_to_renew() -> None:
    with pytest.raises(ScenarioError, match=r"tasks\.renewal_s: in 'rounds' no vehicle drives"):
        Scenario.load("paper", **fields({"tasks.renewal_s": 10.0}))
