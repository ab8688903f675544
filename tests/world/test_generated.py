"""Generated junctions, against queueing and traffic theory."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import simpy

from simulator import Result, Scenario, ScenarioError, simulate
from simulator.draws import Draws
from simulator.model.following import metres, time_at
from simulator.model.signals import uniform_delay, webster_delay
from simulator.providers.fleet import Fleet
from simulator.scenario.traffic import Arrivals, FourWay, GeneratedTraffic, Grid, TJunction
from simulator.traffic.arrivals import arrival_times
from simulator.traffic.contract import Crossing
from simulator.traffic.generated import GeneratedVehicles
from simulator.traffic.network import Network, road_graph
from tests.laws import check_laws
from tests.quick import quick

ONE_ROAD: dict[str, Any] = {
    "traffic.speed_sd": 0.0,
    "traffic.turning.left": 0.0,
    "traffic.turning.right": 0.0,
    "traffic.roads.arm_m": 3000.0,
}


def junction(**overrides: Any) -> Scenario:
    values: dict[str, Any] = {
        "traffic.kind": "generated",
        "stations.center": [0, 0],
        "uavs.center": [0, 0],
        **overrides,
    }
    return Scenario.load("braunschweig", **values)


def run(duration: float, **overrides: Any) -> Result:
    return simulate(junction(**overrides), "always-ground", duration=duration)


FLOWS = [(360, "even"), (540, "even"), (360, "poisson"), (540, "poisson")]


@pytest.mark.parametrize(("flow", "process"), quick([(360, "even"), (540, "poisson")], FLOWS))
@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_the_delay_in_the_world_is_the_theorys(flow: float, process: str) -> None:
    rate = flow * 0.99937  # shares no period with the cycle
    result = run(
        20_000,
        **ONE_ROAD,
        **{"traffic.arrivals.rate_per_h": {"south": rate, "west": rate}, "traffic.arrivals.process": process},
    )
    delay = result.vehicles["delay"].dropna()
    assert len(delay) > 3000
    theory = uniform_delay if process == "even" else webster_delay
    assert delay.mean() == pytest.approx(theory(rate / 3600, 60.0, 25.0, 2.0), rel=0.06 if process == "even" else 0.10)


@pytest.fixture(scope="module")
def hour() -> Result:
    return simulate(junction(**{"traffic.arrivals.rate_per_h": 560.0}), "conditional", duration=3600)


def test_laws_hold(hour: Result) -> None:
    check_laws(hour)
    assert hour.summary["asked"] > 500


def test_vehicles_drive_within_limits_and_never_jump(hour: Result) -> None:
    paths = hour.paths
    for _, way in paths.groupby("vehicle"):
        assert way["time"].is_monotonic_increasing
        step = np.hypot(way["x"].diff(), way["y"].diff())
        time = way["time"].diff()
        # Position follows from the speed that stands in the row before: that is what `speed` means.
        assert np.allclose(step[1:], (way["speed"].shift() * time)[1:], atol=1e-6)
    assert paths["speed"].between(0.0, 1.4 * 13.9).all()
    gone = hour.vehicles[hour.vehicles["left"].notna()]
    assert (gone["delay"] >= -1e-6).all()
    assert gone["distance"].between(500, 620).all()


def test_vehicles_cross_only_in_green_and_never_above_saturation_flow(hour: Result) -> None:
    events, paths = hour.events, hour.paths
    released = events[events["kind"] == "vehicle_released"]
    lanes = paths[paths["lane"].str.contains(">junction")].groupby("vehicle")["lane"].first()
    for lane, crossings in released.groupby(released["vehicle"].map(lanes))["time"]:
        assert (crossings.sort_values().diff().dropna() >= 2.0 - 1e-9).all()
        phase = 0 if str(lane).startswith(("north", "south")) else 1
        into_green = (crossings - 30.0 * phase) % 60.0
        assert into_green.between(3.0 - 1e-6, 27.0 + 1e-6).all(), "start-up lost, then to the end of the used yellow"


def test_a_queue_stands_in_its_lane_at_jam_spacing(hour: Result) -> None:
    signals = hour.signals
    red = (
        signals[(signals["group"] == "1") & (signals["state"] == "green") & (signals["time"] > 600)]["time"].iloc[0]
        - 0.01
    )
    places = []
    for _, way in hour.paths.groupby("vehicle"):
        if way["time"].iloc[0] < red < way["time"].iloc[-1]:
            now = way[way["time"] <= red].iloc[-1]
            if now["speed"] == 0 and str(now["lane"]) == "north>junction_0":
                places.append(float(now["y"]))
    assert len(places) >= 2
    gaps = np.diff(sorted(places))
    assert (gaps >= 7.5 - 1e-6).all()


def test_demand_profile_and_arrival_processes() -> None:
    rng = np.random.default_rng(1)
    profile = Arrivals(profile=((0.0, 0.0), (1000.0, 2.0), (2000.0, 0.0)))
    times = np.array(list(arrival_times(profile, 1.0, rng)))
    assert len(times) == pytest.approx(2000, abs=150)
    assert np.histogram(times, bins=4, range=(0, 2000))[0] == pytest.approx([250, 750, 750, 250], abs=100)
    constant = arrival_times(Arrivals(process="headway", min_headway_s=2.0), 0.2, rng)
    gaps = np.diff([next(constant) for _ in range(20_000)])
    assert gaps.min() >= 2.0 - 1e-9
    assert gaps.mean() == pytest.approx(5.0, rel=0.03)
    assert gaps.std() == pytest.approx(3.0, rel=0.03)
    assert list(arrival_times(Arrivals(), 0.0, rng)) == []


def test_arrivals_at_even_distances_pass_a_moment_without_any() -> None:
    still = Arrivals(process="even", profile=((0.0, 1.0), (10.0, 0.0), (20.0, 1.0)))
    times = [time for time, _ in zip(arrival_times(still, 1.0, np.random.default_rng(0)), range(8), strict=False)]
    # The integral of the profile is t - t^2 / 20 up to 10 s, which gives 5 there.
    assert times[:5] == pytest.approx([10.0 - math.sqrt(100.0 - 20.0 * done) for done in range(1, 6)], abs=1e-6)
    assert times[5] == pytest.approx(10.0 + math.sqrt(20.0))


def test_roads_in_one_direction_share_its_share() -> None:
    """Two roads lie within 45 degrees of straight on: together they have the share of straight on."""
    ends = {"west": [-200, 0], "north": [0, 200], "south": [0, -200], "up": [200, 60], "down": [200, -60]}
    edges = [{"begin": name, "end": "middle"} for name in ends]
    roads = {"layout": "edges", "nodes": {"middle": [0, 0], **ends}, "edges": edges}
    traffic = junction(**{"traffic.roads": roads}).traffic
    assert traffic.kind == "generated"
    network = Network(traffic, Fleet(junction()))
    turns = ((number + 0.5) / 1000 for number in range(1000))
    onward = Counter(road[1] for turn in turns if (road := network.next_road(("west", "middle"), turn)))
    assert onward == {"up": 300, "down": 300, "north": 200, "south": 200}


def test_no_headway_is_below_the_least_whatever_the_profile() -> None:
    rng = np.random.default_rng(2)
    steep = Arrivals(process="headway", min_headway_s=2.0, profile=((0.0, 0.1), (600.0, 5.0), (610.0, 0.1)))
    entering = arrival_times(steep, 0.2, rng)
    gaps = np.diff([next(entering) for _ in range(2000)])
    assert gaps.min() >= 2.0 - 1e-9
    # A rate of one a second leaves less than the least headway: they come at the least, and nobody is lost.
    crowded = arrival_times(Arrivals(process="headway", min_headway_s=2.0), 1.0, rng)
    assert np.allclose(np.diff([next(crowded) for _ in range(100)]), 2.0)


def test_turning_shares_are_kept() -> None:
    result = run(20_000, **{"traffic.arrivals.rate_per_h": {"south": 500.0}})
    exits = result.vehicles.loc[result.vehicles["left"].notna(), "exit"].value_counts(normalize=True)
    assert exits.to_dict() == pytest.approx({"north": 0.6, "east": 0.2, "west": 0.2}, abs=0.02)


@pytest.mark.parametrize(
    ("roads", "junctions", "ends"),
    [
        (FourWay(), 1, 4),
        (TJunction(layout="t_junction"), 1, 3),
        (Grid(layout="grid"), 9, 12),
        (Grid(layout="grid", rows=1, columns=4), 4, 10),
    ],
)
def test_layouts(roads: Any, junctions: int, ends: int) -> None:
    graph = road_graph(roads)
    assert nx.is_strongly_connected(graph)
    network = Network(GeneratedTraffic(kind="generated", roads=roads), Fleet(junction()))
    assert len(network.junctions()) == junctions
    assert len(network.entries) == ends


def test_a_grid_runs_and_a_green_wave_saves_time() -> None:
    grid: dict[str, Any] = {
        "traffic.roads.layout": "grid", "traffic.roads.rows": 1, "traffic.roads.columns": 4,
        "traffic.roads.block_m": 300.0,
        "traffic.arrivals.rate_per_h": {"west-1": 600.0}, "traffic.turning.left": 0, "traffic.turning.right": 0,
    }  # fmt: skip
    plain, wave = run(3600, **grid), run(3600, **grid, **{"traffic.signals.wave_mps": 13.0})
    check_laws(wave)
    assert plain.vehicles["tasks"].max() >= 1
    assert wave.vehicles["delay"].mean() < 0.7 * plain.vehicles["delay"].mean()


def test_an_edge_list_of_ones_own() -> None:
    roads = {
        "layout": "edges",
        "nodes": {"a": [-300, 0], "b": [0, 0], "c": [300, 50], "d": [0, -300]},
        "edges": [
            {"begin": "a", "end": "b"},
            {"begin": "b", "end": "c", "lanes": 2},
            {"begin": "d", "end": "b", "one_way": True},
        ],
    }
    result = run(1200, **{"traffic.roads": roads})
    check_laws(result)
    left = result.vehicles.dropna(subset=["left"])
    assert set(left["entry"]) == {"a", "c", "d"}
    assert set(left["exit"]) == {"a", "c"}
    with pytest.raises(ScenarioError, match=r"rate_per_h: there is no entry 'nroth'; did you mean 'north'"):
        run(60, **{"traffic.arrivals.rate_per_h": {"nroth": 600.0}})
    with pytest.raises(ScenarioError, match=r"traffic\.roads\.edges\.0\.end: there is no node 'x'"):
        junction(**{"traffic.roads": {**roads, "edges": [{"begin": "a", "end": "x"}]}})


def test_places_and_times_of_a_path_invert_each_other() -> None:
    path = [(10.0, 0.0), (20.0, 100.0), (50.0, 100.0), (60.0, 200.0)]
    assert [metres(path, now) for now in (10.0, 15.0, 30.0, 55.0, 60.0)] == [0.0, 50.0, 100.0, 150.0, 200.0]
    assert [time_at(path, place) for place in (0.0, 50.0, 100.0, 150.0)] == [10.0, 15.0, 20.0, 55.0]
    assert [metres(path, now) for now in (0.0, 99.0)] == [0.0, 200.0], "an end of the path before and after it"


ON_THE_WAY: dict[str, Any] = {
    "stations.count": None,
    "stations.placed": [
        {"name": "before", "x": 0, "y": -250, "radius_m": 60},
        {"name": "around", "x": 0, "y": -100, "radius_m": 150},
        {"name": "behind", "x": 0, "y": 150, "radius_m": 60},
    ],
    "uavs.center": [0, 0],
    "uavs.radius_m": 1000,
    "traffic.speed_sd": 0.0,
    "traffic.turning.left": 0.0,
    "traffic.turning.right": 0.0,
    "traffic.arrivals.rate_per_h": {"south": 70},
    "traffic.arrivals.process": "even",
}


def crossings(duration: float, **overrides: Any) -> tuple[GeneratedVehicles, list[tuple[int, Crossing]]]:
    """What vehicles ask for on their way, without a market."""
    scenario, env = Scenario.load("four_way", **overrides), simpy.Environment()
    found: list[tuple[int, Crossing]] = []
    assert isinstance(scenario.traffic, GeneratedTraffic)
    vehicles = GeneratedVehicles(env, scenario.traffic, Fleet(scenario), Draws(0))
    vehicles.start(lambda vehicle, _, crossing: found.append((vehicle, crossing)))
    env.run(until=duration)
    return vehicles, found


def test_expected_dwell_by_hand_before_a_red_a_green_and_the_edge_of_the_map() -> None:
    """Covered road at free speed, the plan's wait for a free-flow arrival, and straight on beyond the map (3i, 3k)."""
    _, found = crossings(3600.0, **ON_THE_WAY)
    lane, speed, line = 1.6, 13.9, -8.2  # half a lane to the right; the stop line is a lane and 5 m before the centre
    reach = {radius: math.sqrt(radius**2 - lane**2) for radius in (60.0, 150.0, 1000.0)}
    waits = []
    for _, crossing in found:
        if crossing.station == 1:
            here = -250.0 + reach[60.0]
            arrival = crossing.time + (line - here) / speed
            into = arrival % 60.0
            # Green for north and south from 0 to 25; two seconds are lost, half a headway later the first one crosses,
            # and two seconds of yellow are used.
            wait = 3.0 - into if into < 3.0 else 0.0 if into <= 27.0 else 63.0 - into
            waits.append(wait)
            assert crossing.providers.tolist() == [0, 2]
            around = (line - here) / speed + wait + (-100.0 + reach[150.0] - line) / speed
            above = (line - here) / speed + wait + (300.0 - line) / speed + (reach[1000.0] - 300.0) / speed
            assert crossing.dwell_s.tolist() == pytest.approx([above, around])
        if crossing.station == 3:
            assert crossing.dwell_s[0] == pytest.approx((reach[1000.0] - 150.0 - reach[60.0]) / speed)
    assert min(waits) == 0.0
    assert max(waits) > 20.0


