"""Windows: requests wait, are cleared together at its end, and know then what has changed since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import Scenario, simulate
from simulator.market.contracts import Ask, Award, Clearing, Lot, Mechanism
from simulator.providers.fleet import Fleet
from simulator.run import plan
from simulator.world.driving import drive
from simulator.world.simulation import Simulation
from tests.fields import fields
from tests.laws import check_laws


class Watches(Mechanism):
    """Keeps every lot that it sees, and sells none."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.seen: list[tuple[float, list[Lot]]] = []

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        self.seen.append((lots[0].now, list(lots)))
        yield from ()
        return []


def watched(scenario: str, every_s: float, duration: float, **more: Any) -> tuple[Watches, Simulation]:
    planned = plan(scenario, duration=duration, mechanism=Watches(every_s), **more)
    simulation = planned.simulation()
    drive(simulation, planned.new_policy())
    mechanism = simulation.mechanism
    assert isinstance(mechanism, Watches)
    return mechanism, simulation


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.sampled_from([0.1, 0.3, 0.7, 1 / 3]), st.floats(0.05, 20.0)))
def test_windows_end_at_multiples_of_their_length_and_never_twice(every_s: float) -> None:
    more = fields({"market.contract_rounds": 1000, "market.patience_s": 3 * every_s})
    mechanism, simulation = watched("paper", every_s, 40.0, **more)
    times = np.array([now for now, _ in mechanism.seen])
    numbers = np.round(times / every_s)
    assert np.allclose(times, numbers * every_s)
    assert (np.diff(numbers) >= 1).all(), "no window is cleared twice"
    for now, lots in mechanism.seen:
        assert all(lot.now == now for lot in lots)
        assert all(0.0 <= now - lot.requested <= 3 * every_s + 1e-9 for lot in lots)
        assert len({lot.task for lot in lots}) == len(lots)
    tasks = simulation.tables().tasks()
    given_up = tasks[tasks["status"] == "unserved"]
    assert (given_up["market_wait"] > 3 * every_s - 1e-9).all()
    assert (given_up["market_wait"] <= 4 * every_s + 1e-9).all()


def test_a_sold_task_waits_for_the_end_of_its_window_and_every_task_is_settled() -> None:
    result = simulate("rush_hour", duration=1200, mechanism="vcg-assignment:every_s=2.5")
    check_laws(result)
    tasks, auctions = result.tasks, result.auctions
    sold = auctions["winner"] >= 0
    assert sold.sum() > 300
    settled = auctions["time"][sold]
    assert np.allclose(settled / 2.5, np.round(settled / 2.5))
    assert (tasks["market_wait"][sold] > 0.0).all()
    assert (tasks["market_wait"][sold] <= 10.0).all()
    assert not auctions[sold].duplicated(["time", "winner"]).any(), "nobody wins twice in a window"
    assert (tasks["requested"][tasks["market_wait"].isna()] >= 597.5 - 10.0).all(), "only the last windows stay open"
    # What the decision saw was as of the end of the window: the latency counts from the request.
    won = result.bids.merge(auctions[["task", "winner"]], left_on=["task", "provider"], right_on=["task", "winner"])
    done = won.merge(tasks[["task", "latency"]], on="task").dropna()
    assert np.allclose(done["predicted_latency"], done["latency"])


def test_who_finds_no_provider_waits_as_long_as_patience_says() -> None:
    few = fields({"stations.count": 1, "uavs.count": 1, "market.patience_s": 4.0, "market.contract_rounds": 1000})
    result = simulate("paper", duration=101, mechanism="vcg-assignment:every_s=3", **few)
    check_laws(result)
    tasks = result.tasks
    sold, given_up = tasks["provider"] >= 0, tasks["status"] == "unserved"
    assert (result.auctions[sold].groupby("time").size() == 2).all(), "two providers, two lots"
    assert (tasks["market_wait"][sold] <= 4.0).all()
    assert (tasks["market_wait"][given_up] > 4.0).all()
    assert (tasks["market_wait"][given_up] <= 7.0).all()
    assert sold.sum() > 50
    assert given_up.sum() > 10


