from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import EmptyMarketWarning, Result, simulate
from simulator.model.mechanism import contract_bid
from simulator.record.schema import TABLES
from simulator.record.summary import SUMMARY
from simulator.scenario.shipped import shipped_scenarios
from tests.fields import fields
from tests.laws import check_laws
from tests.quick import quick
from tests.world.traffic_frames import wandering

POLICIES = [
    "random", "greedy", "constant:1.3", "spa", "myopic", "optimal", "conditional", "oracle",
    "always-uav", "always-ground", "nearest", "least-loaded",
]  # fmt: skip
MECHANISMS = ["first-price:reserve=0.3", "vickrey", "vcg-assignment:every_s=3"]


ALL = [(scenario, policy) for scenario in shipped_scenarios() for policy in POLICIES]
# A price and a choice in every scenario, and every policy in one with places and in one without.
FIRST = {(one, policy) for one, policy in ALL if policy in ("random", "nearest") or one in ("four_way", "paper")}


@pytest.mark.parametrize(("scenario", "policy"), quick(FIRST, ALL))
def test_the_laws_hold_on_every_scenario_under_every_policy(scenario: str, policy: str) -> None:
    check_laws(simulate(scenario, policy, seed=3, duration=600))


WITH_MECHANISMS = [(scenario, mechanism) for scenario in shipped_scenarios() for mechanism in MECHANISMS]


@pytest.mark.parametrize(
    ("scenario", "mechanism"),
    quick({one for one in WITH_MECHANISMS if one[0] in ("four_way", "paper", "after_the_match")}, WITH_MECHANISMS),
)
def test_the_laws_hold_on_every_scenario_under_every_mechanism(scenario: str, mechanism: str) -> None:
    check_laws(simulate(scenario, seed=3, duration=601, mechanism=mechanism))


