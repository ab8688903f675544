"""Who is invited, who stands behind the stations, and what a lie or a false name earns in the world's own auction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import Scenario, Simulation, simulate
from simulator.market.auction import Auction
from simulator.market.contracts import MARKET_CONDITIONS
from simulator.market.rehearsal import Rehearsal, changed
from simulator.run import plan
from tests.fields import fields


def auctions(scenario: str, duration: float, **overrides: Any) -> list[Auction]:
    simulation = Simulation(Scenario.load(scenario, **overrides), duration=duration)
    found = []
    for decision in simulation:
        found += decision.auctions
        simulation.answer(1.4)
    return found


@pytest.mark.parametrize("scenario", ["braunschweig", "rush_hour", "grid"])
def test_who_covers_the_vehicle_for_longer_than_the_public_prediction_is_invited(scenario: str) -> None:
    some = {True: 0, False: 0}
    for auction in auctions(scenario, 600, **fields({"stations.uplink_mhz": 5.0})):
        assert auction.invited.tolist() == (auction.situation.dwell_s >= auction.public).tolist()
        assert auction.lot.invited == tuple(auction.situation.providers[auction.invited])
        # The prediction is public: neither the task's size nor its link or demand is in it.
        assert (auction.public > 0).all()
        for is_invited in auction.invited:
            some[bool(is_invited)] += 1
    assert min(some.values()) > 20, "both happened: invited, and covering but too slow"


@pytest.mark.parametrize("grace_s", [0.0, 2.0])
def test_who_would_be_too_late_is_not_invited(grace_s: float) -> None:
    """By the public prediction, in `after_the_match`, where results have 8 s."""
    late = 0
    kinds = ("ar_navigation", "pedestrian_detection", "entertainment_3d")
    graced = fields({f"tasks.kinds.{kind}.grace_s": grace_s for kind in kinds})
    for auction in auctions("after_the_match", 900, **graced):
        in_time = auction.public <= 8.0 if grace_s == 0.0 else auction.public < 8.0 + grace_s
        covers = auction.situation.dwell_s >= auction.public
        assert auction.invited.tolist() == (covers & in_time).tolist()
        late += int((covers & ~in_time).sum())
    assert late > 20


def test_of_several_uavs_the_one_with_the_best_public_prediction_stands_behind_the_stations() -> None:
    found = auctions("grid", 400)
    several = [auction for auction in found if sum(one < 4 for one in auction.lot.invited) >= 2]
    assert len(several) > 50
    for auction in several:
        predicted = {one: seconds for one, seconds in auction.lot.predicted_s.items() if one < 4}
        assert auction.uav == min(predicted, key=predicted.__getitem__)
        assert auction.market[0] == predicted[auction.uav]
    assert len({auction.uav for auction in several}) == 4


def test_public_conditions_say_nothing_of_size_demand_or_bids() -> None:
    """Whatever the stations bid, what a public price may look at is the same in every round of a run."""
    runs = [
        simulate("four_way", "always-uav", duration=1200, **fields({"stations.bidding": rule}))
        for rule in ("truthful", "shade:0.5")
    ]
    assert runs[0].auctions["contract_bid"].nunique() > 3
    public = ["contract_bid", "uav_bid", *(f"m_{name}" for name in MARKET_CONDITIONS)]
    pd.testing.assert_frame_equal(runs[0].auctions[public], runs[1].auctions[public])
    assert not runs[0].auctions["top_bid"].equals(runs[1].auctions["top_bid"])
    # Neither are size and demand in it: up to the first settlement other ones change nothing.
    first = [
        next(
            Simulation(Scenario.load("four_way", **fields({**changed, "tasks.reference_mb": 30.0})), duration=600)
        ).observation.market.tolist()
        for changed in ({}, {"tasks.demand_log_sd": 2.0}, {"tasks.size_mb": [1, 90]})
    ]
    assert first[0] == first[1] == first[2]


def test_load_and_ranks_among_the_conditions() -> None:
    auctions = simulate("four_way", "conditional", duration=900).auctions
    times = auctions["time"].to_numpy()
    for number in (5, 40, len(times) - 1):
        now = times[number]
        before = (times[:number] > now - 120.0).sum()
        assert auctions["m_load"].iloc[number] == pytest.approx(before / min(now, 120.0))
    assert (auctions["m_best_seconds"] <= auctions["m_second_seconds"]).all()


def test_values_average_over_the_last_tasks_that_were_finished_the_lost_ones_too() -> None:
    """(9), (10): the last T - 1 that the provider finished, delivered or not, and as newest entry this one."""
    tight = fields(
        {
            "market.history": 5,
            "tasks.kinds.ar_navigation.deadline_s": 1.1,
            "tasks.kinds.entertainment_3d.deadline_s": 1.1,
        }
    )
    result = simulate("braunschweig", "conditional", duration=900, **tight)
    tasks, bids = result.tasks, result.bids.merge(result.tasks[["task", "requested"]], on="task")
    finished = tasks[tasks["finished"].notna()].sort_values("finished")
    assert (finished["status"] == "lost").sum() > 20
    checked = 0
    for _, bid in bids.sample(150, random_state=1).iterrows():
        past = finished[(finished["provider"] == bid["provider"]) & (finished["finished"] <= bid["requested"])].tail(4)
        terms = [*(1.0 / past["latency"]), 1.0 / bid["predicted_latency"]]
        assert bid["common_value"] == pytest.approx(np.mean(terms))
        checked += len(past) == 4
    assert checked > 50


def test_a_price_below_one_is_refused_wherever_it_comes_from() -> None:
    simulation = Simulation(Scenario.load("paper"), duration=5)
    next(simulation)
    for rho in (0.5, math.nan, -math.inf):
        with pytest.raises(ValueError, match="it must be a number >= 1"):
            simulation.answer(rho)
    simulation.answer(1.0)


def test_a_vehicle_sends_at_one_power_to_everybody() -> None:
    """p^u is one draw a user: without fading and distance a vehicle's uplink times go by size and bandwidth alone."""
    flat = fields(
        {
            "stations.radio.model": "random",
            "stations.radio.spread_db": 0.0,
            "stations.uplink_mhz": 40.0,
            "tasks.power_units": [1, 10],
        }
    )
    tasks = simulate("grid", "always-ground", duration=600, **flat).tasks
    seconds = (tasks["uplink_time"] / tasks["size_mb"]).dropna()
    by_vehicle = seconds.groupby(tasks["vehicle"])
    several = by_vehicle.count() >= 2
    assert several.sum() > 50
    assert np.allclose(by_vehicle.max()[several], by_vehicle.min()[several])
    assert seconds.std() / seconds.mean() > 0.1


