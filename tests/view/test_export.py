"""Exports: each format read back by what reads it."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator import InputError, Result, simulate
from simulator.errors import OutputError
from simulator.model.latency import STAGES
from simulator.record.schema import TABLES
from simulator.traffic.recording import Recording
from simulator.traffic.recording_file import read_frame
from simulator.view.export import DIGITS, FORMATS, beside, export
from tests.fields import fields


@pytest.fixture(scope="module")
def run() -> Result:
    return simulate("four_way", "conditional", duration=300)


def exported(run: Result, to: str, folder: Path) -> Path:
    path = beside(folder / "run", to)
    export(run, to, path)
    assert [file for file in folder.iterdir() if file.name.startswith(".")] == []
    return path


@pytest.mark.parametrize("name", ["four_way", "braunschweig"])
def test_floating_car_data_comes_back_as_it_was_driven(name: str, tmp_path: Path) -> None:
    """At every second each vehicle of the file is where `paths` has it, to the centimetre."""
    run = simulate(name, "conditional", duration=120)
    path = exported(run, "sumo-fcd", tmp_path)
    rows, left_out = read_frame(path)
    rows = rows[rows["id"].notna()]
    assert left_out == {}
    numbers = dict(zip(run.vehicles["name"], run.vehicles["vehicle"], strict=True))
    seen = 0
    for vehicle, part in rows.groupby("id"):
        own = run.paths[run.paths["vehicle"] == numbers[str(vehicle)]]
        for column in ("x", "y"):
            expected = np.interp(part["time"] - run.run["time_origin"], own["time"], own[column])
            assert np.abs(part[column] - expected).max() <= 0.5 * 10**-DIGITS + 1e-9
        assert np.diff(part["time"]).max(initial=1.0) == 1.0
        first, last = part["time"].iloc[[0, -1]] - run.run["time_origin"]
        assert (first, last) == (math.ceil(own["time"].iloc[0]), math.floor(own["time"].iloc[-1]))
        seen += 1
    assert seen > 10
    recording = Recording.read(path, 5.0)
    assert recording.vehicles == seen
    assert rows["time"].min() >= run.run["time_origin"]


def test_a_recording_survives_the_way_out_and_in_again(tmp_path: Path) -> None:
    first = simulate("braunschweig", "conditional", duration=200)
    path = exported(first, "sumo-fcd", tmp_path)
    again = simulate("braunschweig", "conditional", duration=200, **fields({"traffic.file": str(path)}))
    shared = first.vehicles.merge(again.vehicles, on="name", suffixes=("", "_again"))
    inside = shared["left"].notna()
    assert inside.sum() > 20
    assert again.run["time_origin"] == first.run["time_origin"]
    assert np.allclose(shared["entered"][inside], shared["entered_again"][inside])
    assert np.allclose(shared["distance"][inside], shared["distance_again"][inside], atol=0.5)


def test_a_trace_has_every_stage_on_its_track_and_a_flow_a_task(run: Result, tmp_path: Path) -> None:
    trace = json.loads(exported(run, "perfetto", tmp_path).read_text(encoding="utf-8"))["traceEvents"]
    stages = [event for event in trace if event["ph"] == "X"]
    done = run.events[run.events["kind"] == "stage_finished"]
    assert len(stages) == len(done)
    gpu = sum(event["dur"] for event in stages if event["tid"] == STAGES.index("gpu")) / 1e6
    finished = done[done["value"] == 1]["task"]
    assert gpu == pytest.approx(run.tasks[run.tasks["task"].isin(finished)]["gpu_time"].sum())
    names = {event["pid"]: event["args"]["name"] for event in trace if event["name"] == "process_name"}
    assert list(names.values())[1:] == run.providers["name"].tolist()
    flows = pd.DataFrame([event for event in trace if event.get("cat") == "task"])
    assert (flows[flows["ph"] == "s"]["id"].value_counts() == 1).all()
    auctions = [event for event in trace if event.get("cat") == "auction"]
    assert len(auctions) == len(run.auctions)
    for event, row in zip(auctions, run.auctions.to_dict("records"), strict=True):
        assert event["args"]["paid_by_provider"] == row["paid_by_provider"]
        assert "rho" in event["args"]


@pytest.mark.parametrize(("policy", "mechanism"), [(None, "vcg-assignment:every_s=7"), ("nearest", None)])
def test_every_mechanism_is_exported(policy: str | None, mechanism: str | None, tmp_path: Path) -> None:
    run = simulate("four_way", policy, duration=200, mechanism=mechanism)
    trace = json.loads(exported(run, "perfetto", tmp_path).read_text(encoding="utf-8"))["traceEvents"]
    auctions = [event for event in trace if event.get("cat") == "auction"]
    assert len(auctions) == run.auctions["time"].notna().sum() > 20
    assert all("rho" not in event["args"] for event in auctions)
    events = [json.loads(line) for line in exported(run, "jsonl", tmp_path).read_text(encoding="utf-8").splitlines()]
    assert len(events) == len(run.events)
    exported(run, "csv", tmp_path)


def test_csv_is_the_tables(run: Result, tmp_path: Path) -> None:
    folder = exported(run, "csv", tmp_path)
    assert {path.stem for path in folder.iterdir()} == {*TABLES, "summary"}
    for name in TABLES:
        frame = pd.read_csv(folder / f"{name}.csv")
        assert list(frame.columns) == list(getattr(run, name).columns)
        assert len(frame) == len(getattr(run, name))
    assert pd.read_csv(folder / "auctions.csv")["surplus"].sum() == pytest.approx(run.summary["surplus_total"])


def test_json_lines_are_the_events(tmp_path: Path) -> None:
    run = simulate("four_way", "always-uav", duration=200)
    events = [json.loads(line) for line in exported(run, "jsonl", tmp_path).read_text(encoding="utf-8").splitlines()]
    assert [event["kind"] for event in events] == run.events["kind"].tolist()
    # The policy's rho is infinite, which JSON cannot say: it stands as null.
    assert {event["value"] for event in events if event["kind"] == "auction_settled" and "value" in event} == {None}
    assert np.isinf(run.events.loc[run.events["kind"] == "auction_settled", "value"]).any()
    assert {event["provider"] for event in events if "provider" in event} <= set(run.providers["name"])


def test_names_are_text_in_every_format(tmp_path: Path) -> None:
    hostile = "<script>\"&'\n🚗"
    run = simulate("braunschweig", "conditional", duration=60)
    run.vehicles["name"] = [f"{hostile}{number}" for number in range(len(run.vehicles))]
    rows, _ = read_frame(exported(run, "sumo-fcd", tmp_path))
    assert set(rows["id"].dropna()) <= set(run.vehicles["name"])
    events = [json.loads(line) for line in exported(run, "jsonl", tmp_path).read_text(encoding="utf-8").splitlines()]
    assert {event["vehicle"] for event in events if "vehicle" in event} <= set(run.vehicles["name"])


def test_what_cannot_be_exported_is_said(run: Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format: there is no format 'perfeto'; did you mean 'perfetto'"):
        export(run, "perfeto", tmp_path / "x")
    paper = simulate("paper", "conditional", duration=10)
    with pytest.raises(InputError, match="a run of 'paper' has no paths"):
        export(paper, "sumo-fcd", tmp_path / "x")
    for to in ("perfetto", "csv", "jsonl"):
        exported(paper, to, tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        export(paper, "jsonl", beside(tmp_path / "run", "jsonl"))
    assert len(FORMATS) == 4


@pytest.mark.parametrize("scenario", ["paper", "four_way"])
def test_the_slices_of_one_track_nest_or_follow(scenario: str, tmp_path: Path) -> None:
    """In `paper` nobody queues, so tasks overlap in a stage. Perfetto would drop slices that overlap on a track."""
    run = simulate(scenario, "conditional", duration=120)
    path = tmp_path / "t.json"
    export(run, "perfetto", path)
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    events = json.loads(path.read_text())["traceEvents"]
    for event in events:
        if event["ph"] == "X":
            tracks.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in tracks.values():
        spans.sort()
        for (_, end), (begin, _) in pairwise(spans):
            assert end <= begin
    named = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    assert set(tracks) <= named
    assert (len(tracks) > 4 * len(run.providers)) == (scenario == "paper")