def test_an_unfinished_window_leaves_its_tasks_open() -> None:
    result = simulate("paper", duration=25.5, mechanism="vcg-assignment:every_s=10", **fields({"stations.count": 12}))
    check_laws(result)
    waiting = result.tasks["requested"] >= 20.0
    assert waiting.sum() == 6
    assert (result.tasks.loc[waiting, "status"] == "open").all()
    assert result.tasks.loc[waiting, ["market_wait", "latency", "realised_surplus"]].isna().all(axis=None)
    assert (result.auctions.loc[waiting, "time"] == result.tasks.loc[waiting, "requested"]).all()
    assert (result.auctions.loc[waiting, "winner"] == -1).all()
    assert result.summary["open"] >= 6
    assert (result.events["kind"] == "auction_settled").sum() == (~waiting).sum()


class GivesAllToOne(Mechanism):
    """Gives every lot of a window to the station that is invited to most of them."""

    every_s = 5.0

    def reset(self, platform: Any, rng: Any) -> None:
        self.uavs = platform.uavs

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        bids = yield Ask("bid", lots)
        everybody = [one for lot in lots for one in lot.invited if one >= self.uavs]
        most = max(sorted(set(everybody)), key=everybody.count, default=-1)
        return [Award(lot, most, bids[lot.task, most]) for lot in lots if most in lot.invited]


def test_the_second_lot_of_one_provider_is_valued_behind_the_first() -> None:
    """With T = 1 the value is demand omega_1 / latency times the match value, at the latency that comes true."""
    result = simulate("rush_hour", duration=400, mechanism=GivesAllToOne(), **fields({"market.history": 1}))
    check_laws(result)
    auctions, tasks = result.auctions.set_index("task"), result.tasks.set_index("task")
    served = tasks.index[tasks["latency"].notna()]
    match = result.bids.set_index(["task", "provider"])["match_value"]
    own = match.loc[list(zip(served, tasks.loc[served, "provider"], strict=True))].to_numpy()
    worth = tasks.loc[served, "demand"] / tasks.loc[served, "latency"] * own
    assert np.allclose(auctions.loc[served, "surplus"], worth)
    said = result.bids.set_index(["task", "provider"])["value"]
    bid_for = said.loc[list(zip(served, tasks.loc[served, "provider"], strict=True))].to_numpy()
    behind = auctions.loc[served].duplicated(["time", "winner"]).to_numpy()
    assert behind.sum() > 30
    assert np.allclose(worth[~behind], bid_for[~behind])
    assert (worth[behind] < bid_for[behind]).all()
    # They are served one after another, in the order of the awards.
    waits = tasks.loc[served[behind], [f"{stage}_wait" for stage in ("uplink", "gpu", "cpu", "downlink")]]
    assert (waits.sum(axis=1) > 0.0).all()


def straight(speed: float, duration: float) -> pd.DataFrame:
    """One vehicle on the x axis, from x = 0 on."""
    time = np.arange(0.0, duration, 0.5)
    return pd.DataFrame({"time": time, "id": "a", "x": speed * time, "y": 0.0, "speed": speed})


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_who_has_left_coverage_since_the_request_is_not_invited_any_more() -> None:
    """The vehicle leaves s1 at x = 100 and asks; s2 covers it up to x = 150, s3 up to x = 600."""
    places = [
        {"name": "s1", "x": 0, "y": 0, "radius_m": 100},
        {"name": "s2", "x": 75, "y": 0, "radius_m": 75},
        {"name": "s3", "x": 300, "y": 0, "radius_m": 300},
    ]
    more = fields({
        "stations.count": None, "stations.placed": places, "uavs.count": 0, "outages.windows": [],
        "market.patience_s": 40.0,
    })  # fmt: skip
    mechanism, simulation = watched("braunschweig", 2.0, 55.0, recording=straight(10.0, 55.0), **more)
    asked = simulation.tables().tasks()
    (first,) = asked.loc[np.isclose(asked["requested"], 10.0, atol=0.5), "task"].astype(int)
    seen = [(now, lot.invited) for now, lots in mechanism.seen for lot in lots if lot.task == first]
    assert len(seen) >= 15
    for now, invited in seen:
        assert invited == ((1, 2) if now < 15.0 else (2,)), now
    assert seen[0][1] == (1, 2)
    auction = simulation.tables().auctions().set_index("task").loc[first]
    assert auction["invited"] == 1, "the tables hold who was invited last"
    # Without s3 nobody can serve it at the end of the window after it has left s2.
    alone = {**more, "stations.placed": places[:2]}
    mechanism, simulation = watched("braunschweig", 2.0, 55.0, recording=straight(10.0, 55.0), **alone)
    assert max(now for now, _ in mechanism.seen) < 15.0
    given_up = simulation.tables().tasks().set_index("task").loc[first]
    assert given_up["status"] == "unserved"
    assert given_up["requested"] + given_up["market_wait"] == pytest.approx(16.0)