def random_world(rng: np.random.Generator) -> dict[str, Any]:
    """Overrides of `braunschweig`: sparse or dense, fast or overloaded, with or without UAVs."""

    def one(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    return {
        "stations.count": one(5, 6, 7, 3, 2, 1),
        "stations.center": [0, 0],
        "stations.ring_m": one(100.0, 130.0, 0.0, 180.0),
        "stations.radius_m": one(140.0, 170.0, 200.0, 70.0),
        "stations.uplink_mhz": one(40.0, 40.0, 5.0),
        "stations.bidding": one("truthful", "shade:0.9", "shade:1.5", "exp3", "patient"),
        "stations.accuracy.pixels": one(None, 1000),
        "uavs.count": one(1, 2, 0),
        "uavs.center": [0, 0],
        "uavs.ring_m": one(0.0, 80.0),
        "uavs.radius_m": one(300.0, 200.0, 120.0),
        "uavs.gpu_units": one(1.0, 0.05),
        "tasks.kinds.entertainment_3d.deadline_s": one(None, 2.0, 6.0),
        "tasks.size_mb": one([20, 40], [1, 2], 300),
        "tasks.twin_mb": one(0, 0, 20),
        "tasks.load": one(1, 1, 0.6, 2),
        "market.uav_weight": one(0.5, 1.0, 2.0),
        "market.reference": one("stations", "all", "other_owner"),
        "market.patience_s": one(10.0, 2.0),
        "market.history": int(rng.integers(1, 7)),
        "market.contract_rounds": one(50, 100_000),
        "traffic.max_gap_s": 1000,
        "outages.mode": one("lost", "wait"),
        "outages.windows": one([], *2 * [[{"provider": "stations", "from_s": 5, "to_s": 12, "every_s": 20}]]),
        "outages.failures": one([], [], [{"provider": "stations", "mean_between_s": 40, "mean_repair_s": 6}]),
    }


@pytest.mark.filterwarnings("ignore::simulator.errors.RecordingWarning")
@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_the_laws_hold_on_random_scenarios() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=80)
    @given(st.sampled_from([*POLICIES, *MECHANISMS]), st.integers(0, 2**32))
    def laws_hold(rule: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        frame = wandering(rng, int(rng.integers(1, 120)), 60, 120.0).assign(speed=10.0)
        world = random_world(rng)
        policy, mechanism = (None, rule) if rule in MECHANISMS else (rule, None)
        result = simulate("braunschweig", policy, seed, 70, mechanism=mechanism, recording=frame, **world)
        check_laws(result)
        seen.update(result.tasks["status"].astype(str).tolist())
        seen.update(asked=int(result.auctions["asked"].sum()), waited=int((result.tasks["uplink_wait"] > 0).sum()))
        seen.update(dropped=int(((result.tasks["status"] == "lost") & result.tasks["latency"].isna()).sum()))
        seen.update(paused=int((result.events["kind"] == "provider_back").sum()) * (world["outages.mode"] == "wait"))

    laws_hold()
    # The laws were tried on something: every fate of a task, waits, outages and priced auctions.
    fates = ("asked", "completed", "lost", "unserved", "open", "waited", "dropped", "paused")
    assert min(seen[what] for what in fates) >= 10, seen


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
@settings(max_examples=15)
@given(
    st.integers(1, 9), st.integers(0, 2), st.sampled_from(POLICIES), st.sampled_from([0.5, 1.0, 2.0]), st.integers(1, 5)
)
def test_the_laws_hold_on_random_rounds(stations: int, uavs: int, policy: str, zeta: float, history: int) -> None:
    overrides: dict[str, Any] = {
        "stations.count": stations,
        "uavs.count": uavs,
        "market.uav_weight": zeta,
        "market.history": history,
        "market.contract_rounds": 2000,
    }
    check_laws(simulate("paper", policy, seed=stations, duration=150, **overrides))


def test_two_policies_of_one_seed_meet_the_same_requests() -> None:
    keys = ["task", "time", "vehicle", "station_left", "demand", "size_mb"]
    for scenario in shipped_scenarios():
        one, two = (simulate(scenario, policy, seed=5, duration=450) for policy in ("always-uav", "always-ground"))
        pd.testing.assert_frame_equal(one.auctions[keys], two.auctions[keys])
        pd.testing.assert_series_equal(one.tasks["kind"], two.tasks["kind"])
        other = simulate(scenario, "always-uav", seed=6, duration=450)
        assert not one.auctions["demand"].equals(other.auctions["demand"].reindex(one.auctions.index))


def test_bare_stage_times_do_not_depend_on_prices() -> None:
    """Gains and accuracies of a request are drawn for all providers, whoever wins."""
    one, two = (simulate("paper", policy, seed=5, duration=300) for policy in ("always-uav", "always-ground"))
    columns = ["task", "provider", "value", "common_value", "match_value", "predicted_latency"]
    pd.testing.assert_frame_equal(one.bids[columns], two.bids[columns])


@pytest.mark.parametrize("more", [{"stations.count": 9}, {"uavs.count": 2}])
def test_one_more_provider_leaves_the_draws_of_the_others(more: dict[str, Any]) -> None:
    few, many = simulate("paper", "always-uav", duration=60), simulate("paper", "always-uav", duration=60, **more)
    names = [result.providers.set_index("provider")["name"] for result in (few, many)]
    one, two = (
        result.bids.assign(name=result.bids["provider"].map(name)).set_index(["task", "name"])[["value", "match_value"]]
        for result, name in zip((few, many), names, strict=True)
    )
    pd.testing.assert_frame_equal(one, two.loc[one.index])


SCRIPT = """
import sys
from simulator import simulate
simulate(sys.argv[1], "greedy", seed=2, duration=400).save(sys.argv[2])
"""


@pytest.mark.parametrize("scenario", quick({"paper", "four_way"}, shipped_scenarios()))
def test_one_seed_gives_the_same_bytes_in_two_processes(scenario: str, tmp_path: Path) -> None:
    folders = []
    for hash_seed in ("1", "77"):
        folders.append(tmp_path / hash_seed)
        command = [sys.executable, "-c", SCRIPT, scenario, str(folders[-1])]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == sorted(["files.json", "run.json", "scenario.yaml", *(f"{name}.parquet" for name in TABLES)])
    for name in names:
        # run.json says when the run was and how long it took, and files.json has the hash of run.json.
        if name not in ("run.json", "files.json"):
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_a_saved_run_loads_the_same(tmp_path: Path) -> None:
    for scenario in shipped_scenarios():
        result = simulate(scenario, "conditional", duration=300, warmup=50)
        loaded = Result.load(result.save(tmp_path / scenario))
        assert loaded.scenario == result.scenario
        for name in TABLES:
            pd.testing.assert_frame_equal(getattr(loaded, name), getattr(result, name))
        pd.testing.assert_series_equal(loaded.summary, result.summary)
        assert {k: v for k, v in loaded.run.items() if k != "summary"} == {
            k: v for k, v in result.run.items() if k != "summary"
        }


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
@pytest.mark.filterwarnings("ignore::simulator.errors.RecordingWarning")
def test_a_run_of_a_given_recording_can_be_run_again_from_its_folder(tmp_path: Path) -> None:
    frame = wandering(np.random.default_rng(3), 60, 60, 100.0).assign(speed=10.0)
    result = simulate(
        "braunschweig", "conditional", duration=70, recording=frame, **fields({"traffic.max_gap_s": 1000})
    )
    folder = result.save(tmp_path / "given")
    again = simulate(folder / "scenario.yaml", "conditional", duration=70)
    pd.testing.assert_frame_equal(again.auctions, result.auctions)
    assert len(again.auctions) > 5


def test_warmup_leaves_out_what_comes_before() -> None:
    whole, late = (simulate("paper", "conditional", duration=100, warmup=warmup) for warmup in (0, 60))
    pd.testing.assert_frame_equal(whole.auctions, late.auctions)
    assert late.summary["tasks"] == 40
    assert np.isclose(late.summary["surplus_total"], whole.auctions["surplus"].iloc[60:].sum())


def test_every_column_and_figure_of_a_run_is_described() -> None:
    """Nothing more is described than a saved run holds, and nothing less."""
    described, run = Result.describe(), simulate("four_way", "spa", duration=60)
    for table, rows in described.groupby("table"):
        own = [name for name, *_ in run.run["columns"].get(str(table), [])]
        assert rows["column"].tolist() + own == getattr(run, str(table)).columns.tolist()
    assert set(described["table"]) == set(TABLES)
    assert (described["meaning"].str.len() > 3).all()
    assert run.summary.index.tolist() == list(SUMMARY)


@pytest.mark.parametrize(
    ("overrides", "duration", "reason"),
    [
        ({"stations.radius_m": 2000.0}, 200, "no vehicle left the coverage of a station"),
        ({}, 1.0, "no vehicle entered"),
        ({"uavs.count": 0}, 200, "has no UAV"),
        ({"uavs.center": [9e3, 0]}, 200, "no UAV covered any of the"),
        ({"stations.uplink_mhz": 0.01}, 200, "none had two invited stations and a UAV"),
    ],
)
def test_a_run_without_an_auction_says_why(overrides: dict[str, Any], duration: float, reason: str) -> None:
    with pytest.warns(EmptyMarketWarning, match=reason):
        result = simulate("braunschweig", "random", duration=duration, **overrides)
    check_laws(result)


def test_gains_and_accuracies_at_a_junction_do_not_depend_on_prices() -> None:
    """Two policies meet the same links: the stage times of a task at one provider, and all accuracies (T = 1)."""
    alone = {"market.history": 1}
    one, two = (
        simulate("braunschweig", policy, duration=900, **fields(alone)) for policy in ("always-uav", "conditional")
    )
    keys = ["task", "provider"]
    both = one.bids.merge(two.bids, on=keys, suffixes=("", "_other"))
    assert len(both) > 1000
    assert (both["match_value"] == both["match_value_other"]).all()
    done = [result.tasks[result.tasks["latency"].notna()] for result in (one, two)]
    tasks = done[0].merge(done[1], on=keys, suffixes=("", "_other"))
    assert len(tasks) > 50
    for stage in ("uplink", "gpu", "cpu", "downlink"):
        assert np.allclose(tasks[f"{stage}_time"], tasks[f"{stage}_time_other"])


def test_several_uavs_share_one_contract_bid_of_the_best() -> None:
    """The contract bid of `paper` fits the settled rounds, whichever UAV stands behind the stations."""
    auctions = simulate("paper", "random", duration=4000, **fields({"uavs.count": 3})).auctions
    uav, top, used = (
        auctions["uav_value"].to_numpy(),
        auctions["top_value"].to_numpy(),
        auctions["contract_bid"].iloc[0],
    )

    def gain(bid: float) -> float:
        return float(np.where(top <= bid, uav - top, 0.0).mean())

    assert gain(used) >= 0.95 * gain(contract_bid(uav, top))
