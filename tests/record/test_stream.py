"""Tables that are written while the run goes on: the same bytes, little memory, and a complete folder or none."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import RunError, Scenario, simulate
from simulator.errors import OutputError
from simulator.record import recorder, stream, tables, totals, writer
from simulator.record.events import in_order
from simulator.record.result import Result
from simulator.record.schema import EVENT_KINDS, TABLES, table
from simulator.record.stream import Stream
from simulator.record.writer import TableWriter
from simulator.run import plan
from simulator.traffic.generated import GeneratedVehicles
from tests.benchmarks.files import long_memory_mib
from tests.fields import fields
from tests.kills import forked

FAILURES = {"outages.failures": [{"provider": "stations", "mean_between_s": 100, "mean_repair_s": 30}]}
RUNS: list[tuple[str, dict[str, Any], str | None, str | None, float]] = [
    ("four_way", {}, "conditional", None, 900.0),
    ("four_way", {}, None, "vcg-assignment", 600.0),
    ("four_way", {}, None, "direct", 300.0),
    ("four_way", {**FAILURES, "outages.mode": "wait"}, "conditional", None, 900.0),
    ("rush_hour", {"tasks.twin_mb": 200.0, "tasks.renewal_s": 20.0}, "conditional", None, 400.0),
    ("braunschweig", {}, "greedy", None, 400.0),
    ("grid", {}, "conditional", None, 200.0),
    ("paper", {}, "conditional", None, 500.0),
]
"""Runs of all kinds: scenario, what differs in it, policy, mechanism and length, s."""


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and row groups so small that a short run has many of them."""
    for module in (totals, stream):
        monkeypatch.setattr(module, "TASKS_PER_BLOCK", 32)
    monkeypatch.setattr(recorder, "TASKS_KEPT", 32)
    for one in (tables, stream):
        monkeypatch.setattr(one, "VEHICLES_PER_BLOCK", 16)
    monkeypatch.setattr(writer, "ROWS_PER_GROUP", 300)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("scenario", "changed", "policy", "mechanism", "duration"), RUNS)
