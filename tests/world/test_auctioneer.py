"""Who is invited, who stands behind the stations, and what a lie or a false name earns in the world's own auction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator import Observation, Scenario, Simulation, simulate
from simulator.draws import generator
from simulator.mechanisms import ModifiedSecondBid
from simulator.plugins import find_policy
from simulator.pricing import MARKET_CONDITIONS, UAV, reset_policy
from simulator.world.auctioneer import Auction
from tests.fields import fields


def auctions(scenario: str, duration: float, **overrides: Any) -> list[Auction]:
    simulation = Simulation(Scenario.load(scenario, **overrides), duration=duration)
    found = []
    for auction in simulation:
        found.append(auction)
        simulation.settle(1.4)
    return found


@pytest.mark.parametrize("scenario", ["braunschweig", "rush_hour", "grid"])
def test_who_covers_the_vehicle_for_longer_than_the_public_prediction_is_invited(scenario: str) -> None:
    some = {True: 0, False: 0}
    for auction in auctions(scenario, 600, **fields({"stations.uplink_mhz": 5.0})):
        covered, dwell = auction.situation.covered, auction.situation.dwell_s
        assert auction.invited.tolist() == (covered & (dwell >= auction.public)).tolist()
        # The prediction is public: neither the task's size nor its link or demand is in it.
        assert (auction.public > 0).all()
        for covers, is_invited in zip(covered, auction.invited, strict=True):
            if covers:
                some[bool(is_invited)] += 1
    assert min(some.values()) > 20, "both happened: invited, and covering but too slow"


def test_of_several_uavs_the_one_with_the_best_public_prediction_stands_behind_the_stations() -> None:
    found = auctions("grid", 400)
    several = [auction for auction in found if auction.invited[:4].sum() >= 2]
    assert len(several) > 50
    for auction in several:
        invited = np.flatnonzero(auction.invited[:4])
        assert auction.uav == invited[np.argmin(auction.public[invited])]
        assert auction.market[0] == auction.public[auction.uav]
    assert len({auction.uav for auction in several}) == 4


def test_public_conditions_say_nothing_of_size_demand_or_bids() -> None:
    """Other sizes, demands and bids, same vehicles: up to the first settlement m is the same."""
    first = []
    for changed in ({}, {"tasks.demand_log_sd": 2.0}, {"stations.bidding": "shade=0.7"}, {"tasks.size_mb": [1, 90]}):
        simulation = Simulation(Scenario.load("four_way", **fields(changed)), duration=600)
        first.append(next(simulation).market.tolist())
    assert first[0] == first[1] == first[2] == first[3]


TRIALS = 1_000


@pytest.mark.parametrize("policy", ["myopic", "conditional", "constant:1.4"])
def test_no_misreport_pays_in_an_auction_as_it_is_held(policy: str) -> None:
    """On rounds of `paper`, with the policy's own price asked anew for every misreport, and its own mechanism."""
    found, scenario = find_policy(policy), Scenario.load("paper")
    reset_policy(found, scenario, generator(0, "policy"))
    mechanism = getattr(found, "mechanism", None) or ModifiedSecondBid()
    information = getattr(found, "information", "public")
    simulation = Simulation(scenario, duration=TRIALS)
    won = tried = 0
    for auction in simulation:

        def utility(offers: list[float], mine: set[int], own: float, auction: Auction = auction) -> float:
            """What one who bids under these positions gets if the winner is one of them."""
            ranking = sorted(range(len(offers)), key=lambda number: (-offers[number], number))
            bids = [offers[number] for number in ranking]
            shown = tuple(bids[1:] if information == "masked" else bids if information == "all-bids" else ())
            seen = Observation(auction.market, shown, float(auction.bid[auction.uav]), auction.contract)
            position, payment = mechanism.settle(bids, auction.contract, found.price(seen))
            return own - payment if position != UAV and ranking[position] in mine else 0.0

        values = auction.value[1:].tolist()
        for liar in range(len(values)):
            own = values[liar]
            truth = utility(values, {liar}, own)
            won += truth > 0
            for factor in (0.0, 0.5, 0.999, 1.001, 1.2, 3.0, math.inf):
                tried += 1
                lie = [own * factor if number == liar and factor < math.inf else value
                       for number, value in enumerate(values)]  # fmt: skip
                if factor == math.inf:
                    lie[liar] = 1e9
                assert utility(lie, {liar}, own) <= truth + 1e-12 * own
            if information == "public":
                for factor in (0.3, 0.99, 1.0, 1.5):
                    assert utility([*values, factor * own], {liar, len(values)}, own) <= truth + 1e-12 * own
        simulation.settle(1.4)
    assert won > TRIALS / 20
    assert tried == 7 * 5 * TRIALS


def test_the_summary_counts_the_market_conditions_once() -> None:
    columns = simulate("paper", "spa", duration=3).auctions.columns
    assert [name for name in columns if name.startswith("m_")] == [f"m_{name}" for name in MARKET_CONDITIONS]
