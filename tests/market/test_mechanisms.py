"""Shipped mechanisms against closed forms: by hand on a few bids, and by numpy on the tables of runs."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import Observation, PolicyError, RunError, simulate
from simulator.market.contracts import Choice, Space
from simulator.market.mechanisms.first_price import FirstPrice
from simulator.market.mechanisms.vcg_assignment import VcgAssignment
from simulator.market.mechanisms.vickrey import Vickrey
from simulator.market.plugins import find_mechanism, find_policy
from simulator.run import plan
from tests.clearing import clear, lot, platform
from tests.fields import fields
from tests.laws import check_laws

SEVERAL = fields({"uavs.count": 3, "uavs.bids_on": "value", "market.uav_weight": 0.7, "market.contract_rounds": 1000})
money = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))


def scores(bids: pd.DataFrame, auctions: pd.DataFrame, uavs: int, zeta: float) -> np.ndarray[Any, Any]:
    """Bids times weights, shape (auctions, providers); `paper` invites everybody."""
    weighted = bids["bid"].to_numpy() * np.where(bids["provider"] < uavs, zeta, 1.0)
    return np.asarray(weighted.reshape(len(auctions), -1))


def test_a_first_price_is_paid_by_the_best_score_or_nobody_is_served_at_once() -> None:
    result = simulate("paper", duration=300, mechanism="first-price:reserve=0.6", **SEVERAL)
    check_laws(result)
    auctions, ranked = result.auctions, scores(result.bids, result.auctions, 3, 0.7)
    sold = ranked.max(axis=1) >= 0.6
    assert 50 < sold.sum() < 250
    assert (auctions["winner"] == np.where(sold, ranked.argmax(axis=1), -1)).all()
    own = result.bids["bid"].to_numpy().reshape(300, -1)[np.arange(300), ranked.argmax(axis=1)]
    assert np.array_equal(auctions["paid_by_provider"], np.where(sold, own, 0.0))
    assert set(auctions["winner"]) > {0, 1, 2}, "several UAVs win"
    unsold = result.tasks[~sold]
    assert (unsold["status"] == "unserved").all()
    assert (unsold["market_wait"] == 0.0).all()
    assert not auctions["asked"].any()


def test_a_vickrey_winner_pays_the_second_score_in_its_own_money() -> None:
    result = simulate("paper", duration=300, mechanism="vickrey:reserve=0.2", **SEVERAL)
    check_laws(result)
    auctions, ranked = result.auctions, scores(result.bids, result.auctions, 3, 0.7)
    second = np.maximum(np.sort(ranked, axis=1)[:, -2], 0.2)
    sold = ranked.max(axis=1) >= 0.2
    assert (auctions["winner"] == np.where(sold, ranked.argmax(axis=1), -1)).all()
    weight = np.where(auctions["winner"] < 3, 0.7, 1.0)
    assert np.allclose(auctions["paid_by_provider"], np.where(sold, second / weight, 0.0))
    assert (auctions["winner_kind"] == "uav").sum() > 30


@settings(deadline=None)
@given(st.lists(money, min_size=1, max_size=6), st.integers(0, 3), st.sampled_from([0.5, 1.0, 2.0]), money)
def test_the_vickrey_payment_is_the_least_winning_bid(
    bids: list[float], uavs: int, zeta: float, reserve: float
) -> None:
    uavs = min(uavs, len(bids) - 1)
    on, one, rule = platform(len(bids) - uavs, uavs, zeta), lot(range(len(bids))), Vickrey(reserve)
    given_bids = {(0, provider): bid for provider, bid in enumerate(bids)}
    (award,) = clear(rule, on, [one], given_bids)
    weighted = [on.weights[provider] * bid for provider, bid in enumerate(bids)]
    if max(weighted) < reserve:
        assert award.provider is None
        return
    winner = award.provider
    assert winner == weighted.index(max(weighted)), "among equal scores the lower id"
    assert 0.0 <= award.paid_by_provider <= bids[winner] * (1 + 1e-12)
    for factor, wins in ((1 + 1e-9, True), (1 - 1e-9, False)):
        if award.paid_by_provider > 0.0:
            (other,) = clear(rule, on, [one], {**given_bids, (0, winner): factor * award.paid_by_provider})
            assert (other.provider == winner) == wins


def test_a_first_price_on_a_few_bids() -> None:
    on, one = platform(2, 2, 0.5), lot(range(4))
    bids = {(0, 0): 3.0, (0, 1): 1.0, (0, 2): 1.2, (0, 3): 0.5}
    assert clear(FirstPrice(), on, [one], bids)[0][1:3] == (0, 3.0), "the UAV's score 1.5 beats 1.2"
    assert clear(FirstPrice(reserve=1.6), on, [one], bids)[0].provider is None
    assert clear(FirstPrice(), on, [one], {**bids, (0, 0): 2.0})[0][1:3] == (2, 1.2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("first-price:reserve=-1", "reserve must be a finite number >= 0, not -1"),
        ("vickrey:reserve=inf", "reserve must be a finite number >= 0, not inf"),
        ("vickrey:reserve=true", "reserve must be a valid number, not True"),
        ("vcg-assignment:0", "every_s must be a number of seconds above 0, not 0"),
        ("vcg-assignment:every_s=1e9", "every_s must be a number of seconds above 0"),
        ("direct:1", "it takes no parameter"),
    ],
)
def test_wrong_arguments_of_a_mechanism(spec: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        find_mechanism(spec)


def best_sum(table: np.ndarray[Any, Any]) -> float:
    """The best sum of scores of one lot per provider and one provider per lot, over all permutations."""
    lots, providers = table.shape
    size = max(lots, providers)
    square = np.zeros((size, size))
    square[:lots, :providers] = table
    return max(float(square[range(size), order].sum()) for order in permutations(range(size)))


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, float, dict[int, dict[int, float]]]:
    """Number of UAVs, zeta, and the bids of each lot by provider; not every provider is invited to every lot."""
    lots, providers = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    uavs = draw(st.integers(0, providers - 1))
    some = st.sets(st.integers(0, providers - 1), min_size=1)
    bids = {task: {one: draw(money) for one in sorted(draw(some))} for task in range(lots)}
    return uavs, draw(st.sampled_from([0.5, 1.0, 2.0])), bids | {-1: dict.fromkeys(range(providers), 0.0)}


@settings(max_examples=150, deadline=None)
@given(batches())
def test_the_assignment_is_the_best_and_each_pays_what_its_presence_costs_the_others(
    batch: tuple[int, float, dict[int, dict[int, float]]],
) -> None:
    pytest.importorskip("scipy", reason="needs the extra study: pip install 'dmsb[study]'")
    uavs, zeta, by_task = batch
    providers = len(by_task.pop(-1))
    on = platform(providers - uavs, uavs, zeta)
    lots = [lot(sorted(bids), task) for task, bids in by_task.items()]
    flat = {(task, one): bid for task, bids in by_task.items() for one, bid in bids.items()}
    awards = clear(VcgAssignment(), on, lots, flat)
    table = np.zeros((len(lots), providers))
    for (task, one), bid in flat.items():
        table[task, one] = on.weights[one] * bid
    winners = [award.provider for award in awards]
    assert len(set(winners)) == len(winners), "nobody wins twice in a window"
    assert len({award.lot.task for award in awards}) == len(awards)
    total = best_sum(table)
    scale = max(total, 1.0)
    assert sum(table[award.lot.task, award.provider] for award in awards) == pytest.approx(total, abs=1e-9 * scale)
    for award in awards:
        provider = award.provider
        assert provider is not None
        assert provider in award.lot.invited
        without = table.copy()
        without[:, provider] = 0.0
        clarke = best_sum(without) - (total - table[award.lot.task, provider])
        assert award.paid_by_provider * on.weights[provider] == pytest.approx(clarke, abs=1e-9 * scale)
        assert 0.0 <= award.paid_by_provider <= flat[award.lot.task, provider] * (1 + 1e-9) + 1e-9, (
            "individually rational"
        )


class Records:
    """Chooses the first allowed provider, and keeps what it saw."""

    def reset(self, scenario: object, rng: object) -> None:
        self.seen: list[Observation] = []

    def act(self, observation: Observation, space: Space) -> int:
        assert isinstance(space, Choice)
        assert observation.mask is not None
        assert len(observation.mask) == space.n
        self.seen.append(observation)
        return int(np.flatnonzero(observation.mask)[0])


def test_the_nearest_provider_is_the_one_that_geometry_says() -> None:
    result = simulate("grid", "nearest", duration=300)
    check_laws(result)
    assert result.run["mechanism"] == "direct"
    providers, bids = result.providers, result.bids
    planned = plan("grid", "nearest", duration=300)
    simulation, policy, places = planned.simulation(), planned.new_policy(), {}
    for decision in simulation:
        (auction,) = decision.auctions
        places[auction.task.id] = auction.lot.place
        simulation.answer(policy.act(decision.observation, decision.place.space))  # type: ignore[attr-defined]
    place = np.array([places[task] for task in bids["task"]])
    there = providers.set_index("provider").loc[bids["provider"], ["x", "y"]].to_numpy()
    distance = np.hypot(*(place - there).T)
    nearest = bids.assign(distance=distance).sort_values(["task", "distance"]).groupby("task")["provider"].first()
    served = result.auctions.set_index("task").loc[nearest.index, "winner"]
    assert len(served) > 100
    assert (served == nearest).all()
    assert (result.auctions[["paid_by_provider", "paid_by_vehicle", "messages"]] == 0.0).all(axis=None)
    assert bids["bid"].isna().all()
    assert result.decisions["action"].tolist() == served.tolist()


def test_the_least_loaded_provider_is_the_one_whose_accepted_tasks_end_first() -> None:
    result = simulate("rush_hour", "least-loaded", duration=1200, **fields({"stations.uplink_mhz": 3.0}))
    check_laws(result)
    tasks, auctions = result.tasks, result.auctions
    busy = 0
    for row in auctions[auctions["winner"] >= 0].iloc[:400].itertuples():
        invited = result.bids.loc[result.bids["task"] == row.task, "provider"].to_numpy()
        before = tasks[(tasks["task"] < row.task) & (tasks["provider"] >= 0)]
        if before["finished"].isna().any():
            continue
        ends = before.groupby("provider")["finished"].max().reindex(invited, fill_value=0.0).to_numpy()
        backlog = np.maximum(ends - row.time, 0.0)
        assert backlog[invited == row.winner] == pytest.approx(backlog.min(), abs=1e-9)
        busy += backlog.min() > 0.0
    assert busy > 5, "somebody had to wait"


def test_nearest_without_places_is_the_first_and_a_mask_is_held() -> None:
    assert (simulate("paper", "nearest", duration=20).auctions["winner"] == 0).all()

    class Forbidden:
        def act(self, observation: Observation, space: Space) -> int:
            assert observation.mask is not None
            return observation.mask.index(False) if False in observation.mask else space.n  # type: ignore[union-attr]

    for scenario in ("paper", "four_way"):
        with pytest.raises(RunError, match=r"policy Forbidden, auction of task \d+: act\(\) returned \d+; it must be"):
            simulate(scenario, Forbidden(), duration=300, mechanism="direct")
    for wrong in (1.5, True, "s1", None):

        class Wrong:
            answer: Any = wrong

            def act(self, observation: Observation, space: Space) -> int:
                return self.answer  # type: ignore[no-any-return]

        with pytest.raises(RunError, match=r"policy Wrong, auction of task 0: act\(\) returned"):
            simulate("paper", Wrong(), duration=3, mechanism="direct")


def test_what_a_choosing_policy_sees() -> None:
    planned = plan("four_way", Records(), duration=400, mechanism="direct")
    simulation, policy = planned.simulation(), planned.new_policy()
    for decision in simulation:
        (auction,) = decision.auctions
        state, mask = decision.observation.state, decision.observation.mask
        assert mask is not None
        allowed = np.flatnonzero(mask)
        assert tuple(allowed) == auction.lot.invited
        assert np.array_equal(state["predicted_s"][allowed], auction.public[auction.invited])
        assert (state["backlog_s"][allowed] >= 0.0).all()
        for name in ("predicted_s", "backlog_s"):
            assert np.isnan(np.delete(state[name], allowed)).all(), "nothing is shown of those who are not invited"
        assert np.isfinite(state["distance_m"]).all()
        assert decision.observation.bids == ()
        simulation.answer(policy.act(decision.observation, decision.place.space))  # type: ignore[attr-defined]
    assert len(policy.seen) > 30  # type: ignore[attr-defined]
    assert simulation.tables().decisions()["seat"].unique().tolist() == ["controller"]


@pytest.mark.parametrize(
    ("policy", "mechanism", "message"),
    [
        (
            "conditional",
            "vickrey",
            "vickrey has no seat for policy conditional; mechanisms for this policy: msb, myopic-msb",
        ),
        (
            "conditional",
            "direct",
            "'controller' sets a provider, but .* sets a price; .*; policies for this mechanism: least-loaded, nearest",
        ),
        (Records(), "msb", "the policy in the seat 'auctioneer' sets a price, but policy Records sets a provider"),
        ("gpt", "msb", "but policy gpt sets a number; mechanisms for this policy: double-dutch, madda; policies for"),
        ("conditional", "madda", "madda: .* sets a number, .*; policies for this mechanism: .*fixed-step, gap-step"),
        ("nearest", "vickrey", "policy nearest brings its own mechanism, direct"),
    ],
)
def test_a_policy_without_a_seat_is_refused_in_one_sentence(policy: Any, mechanism: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        simulate("paper", policy, duration=3, mechanism=mechanism)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("find", "name", "message"),
    [
        (find_mechanism, "spa", "there is no mechanism 'spa'; it is the name of a policy"),
        (find_policy, "vickrey", "there is no policy 'vickrey'; it is the name of a mechanism"),
        (find_policy, "shade", "there is no policy 'shade'; it is the name of a bidder"),
        (find_policy, "constant", "policy 'constant': rho is missing, as in constant:rho=VALUE"),
        (find_policy, "sb3", "policy 'sb3': path is missing, as in sb3:path=VALUE"),
        (find_mechanism, "vcg", "there is no mechanism 'vcg' .*; did you mean 'vcg-assignment'"),
    ],
)
def test_a_name_of_another_kind_or_without_what_it_needs(find: Any, name: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        find(name)


def test_a_task_whose_window_is_not_over_waits() -> None:
    """It has no provider yet, so it is not served, and not unserved."""
    found = simulate("four_way", duration=200, mechanism="double-dutch:every_s=10")
    waiting = found.auctions["unserved_reason"] == "waiting"
    assert waiting.any()
    assert (found.tasks.loc[waiting, "status"] == "open").all()
    assert (found.auctions.loc[waiting, "winner"] == -1).all()


def test_without_a_policy_it_is_conditional_or_nobody() -> None:
    assert simulate("paper", duration=5).run["policy"] == "conditional"
    assert simulate("paper", duration=5, mechanism="myopic-msb").run["policy"] == "random"
    assert simulate("four_way", duration=60, mechanism="direct").run["policy"] == "nearest"
    alone = simulate("paper", duration=5, mechanism="vickrey")
    assert alone.run["policy"] == "none"
    assert len(alone.decisions) == 0
    in_scenario = simulate("paper", duration=5, **fields({"market.mechanism": "vickrey"}))
    pd.testing.assert_frame_equal(in_scenario.auctions, alone.auctions)
