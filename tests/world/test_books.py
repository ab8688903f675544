from __future__ import annotations

import numpy as np

from simulator import simulate
from simulator.market.ledger import CONTRACT_RENEWAL, FIRST_CONTRACT_ROUNDS
from simulator.model.mechanism import contract_bid
from simulator.scenario.tasks import TASK_KINDS
from tests.fields import fields


def test_the_contract_bid_comes_from_the_settled_rounds() -> None:
    auctions = simulate("braunschweig", "conditional", duration=1800, seed=1).auctions
    asked = auctions[auctions["asked"]].reset_index(drop=True)
    first = FIRST_CONTRACT_ROUNDS
    # Before the first hundred rounds the mean audited worth of the UAV stands for it.
    assert np.array_equal(asked["contract_bid"][:first], asked["m_uav_report"][:first])
    expected = contract_bid(asked["uav_value"][:first].to_numpy(), asked["top_value"][:first].to_numpy())
    assert asked["contract_bid"][first] == expected
    # Then it is renewed whenever two in a hundred of its rounds are new.
    changes = np.flatnonzero(asked["contract_bid"][first:].diff() != 0) + first
    steps = np.diff(changes)
    assert np.all(steps >= int(CONTRACT_RENEWAL * first))


def test_the_contract_bid_forgets_rounds_before_its_window() -> None:
    auctions = simulate("braunschweig", "conditional", duration=900, **fields({"market.contract_rounds": 100})).auctions
    asked = auctions[auctions["asked"]].reset_index(drop=True)
    number = 250
    window = asked[number - 100 : number]
    candidates = [
        contract_bid(asked["uav_value"][k - 100 : k].to_numpy(), asked["top_value"][k - 100 : k].to_numpy())
        for k in (number - 1, number)
    ]
    assert len(window) == 100
    assert asked["contract_bid"][number] in candidates


def test_a_uav_bids_what_it_knew_at_its_last_report() -> None:
    result = simulate("braunschweig", "conditional", duration=600, seed=2)
    reports = result.events[result.events["kind"] == "uav_reported"]
    assert reports["time"].tolist() == list(range(0, 600, 10))
    auctions = result.auctions[result.auctions["uav_bid"].notna()]
    last = np.searchsorted(reports["time"], auctions["time"], side="right") - 1
    assert np.array_equal(reports["value"].to_numpy()[last], auctions["uav_bid"])
    # It is the mean over its own last twenty tasks that were served before the report.
    tasks = result.tasks[(result.tasks["provider"] == 0) & result.tasks["finished"].notna()].sort_values("finished")
    at = 300.0
    known = tasks[tasks["finished"] <= at].tail(20)
    assert len(known) == 20
    match = 0.1 / (1 - np.minimum(known["accuracy"], 0.98)) ** 2
    expected = (1 / known["latency"]).mean() * match.mean()
    assert np.isclose(reports["value"].iloc[30], expected)


def test_audited_match_values_are_running_means_of_delivered_results() -> None:
    result = simulate("braunschweig", "always-uav", duration=900, seed=2)
    tasks, auctions = result.tasks, result.auctions
    last = auctions.iloc[-1]
    delivered = tasks[(tasks["provider"] == 0) & (tasks["status"] == "completed") & (tasks["finished"] <= last["time"])]
    match = 0.1 / (1 - np.minimum(delivered["accuracy"], 0.98)) ** 2
    prior = auctions["m_uav_match"].iloc[0]
    expected = (10 * prior + match.sum()) / (10 + len(match))
    assert np.isclose(last["m_uav_match"], expected)


def test_the_platform_keeps_its_own_mean_of_what_the_uav_has_delivered() -> None:
    """It counts 0 for a lost task, knows no more than has ended, and does not listen to the UAV."""
    tight = fields({f"tasks.kinds.{kind}.deadline_s": 1.1 for kind in TASK_KINDS})
    lies = {**tight, **fields({"uavs.bidding": "shade:0.01"})}
    honest, lied = (simulate("braunschweig", "conditional", duration=900, seed=2, **more) for more in (tight, lies))
    assert honest.auctions["m_uav_report"].equals(lied.auctions["m_uav_report"])
    tasks = honest.tasks[(honest.tasks["provider"] == 0) & honest.tasks["finished"].notna()].sort_values("finished")
    assert (tasks["status"] == "lost").sum() > 5
    worth = (tasks["realised_surplus"] / tasks["demand"]).to_numpy()
    told = honest.auctions.loc[honest.auctions["m_uav_report"].notna(), ["time", "m_uav_report"]].to_numpy()
    for time, report in told[150::40]:
        known = worth[(tasks["finished"] <= time).to_numpy()][-20:]
        assert len(known) == 20
        assert np.isclose(report, known.mean())
