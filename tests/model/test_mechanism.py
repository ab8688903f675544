from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from simulator.market.mechanisms.msb import ModifiedSecondBid, MyopicSecondBid
from simulator.market.mechanisms.second_price import SecondPrice
from simulator.model import BoolArray, FloatArray
from simulator.model.mechanism import (
    contract_bid,
    critical_payment,
    price_grid,
    scaling_factor,
    station_wins,
    surplus_weights,
)
from tests.clearing import BY_UAV, CONTRACT_BID, settle

money = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
bids = st.lists(money, min_size=2, max_size=9).map(lambda values: sorted(values, reverse=True))
rhos = st.one_of(st.floats(1.0, 100.0), st.just(math.inf))


def test_contract_bid_of_the_worked_example() -> None:
    """model.md 3c: log C ~ N(-0.32, 0.8^2), log X ~ N(0, 0.4^2), v_0 = 1.2 C, v_max = C X.

    The optimum is where E[v_0 | v_max = b] = b: both are log-normal, so it solves one linear equation in logs.
    """
    mean, variance, noise = -0.32, 0.64, 0.16
    # log C given log C + log X = log b is normal: mean + w (log b - mean), variance (1 - w) * 0.64, w = .64/.80.
    weight = variance / (variance + noise)
    best = math.exp((math.log(1.2) + mean * (1 - weight) + 0.5 * variance * (1 - weight)) / (1 - weight))
    rng = np.random.default_rng(2)
    common = np.exp(rng.normal(mean, math.sqrt(variance), 1_000_000))
    top = common * np.exp(rng.normal(0.0, math.sqrt(noise), 1_000_000))

    def gain(bid: float) -> float:
        return float(np.where(top <= bid, 1.2 * common - top, 0.0).mean())

    found = contract_bid(1.2 * common, top)
    # The objective is flat about its maximum, so what it earns is told more closely than the bid.
    assert gain(found) == pytest.approx(gain(best), rel=2e-4)
    assert gain(0.8 * best) < 0.999 * gain(best)
    assert found == pytest.approx(best, rel=0.06)


@given(arrays(float, 30, elements=st.floats(0, 10)), arrays(float, 30, elements=st.floats(0, 10)), st.floats(0.5, 2.0))
def test_contract_bid_is_the_largest_maximiser(uav: FloatArray, top: FloatArray, zeta: float) -> None:
    def gain(bid: float) -> float:
        return float(np.where(top <= zeta * bid * (1 + 1e-12), zeta * uav - top, 0.0).sum())

    found = contract_bid(uav, top, zeta)
    assert all(gain(found) >= gain(other / zeta) - 1e-9 for other in top)
    assert all(gain(other / zeta) < gain(found) + 1e-9 for other in top if other / zeta > found)