TRIALS = 400


def net(auctions: pd.DataFrame, worth: pd.Series, provider: int) -> Any:
    """What a station has of each round: its value less its payment where it wins."""
    return np.where(auctions["winner"] == provider, worth - auctions["paid_by_provider"], 0.0)


@pytest.mark.parametrize("policy", ["myopic", "conditional", "constant:1.4"])
def test_no_misreport_pays_in_an_auction_as_it_is_held(policy: str) -> None:
    """On rounds of `paper`, cleared again with the policy's own price for every misreport, and its own mechanism."""
    planned = plan("paper", policy, duration=TRIALS)
    simulation, found = planned.simulation(), planned.new_policy()
    won = tried = 0

    def try_lies(auctions: list[Auction]) -> None:
        nonlocal won, tried
        (auction,) = auctions
        task, rehearsal = auction.task.id, Rehearsal(simulation.auctioneer, auctions, simulation.platform, found)
        truth = rehearsal.bids()

        def utility(bids: dict[tuple[int, int], float], mine: tuple[int, ...], own: float, again: int | None) -> float:
            """What one who has these identities gets if the winner is one of them."""
            end = rehearsal.clear(bids, second_identity_of=again)[task]
            return own - end.paid if end.winner in mine else 0.0

        for liar in auction.lot.invited[1:]:
            own = float(auction.worth[liar])
            honest = utility(truth, (liar,), own, None)
            won += honest > 0
            for factor in (0.0, 0.5, 0.999, 1.001, 1.2, 3.0, 1e9):
                tried += 1
                assert utility(changed(truth, liar, factor), (liar,), own, None) <= honest + 1e-12 * own
            if planned.information == "public":
                for factor in (0.3, 0.99, 1.0, 1.5):
                    both = {**truth, (task, rehearsal.alias): factor * own}
                    assert utility(both, (liar, rehearsal.alias), own, liar) <= honest + 1e-12 * own

    simulation.auctioneer.before_clearing = try_lies
    for _ in simulation:
        simulation.answer(1.4)
    assert won > TRIALS / 20
    assert tried == 7 * 5 * TRIALS


def test_the_summary_counts_the_market_conditions_once() -> None:
    columns = simulate("paper", "spa", duration=3).auctions.columns
    assert [name for name in columns if name.startswith("m_")] == [f"m_{name}" for name in MARKET_CONDITIONS]


@pytest.mark.parametrize("policy", ["conditional", "constant:1.4", "myopic"])
def test_a_run_in_which_one_station_lies_earns_it_no_more_in_any_round(policy: str) -> None:
    """The shipped auction, held twice: in `paper` a round leaves nothing behind, so the same rounds come again."""
    small = {"market.contract_rounds": 2_000}
    honest = simulate("paper", policy, duration=400, **fields(small))
    names = honest.providers.set_index("name")["provider"]
    worth = honest.bids.pivot_table(index="task", columns="provider", values="value")
    won = less = others = 0
    for name in ("s1", "s4"):
        own = worth[names[name]]
        truth = net(honest.auctions, own, names[name])
        won += int((truth > 0.0).sum())
        for factor in (0.0, 0.7, 0.99, 1.01, 1.4, 1000.0):
            lie = fields(small | {f"stations.bidding.{name}": f"shade:{factor}"})
            lied = simulate("paper", policy, duration=400, **lie).auctions
            utility = net(lied, own, names[name])
            assert (utility <= truth + 1e-12 * own).all(), factor
            less += int((utility < truth - 1e-12 * own).sum())
            others += int((lied["winner"] != honest.auctions["winner"]).sum())
    assert won > 5
    assert less > 50, "some lies cost"
    assert others > 50, "some lies moved a task"
