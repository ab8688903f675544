"""Costs of providers, time of messages, and who has what of the welfare."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from simulator import Scenario, simulate
from simulator.model.flight import propulsion_power
from tests.fields import fields
from tests.laws import check_economy, check_laws, check_sums

COSTS = {
    "stations.price_gpu_s": 0.3,
    "stations.price_J": 0.02,
    "uavs.price_gpu_s": 1.0,
    "uavs.price_J": 5e-4,
    "tasks.sensing_s": 0.2,
}


@pytest.mark.parametrize("scenario", ["paper", "four_way", "after_the_match"])
@pytest.mark.parametrize("mechanism", ["msb", "vcg-assignment", "first-price"])
def test_every_law_holds_with_costs(scenario: str, mechanism: str) -> None:
    result = simulate(scenario, mechanism=mechanism, duration=300, **fields({**COSTS, "market.uav_weight": 1.3}))
    check_laws(result)
    assert (result.auctions["cost"] > 0).sum() > 50


def test_the_cost_of_a_task_is_that_of_its_stages() -> None:
    result = simulate("rush_hour", "conditional", duration=900, **fields(COSTS))
    done = result.tasks[result.tasks["finished"].notna()].merge(result.auctions[["task", "cost"]], on="task")
    place = result.scenario
    power = result.bids.set_index(["task", "provider"])["power_units"]
    sent = power.loc[pd.MultiIndex.from_frame(done[["task", "provider"]])].to_numpy()
    assert np.allclose(done["radio_j"], 0.1 * sent * done["downlink_time"])
    station = done["provider"] >= place.uavs.total()
    own = done[station]
    assert np.allclose(own["cost"], 0.3 * own["gpu_time"] + 0.02 * own["radio_j"])
    # The stays of a UAV's tasks add up to the time for which it has any: the union of their latencies.
    flown = done[~station].sort_values("finished")
    begin, end = (flown["finished"] - flown["latency"]).to_numpy(), flown["finished"].to_numpy()
    free = np.maximum.accumulate(np.append(-np.inf, end[:-1]))
    stays = end - np.maximum(begin, free)
    assert (stays > 0).all()
    hovering = place.uavs.hover_w * stays
    expected = 1.0 * flown["gpu_time"] + 5e-4 * (flown["radio_j"] + hovering)
    assert np.allclose(flown["cost"], expected)
    assert len(flown) > 30


def test_a_station_to_which_a_task_costs_more_than_it_is_worth_makes_no_bid() -> None:
    dear = simulate("four_way", "conditional", duration=600, **fields({"stations.price_gpu_s": 60.0}))
    bids = dear.bids[dear.bids["provider"] >= 1]
    refuses = bids["cost"] >= bids["value"]
    assert refuses.mean() > 0.05
    assert bids.loc[refuses, "bid"].isna().all()
    assert np.allclose(bids.loc[~refuses, "bid"], (bids["value"] - bids["cost"])[~refuses])


def test_a_price_of_nothing_is_the_world_of_before() -> None:
    plain = simulate("four_way", "conditional", duration=600)
    free = simulate("four_way", "conditional", duration=600, **fields(dict.fromkeys(COSTS, 0.0)))
    pd.testing.assert_frame_equal(plain.auctions, free.auctions)
    assert (plain.auctions["cost"] == 0).all()
    assert plain.summary["welfare"] == pytest.approx(plain.summary["realised_mean"] * plain.summary["tasks"])


@pytest.mark.parametrize("mechanism", ["msb", "vcg-assignment:every_s=2"])
def test_messages_that_take_time_are_part_of_the_latency(mechanism: str) -> None:
    slow = simulate("after_the_match", mechanism=mechanism, duration=400, **fields({"market.message_s": 0.15}))
    check_laws(slow)
    tasks, rounds = slow.tasks, slow.auctions["rounds"]
    won = tasks["provider"] >= 0
    assert (tasks.loc[won, "market_wait"] >= 0.15 * rounds[won] - 1e-9).all()
    assert (rounds[won] >= 1).all()


def test_what_messages_of_no_time_change_is_nothing() -> None:
    instant = simulate("after_the_match", "foresight", duration=300)
    brief = simulate("after_the_match", "foresight", duration=300, **fields({"market.message_s": 1e-9}))
    close = np.isclose(instant.auctions["surplus"], brief.auctions["surplus"], rtol=1e-6, atol=1e-9)
    assert close.mean() > 0.99
    assert (instant.auctions["winner"] == brief.auctions["winner"]).mean() > 0.99


def test_a_winner_that_fails_while_messages_are_under_way_serves_nothing() -> None:
    window = {"provider": "u1", "from_s": 5.0, "to_s": 10.0, "every_s": 10.0}
    more = fields({"market.message_s": 4.0, "outages.windows": [window]})
    result = simulate("four_way", "always-uav", duration=400, **more)
    check_sums(result)
    check_economy(result)
    auctions, tasks = result.auctions, result.tasks
    fell_through = (auctions["uav_bid"] >= 0) & (auctions["winner"] == -1) & tasks["market_wait"].notna()
    assert fell_through.sum() > 5
    assert (auctions.loc[fell_through, "unserved_reason"] == "unsold").all()
    assert np.allclose(tasks.loc[fell_through, "market_wait"], 4.0)
    begins = (auctions.loc[auctions["winner"] == 0, "time"] % 10.0).to_numpy()
    assert not ((begins > 5.0) & (begins < 9.999)).any(), "nobody who is out gets a task"


def test_open_clearings_at_the_end_leave_their_tasks_open() -> None:
    result = simulate("paper", "conditional", duration=20.5, **fields({"market.message_s": 2.0}))
    last = result.tasks[result.tasks["requested"] > 18.5]
    assert len(last)
    assert (last["status"] == "open").all()
    assert last["market_wait"].isna().all()


def test_the_calibration_of_rounds_knows_the_costs() -> None:
    plain, dear = (
        simulate("paper", "conditional", duration=5, **fields(more)).auctions["contract_bid"].iloc[0]
        for more in ({"market.contract_rounds": 5000}, {"market.contract_rounds": 5000, "uavs.price_J": 2e-3})
    )
    assert dear < plain


def test_a_flying_uav_needs_the_power_of_the_source() -> None:
    """The check values of Zeng et al. (2019): power at seven speeds, the least one, and the least energy per metre."""
    speeds = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0])
    expected = [168.5, 143.6, 126.0, 138.5, 178.3, 249.0, 356.3]
    assert propulsion_power(speeds) == pytest.approx(expected, abs=0.05)
    fine = np.linspace(0.1, 40.0, 4000)
    power = propulsion_power(fine)
    assert power.min() == pytest.approx(126.0, abs=0.05)
    assert fine[power.argmin()] == pytest.approx(10.2, abs=0.05)
    assert (power / fine).min() == pytest.approx(8.83, abs=0.005)
    assert fine[(power / fine).argmin()] == pytest.approx(18.3, abs=0.05)


def test_a_hovering_uav_needs_the_power_of_the_source() -> None:
    """P0 + Pi of Zeng, Xu and Zhang 2019."""
    assert Scenario.load("paper").uavs.hover_w == pytest.approx(79.8563 + 88.6279, abs=0.05)