def outcome(offers: FloatArray, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Winner's index (-1: BY_UAV) and payment of many MSB auctions at once, from the model's own definitions."""
    order = np.argsort(-offers, axis=1, kind="stable")
    top, second = (np.take_along_axis(offers, order[:, k : k + 1], 1)[:, 0] for k in (0, 1))
    threshold = critical_payment(second, rho)
    wins: BoolArray = np.asarray(station_wins(top, threshold))
    return np.where(wins, order[:, 0], -1).astype(float), np.where(wins, threshold, 0.0)


def test_the_trials_hold_the_auction_that_is_shipped() -> None:
    rng = np.random.default_rng(1)
    offers, rho = np.exp(rng.normal(0.0, 0.8, (3000, 4))), rng.choice([1.0, 1.3, 4.0, math.inf], 3000)
    winner, payment = outcome(offers, rho)
    for row in range(len(offers)):
        order = np.argsort(-offers[row], kind="stable")
        position, paid = settle(ModifiedSecondBid(), offers[row][order].tolist(), 0.0, float(rho[row]))
        assert winner[row] == (-1 if position == BY_UAV else order[position])
        assert (payment[row] or CONTRACT_BID) == paid


def test_no_ground_misreport_and_no_shill_ever_pays() -> None:
    """>= 1e6 trials; rho is recomputed from the bids it may see: the masked Myopic rule, and a public constant."""
    rng = np.random.default_rng(7)
    trials, stations = 1_000_000, 4
    value = np.exp(rng.normal(0.0, 0.8, (trials, stations)))
    liar = rng.integers(stations, size=trials)
    rows = np.arange(trials)
    own = value[rows, liar]
    uav = np.exp(rng.normal(0.0, 0.8, trials))
    lie, shill = value.copy(), np.concatenate([value, own[:, None] * rng.uniform(0, 2, (trials, 1))], axis=1)
    lie[rows, liar] = own * rng.choice([0.0, 0.5, 0.9, 0.999, 1.001, 1.1, 2.0, 10.0], trials)

    def masked(offers: FloatArray) -> FloatArray:
        return np.maximum(1.0, uav / np.sort(offers, axis=1)[:, -2])

    def public(offers: FloatArray) -> FloatArray:
        return np.full(len(offers), 1.4)

    def utility(offers: FloatArray, rho: FloatArray) -> FloatArray:
        winner, payment = outcome(offers, rho)
        return np.where(winner == liar, own - payment, 0.0)

    for rule in (masked, public):
        truth = utility(value, rule(value))
        # The quotient may round by a last place, so a gain of 1e-12 of the value is none.
        assert np.all(utility(lie, rule(lie)) <= truth + 1e-12 * own)
        assert truth.max() > 0.5
        assert np.mean(truth > 0) > 0.1
    # A shill that wins pays for its owner, who gets the task at that price: under a public price it never pays.
    winner, payment = outcome(shill, public(shill))
    with_shill = np.where((winner == liar) | (winner == stations), own - payment, 0.0)
    assert np.all(with_shill <= utility(value, public(value)) + 1e-12 * own)


def test_a_price_that_sees_the_top_bid_can_be_gamed() -> None:
    """model.md section 5: N = 2, v = (1.0, 0.5), E[v_0] = 1.2; the best rho is 1 if b_(1) >= 1.2, else large."""

    def utility(bid: float) -> float:
        rho = 1.0 if bid >= 1.2 else 8.9
        winner, payment = outcome(np.array([[bid, 0.5]]), np.array([rho]))
        return 1.0 - float(payment[0]) if winner[0] == 0 else 0.0

    assert utility(1.0) == 0.0
    assert utility(1.25) == 0.5


@settings(deadline=None)
@given(bids, rhos, st.floats(0, 1e6))
def test_the_winner_pays_between_the_second_bid_and_its_own(offers: list[float], rho: float, uav: float) -> None:
    winner, payment = settle(ModifiedSecondBid(), offers, uav, rho)
    if winner == BY_UAV:
        assert not offers[0] > rho * offers[1]
        assert payment == CONTRACT_BID
    else:
        assert winner == 0
        assert offers[1] <= payment <= offers[0]


@settings(deadline=None)
@given(bids, st.floats(1.0, 100.0), st.floats(0, 1e6), st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_scaling_all_ground_bids_scales_payments(offers: list[float], rho: float, uav: float, scale: float) -> None:
    winner, payment = settle(ModifiedSecondBid(), offers, uav, rho)
    scaled_winner, scaled_payment = settle(ModifiedSecondBid(), [scale * bid for bid in offers], uav, rho)
    assert scaled_winner == winner
    assert scaled_payment == (payment if winner == BY_UAV else pytest.approx(scale * payment))


@pytest.mark.parametrize(
    ("offers", "rho"), [([1.0, 1.0], 1.0), ([2.0, 1.0], 2.0), ([2.0, 1.0], math.inf), ([0, 0], 1.0)]
)
def test_ties_and_infinity_go_to_the_uav(offers: list[float], rho: float) -> None:
    assert settle(ModifiedSecondBid(), offers, 0.7, rho) == (BY_UAV, CONTRACT_BID)


def test_infinity_times_a_zero_second_bid_goes_to_the_uav() -> None:
    assert settle(ModifiedSecondBid(), [1.0, 0.0], 0.3, math.inf)[0] == BY_UAV


def test_the_literal_rule_differs_where_the_uav_outbids_the_second() -> None:
    rule = ModifiedSecondBid(uav_bid="reported")
    assert settle(rule, [1.5, 1.0], 1.2, 1.3) == (0, 1.3)
    assert settle(rule, [1.5, 1.0], 1.2, 1.3, reference="all") == (BY_UAV, CONTRACT_BID)
    # Where the UAV bids less than the second, both are the same.
    assert settle(rule, [1.5, 1.0], 0.9, 1.3) == settle(rule, [1.5, 1.0], 0.9, 1.3, reference="all") == (0, 1.3)
    # And its price does not scale with the ground bids: that is its adverse selection.
    assert settle(rule, [3.0, 2.0], 1.2, 1.3, reference="all")[0] == 0


@settings(deadline=None)
@given(bids, st.floats(0, 1e6))
def test_myopic_picks_the_winners_of_a_second_price_auction_with_the_same_uav_bid(
    offers: list[float], uav: float
) -> None:
    myopic = settle(MyopicSecondBid(uav_bid="reported"), offers, uav)
    spa = settle(SecondPrice(), offers, uav)
    if offers[0] > offers[1]:  # two stations that tie: MSB gives the task to the UAV, a second-price auction does not
        assert myopic[0] == spa[0]
    if myopic[0] == 0:
        assert myopic[1] == spa[1] == max(uav, offers[1])
    elif offers[0] > offers[1]:
        assert myopic[1] == spa[1] == offers[0], "the UAV pays the least word with which it would have won"


def test_ties_of_a_second_price_auction() -> None:
    assert settle(SecondPrice(), [2.0, 2.0], 0.5) == (0, 2.0)
    assert settle(SecondPrice(), [2.0, 1.0], 2.0) == (BY_UAV, 2.0)


def test_the_surplus_weighs_a_uav_with_zeta() -> None:
    assert surplus_weights(np.array([True, False, True]), 0.1).tolist() == [0.1, 1.0, 0.1]


def test_the_price_grid_starts_at_one_and_ends_below_ten() -> None:
    grid = price_grid(20)
    assert grid[0] == 1.0
    assert round(float(grid[-1]), 1) == 8.9
    assert np.allclose(grid[1:] / grid[:-1], 10 ** (1 / 20))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_scaling_factor_is_at_least_one(uav: float, second: float) -> None:
    assert scaling_factor(uav, second) >= 1.0