def test_who_has_failed_since_the_request_is_not_invited_any_more_though_it_is_back() -> None:
    out = fields({
        "outages.mode": "wait", "outages.windows": [{"provider": "s1", "from_s": 223.0, "to_s": 224.0}],
        "market.patience_s": 20.0,
    })  # fmt: skip
    mechanism, _ = watched("rush_hour", 10.0, 240.0, **out)
    plain, _ = watched("rush_hour", 10.0, 240.0, **fields({"market.patience_s": 20.0}))
    station = Fleet(Scenario.load("rush_hour")).names.index("s1")
    lost = kept = 0
    for lots, without in zip(mechanism.seen, plain.seen, strict=True):
        for one, other in zip(lots[1], without[1], strict=True):
            failed = one.requested < 224.0 and one.now > 223.0
            assert one.invited == tuple(who for who in other.invited if who != station or not failed)
            lost += failed and station in other.invited
            kept += station in one.invited
    assert lost >= 2
    assert kept > 20


class SellsLate(Mechanism):
    """Asks every time, sells what has waited for two windows."""

    every_s = 2.0

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        bids = yield Ask("bid", lots)
        assert all(math.isfinite(bid) for bid in bids.values())
        return [Award(lot, lot.invited[0]) for lot in lots if lot.now - lot.requested > 2.0]


def test_messages_add_up_over_the_windows_that_a_lot_has_waited() -> None:
    result = simulate("paper", duration=60, mechanism=SellsLate())
    check_laws(result)
    sold = result.auctions[result.auctions["winner"] >= 0]
    # Six providers are asked and answer in each of two windows.
    assert (sold["messages"] == 24.0).all()
    assert len(sold) > 50


class Learner:
    """Bids the value, and counts what it is told."""

    def __init__(self) -> None:
        self.bids: list[int] = []
        self.told: list[tuple[int, bool]] = []

    def bid(self, view: Any) -> float:
        self.bids.append(view.task)
        return float(view.value)

    def learn(self, settlement: Any) -> None:
        self.told.append((settlement.task, settlement.won))


def test_who_has_bid_is_told_once_also_if_the_lot_is_given_up() -> None:
    class NeverSells(Watches):
        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield Ask("bid", lots)
            return []

    planned = plan("paper", duration=60, mechanism=NeverSells(2.0), bidders={"s2": Learner()},
                   **fields({"market.patience_s": 5.0}))  # fmt: skip
    simulation = planned.simulation()
    drive(simulation, planned.new_policy())
    (learner,) = [one for one in simulation._bidders._strategies if isinstance(one, Learner)]
    given_up = simulation.tables().tasks().query("status == 'unserved'")["task"].tolist()
    assert learner.told == [(task, False) for task in given_up]
    assert len(given_up) > 40
    assert len(learner.bids) > 2 * len(given_up)


def test_an_empty_run_with_windows_has_empty_tables() -> None:
    result = simulate("rush_hour", duration=1.0, mechanism="vcg-assignment")
    assert len(result.auctions) == len(result.decisions) == 0
    check_laws(result)
