"""Run folders that were edited: `report`, every `export` and `Result.load` refuse each in one sentence, or go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator import InputError, Result, Scenario, simulate
from simulator.market.contracts import Column
from simulator.record.check import ALWAYS, FINITE_UNITS, IDS, read_table
from simulator.record.relations import CLOCKS
from simulator.record.result import RUN_FILE, SCENARIO_FILE
from simulator.record.schema import TABLES
from simulator.record.summary import SUMMARY
from simulator.view.export import FORMATS, export
from simulator.view.report.write import page
from tests.fields import fields

Damage = Callable[[Path], object]

HOSTILE = "=</script>\x01\r\n\u202e🚗" + "x" * 5_000

OUTAGES = {"outages.failures": [{"provider": "stations", "mean_between_s": 20, "mean_repair_s": 5}]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that has everything: tasks, bids, outages, signals, paths."""
    run = simulate("four_way", "conditional", duration=60, **fields(OUTAGES))
    assert all(len(getattr(run, name)) for name in TABLES)
    assert {"provider_out", "provider_back", "task_completed"} <= set(run.events["kind"])
    return run.save(tmp_path_factory.mktemp("whole") / "run")


def outputs(folder: Path, out: Path) -> dict[str, bytes]:
    """What the commands write about a folder; each output is whole in its own format."""
    result = Result.load(folder)
    found = {"report": page({"run": result}).encode()}
    for name in FORMATS:
        if name == "sumo-fcd" and not len(result.paths):
            continue
        export(result, name, out / name)
        files = sorted((out / name).iterdir()) if name == "csv" else [out / name]
        found[name] = b"\n".join(file.read_bytes() for file in files)
    json.loads(found["perfetto"])
    for line in found["jsonl"].splitlines():
        json.loads(line)
    if "sumo-fcd" in found:
        ET.fromstring(found["sumo-fcd"])
    return found


def refusals(folder: Path, out: Path) -> dict[str, str]:
    """The sentence of each command about a folder; none for one that has gone through."""
    found = {}
    for name in ("report", *FORMATS):
        try:
            result = Result.load(folder)
            page({"run": result}) if name == "report" else export(result, name, out / name)
        except InputError as error:
            found[name] = str(error)
    return found