def test_tables_have_the_same_bytes_as_those_that_are_written_at_the_end(
    scenario: str,
    changed: dict[str, Any],
    policy: str | None,
    mechanism: str | None,
    duration: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, go_on = list[int](), Stream._go_on

    def noted(running: Stream) -> None:
        go_on(running)
        written.append(running._tasks)

    monkeypatch.setattr(Stream, "_go_on", noted)
    planned = plan(scenario, policy, 3, duration, mechanism=mechanism, explain=True, **fields(changed))
    at_end, on_the_way = planned.run(), planned.run_into(tmp_path / "on the way")
    at_end.save(tmp_path / "at the end")
    assert len({*written} - {0}) > 1, "there was something to write before the end"
    for name in TABLES:
        one, other = (tmp_path / folder / f"{name}.parquet" for folder in ("at the end", "on the way"))
        assert one.read_bytes() == other.read_bytes(), name
    drop = ["wall_s", "cpu_s"]
    pd.testing.assert_series_equal(at_end.summary.drop(drop), on_the_way.summary.drop(drop), check_exact=True)
    loaded = Result.load(tmp_path / "on the way")
    loaded.check()
    assert loaded.run["columns"] == at_end.run["columns"]


@pytest.mark.usefixtures("small_blocks")
def test_what_is_written_is_forgotten(tmp_path: Path) -> None:
    """After 900 s as many tasks and vehicles are in memory as after 300 s."""
    planned = plan("four_way", "conditional", duration=901.0)
    simulation = planned.simulation()
    record, traffic = simulation.recorder, simulation.site.traffic
    assert isinstance(traffic, GeneratedVehicles)
    kept: dict[float, list[int]] = {}
    extra = {"auctions": record.columns}
    with Stream(tmp_path, record, planned.scenario, simulation.site.fleet, traffic, 901.0, extra) as running:
        for moment in (300.0, 600.0, 900.0):
            for _ in simulation.until(moment):
                simulation.answer(1.3)
            kept[moment] = [len(record.rows().tasks["task"]), len(traffic._flow.vehicles),
                            sum(len(part["time"]) for part in running._events)]  # fmt: skip
    assert running._tasks > 100
    for few, more in zip(kept[300.0], kept[900.0], strict=True):
        assert more < 1.5 * few + 40


def test_bids_are_written_before_they_are_many_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With three stations or with ten, no more bids are kept. What counts is their bytes, not the number of tasks."""
    monkeypatch.setattr(totals, "TASKS_PER_BLOCK", 4)
    monkeypatch.setattr(stream, "TASKS_PER_BLOCK", 4)
    monkeypatch.setattr(recorder, "BIDS_KEPT_BYTES", 100 * recorder._BID_BYTES)
    written, go_on = list[int](), Stream._go_on

    def noted(running: Stream) -> None:
        written.append(running._recorder._bids_bytes)
        go_on(running)

    monkeypatch.setattr(Stream, "_go_on", noted)
    for stations in (3, 10):
        written.clear()
        planned = plan("four_way", "conditional", duration=300.0, **fields({"stations.count": stations}))
        planned.run_into(tmp_path / str(stations)).check()
        assert len(written) > 2
        # A task that has not ended keeps those after it.
        assert max(written) < 250 * recorder._BID_BYTES


class Stops:
    """A policy that stops the run after some decisions, in one of several ways."""

    def __init__(self, way: str) -> None:
        self.way, self.left = way, 90

    def price(self, observation: Any) -> float:
        self.left -= 1
        if self.left:
            return 1.3
        if self.way == "killed":
            os._exit(9)
        raise (KeyboardInterrupt if self.way == "interrupted" else ValueError)("enough")


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("way", "error"), [("fails", RunError), ("interrupted", KeyboardInterrupt)])
def test_a_run_that_fails_leaves_nothing(way: str, error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        simulate("four_way", Stops(way), duration=900, out=tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_blocks")
def test_a_killed_run_leaves_no_folder_and_the_next_one_clears_up(tmp_path: Path) -> None:
    ended = forked(lambda: simulate("four_way", Stops("killed"), duration=900, out="run"), tmp_path)
    assert ended.code == 9
    assert not (tmp_path / "run").exists()
    assert len(list(tmp_path.iterdir())) == 1, "the staging folder, under a hidden name"
    simulate("four_way", "always-uav", duration=100, out=tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_page_that_cannot_be_made_does_not_cost_the_run(tmp_path: Path) -> None:
    def page(result: Result) -> bytes:
        assert len(result.tasks) > 0
        raise MemoryError

    with pytest.raises(MemoryError):
        plan("paper", duration=20).run_into(tmp_path / "run", page=page)
    assert len(Result.load(tmp_path / "run").tasks) == 20
    plan("paper", duration=30).run_into(tmp_path / "run", force=True, page=lambda result: b"<p>made</p>")
    assert (tmp_path / "run" / "report.html").read_bytes() == b"<p>made</p>"


@settings(max_examples=25)
@given(st.lists(st.integers(0, 40_000), max_size=6))
def test_the_bytes_of_a_table_do_not_depend_on_how_many_rows_come_at_a_time(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int]
) -> None:
    folder, rng = tmp_path_factory.mktemp("parts"), np.random.default_rng(0)
    rows = sum(parts)
    whole = table(
        "events",
        {
            "time": np.sort(rng.uniform(0, 1e4, rows)),
            "kind": rng.integers(0, len(EVENT_KINDS), rows),
            **{name: rng.integers(-1, 99, rows) for name in ("vehicle", "task", "provider")},
            "value": rng.uniform(0, 9, rows),
        },
    )
    with TableWriter(folder / "whole", "events") as file:
        file.write(whole)
    with TableWriter(folder / "parts", "events") as file:
        begin = 0
        for part in parts:
            file.write(whole[begin : begin + part])
            begin += part
    assert (folder / "whole").read_bytes() == (folder / "parts").read_bytes()
    if rows:
        pd.testing.assert_frame_equal(pd.read_parquet(folder / "parts"), whole)


EVENTS = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 4))
"""Time, kind, whom it is about, and value: few of each, so that many events tie."""


@given(st.sets(EVENTS, min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(0, 60))
def test_the_order_of_events_does_not_depend_on_the_order_in_which_they_are_found(
    events: set[tuple[int, int, int, int]], random: Any, cut: int
) -> None:
    def part(rows: list[tuple[int, int, int, int]]) -> dict[str, Any]:
        time, kind, about, value = np.array(rows, dtype=float).reshape(-1, 4).T
        # Kind 0 is about vehicles, kind 1 about tasks and their vehicles, kind 2 about providers.
        vehicle, task, provider = (np.where(kind == number, about, -1.0) for number in range(3))
        vehicle = np.where(kind == 1.0, 2.0 - about, vehicle)
        return {"time": time, "kind": kind, "vehicle": vehicle, "task": task, "provider": provider, "value": value}

    found = sorted(events)
    right = part(found)
    random.shuffle(found)
    ordered = in_order([part(found[:cut]), part(found[cut:])])
    for name, column in right.items():
        assert np.array_equal(ordered[name], column)


def test_full_collections_wait_for_the_end_of_a_run() -> None:
    """A run makes no cycles, so it need not look through all that it keeps again and again."""
    before, during = gc.get_threshold(), list[tuple[int, int, int]]()

    class Looks:
        def price(self, observation: Any) -> float:
            during.append(gc.get_threshold())
            return 1.3

    simulate("paper", Looks(), duration=3)
    assert all(one[:2] == before[:2] and one[2] > 1_000 * before[2] for one in during)
    assert len(during) == 3
    assert gc.get_threshold() == before


def test_full_collections_come_back_after_a_run() -> None:
    before = gc.get_threshold()
    with pytest.raises(RunError):
        simulate("four_way", Stops("fails"), duration=900)
    assert gc.get_threshold() == before
    assert gc.isenabled()


def test_a_folder_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate("paper", "spa", duration=20, out=tmp_path / "run")
    read = Scenario.load

    def load(source: Any, **overrides: Any) -> Scenario:
        if str(source).startswith(str(tmp_path)):
            monkeypatch.setattr(Scenario, "load", read)
            simulate("paper", "constant:5", seed=7, duration=20, out=tmp_path / "run", force=True)
        return read(source, **overrides)

    monkeypatch.setattr(Scenario, "load", load)
    with pytest.raises(OutputError, match="run: the folder has changed while it was read; load it again"):
        Result.load(tmp_path / "run")
    assert Result.load(tmp_path / "run").run["policy"] == "constant:5"


def test_a_table_of_a_folder_that_was_replaced_since_is_refused(tmp_path: Path) -> None:
    """Half of the tables of one run beside half of those of another would say something wrong."""
    first = simulate("paper", "spa", duration=20, out=tmp_path / "run")
    loaded = Result.load(tmp_path / "run")
    surplus = loaded.auctions["surplus"].tolist()
    simulate("paper", "spa", seed=1, duration=20, out=tmp_path / "run", force=True)
    assert loaded.auctions["surplus"].tolist() == surplus, "what was read stays"
    for result in (first, loaded):
        with pytest.raises(OutputError, match=r"tasks\.parquet: the file has changed since this result was read; load"):
            _ = result.tasks
    assert Result.load(tmp_path / "run").auctions["surplus"].tolist() != surplus


@pytest.mark.slow
def test_a_hundred_hours_take_little_memory() -> None:
    """268 MiB when this was written; an hour takes 184."""
    assert long_memory_mib() <= 300.0
