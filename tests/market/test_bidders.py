"""Bidders: the shipped ones against their formulas, a user's own, who shares one object, and faults in one sentence."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import PolicyError, RunError, Scenario, ScenarioError, simulate
from simulator.market.bidders import Exp3, Patient, Shade, Truthful
from simulator.market.contracts import MARKET_CONDITIONS, Settlement, View
from simulator.market.entry_points import known_bidders, known_mechanisms
from simulator.market.plugins import find_bidder, strategies_of
from simulator.providers.fleet import Fleet
from simulator.record.schema import TABLES
from simulator.run import plan
from simulator.world.driving import drive
from tests.fields import fields
from tests.laws import check_laws


def view(task: int = 0, value: float = 2.0, provider: int = 3, now: float = 0.0, predicted_s: float = 1.0) -> View:
    service = np.array([0.5, 1.0, 0.25, 0.1])
    return View(provider, task, now, value, 0.0, service, predicted_s, np.zeros(len(MARKET_CONDITIONS)))


OWN = """
class Own:
    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def bid(self, view):
        return self.factor * view.value
"""


@pytest.mark.parametrize("scenario", ["paper", "four_way"])
def test_a_users_own_bidder_has_the_bytes_of_the_shipped_one(scenario: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    for shipped, factor in (("truthful", 1.0), ("shade:0.8", 0.8)):
        one = simulate(scenario, "conditional", duration=300, bidders=shipped)
        two = simulate(scenario, "conditional", duration=300, bidders=f"{tmp_path}/own.py:Own:factor={factor}")
        for table in TABLES:
            pd.testing.assert_frame_equal(getattr(one, table), getattr(two, table), check_exact=True)
    stations = one.bids["provider"] >= 1
    assert np.array_equal(one.bids["bid"][stations], 0.8 * one.bids["value"][stations])
    assert f"{tmp_path}/own.py" in two.run["code_sha256"]
    assert two.run["bidders"][-1].endswith("own.py:Own:factor=0.8")


def test_bidders_by_name_take_the_place_of_the_scenarios() -> None:
    more = fields({"stations.bidding": {"all": "shade:0.5", "s2": "shade:0.6"}})
    result = simulate("paper", "conditional", duration=20, bidders={"s1": "shade:0.9", "u1": Shade(3.0)}, **more)
    share = (result.bids["bid"] / result.bids["value"]).groupby(result.bids["provider"]).first()
    assert np.allclose(share.loc[1:], [0.9, 0.6, 0.5, 0.5, 0.5])
    assert result.run["bidders"][2] == "shade:0.6"
    plain = simulate("paper", "conditional", duration=20).auctions["uav_bid"]
    assert np.allclose(result.auctions["uav_bid"], 3.0 * plain)
    most = simulate("paper", "conditional", duration=20, bidders={"stations": "shade:0.7", "s1": "truthful"}, **more)
    share = (most.bids["bid"] / most.bids["value"]).groupby(most.bids["provider"]).first()
    assert np.allclose(share.loc[1:], [1.0, 0.7, 0.7, 0.7, 0.7]), "a name goes before all"
    with pytest.raises(PolicyError, match="bidders: no provider is called 's9'"):
        simulate("paper", duration=3, bidders={"s9": "truthful"})
    with pytest.raises(PolicyError, match=r"there is no bidder 'truthfull' .*; did you mean 'truthful'"):
        simulate("paper", duration=3, bidders="truthfull")
    with pytest.raises(PolicyError, match=r"shade:-1.*factor must be a number from 0 to 1e6, not -1"):
        simulate("paper", duration=3, bidders="shade:-1")
    with pytest.raises(PolicyError, match=r"has no method bid\(view\)"):
        simulate("paper", duration=3, bidders={"s1": object()})  # type: ignore[dict-item]
    with pytest.raises((PolicyError, ScenarioError), match="there is no bidder 'lies'"):
        simulate("paper", duration=3, **fields({"stations.bidding": "lies"}))


def test_what_is_installed() -> None:
    assert {"truthful", "shade", "exp3", "patient"} <= set(known_bidders())
    assert {"msb", "second-price", "first-price", "vickrey", "vcg-assignment", "direct"} <= set(known_mechanisms())


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_exp3_is_the_algorithm_of_its_source(history: list[float], gamma: float) -> None:
    """Auer et al. 2002, Exp3: w_i <- w_i exp(gamma x_i / (p_i K)), p_i = (1 - gamma) w_i / sum w + gamma / K."""
    bidder = Exp3(gamma)
    bidder.reset(Scenario.load("paper"), np.random.default_rng(0))
    weights, largest, arms = np.ones(10), 0.0, len(Exp3.MULTIPLIERS)
    for task, payoff in enumerate(history):
        chances = (1 - gamma) * weights / weights.sum() + gamma / arms
        assert np.allclose(bidder.probabilities(), chances)
        bid = bidder.bid(view(task, value=2.0))
        arm = [round(multiplier * 2.0, 9) for multiplier in Exp3.MULTIPLIERS].index(round(bid, 9))
        bidder.learn(Settlement(3, task, 0.0, 2.0, bid, True, 2.0 - payoff))
        got = 2.0 - (2.0 - payoff)
        largest = max(largest, abs(got))
        if largest > 0.0:
            weights[arm] *= np.exp(gamma * (got / largest) / chances[arm] / arms)
            weights /= weights.max()
    assert bidder.probabilities().sum() == pytest.approx(1.0)
    assert (bidder.probabilities() >= gamma / arms - 1e-12).all()
    lost = Exp3(gamma)
    lost.reset(Scenario.load("paper"), np.random.default_rng(0))
    lost.learn(Settlement(3, 0, 0.0, 2.0, lost.bid(view()), False, 0.0))
    assert np.allclose(lost.probabilities(), 0.1), "a loss is a payoff of 0"


def test_exp3_repeats_with_its_seed_and_learns_to_shade_at_its_own_price() -> None:
    run = {"mechanism": "first-price", "duration": 12_000.0, "bidders": {"s1": "exp3"}}
    less = fields({"market.contract_rounds": 1000, "stations.count": 3})
    one = simulate("paper", seed=1, **run, **less)  # type: ignore[arg-type]
    own = one.bids[one.bids["provider"] == 1]
    multiplier = (own["bid"] / own["value"]).to_numpy()
    assert set(np.round(multiplier, 9)) == set(Exp3.MULTIPLIERS)
    early, late = multiplier[:1500], multiplier[-3000:]
    assert late.mean() < early.mean() - 0.05, "less than before"
    won = one.auctions["winner"] == 1
    payoff = np.where(won, own["value"].to_numpy() - one.auctions["paid_by_provider"], 0.0)
    assert payoff[-3000:].mean() > payoff[:1500].mean()
    short = [simulate("paper", seed=seed, **{**run, "duration": 50.0}, **less).bids for seed in (1, 1, 2)]  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(short[0], short[1])
    assert not short[0]["bid"].equals(short[2]["bid"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 20.0), st.floats(0.1, 9.0), st.floats(0.2, 5.0)), min_size=0, max_size=30),
    st.integers(2, 20), st.floats(0.1, 9.0),
)  # fmt: skip
def test_patient_bids_less_than_its_value_by_what_its_queue_loses(
    wins: list[tuple[float, float, float]], memory: int, value: float
) -> None:
    """Cost: lambda s^2 / 2 times the mean of v / T over the last wins, with s the slowest stage, here 1 s."""
    bidder, now, kept = Patient(memory), 0.0, list[tuple[float, float]]()
    bidder.reset(Scenario.load("paper"), np.random.default_rng(0))
    for task, (gap, worth, latency) in enumerate(wins):
        now += gap
        bidder.bid(view(task, worth, now=now, predicted_s=latency))
        bidder.learn(Settlement(3, task, now, worth, worth, task % 3 != 2, 0.0))
        if task % 3 != 2:
            kept.append((now, worth / latency))
    kept, now = kept[-memory:], now + 1.0
    got = bidder.bid(view(999, value, now=now))
    if len(kept) < 2:
        assert got == value, "too few wins to know a rate"
        return
    rate = len(kept) / (now - kept[0][0])
    cost = 0.5 * rate * 1.0**2 * float(np.mean([per_s for _, per_s in kept]))
    assert got == pytest.approx(max(value - cost, 0.0))
    assert 0.0 <= got <= value
    assert bidder.bid(view(1000, value, provider=4, now=now)) == value, "another station has its own queue"


def test_patient_stations_hold_back_where_they_are_loaded() -> None:
    result = simulate("rush_hour", "conditional", duration=900, bidders="patient")
    check_laws(result)
    uavs = len(result.scenario.uav_names())
    ground = result.bids[result.bids["provider"] >= uavs]
    assert (ground["bid"] >= 0.0).all()
    assert (ground["bid"] <= ground["value"]).all()
    assert (ground["bid"] < 0.999 * ground["value"]).mean() > 0.3


@pytest.mark.parametrize("bad", [{"memory": 1}, {"memory": True}, {"memory": 2.5}])
def test_wrong_arguments_of_bidders(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="memory must be a whole number >= 2"):
        Patient(**bad)
    with pytest.raises(PolicyError, match="exploration must be above 0 and at most 1, not 0"):
        find_bidder("exp3:0")
    with pytest.raises(PolicyError, match="bidder 'shade': factor is missing, as in shade:factor=VALUE"):
        find_bidder("shade")


class Notes:
    """Remembers in which places it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.told: list[Settlement] = []

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self.drawn = rng.random()

    def bid(self, view: View) -> float:
        self.asked.append(view.provider)
        return view.value

    def learn(self, settlement: Settlement) -> None:
        self.told.append(settlement)