def edited(name: str, change: Callable[[pa.Table], pa.Table]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return damage


def with_column(column: str, values: Callable[[list[Any]], Any]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(column), column, [pa.array(values(table[column].to_pylist()))])

    return change


def one(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [*values[:-1], value]


def all_as(convert: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [convert(value) for value in values]


def all_same(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value] * len(values)


def column_damages(name: str, column: Column) -> Iterator[tuple[str, Callable[[list[Any]], Any]]]:
    """Cells and types that a column must not have."""
    yield "lists", all_as(lambda value: [value])
    yield "bytes", all_as(lambda value: b"\xff")
    if column.type != "bool":
        yield "truth values", all_as(bool)
    if column.type not in ("text", "category"):
        yield "texts", all_as(str)
        yield "dates", lambda values: pa.array([0] * len(values), pa.timestamp("s"))
    if column.type == "float":
        if column.unit == "s":
            for number in (-5.0, -np.inf, *((1e12, np.inf) if column.name in ALWAYS else ())):
                yield str(number), one(number)
        if column.unit in FINITE_UNITS or column.name in ALWAYS:
            for missing in (np.nan, np.inf, -np.inf, None):
                yield str(missing), one(missing)
    if column.type == "int":
        for value in (np.nan, None, 0.5, -7, 2.0**60, 1e300):
            yield str(value), all_same(value)
        yield "one of 2**63", lambda values: pa.array([2**63] * len(values), pa.uint64())
        if name not in ("vehicles", "providers", "auctions") or column.name in IDS:
            yield "one beyond all", one(10**6)
    if column.type == "bool":
        yield "numbers", all_as(int)
        yield "none", one(None)
    if column.type in ("text", "category"):
        yield "numbers", all_as(lambda value: 7)
        yield "none", one(None)
    if column.type == "category":
        yield "another category", one("elsewhere")
        yield "hostile", one(HOSTILE)


COLUMNS = [(name, column) for name, columns in TABLES.items() for column in columns]


def test_every_column_is_held_to_its_type_and_range(whole: Path, tmp_path: Path) -> None:
    """A table at a time, since every command holds every table to the schema before it writes anything."""
    folder, count = tmp_path / "run", 0
    shutil.copytree(whole, folder)
    wrong: dict[str, str] = {}
    for name, column in COLUMNS:
        path = folder / f"{name}.parquet"
        table = pq.read_table(path)
        at = table.column_names.index(column.name)
        damaged = [("missing", table.drop_columns(column.name))]
        damaged.append(("twice", table.append_column(column.name, table[column.name])))
        for what, values in column_damages(name, column):
            found = values(table[column.name].to_pylist())
            try:
                cells = pa.array(found)
            except pa.ArrowInvalid:  # a text among numbers: arrow has no such column
                cells = pa.array(map(str, found))
            damaged.append((what, table.set_column(at, column.name, cells)))
        for what, changed in damaged:
            pq.write_table(changed, path)
            count += 1
            try:
                read_table(path, name)  # what passes here has ids that nobody has
                Result.load(folder).check()
                sentence = "nothing"
            except InputError as error:
                sentence = str(error)
            if not sentence.startswith(str(folder)) or not (column.name in sentence or name in sentence):
                wrong[f"{name}.{column.name}: {what}"] = sentence
        shutil.copyfile(whole / path.name, path)
    assert wrong == {}
    assert count > 800


def test_every_command_refuses_what_one_refuses(whole: Path, tmp_path: Path) -> None:
    """One column of each table, with its first damage."""
    for name, columns in TABLES.items():
        column = columns[1]
        what, values = next(iter(column_damages(name, column)))
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        edited(name, with_column(column.name, values))(folder)
        found = refusals(folder, tmp_path)
        assert set(found) == {"report", *FORMATS}, (name, column.name, what)
        assert len(set(found.values())) == 1, "the same sentence"
        assert f"{name}.parquet: {column.name} must be" in found["csv"]


def _special(name: str) -> dict[str, Damage]:
    def instead(make: Callable[[Path], object]) -> Damage:
        def damage(folder: Path) -> None:
            (folder / name).unlink()
            make(folder / name)

        return damage

    def cut(length: int) -> Damage:
        return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:length])

    def hole(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(1 << 40)

    return {
        "missing": instead(lambda path: None),
        "folder": instead(Path.mkdir),
        "pipe": instead(lambda path: os.mkfifo(path)),
        "device": instead(lambda path: path.symlink_to("/dev/zero")),
        "loop": instead(lambda path: path.symlink_to(path)),
        "hole": instead(hole),
        "empty": instead(Path.touch),
        "text": instead(lambda path: path.write_text("time,x\n0,1\n")),
        "bytes": instead(lambda path: path.write_bytes(bytes(range(256)) * 20)),
        "cut at 4": cut(4),
        "cut at 100": cut(100),
        "one byte less": cut(-1),
    }


FILES = (*(f"{name}.parquet" for name in TABLES), RUN_FILE)
KINDS_OF_FILE = tuple(_special("x"))


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_a_file_that_is_none_is_refused(kind: str, whole: Path, tmp_path: Path) -> None:
    for name in FILES:
        if (kind, name) == ("one byte less", RUN_FILE):
            continue  # that is the line break at its end
        folder = tmp_path / f"of-{name}"
        shutil.copytree(whole, folder)
        _special(name)[kind](folder)
        with pytest.raises(InputError) as caught:
            Result.load(folder).check()
        assert name in str(caught.value), name
        assert str(caught.value).startswith(str(folder)), name


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_a_scenario_that_is_none_is_refused(kind: str, whole: Path, tmp_path: Path) -> None:
    if kind == "one byte less":
        pytest.skip("that is the line break at its end")
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    _special(SCENARIO_FILE)[kind](folder)
    found = refusals(folder, tmp_path)
    assert set(found) == {"report", *FORMATS}
    assert all(sentence.startswith(str(folder / SCENARIO_FILE)) for sentence in found.values()), found


WRONG: tuple[Any, ...] = (None, True, "x", -1, 1e300, [], {}, [[[]]], {"a": {}}, 10**400)

RIGHT: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("policy", "mechanism", "scenario", "scenario_sha256"), ("x",)),
    **dict.fromkeys(("time_origin", "wall_s", "cpu_s"), (-1, 1e300)),
    "data_sha256": ({},),
}
"""Of `WRONG`, what a field may be all the same."""

FIELDS = ("scenario", "policy", "mechanism", "information", "seed", "duration", "warmup", "time_origin", "wall_s",
          "cpu_s", "scenario_sha256", "data_sha256", "summary")  # fmt: skip


