"""What a provider draws is its own: it depends on the seed and its name, and on no other provider."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import simpy
from hypothesis import given, strategies as st

from simulator import Scenario, simulate
from simulator.draws import Draws
from simulator.market.requests import LINK_BYTES, VEHICLES_PER_BLOCK, RequestDraws
from simulator.providers.fleet import Fleet
from simulator.providers.kept import Kept
from simulator.providers.radio.radio_map import RadioMap
from simulator.world.demand import Arrival, JunctionDemand
from simulator.world.rounds import draw_rounds
from tests.fields import fields

PLACES = [
    {"name": "north", "x": 0.0, "y": 220.0},
    {"name": "east", "x": 220.0, "y": 0.0},
    {"name": "south", "x": 0.0, "y": -220.0},
]
ONE_MORE = {"name": "middle", "x": 40.0, "y": 40.0}


def arrivals(scenario: Scenario, duration: float = 400.0, seed: int = 3) -> list[Arrival]:
    env, found = simpy.Environment(), list[Arrival]()
    JunctionDemand(scenario, Draws(seed)).start(env, found.append)
    env.run(until=duration)
    return found


def with_stations(places: list[dict[str, Any]], **overrides: Any) -> Scenario:
    return Scenario.load(
        "four_way",
        **fields({"stations.placed": places, "stations.count": None, "stations.radius_m": 250.0, **overrides}),
    )


@pytest.mark.parametrize("at", range(len(PLACES) + 1))
def test_one_more_station_changes_nobody_elses_draws(at: int) -> None:
    """Wherever it stands in the list: the names are the keys, not the positions."""
    few = with_stations(PLACES)
    many = with_stations([*PLACES[:at], ONE_MORE, *PLACES[at:]])
    ids = [Fleet(many).names.index(name) for name in Fleet(few).names]
    assert few.station_names() != many.station_names()[: len(PLACES)] or at == len(PLACES)
    # The vehicles do not know of providers; their requests come where they leave the coverage of their station. So
    # those requests are compared that both worlds have.
    one, two = ({(a.vehicle, a.request): a for a in arrivals(scenario)} for scenario in (few, many))
    both = [(one[key], two[key]) for key in one.keys() & two.keys()]
    assert len(both) > 20
    drawn = compared = 0
    for before, after in both:
        assert (before.requests.size_mb == after.requests.size_mb).all()
        assert (before.requests.demand == after.requests.demand).all()
        theirs = {one: column for column, one in enumerate(after.providers.tolist())}
        for column, number in enumerate(before.providers.tolist()):
            other = theirs.get(ids[number])
            if other is None:
                continue
            drawn += 1
            assert before.match[column] == after.match[other]
            if before.place == after.place:
                compared += 1
                assert (before.times[:, 0, column] == after.times[:, 0, other]).all(), "equipment, radio and fading"
    assert drawn > 20
    assert compared > 20


def test_stations_that_cover_nothing_change_nothing() -> None:
    """Hundreds of stations elsewhere: every table has the same bytes, but for the mean over all stations."""
    places = [*PLACES, *({"name": f"far-{number}", "x": 1e5 + 900.0 * number, "y": 0.0} for number in range(300))]
    scenarios = [with_stations(some, **{"stations.radius_m": 320.0}) for some in (PLACES, places)]
    few, many = (simulate(scenario, "constant:1.3", duration=400) for scenario in scenarios)
    assert few.summary["asked"] > 20
    for name in ("auctions", "bids", "tasks", "events", "vehicles", "paths"):
        one, other = (getattr(run, name).drop(columns="m_ground_match", errors="ignore") for run in (few, many))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_one_more_uav_changes_no_station() -> None:
    one, two = (Scenario.load("four_way", **fields({"uavs.count": count})) for count in (1, 2))
    fleets = Fleet(one), Fleet(two)
    gear = [fleet.draw_equipment(fleet.generators(Draws(5), "equipment")) for fleet in fleets]
    here = RadioMap(one, fleets[0], gear[0], Draws(5)).at(10.0, -30.0, np.arange(fleets[0].size)).snr
    there = RadioMap(two, fleets[1], gear[1], Draws(5)).at(10.0, -30.0, np.arange(fleets[1].size)).snr
    assert (here[:, 1:] == there[:, 2:]).all()
    assert (gear[0].gpu_units[1:] == gear[1].gpu_units[2:]).all()


@given(st.integers(0, 2**62), st.integers(2, 5))
def test_rounds_are_drawn_per_provider_too(seed: int, stations: int) -> None:
    few, many = (Scenario.load("paper", **fields({"stations.count": count})) for count in (stations, stations + 1))
    one, two = (draw_rounds(scenario, Fleet(scenario), Draws(seed), "rounds", 4, 8) for scenario in (few, many))
    assert (one.requests.size_mb == two.requests.size_mb).all()
    assert (one.links.match == two.links.match[:, :-1]).all()
    assert (one.bare_times == two.bare_times[:, :, :-1]).all()
    assert (one.factor == two.factor[:, :-1]).all()
    assert (two.links.match[:, -1] != two.links.match[:, -2]).any()


def test_only_covering_providers_are_drawn() -> None:
    found = arrivals(Scenario.load("grid"), 120.0)
    assert len(found) > 50
    for arrival in found:
        several = len(arrival.providers)
        assert 1 < several < 12, "of twenty"
        assert arrival.times.shape == (5, 2, several)
        assert np.isfinite(arrival.times).all()
        assert np.isfinite(arrival.match).all()
        assert (np.diff(arrival.providers) > 0).all()


@pytest.mark.parametrize("scenario", ["four_way", "grid"])
def test_what_has_been_forgotten_is_drawn_again(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one block of requests and one place, every number is what it is with room for all."""
    roomy = arrivals(Scenario.load(scenario), 300.0)
    for name in ("BLOCK_BYTES", "PROVIDER_BYTES"):
        monkeypatch.setattr(f"simulator.market.requests.{name}", 1)
    for module in ("simulator.world.demand", "simulator.providers.radio.radio_map"):
        monkeypatch.setattr(f"{module}.PLACES_BYTES", 1)
    tight = arrivals(Scenario.load(scenario), 300.0)
    assert len(tight) == len(roomy) > 50
    for one, other in zip(roomy, tight, strict=True):
        for name in ("providers", "times", "accuracy", "match", "snr"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 40))