OWNED = fields({"stations.owners": {"s1": "north", "s2": "north"}, "stations.bidding": "patient"})


def test_stations_of_one_owner_share_one_object_and_no_others_do() -> None:
    fleet = Fleet(Scenario.load("paper", **OWNED))
    assert fleet.owners == ["u1", "north", "north", "s3", "s4", "s5"]
    for bidders in (None, {"stations": "patient"}, {"stations": Notes()}):
        found = strategies_of(fleet, bidders)
        assert isinstance(found[0], Truthful)
        assert found[1] is found[2]
        assert len({id(one) for one in found}) == 5
    assert simulate("paper", duration=3, **OWNED).providers["owner"].tolist() == fleet.owners
    wrong = fields({"stations.owners": {"s9": "north"}})
    with pytest.raises(ScenarioError, match=r"stations\.owners\.s9: no provider is called 's9'"):
        simulate("paper", duration=3, **wrong)


def test_an_owner_answers_for_all_its_stations_and_is_told_how_each_auction_ended() -> None:
    planned = plan("paper", "conditional", duration=40, bidders={"stations": Notes()}, **OWNED)
    simulation = planned.simulation()
    drive(simulation, planned.new_policy())
    bidders: list[Any] = simulation._bidders._strategies[1:]
    north, third = bidders[0], bidders[2]
    assert sorted(set(north.asked)) == [1, 2]
    assert len(north.asked) == 80
    assert len({one.drawn for one in bidders}) == 4, "every owner has a generator of its own"
    auctions = simulation.tables().auctions().set_index("task")
    for bidder, own in ((north, (1, 2)), (third, (3,))):
        assert len(bidder.told) == 40 * len(own)
        for told in bidder.told:
            row = auctions.loc[told.task]
            assert told.provider in own
            assert told.won == (row["winner"] == told.provider)
            assert told.paid == (row["paid_by_provider"] if told.won else 0.0)
            assert told.bid == told.value > 0.0


