"""The radio map: the paper-like models, those with a link budget, and what the tables let a reader recompute."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

import numpy as np
import pytest

from simulator import Scenario, ScenarioError, simulate
from simulator.draws import Draws
from simulator.model import FloatArray, IntArray
from simulator.model.latency import Budget
from simulator.model.path_loss import sight_in_streets, street_canyon_db
from simulator.providers.fleet import Fleet
from simulator.providers.radio import radio_map
from simulator.providers.radio.contract import Antennas
from simulator.providers.radio.place_field import PlaceField
from simulator.providers.radio.radio_map import RadioMap
from simulator.providers.radio.standard import (
    AlHourani,
    MacroCell,
    MacroFromAbove,
    MicroFromAbove,
    SightedRadio,
    StreetCanyon,
)
from simulator.run import plan
from simulator.scenario import radio as radio_settings
from simulator.scenario.radio import AlHouraniRadio, UmaAvRadio, UmaRadio, UmiAvRadio, UmiRadio
from tests.fields import fields
from tests.laws import check_laws


class Map:
    """The radio map of a world, with the ratios of the uplink at one power unit."""

    def __init__(self, seed: int = 0, **overrides: Any) -> None:
        self.scenario = Scenario.load("braunschweig", **LOG_DISTANCE, **overrides)
        self.fleet = Fleet(self.scenario)
        self.equipment = self.fleet.draw_equipment(self.fleet.generators(Draws(seed), "equipment"))
        self.map = RadioMap(self.scenario, self.fleet, self.equipment, Draws(seed))

    def unit_snr(self, x: float, y: float) -> FloatArray:
        return np.asarray(self.at(x, y).snr[0])

    def at(self, x: float, y: float) -> Budget:
        """The budgets of the links to all providers."""
        return self.map.at(x, y, np.arange(self.fleet.size))


LOG_DISTANCE: dict[str, Any] = {
    "stations.radio": {"model": "distance", "snr_db": 15, "reference_m": 100, "exponent": 3, "shadowing_db": 4,
                       "spread_db": 2},
    "uavs.radio": {"model": "air", "snr_db": 20, "reference_m": 100},
}  # fmt: skip


def radio(seed: int = 0, **overrides: Any) -> Map:
    return Map(seed, **overrides)


def test_the_map_is_a_fixed_function_of_place_and_seed() -> None:
    first, again, other = radio(), radio(), radio(seed=1)
    assert np.array_equal(first.unit_snr(250, 200), again.unit_snr(250, 200))
    assert not np.array_equal(first.unit_snr(250, 200), other.unit_snr(250, 200))


def test_without_shadowing_the_snr_falls_with_distance() -> None:
    plain = radio(**{"stations.radio.shadowing_db": 0})
    fleet = plain.fleet
    x, y = 250.0, 180.0
    distance = np.hypot(fleet.x - x, fleet.y - y)[1:]
    snr = 10 * np.log10(plain.unit_snr(x, y)[1:])
    assert np.array_equal(np.argsort(distance), np.argsort(-snr))
    assert np.allclose(snr, 15.0 - 30.0 * np.log10(distance / 100.0))


def test_shadowing_has_the_stated_spread() -> None:
    shaded, plain = radio(), radio(**{"stations.radio.shadowing_db": 0})
    places = np.random.default_rng(3).uniform(-2000, 2000, (3000, 2))
    difference = np.array([10 * np.log10(shaded.unit_snr(x, y)[1:] / plain.unit_snr(x, y)[1:]) for x, y in places])
    assert abs(difference.std() - 4.0) < 0.3


def test_the_line_of_sight_loss_has_two_values_and_is_rarer_low_above_the_horizon() -> None:
    flat: dict[str, Any] = {"uavs.radio.exponent": 1e-9}
    high = radio(**flat)
    places = np.random.default_rng(4).uniform(-1, 1, (4000, 2))

    def blocked_share(reach: float) -> float:
        snr = np.array([10 * np.log10(high.unit_snr(264 + reach * x, 205 + reach * y)[0]) for x, y in places])
        assert set(np.round(snr).tolist()) <= {19.0, 0.0}
        return float((snr < 10).mean())

    # Overhead the sight is nearly always free; 45 degrees and lower it is less and less.
    near, far = blocked_share(20.0), blocked_share(600.0)
    assert near < 0.02
    assert far > 0.3


BUDGET: dict[str, Any] = {"stations.radio": {"model": "umi", "spread_db": 0}, "uavs.radio": {"model": "umi-av"}}
KINDS = ("umi", "uma", "umi-av", "uma-av", "al-hourani")


def budget(**overrides: Any) -> Map:
    found = Map.__new__(Map)
    found.scenario = Scenario.load("braunschweig", **{**BUDGET, **overrides})
    found.fleet = Fleet(found.scenario)
    found.equipment = found.fleet.draw_equipment(found.fleet.generators(Draws(0), "equipment"))
    found.map = RadioMap(found.scenario, found.fleet, found.equipment, Draws(0))
    return found


def test_noise_grows_with_the_bandwidth_and_differs_by_receiver() -> None:
    """A station hears with a noise figure of 5 dB over its uplink, a car with 9 dB over its downlink."""
    world = budget()
    up, down = 10 * np.log10(world.at(250.0, 200.0).snr)
    mhz = world.equipment.bandwidth_mhz
    # The gain and the sent power are the same both ways: only the noises differ.
    assert np.allclose(up - down, 4.0 + 10 * np.log10(mhz[1] / mhz[0]))
    quiet = budget(**{"stations.radio.noise_figure_db": 2.0}).at(250.0, 200.0).snr
    assert np.allclose(10 * np.log10(quiet[0, 1:]) - up[1:], 3.0)
    assert np.allclose(10 * np.log10(quiet[1, 1:]), down[1:])


def canyon(count: int, seed: int = 0, **settings: Any) -> StreetCanyon:
    rngs = [np.random.default_rng([seed, number]) for number in range(count)]
    return StreetCanyon(UmiRadio(**settings), Antennas(np.zeros(count), np.zeros(count), 0.0), rngs)


def test_sight_is_as_frequent_as_the_standard_says_and_loss_follows_the_state() -> None:
    stations = canyon(3000, shadowing=False)
    for metres in (30.0, 100.0, 200.0):
        seen = stations.line_of_sight(metres, 0.0, np.arange(3000))
        chance = float(sight_in_streets(np.array(metres), 36.0))
        assert abs(seen.mean() - chance) < 4 * math.sqrt(chance * (1 - chance) / 3000)
        losses = street_canyon_db(np.array(metres), 10.0, 1.5, 3.5)
        assert np.allclose(-stations.gain_db(metres, 0.0, np.arange(3000)), np.where(seen, *losses))


def test_shadowing_has_the_spread_of_the_state() -> None:
    stations = canyon(4000)
    losses, links = street_canyon_db(np.array(80.0), 10.0, 1.5, 3.5), np.arange(4000)
    seen, gain = stations.line_of_sight(80.0, 0.0, links), stations.gain_db(80.0, 0.0, links)
    for state, loss, spread in ((seen, losses[0], 4.0), (~seen, losses[1], 7.82)):
        shadow = -gain[state] - loss
        assert abs(shadow.mean()) < 4 * spread / math.sqrt(state.sum())
        assert shadow.std() == pytest.approx(spread, rel=0.08)


SHADOWINGS: list[tuple[type[SightedRadio], Any, tuple[float, float], tuple[float, float]]] = [
    (StreetCanyon, UmiRadio(), (4.0, 7.82), (10.0, 13.0)),
    (MacroCell, UmaRadio(), (4.0, 6.0), (37.0, 50.0)),
    (MicroFromAbove, UmiAvRadio(), (5.0 * math.exp(-0.5), 8.0), (10.0, 13.0)),
    (MacroFromAbove, UmaAvRadio(), (4.64 * math.exp(-0.33), 6.0), (37.0, 50.0)),
    (AlHourani, AlHouraniRadio(), (0.0, 0.0), (10.0, 13.0)),
]
"""Standard deviations, dB, and correlation lengths, m, of each model at a height of 50 m, in and out of sight."""


@pytest.mark.parametrize(("kind", "settings", "spread_db", "correlation_m"), SHADOWINGS)
def test_each_model_has_the_shadowing_of_its_table(
    kind: type[SightedRadio], settings: Any, spread_db: tuple[float, float], correlation_m: tuple[float, float]
) -> None:
    """TR 38.901, tables 7.4.1-1 and 7.5-6, and TR 36.777, table B-3."""
    radio = kind(settings, Antennas(np.zeros(1), np.zeros(1), 50.0), [np.random.default_rng(0)])
    assert radio.shadowing().spread_db == pytest.approx(spread_db)
    assert radio.shadowing().correlation_m == correlation_m


def test_al_hourani_adds_its_excess_to_free_space() -> None:
    """At 40 m on the ground and 51.5 m up, 64.0 m away at 3.5 GHz: 79.5 dB, and 1 or 20 dB more."""
    settings = AlHouraniRadio()
    radio = AlHourani(settings, Antennas(np.zeros(1), np.zeros(1), 51.5), [np.random.default_rng(0)])
    seen, hidden = radio.losses_db(np.array([40.0]))
    free = 32.45 + 20.0 * math.log10(math.hypot(40.0, 50.0)) + 20.0 * math.log10(3.5)
    assert float(seen[0]) == pytest.approx(free + settings.line_of_sight_loss_db, abs=0.01)
    assert float(hidden[0]) == pytest.approx(free + settings.blocked_loss_db, abs=0.01)


def test_state_and_shadowing_have_correlation_lengths_of_their_own() -> None:
    """exp(-d / 10 m) for the shadowing in sight, and a state that changes over 50 m."""
    rngs = [np.random.default_rng([7, number]) for number in range(6000)]
    field, everywhere = PlaceField(rngs, 10.0, "exponential"), np.arange(6000)
    here = field.at(0.0, 0.0, everywhere)
    assert abs(here.std() - 1.0) < 0.04
    for metres in (2.0, 10.0, 25.0):
        correlation = np.corrcoef(here, field.at(metres, 0.0, everywhere))[0, 1]
        assert correlation == pytest.approx(math.exp(-metres / 10.0), abs=0.05)
    stations = canyon(4000)
    state = [stations.line_of_sight(100.0, y, np.arange(4000)) for y in (0.0, 10.0, 200.0)]
    changed = [float((state[0] != other).mean()) for other in state[1:]]
    assert changed[0] < 0.4 * changed[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_makes_a_world(kind: str) -> None:
    """Each runs, is a fixed function of place and seed, and is worse far away."""
    part = "stations" if kind in ("umi", "uma") else "uavs"
    one, again = (budget(**{f"{part}.radio": {"model": kind}}) for _ in range(2))
    column = -1 if part == "stations" else 0
    assert one.at(250.0, 200.0).snr.tolist() == again.at(250.0, 200.0).snr.tolist()
    near = np.mean([one.at(float(one.fleet.x[column] + 20), y).snr[1, column] for y in np.arange(150, 250, 5.0)])
    far = np.mean([one.at(float(one.fleet.x[column] + 900), y).snr[1, column] for y in np.arange(150, 250, 5.0)])
    assert near > 3 * far
    run = simulate("braunschweig", "conditional", duration=200, **{**BUDGET, f"{part}.radio": {"model": kind}})
    assert (run.tasks["status"] == "completed").sum() > 30


@pytest.mark.parametrize("kind", [*KINDS, "distance", "air", "disturbed"])
def test_the_budget_of_a_link_does_not_depend_on_who_else_is_asked_for(kind: str) -> None:
    part = "stations" if kind in ("umi", "uma", "distance") else "uavs"
    more: dict[str, Any] = {f"{part}.radio": {"model": kind}}
    if kind in ("distance", "air"):
        more = {f"{part}.radio": LOG_DISTANCE[f"{part}.radio"]}
    if kind == "disturbed":
        more = {"stations.radio.activity": 0.4}
    world = budget(**more)
    for x, y in np.random.default_rng(1).uniform(-300, 600, (20, 2)).tolist():
        everybody = world.at(x, y)
        for few in ([0], [3], [0, 2, 5], [1, 2, 3, 4]):
            some = world.map.at(x, y, np.array(few))
            assert np.array_equal(some.snr, everybody.snr[:, few])
            if everybody.disturbed is not None:
                assert some.disturbed is not None
                assert np.array_equal(some.disturbed, everybody.disturbed[:, few])
        assert world.map.at(x, y, np.array([], dtype=np.int64)).snr.shape == (2, 0)


def test_without_activity_nobody_disturbs_and_with_it_only_those_on_the_carrier() -> None:
    assert budget().at(250.0, 200.0).disturbed is None
    everybody = budget(**{"stations.radio.activity": 0.5, "stations.radio.reuse": 1})
    some = budget(**{"stations.radio.activity": 0.5, "stations.radio.reuse": 3})
    nobody = budget(**{"stations.radio.activity": 0.5, "stations.radio.reuse": 6})
    found = [np.asarray(one.at(250.0, 200.0).disturbed, dtype=np.float64) for one in (everybody, some, nobody)]
    assert (found[0][1, 1:] > found[1][1, 1:]).all()
    assert (found[1][1, 1:] > 0.0).all()
    assert (found[2] == 0.0).all()
    assert (found[0][0] == 0.0).all(), "what vehicles send to others is left out"
    assert (found[0][:, 0] == 0.0).all(), "the UAV has a carrier of its own"
    # By hand: half the power of the five others, each over its own bandwidth, at the gain of its link.
    world, place = everybody, (250.0, 200.0)
    units, mhz = world.equipment.power_units[1:], world.equipment.bandwidth_mhz[1, 1:]
    snr = world.at(*place).snr[1, 1:]
    sent = snr * units * mhz  # the noise of each is in proportion to its bandwidth
    for own in range(6):
        others = [0.5 * sent[one] / mhz[own] * min(1.0, mhz[own] / mhz[one]) for one in range(6) if one != own]
        assert found[0][1, 1 + own] == pytest.approx(sum(others))


@pytest.mark.parametrize("more", [{}, {"stations.radio.activity": 0.3, "tasks.antenna": "cabin"}])
@pytest.mark.parametrize("scenario", ["braunschweig", "grid", "four_way"])
def test_equations_1_to_8_can_be_recomputed_from_the_tables(scenario: str, more: dict[str, Any]) -> None:
    result = simulate(scenario, "conditional", duration=400, **{**BUDGET, **fields(more)})
    # Predictions are exact with interference too.
    check_laws(result)
    tasks, bids = result.tasks.set_index("task"), result.bids
    won = bids.merge(result.tasks[["task", "provider"]], on=["task", "provider"])
    row = tasks.loc[won["task"]].reset_index()
    uav = won["provider"] < len(result.scenario.uav_names())
    for way, overhead in (("uplink", 0.08), ("downlink", 0.14)):
        efficiency = (1 - overhead) * np.minimum(0.75 * np.log2(1 + won[f"{way}_snr"]), 7.4063)
        rate = won[f"{way}_mhz"] * efficiency
        assert np.allclose(rate, won[f"{way}_mbps"])
        seconds = 8 * row["size_mb"] / rate
        done = row[f"{way}_time"].notna()
        assert np.allclose(seconds[done], row.loc[done, f"{way}_time"])
    gigabits = 8e-3 * row["size_mb"]
    for name, seconds in (
        ("gpu", gigabits * row["gpu_per_bit"] / won["gpu_units"]),
        ("cpu", gigabits / won["cpu_units"]),
    ):
        done = row[f"{name}_time"].notna()
        assert np.allclose(seconds[done], row.loc[done, f"{name}_time"])
    assert np.allclose(won["match_value"], 0.1 / (1 - np.minimum(won["accuracy"], 0.98)) ** 2)
    # Without interference the two directions share one gain: what differs are powers and noises.
    if not more:
        gain_up = won["uplink_snr"] / row["power_units"] * won["uplink_mhz"] * 10**0.5
        gain_down = won["downlink_snr"] / won["power_units"] * won["downlink_mhz"] * 10**0.9
        assert np.allclose(gain_up, gain_down)
        assert uav.any()
        assert (~uav).any()


@pytest.mark.parametrize("altitude_m", [10.0, 22.5, 300.5])
def test_an_altitude_that_the_tables_do_not_have_is_refused(altitude_m: float) -> None:
    with pytest.raises(ScenarioError, match=r"uavs\.altitude_m: must be above 22\.5 and at most 300 for .* umi-av"):
        budget(**fields({"uavs.altitude_m": altitude_m}))
    budget(**fields({"uavs.altitude_m": altitude_m, "uavs.radio": {"model": "al-hourani"}}))


def test_rates_without_a_modem_are_shannons() -> None:
    bids = simulate("paper", "conditional", duration=50).bids
    for way in ("uplink", "downlink"):
        assert np.allclose(bids[f"{way}_mbps"], bids[f"{way}_mhz"] * np.log2(1 + bids[f"{way}_snr"]))


def test_an_antenna_in_the_cabin_costs_both_directions_the_same_for_a_vehicle() -> None:
    roof, cabin, metal = (
        simulate("grid", "always-uav", duration=300, **{**BUDGET, **fields({"tasks.antenna": where})}).bids
        for where in ("roof", "cabin", "metallised")
    )
    keys = ["task", "provider"]
    for other, mean in ((cabin, 9.0), (metal, 20.0)):
        both = roof.merge(other, on=keys, suffixes=("", "_other"))
        assert len(both) > 300
        loss: list[Any] = [
            10 * np.log10(both[f"{way}_snr"] / both[f"{way}_snr_other"]) for way in ("uplink", "downlink")
        ]
        assert np.allclose(loss[0], loss[1])
        by_task = loss[0].groupby(both["task"])
        assert (by_task.max() - by_task.min() < 1e-9).all(), "one car, one loss"
        assert by_task.mean().mean() == pytest.approx(mean, abs=1.5)
        assert 3.0 < by_task.mean().std() < 7.0


def test_along_the_path_the_downlink_has_the_gain_of_its_own_place() -> None:
    """Stations 10 m high along a straight road, no shadowing: the loss follows from where the vehicle is by then."""
    steady = {**BUDGET, "stations.radio.shadowing": False, "stations.radio.spread_db": 0.0,
              "stations.radio.sight_correlation_m": 1e9}  # fmt: skip
    here, there = (
        simulate(
            "braunschweig", "always-ground", duration=300, **{**steady, **fields({"stations.radio.along_path": on})}
        )
        for on in (False, True)
    )
    assert here.tasks["requested"].equals(there.tasks["requested"])
    both = here.tasks.merge(there.tasks, on=["task", "provider"], suffixes=("", "_along"))
    ended = both[["downlink_time", "downlink_time_along"]].notna().all(axis=1) & (both["provider"] > 0)
    assert np.allclose(both.loc[ended, "uplink_time"], both.loc[ended, "uplink_time_along"])
    moved = both.loc[ended, "downlink_time_along"] / both.loc[ended, "downlink_time"]
    assert (abs(moved - 1.0) > 0.02).mean() > 0.3
    # Bidders predict by the place of the request, so their predictions are not exact any more.
    bids = there.bids.merge(there.tasks[["task", "provider", "latency"]], on=["task", "provider"]).dropna()
    assert not np.allclose(bids["predicted_latency"], bids["latency"])


def test_along_the_path_a_replayed_run_has_the_tables_of_one_by_itself() -> None:
    """Behind the next stop line the path is not known at the award, in a run as little as in a replay."""
    along: dict[str, Any] = {
        "stations.radio.along_path": True,
        "uavs.radio.along_path": True,
        "tasks.size_mb": [20, 40],
    }
    planned = plan("grid", "always-ground", duration=300, **along)
    alone, replayed = planned.run(), planned.run(demand=planned.demand(2**30))
    assert alone.tasks.equals(replayed.tasks)
    assert alone.auctions.equals(replayed.auctions)


@pytest.mark.parametrize(("kind", "model"), [("stations", "umi-av"), ("stations", "al-hourani"), ("UAVs", "umi")])
def test_a_model_for_the_other_kind_of_provider_is_refused(kind: str, model: str) -> None:
    with pytest.raises(ScenarioError, match=rf"{kind.lower()}.* must be a model of {kind}, such as .*, not {model}"):
        Scenario.load("four_way", **fields({f"{kind.lower()}.radio": {"model": model}}))


class Flat:
    """A radio model of another package: the same loss everywhere."""

    def __init__(self, settings: Any, antennas: Antennas, generators: Any) -> None:
        self.loss = np.full(len(antennas.x), float(settings.options["loss_db"]))

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        return -self.loss[links]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two radio models, one of which cannot be loaded."""
    group = "dmsb.radios"
    known = [
        *entry_points(group=group),
        EntryPoint("flat", "tests.world.test_radio:Flat", group),
        EntryPoint("broken", "tests.world.nowhere:Flat", group),
    ]

    def found(**params: Any) -> EntryPoints:
        return EntryPoints(known).select(**params)

    for module in (radio_settings, radio_map):
        monkeypatch.setattr(module, "entry_points", found)
    radio_map._model_class.cache_clear()


@pytest.mark.usefixtures("own")
def test_a_model_of_another_package_is_found_by_its_entry_point() -> None:
    settings: dict[str, Any] = {"model": "own", "name": "flat", "options": {"loss_db": 90.0}, "spread_db": 0.0}
    world = budget(**fields({"stations.radio": settings}))
    up = 10 * np.log10(world.at(250.0, 200.0).snr[0, 1:])
    assert np.allclose(up, 20.0 - 90.0 + 174.0 - 60.0 - 5.0 - 10 * np.log10(world.equipment.bandwidth_mhz[0, 1:]))
    with pytest.raises(ScenarioError, match="there is no radio model 'flta'; did you mean 'flat'"):
        budget(**fields({"stations.radio": {**settings, "name": "flta"}}))
    with pytest.raises(ScenarioError, match=r"radio model 'broken' cannot be loaded from tests\.world\.nowhere:Flat"):
        budget(**fields({"stations.radio": {**settings, "name": "broken"}}))