def test_what_is_kept_is_never_more_than_is_allowed(calls: list[int], most: int) -> None:
    """Each result takes as many bytes as its key says; the oldest go first, and the newest stays in any case."""
    made = list[int]()

    def make(key: int) -> int:
        made.append(key)
        return key

    kept = Kept(make, lambda result: result, most)
    held: list[int] = []
    for key in calls:
        before = len(made)
        assert kept(key) == key
        if key in held:
            assert len(made) == before, "it is there and is not made again"
            continue
        held.append(key)
        while sum(held) > most and len(held) > 1:
            held.pop(0)
        assert made[before:] == [key]
        assert kept.bytes == sum(held)


def test_requests_hold_no_more_than_is_allowed() -> None:
    """With room for three blocks with two links each, no more are there, and what is counted is what is there."""
    scenario = Scenario.load("grid")
    fleet = Fleet(scenario)
    draws = Draws(0)
    requests = RequestDraws(scenario, fleet, fleet.draw_equipment(fleet.generators(draws, "equipment")), draws)
    requests.of(0, 0, np.array([0, 1]))
    (block,) = requests._blocks.values()
    room = 3 * (block.requests.bytes + 2 * LINK_BYTES)
    requests._most_bytes = room
    for vehicle in range(0, 20 * VEHICLES_PER_BLOCK, VEHICLES_PER_BLOCK // 2):
        requests.of(vehicle, 0, np.array([0, 1]))
        held = sum(block.requests.bytes + LINK_BYTES * len(block.links) for block in requests._blocks.values())
        assert requests._bytes == held <= room
    assert len(requests._blocks) == 3


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_a_failure_belongs_to_its_provider() -> None:
    """One more station in front of the others leaves their failures where they are."""
    failures = [{"provider": "stations", "mean_between_s": 100, "mean_repair_s": 30}]

    def out(places: list[dict[str, Any]]) -> dict[str, list[float]]:
        events = simulate(with_stations(places, **{"outages.failures": failures}), "always-uav", duration=600).events
        names = ["u1", *(place["name"] for place in places)]
        gone = events[events["kind"] == "provider_out"]
        return {name: gone.loc[gone["provider"] == number, "time"].tolist() for number, name in enumerate(names)}

    few, many = out(PLACES), out([ONE_MORE, *PLACES])
    assert {name: many[name] for name in few} == few
    assert sum(map(len, few.values())) > 5
