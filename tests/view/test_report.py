"""The report as a file: what is packed is what the tables hold, one file, small, and refused where it cannot be."""

from __future__ import annotations

import base64
import gzip
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import InputError, Result, simulate
from simulator.errors import EmptyMarketWarning, OutputError
from simulator.view.report.payload import OWN, SHARED, Payload, payload
from simulator.view.report.write import page, write_report
from tests.fields import fields


@pytest.fixture(scope="module")
def run() -> Result:
    return lived()


def lived() -> Result:
    # Large tasks, so that some are lost and some are under way at the end.
    return simulate("four_way", "conditional", duration=300, **fields({"tasks.size_mb": [40, 200]}))


def unpacked(packed: Payload, places: dict[str, list[Any]]) -> dict[str, Any]:
    """Columns as the page reads them."""
    data = gzip.decompress(base64.b64decode(packed.columns))
    found = {}
    for name, (kind, at, rows) in places.items():
        if kind == "t4":
            # Differences and sums wrap around.
            ticks = np.cumsum(np.frombuffer(data, dtype="<i4", count=rows, offset=at), dtype=np.int32)
            times = packed.head["begin"] + ticks * packed.head["tick_s"]
            found[name] = np.where(ticks == -(2**31), np.nan, times)
        else:
            found[name] = np.frombuffer(data, dtype=f"<{kind}", count=rows, offset=at)
    return found


@pytest.mark.parametrize("scenario", ["four_way", "paper"])
def test_what_is_packed_is_what_the_tables_hold(scenario: str) -> None:
    run = simulate(scenario, "conditional", duration=200)
    packed = payload({"conditional": run})
    places = packed.head["tables"] | packed.head["runs"][0]["tables"]
    for table, columns in (SHARED | OWN).items():
        found = unpacked(packed, places[table])
        for name, kind in columns.items():
            if name == "group" or name.endswith(("started", "finished", "ended")):
                continue  # no column of a table
            expected = getattr(run, table)[name]
            values = (expected.cat.codes if expected.dtype == "category" else expected).to_numpy()
            # One number in 2^23 is the last place of four bytes.
            tolerance = 2.0**-23 if kind == "f4" else 0.0
            ticks = 0.51 * packed.head["tick_s"] if kind == "t4" else 0.0
            np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=ticks)


ARRAYS = {
    "t4": "Float64Array",
    "f8": "Float64Array",
    "f4": "Float32Array",
    "i4": "Int32Array",
    "u2": "Uint16Array",
    "u1": "Uint8Array",
}


def test_the_page_is_checked_against_the_columns_that_it_gets() -> None:
    """`types.d.ts` declares what is packed: each column with its type, and nothing else."""
    text = files("simulator.view.report").joinpath("page", "types.d.ts").read_text(encoding="utf-8")
    for table, columns in (SHARED | OWN).items():
        own = {"tasks": "TaskTable", "auctions": "AuctionTable", "bids": "BidTable", "paths": "Paths"}.get(table)
        body = re.search(rf"type {own} = {{(.*?)}};" if own else rf"{table}: {{(.*?)}};", text, flags=re.DOTALL)
        assert body is not None
        declared = dict(re.findall(r"(\w+): (\w+Array)", body[1]))
        # Columns of stages and of market conditions are declared by their patterns.
        packed = {
            name: ARRAYS[kind]
            for name, kind in columns.items()
            if not name.endswith(("_started", "_finished")) and not name.startswith("m_")
        }
        assert declared == packed, table


def test_stages_are_told_from_the_events(run: Result) -> None:
    """Of a completed task they add up to what the table says; what the end cut off has begun all the same."""
    packed = payload({"conditional": run})
    times = unpacked(packed, packed.head["runs"][0]["tables"]["tasks"])
    done = (run.tasks["status"] == "completed").to_numpy()
    now = run.tasks["requested"].to_numpy()
    for stage in ("uplink", "gpu", "cpu", "downlink"):
        started, finished = times[f"{stage}_started"], times[f"{stage}_finished"]
        assert np.allclose((started - now)[done], run.tasks[f"{stage}_wait"][done], atol=1e-6)
        assert np.allclose((finished - started)[done], run.tasks[f"{stage}_time"][done], atol=1e-6)
        now = finished
    assert np.allclose(times["ended"][done], run.tasks["finished"][done])
    lost = run.events[run.events["kind"] == "task_lost"]
    assert len(lost) > 0
    assert np.allclose(times["ended"][lost["task"]], lost["time"], atol=1e-6, rtol=0.0)
    open_ = (run.tasks["status"] == "open").to_numpy()
    assert open_.any()
    assert np.isnan(times["ended"][open_]).all()
    begun = np.isfinite(times["uplink_started"][open_])
    assert begun.tolist() == run.tasks["uplink_wait"][open_].notna().tolist()
    assert begun.any()