def test_a_bidder_object_is_run_as_a_copy() -> None:
    notes = Notes()
    simulate("paper", "conditional", duration=3, bidders=notes)
    assert notes.asked == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (-1.0, r"bid\(\) returned -1\.0; it must be a number from 0 to 1e\+12"),
        (math.nan, r"bid\(\) returned nan; it must be"),
        (math.inf, r"bid\(\) returned inf; it must be"),
        ("much", r"bid\(\) returned 'much'; it must be"),
        (None, r"bid\(\) returned None; it must be"),
        (True, r"bid\(\) returned True; it must be"),
        (np.array([1.0, 2.0]), r"bid\(\) returned array"),
        (ZeroDivisionError("on purpose"), r"bid\(\) raised ZeroDivisionError: on purpose"),
        (SystemExit(0), r"bid\(\) raised SystemExit: 0"),
    ],
)
def test_a_wrong_bid_names_bidder_provider_and_task(answer: Any, message: str) -> None:
    class Wrong:
        def bid(self, view: View) -> float:
            if view.task < 2:
                return 1.0
            if isinstance(answer, BaseException):
                raise answer
            return answer  # type: ignore[no-any-return]

    with pytest.raises(RunError, match="bidder Wrong, provider 3, task 2: " + message) as caught:
        simulate("paper", "conditional", duration=9, bidders={"s3": Wrong()})
    assert "\n" not in str(caught.value)


class FailsInReset:
    def reset(self, scenario: object, rng: object) -> None:
        sys.exit(0)

    def bid(self, view: View) -> float:
        return view.value


class FailsInLearn(FailsInReset):
    def reset(self, scenario: object, rng: object) -> None:
        pass

    def learn(self, settlement: Settlement) -> None:
        raise KeyError("x")


class NoCopy(FailsInReset):
    def __deepcopy__(self, memo: object) -> NoCopy:
        raise MemoryError


def test_other_faults_of_a_bidder_are_one_sentence() -> None:
    for bidder, message in (
        (FailsInReset(), r"bidder FailsInReset: reset\(\) raised SystemExit"),
        (FailsInLearn(), r"bidder FailsInLearn: learn\(\) raised KeyError: 'x'"),
    ):
        with pytest.raises(RunError, match=message):
            simulate("paper", "conditional", duration=3, bidders={"s3": bidder})
    with pytest.raises(PolicyError, match="bidder NoCopy: a deep copy raised MemoryError"):
        simulate("paper", "conditional", duration=3, bidders={"s3": NoCopy()})
    with pytest.raises(PolicyError, match=r"bidder Notes is a class; give an instance, Notes\(\)"):
        find_bidder(Notes)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_bids() -> None:
    class Numpy:
        def bid(self, view: View) -> float:
            return np.float32(1.5)  # type: ignore[return-value]

    bids = simulate("paper", "conditional", duration=3, bidders=Numpy()).bids
    assert (bids["bid"][bids["provider"] > 0] == 1.5).all()
