"""The demand of a world, drawn once and replayed: the tables are those of runs by themselves, byte for byte."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import Result, Scenario
from simulator.record.schema import TABLES
from simulator.run import plan
from simulator.scenario.shipped import shipped_scenarios
from simulator.study.cells import run_cells
from simulator.study.compare import compare
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.worlds import KeptWorlds
from tests.fields import fields
from tests.world.traffic_frames import straight

MUCH = 2**30

OUTAGES: dict[str, Any] = {
    "outages.mode": "wait",
    "outages.windows": [{"provider": "uavs", "from_s": 60, "to_s": 90, "every_s": 120}],
    "outages.failures": [{"provider": "stations", "mean_between_s": 120, "mean_repair_s": 20}],
}


def assert_same(one: Result, two: Result) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name), check_exact=True, obj=name)
    clocks = ["wall_s", "cpu_s"]
    pd.testing.assert_series_equal(one.summary.drop(clocks), two.summary.drop(clocks), check_exact=True)


@pytest.mark.parametrize("scenario", shipped_scenarios())
def test_a_replayed_run_has_the_tables_of_one_by_itself(scenario: str) -> None:
    """On every scenario with outages, for policies that fill queues differently and for two other mechanisms."""
    loaded = Scenario.load(scenario)
    overrides = OUTAGES if loaded.traffic.has_places else {}
    demand = None
    for policy, mechanism in (
        ("conditional", None),
        ("random", None),
        (None, "vcg-assignment:every_s=2"),
        ("least-loaded", "direct"),
        ("always-ground", None),
    ):
        planned = plan(loaded, policy, seed=4, duration=300, mechanism=mechanism, **fields(overrides))
        demand = planned.demand(MUCH) if demand is None else demand
        assert demand.kept_bytes > 0
        assert_same(planned.run(), planned.run(demand=demand))


@pytest.mark.parametrize("mechanism", ["second-price", "vickrey", "vcg-assignment:every_s=1"])
def test_requests_at_the_moments_of_other_events_keep_their_place(mechanism: str) -> None:
    """Requests, outages, reports and windows, all at whole seconds."""
    places = [{"name": f"s{number}", "x": x, "y": 0.0, "radius_m": 150.0} for number, x in enumerate((-100, 0, 100), 1)]
    overrides = {
        "stations.placed": places,
        "stations.count": None,
        "uavs.report_s": 1.0,
        "outages.mode": "wait",
        "outages.windows": [
            {"provider": "s2", "from_s": 5, "to_s": 6, "every_s": 2},
            {"provider": "uavs", "from_s": 20, "to_s": 21, "every_s": 3},
        ],
    }
    names = [f"v{number}" for number in range(40)]
    planned = plan(
        "braunschweig", duration=200, recording=straight(names), mechanism=mechanism, **fields(overrides)
    )  # fmt: skip
    alone = planned.run()
    changes = set(alone.events.loc[alone.events["kind"].isin(["provider_out", "provider_back"]), "time"])
    assert len(changes & set(alone.tasks["requested"])) > 10, "the moments are the same"
    assert_same(alone, planned.run(demand=planned.demand(MUCH)))


def test_what_does_not_fit_is_drawn_in_each_run() -> None:
    planned = plan("four_way", "conditional", duration=200)
    demand = planned.demand(1_000)
    assert demand.kept_bytes == 0
    first, second = planned.run(demand=demand), planned.run(demand=demand)
    assert_same(first, second)
    assert_same(first, planned.run())
    rounds = plan("paper", "conditional", duration=700, **fields({"market.contract_rounds": 1_000}))
    some = rounds.demand(600_000)
    assert 0 < some.kept_bytes <= 600_000, "of rounds, the blocks that fit are kept"
    assert_same(rounds.run(), rounds.run(demand=some))


@pytest.mark.parametrize(("scenario", "duration"), [("four_way", 1800.0), ("grid", 300.0), ("paper", 5000.0)])
def test_the_stated_memory_is_that_of_the_process(scenario: str, duration: float) -> None:
    planned = plan(scenario, "conditional", seed=2, duration=duration)
    planned.demand(MUCH)  # what is imported or kept by the first is not counted
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    demand = planned.demand(MUCH)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert demand.kept_bytes == pytest.approx(after - before, rel=0.35)


def test_kept_worlds_stay_within_their_bytes() -> None:
    planned = plan("four_way", "conditional", duration=200)
    one = planned.demand(MUCH).kept_bytes
    worlds = KeptWorlds(int(2.5 * one))
    for seed in range(5):
        worlds.run(planned.with_seed(seed))
        assert worlds.kept_bytes <= 2.5 * one
    assert worlds.kept_bytes > one


def test_kept_worlds_are_no_more_than_asked_for() -> None:
    planned = plan("four_way", "conditional", duration=200)
    worlds = pickle.loads(pickle.dumps(KeptWorlds(most_worlds=2)))
    for seed in (0, 1, 2, 1, 3):
        worlds.run(planned.with_seed(seed))
    kept = sum(planned.with_seed(seed).demand(MUCH).kept_bytes for seed in (1, 3))
    assert worlds.kept_bytes == kept


def test_a_comparison_has_the_figures_of_separate_runs() -> None:
    policies = ["conditional", "random", "myopic"]
    overrides = fields({"outages.failures": OUTAGES["outages.failures"]})
    _, runs = compare("four_way", policies, seeds=2, duration=200, **overrides)
    figures = {(str(row["policy"]), int(row["seed"])): row for row in runs.reset_index().to_dict("records")}
    for policy in policies:
        for seed in (0, 1):
            alone = figures_of(plan("four_way", policy, seed, duration=200, **overrides).run())
            found = figures[policy, seed]
            for name in alone.keys() - {"wall_s", "cpu_s"}:
                assert found[name] == alone[name] or (np.isnan(found[name]) and np.isnan(alone[name])), name


def process(cell: tuple[int, int]) -> Figures:
    return {"pid": float(os.getpid())}


def test_the_cells_of_a_world_stay_with_one_process() -> None:
    cells = [(world, number) for number in range(6) for world in range(4)]
    found = run_cells(process, cells, jobs=2, world=lambda cell: cell[0])
    assert set(found) == set(cells)
    workers = {world: {found[world, number]["pid"] for number in range(6)} for world in range(4)}
    assert len({pid for pids in workers.values() for pid in pids}) == 2
    # A process without a world of its own helps with the rest of another's.
    assert sum(len(pids) == 1 for pids in workers.values()) >= 2


def refuse(wrong: int, cell: int) -> Figures:
    if cell == wrong:
        raise ValueError(f"cell {cell}")
    return {"cell": float(cell)}


def test_a_cell_that_fails_ends_the_work_of_all_processes() -> None:
    with pytest.raises(ValueError, match="cell 3"):
        run_cells(partial(refuse, 3), list(range(8)), jobs=2)