def test_row_i_of_tasks_and_of_auctions_is_task_i(run: Result) -> None:
    for table in (run.tasks, run.auctions):
        assert table["task"].tolist() == list(range(len(run.tasks)))
    assert run.bids["task"].is_monotonic_increasing
    assert run.paths["vehicle"].is_monotonic_increasing


def test_an_hour_of_four_way_is_under_three_megabytes_and_asks_for_nothing() -> None:
    text = page({"conditional": simulate("four_way", "conditional")})
    assert len(text.encode()) < 3e6
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)""", text)
    assert "default-src 'none'" in text


def test_two_pages_of_one_run_are_the_same_bytes(run: Result) -> None:
    again = lived()
    again.run.update({key: run.run[key] for key in ("wall_s", "cpu_s", "started")})
    assert page({"conditional": run}) == page({"conditional": again})


def test_a_report_is_replaced_when_whole(run: Result, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "report.html"
    path.parent.mkdir()
    path.write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError, match=r"report\.html (exists already|is not replaced, because dmsb did not)"):
            write_report({"conditional": run}, path, force=force)
    assert path.read_text() == "mine"
    path.unlink()
    for force in (False, True):
        write_report({"conditional": run}, path, force=force)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    with path.open("a") as file:
        file.write("<!-- my own remark -->")
    with pytest.raises(OutputError, match="is not replaced, because dmsb did not write it"):
        write_report({"conditional": run}, path, force=True)
    with pytest.raises(OutputError, match="cannot be written"):
        write_report({"conditional": run}, path / "below" / "report.html")


def test_runs_of_two_worlds_are_refused(run: Result) -> None:
    other = simulate("four_way", "conditional", seed=1, duration=300)
    with pytest.raises(InputError, match="'other' is not of the same world as 'one'"):
        payload({"one": run, "other": other})
    with pytest.raises(InputError, match="needs one or more runs"):
        payload({})


def test_stop_lines_stand_where_vehicles_wait(run: Result) -> None:
    """Who stands first in a queue stands on a stop line, and the line's group is the one that lets it go."""
    lines = payload({"conditional": run}).head["ground"]["stop_lines"]
    assert len(lines) == 4
    starts = run.events[run.events["kind"] == "vehicle_released"]
    checked = 0
    for row in starts.head(40).to_dict("records"):
        own = run.paths[(run.paths["vehicle"] == row["vehicle"]) & (run.paths["time"] <= row["time"])].iloc[-1]
        here = np.array([own["x"], own["y"]])
        for line in lines:
            left, right = np.array(line["left"]), np.array(line["right"])
            across = right - left
            share = float((here - left) @ across / (across @ across))
            away = float(np.linalg.norm(here - left - share * across))
            if away < 0.01 and 0.0 <= share <= 1.0:
                group = run.signals["group"].unique()[line["group"]]
                shown = run.signals[(run.signals["group"] == group) & (run.signals["time"] <= row["time"])]
                assert shown["state"].iloc[-1] in ("green", "yellow")
                checked += 1
    assert checked > 10


def test_an_outage_is_told_with_its_end(tmp_path: Path) -> None:
    windows = [
        {"provider": "s1", "from_s": 50, "to_s": 80},
        {"provider": "s2", "from_s": 100, "to_s": 900},
    ]
    run = simulate("four_way", "conditional", duration=150, **fields({"outages.windows": windows}))
    assert payload({"conditional": run}).head["outages"] == [[1, 50.0, 80.0], [2, 100.0, None]]
    json.dumps(payload({"conditional": run}).head, allow_nan=False)


def test_a_mechanism_without_seats_is_not_told_that_its_radii_are_too_small() -> None:
    """Nobody is asked for a price there, by design."""
    seatless = simulate("four_way", mechanism="vickrey", duration=120)
    assert not seatless.auctions["asked"].any()
    assert payload({"vickrey": seatless}).head["note"] == ""
    with pytest.warns(EmptyMarketWarning):
        alone = simulate("four_way", "conditional", duration=120, **fields({"uavs.count": 0}))
    assert "no UAV" in payload({"conditional": alone}).head["note"]