@pytest.mark.parametrize(
    ("scenario", "changed"),
    [("four_way", {"stations.radius_m": 170.0, "traffic.roads.lanes": 2}), ("grid", {}), ("t_junction", {})],
)
def test_coverage_and_attachment_are_where_the_vehicle_is(scenario: str, changed: dict[str, Any]) -> None:
    """By brute force: along `paths`, ten samples a second, against departures and ends of coverage."""
    loaded, env = Scenario.load(scenario, **changed), simpy.Environment()
    found: list[tuple[int, Crossing]] = []
    assert isinstance(loaded.traffic, GeneratedTraffic)
    fleet = Fleet(loaded)
    vehicles = GeneratedVehicles(env, loaded.traffic, fleet, Draws(1))
    vehicles.start(lambda number, _, crossing: found.append((number, crossing)))
    env.run(until=400.0)
    rows = pd.DataFrame(vehicles.path_rows(400.0, range(vehicles.came(400.0))))
    ended = checked = 0
    for number, crossing in found[:150]:
        way = rows[rows["vehicle"] == number]
        times = np.arange(crossing.time + 0.05, float(way["time"].iloc[-1]), 0.1)
        x, y = np.interp(times, way["time"], way["x"]), np.interp(times, way["time"], way["y"])
        inside = np.hypot(x - fleet.x[:, None], y - fleet.y[:, None]) <= fleet.radius_m[:, None]
        before = (
            np.interp(crossing.time - 0.05, way["time"], way["x"]),
            np.interp(crossing.time - 0.05, way["time"], way["y"]),
        )
        distance = np.hypot(before[0] - fleet.x, before[1] - fleet.y)
        assert distance[crossing.station] < fleet.radius_m[crossing.station] + 0.1, "it was covered by what it leaves"
        for provider in crossing.providers.tolist():
            end = crossing.coverage.end(provider)
            left = np.flatnonzero(~inside[provider])
            checked += 1
            if len(left):
                ended += 1
                assert end == pytest.approx(times[left[0]], abs=0.2)
            else:
                assert end >= times[-1] - 0.2 if len(times) else True
    assert ended > 20
    assert checked > 100