def test_every_field_of_run_json_is_held_to_its_type(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    run = json.loads((folder / RUN_FILE).read_text())
    wrong: dict[str, str] = {}

    def attempt(what: str, changed: Any, sentence: str) -> None:
        (folder / RUN_FILE).write_text(changed if isinstance(changed, str) else json.dumps(changed))
        message = "nothing"
        try:
            Result.load(folder)
        except InputError as error:
            message = str(error)
        if not message.startswith(str(folder)) or sentence not in message:
            wrong[what] = message

    for name in FIELDS:
        attempt(f"no {name}", {key: value for key, value in run.items() if key != name}, f"'{name}' must be")
        for value in WRONG:
            if value is True or not any(value == right for right in RIGHT.get(name, ())):
                what = (
                    "'summary.tasks' must be" if name == "summary" and isinstance(value, dict) else f"'{name}' must be"
                )
                attempt(f"{name} = {str(value)[:9]}", run | {name: value}, what)
    for name in SUMMARY:
        for value in (True, "x", [], {}, 10**400):
            summary = run["summary"] | {name: value}
            attempt(f"summary.{name} = {str(value)[:9]}", run | {"summary": summary}, f"'summary.{name}' must be")
        summary = {key: value for key, value in run["summary"].items() if key != name}
        attempt(
            f"no summary.{name}", run | {"summary": summary}, f"'summary.{name}' must be a number or null, not missing"
        )
    for text in ("[]", "7", "null", '"run"', "[" * 100_000, '{"seed": NaN}', '{"a":' * 50_000, "{", "9" * 9_999):
        attempt(text[:9], text, "this is not a run folder; it")
    assert wrong == {}


def test_figures_that_the_tables_do_not_give_are_refused(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    run = json.loads((whole / RUN_FILE).read_text())
    for name in SUMMARY:
        (folder / RUN_FILE).write_text(json.dumps(run | {"summary": run["summary"] | {name: 123.25}}))
        result = Result.load(folder)
        if name in CLOCKS:
            result.check()
        else:
            with pytest.raises(InputError, match=rf"run\.json says summary\.{name} = 123\.25, but the tables give"):
                result.check()


def frame(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return damage


def events(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    return frame("events", change)


APART: dict[str, tuple[Damage, str]] = {
    "a task twice": (frame("tasks", lambda t: pd.concat([t, t.tail(1)])), "row i of the table tasks must be task i"),
    "a vehicle less": (frame("vehicles", lambda t: t.head(-1)), r"must be from .* to \d+, not"),
    "no vehicles": (frame("vehicles", lambda t: t.head(0)), r"paths.vehicle must be from 0 to -1, not"),
    "a provider less": (frame("providers", lambda t: t.head(-1)), "must be from|not that of the scenario"),
    "no bids of anybody": (frame("bids", lambda t: t.assign(provider=-1)), "bids.provider must be from 0 to"),
    "paths in disorder": (frame("paths", lambda t: t[::-1]), "and paths by vehicle"),
    "a vehicle back in time": (
        frame("paths", lambda t: t.sort_values(["vehicle", "time"], ascending=[True, False])),
        "must be in the order of time"),
    "events in disorder": (events(lambda t: t[::-1]), "the rows of the table events must be in the order of time"),
    "signals in disorder": (frame("signals", lambda t: t[::-1]), "the table signals must be in the order of time"),
    "a path beyond the end": (
        frame("paths", lambda t: t.assign(time=t["time"].where(t.index < len(t) - 1, 1e9))),
        "must be at most the duration 60"),
    "an entry beyond the end": (frame("vehicles", lambda t: t.assign(entered=1e8)), "vehicles.entered must be at most"),
    "a winner of another kind": (
        frame("auctions", lambda t: t.assign(winner_kind="none")), "auctions.winner_kind must be"),
    "another winner": (frame("auctions", lambda t: t.assign(winner=0)), "auctions.winner_kind must be"),
    "stages beyond the last": (events(lambda t: t.assign(value=9.0)), "the value of a stage's event must be 0 to 4"),
    "stages between two": (events(lambda t: t.assign(value=0.5)), "the value of a stage's event must be 0 to 4"),
    "stages of nothing": (events(lambda t: t.assign(value=np.nan)), "the value of a stage's event must be 0 to 4"),
    "stages of no task": (events(lambda t: t.assign(task=-1)), "must have a task and a provider"),
    "stages of nobody": (events(lambda t: t.assign(provider=-1)), "must have a task and a provider"),
    "stages twice": (events(lambda t: pd.concat([t, t]).sort_values("time", kind="stable")), "at most once"),
    "stages without a start": (
        events(lambda t: t[t["kind"] != "stage_started"]), "each stage that finishes .* must have started before"),
    "outages without an end": (
        events(lambda t: t.assign(kind=t["kind"].replace("provider_back", "provider_out"))),
        "go out and come back in turn"),
    "outages without a begin": (events(lambda t: t[t["kind"] != "provider_out"]), "go out and come back in turn"),
    "no tasks": (frame("tasks", lambda t: t.head(0)), "row i of the table auctions must be task i"),
    "a surplus changed": (frame("auctions", lambda t: t.assign(surplus=t["surplus"] * 1.01)), "but the tables give"),
    "a latency changed": (frame("tasks", lambda t: t.assign(latency=t["latency"] * 1.01)), "but the tables give"),
}  # fmt: skip


@pytest.mark.parametrize("case", APART)
def test_tables_that_do_not_belong_together_are_refused(case: str, whole: Path, tmp_path: Path) -> None:
    damage, message = APART[case]
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        Result.load(folder).check()
    assert str(caught.value).startswith(str(folder))
    assert set(refusals(folder, tmp_path)) == {"report", *FORMATS}


HARMLESS: dict[str, Damage] = {
    "a column more": frame("tasks", lambda t: t.assign(note="mine")),
    "a hostile column more": frame("paths", lambda t: t.assign(**{HOSTILE: HOSTILE})),
    "columns in another order": frame("auctions", lambda t: t[t.columns[::-1]]),
    "ids as floats": frame("bids", lambda t: t.assign(task=t["task"].astype(float))),
    "ids in fewer bits": frame("bids", lambda t: t.assign(provider=t["provider"].astype("uint8"))),
    "kinds as texts": frame("events", lambda t: t.assign(kind=t["kind"].astype(str))),
    "a file more": lambda folder: (folder / "thesis.txt").write_text("mine"),
    "a field more": lambda folder: (folder / RUN_FILE).write_text(
        json.dumps(json.loads((folder / RUN_FILE).read_text()) | {"note": [1, {"a": None}]})
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_changes_nothing_gives_the_same_bytes(case: str, whole: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(whole, folder)
    HARMLESS[case](folder)
    (out / "before").mkdir(parents=True)
    (out / "after").mkdir()
    assert outputs(whole, out / "before") == outputs(folder, out / "after")


ODD: dict[str, Damage] = {
    "hostile names": lambda folder: [
        frame("vehicles", lambda t: t.assign(name=HOSTILE, entry=HOSTILE, exit=HOSTILE))(folder),
        frame("paths", lambda t: t.assign(lane=HOSTILE))(folder),
        frame("signals", lambda t: t.assign(junction=HOSTILE, group=HOSTILE))(folder),
    ],
    "no signals": frame("signals", lambda t: t.head(0)),
    "no paths": frame("paths", lambda t: t.head(0)),
    "no events": frame("events", lambda t: t.head(0)),
    "no bids": frame("bids", lambda t: t.head(0)),
    "far away": frame("paths", lambda t: t.assign(x=1e300, y=-1e300, speed=1e300)),
    "nothing known": frame("bids", lambda t: t.assign(bid=np.nan, value=np.inf, common_value=-np.inf)),
    "no prices": frame("auctions", lambda t: t.assign(top_bid=np.inf, second_bid=-np.inf, uav_value=np.nan)),
    "all at once": frame("signals", lambda t: t.assign(time=0.0)),
    "a long policy": lambda folder: (folder / RUN_FILE).write_text(
        json.dumps(json.loads((folder / RUN_FILE).read_text()) | {"policy": HOSTILE, "mechanism": HOSTILE})
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_but_possible_is_written_whole(case: str, whole: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(whole, folder)
    ODD[case](folder)
    out.mkdir()
    assert set(outputs(folder, out)) >= {"report", "csv", "jsonl", "perfetto"}


def test_floating_car_data_without_end_are_refused(whole: Path, tmp_path: Path) -> None:
    """Two rows are enough for a thousand million steps."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    run = json.loads((folder / RUN_FILE).read_text())
    (folder / RUN_FILE).write_text(json.dumps(run | {"duration": 1e9}))
    frame("paths", lambda t: t.assign(time=t["time"].where(t["vehicle"].diff(-1) == 0, 1e9)))(folder)
    figures = Result.load(folder).summarise()
    (folder / RUN_FILE).write_text(json.dumps(run | {"duration": 1e9, "summary": figures}))
    with pytest.raises(InputError, match=r"format: sumo-fcd would have [0-9,]+ rows, and can have 20,000,000"):
        export(Result.load(folder), "sumo-fcd", tmp_path / "out")


def test_a_scenario_of_another_world_is_refused_by_the_report(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for other in ("paper", "t_junction"):
        (folder / SCENARIO_FILE).write_text(Scenario.load(other).to_yaml(folder))
        with pytest.raises(InputError, match="the table providers is not that of the scenario"):
            page({"run": Result.load(folder)})


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_runs_of_every_kind_pass(tmp_path: Path) -> None:
    for scenario, overrides in (
        ("paper", {}), ("braunschweig", {}), ("grid", {}), ("four_way", {"uavs.count": 0}), ("t_junction", OUTAGES)
    ):  # fmt: skip
        for policy in ("always-uav", "spa"):
            run = simulate(scenario, policy, duration=100, seed=2, **fields(overrides))
            run.check()
            folder = run.save(tmp_path / f"{scenario}-{policy}")
            again = Result.load(folder)
            again.check()
            for name in TABLES:
                pd.testing.assert_frame_equal(getattr(run, name), getattr(again, name))
