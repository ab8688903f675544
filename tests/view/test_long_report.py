"""Reports of runs that do not fit into a page: a part in detail, counts and means of all of it."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from simulator import InputError, Result, simulate
from simulator.cli.app import app
from simulator.view.report.detail import detail_of
from simulator.view.report.overview import BINS, overview
from simulator.view.report.packer import MOST_TICKS, Packer
from simulator.view.report.payload import ENOUGH, MOST_BYTES, Payload, payload
from simulator.view.report.write import SCRIPTS, write_report
from tests.benchmarks.city import streets
from tests.fields import fields
from tests.view.browser import Look
from tests.view.test_report import unpacked

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PART = 200.0, 400.0


@pytest.fixture(scope="module")
def run() -> Result:
    # Large tasks, so that some are under way at any time.
    return simulate("four_way", "conditional", duration=600, **fields({"tasks.size_mb": [40, 200]}))


@pytest.fixture(scope="module")
def page(run: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("part") / "report.html"
    assert write_report({"conditional": run}, path, part=PART) == PART
    return path


def test_a_part_has_all_that_it_shows(run: Result) -> None:
    begin, end = PART
    found = detail_of([run], begin, end)
    requested, ended = run.tasks["requested"], run.tasks["finished"]
    inside = run.tasks.index[(requested >= begin) & (requested < end)]
    assert found.first <= inside[0]
    assert found.last == inside[-1] + 1
    under_way = run.tasks.index[(requested < begin) & (ended >= begin)]
    assert len(under_way), "the case is there"
    assert found.first <= under_way[0]
    there = run.vehicles.index[(run.vehicles["entered"] <= end) & ~(run.vehicles["left"] < begin)]
    assert set(there) <= set(found.vehicles)
    assert set(run.tasks["vehicle"].iloc[found.first : found.last]) <= set(found.vehicles)


def test_the_tables_of_a_part_are_those_of_the_run(run: Result) -> None:
    packed = payload({"conditional": run}, part=PART)
    head, own = packed.head, packed.head["runs"][0]["tables"]
    first = head["first_task"]
    tasks, bids = unpacked(packed, own["tasks"]), unpacked(packed, own["bids"])
    rows = slice(first, first + len(tasks["requested"]))
    np.testing.assert_allclose(tasks["requested"], run.tasks["requested"][rows], atol=head["tick_s"])
    names = np.array(head["vehicles"])[tasks["vehicle"]]
    assert names.tolist() == run.vehicles["name"].iloc[run.tasks["vehicle"][rows]].astype(str).tolist()
    expected = run.bids[run.bids["task"].between(rows.start, rows.stop - 1)]
    assert (bids["task"] + first).tolist() == expected["task"].tolist()
    paths = unpacked(packed, head["tables"]["paths"])
    at = pd.DataFrame({"name": np.array(head["vehicles"])[paths["vehicle"]], "x": paths["x"]})
    whole = run.paths.assign(name=run.vehicles["name"].iloc[run.paths["vehicle"]].astype(str).to_numpy())
    assert at["x"].tolist() == whole.loc[whole["name"].isin(head["vehicles"]), "x"].tolist()
    # The state of each signal is known from the beginning on.
    signals = unpacked(packed, head["tables"]["signals"])
    assert {group for group, time in zip(signals["group"], signals["time"], strict=True) if time <= PART[0]} == set(
        range(len(run.signals.drop_duplicates(["junction", "group"])))
    )


def test_counts_and_means_are_those_of_the_tables(run: Result) -> None:
    found = overview(run)
    assert {len(values) for values in found.values()} == {BINS}
    kinds = run.auctions["winner_kind"].value_counts()
    for name, kind in (("ground", "ground"), ("uav", "uav"), ("nobody", "none")):
        assert sum(value or 0.0 for value in found[name]) == kinds[kind]
    tasks = sum(np.array(found[name], dtype=float) for name in ("ground", "uav", "nobody"))
    surplus = np.array([value or 0.0 for value in found["surplus"]])
    assert (tasks * surplus).sum() == pytest.approx(run.auctions["surplus"].sum(), rel=1e-4)
    length = run.run["duration"] / BINS
    for at in (0, BINS // 2, BINS - 1):
        rows = run.tasks["requested"].between(at * length, (at + 1) * length, inclusive="left")
        done = run.tasks.loc[rows & (run.tasks["status"] == "completed"), "latency"]
        assert (found["p95"][at] is None) == (len(done) == 0)
        if len(done):
            assert found["p95"][at] == pytest.approx(done.quantile(0.95), rel=1e-4)
            assert found["latency"][at] == pytest.approx(done.mean(), rel=1e-4)
        middle = (at + 0.5) * length
        there = (run.vehicles["entered"] <= middle) & ~(run.vehicles["left"] <= middle)
        assert found["vehicles"][at] == there.sum()


@pytest.fixture(scope="module")
def hour() -> Result:
    return simulate("four_way", "conditional")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_what_does_not_fit_is_counted(hour: Result, share: float) -> None:
    entire = payload({"conditional": hour})
    assert entire.head["runs"][0]["overview"] is None, "a page that has all needs no counts"
    most = int(share * entire.size())
    packed = payload({"conditional": hour}, most_bytes=most)
    assert ENOUGH * most <= packed.size() <= most
    assert packed.head["begin"] == 0.0
    assert 0.0 < packed.head["end"] < 3600.0
    assert packed.head["runs"][0]["overview"] is not None
    # The summary is that of the entire run.
    assert packed.head["runs"][0]["summary"]["tasks"] == len(hour.tasks)


def test_a_page_that_is_full_has_less_than_ten_megabytes() -> None:
    assets = files("simulator.view.report").joinpath("page")
    around = sum(len(assets.joinpath(name).read_bytes()) for name in (*SCRIPTS, "page.html", "style.css"))
    assert MOST_BYTES + around < 10e6


def test_runs_of_a_comparison_have_one_part(hour: Result) -> None:
    packed = payload({"conditional": hour, "spa": simulate("four_way", "spa")}, most_bytes=500_000)
    assert packed.head["end"] < 3600.0
    counts = [len(unpacked(packed, one["tables"]["tasks"])["requested"]) for one in packed.head["runs"]]
    assert counts[0] == counts[1] > 0
    assert all(one["overview"] for one in packed.head["runs"])


def test_a_page_that_cannot_be_small_enough_shows_the_least(hour: Result) -> None:
    """The map is in every part."""
    packed = payload({"conditional": hour}, most_bytes=1_000)
    assert packed.part == (0.0, 1.0)
    least = packed.size()
    entire = payload({"conditional": hour}).size()
    # Half of the room is the map's.
    packed = payload({"conditional": hour}, most_bytes=2 * least)
    assert 2 * least < entire
    assert 1.8 * least <= packed.size() <= 2 * least


def test_a_vehicle_is_where_it_was_though_its_path_began_long_before() -> None:
    far = {"traffic.roads.arm_m": 60_000.0, "traffic.arrivals.rate_per_h": 20.0}
    run = simulate("four_way", "conditional", duration=5_100, **fields(far))
    packed = payload({"conditional": run}, part=(5_000.0, 5_010.0))
    paths = unpacked(packed, packed.head["tables"]["paths"])
    for number, name in enumerate(packed.head["vehicles"]):
        own = paths["vehicle"] == number
        there = run.paths[run.paths["vehicle"] == int(run.vehicles.index[run.vehicles["name"] == name][0])]
        np.testing.assert_allclose(
            np.interp(5_000.0, paths["time"][own], paths["x"][own]),
            np.interp(5_000.0, there["time"], there["x"]),
            atol=0.01,
        )


@pytest.mark.parametrize("part", [(-1.0, 10.0), (10.0, 10.0), (20.0, 10.0), (600.0, 700.0), (float("nan"), 10.0)])
def test_a_part_that_is_none_is_refused(run: Result, part: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="a run of 600 s has no part from"):
        payload({"conditional": run}, part=part)


@given(
    st.lists(st.one_of(st.floats(-1e5, 1e5), st.just(float("nan"))), max_size=40),
    st.floats(0.0, 1e5),
    st.floats(1e-3, 100.0),
)
def test_times_are_packed_to_a_tick(shifts: list[float], begin: float, scale: float) -> None:
    """However far they are from the part: a path may begin hours before it."""
    times = begin + scale * np.array(shifts)
    table = pd.DataFrame({"time": times})
    packer = Packer(begin, [table])
    farthest = np.nanmax(np.abs(times - begin), initial=0.0)
    assert packer.tick_s == 1e-6 or packer.tick_s <= 10.0 * farthest / MOST_TICKS, "as short as it can be"
    place = packer.add(table, {"time": "t4"})
    head = {"begin": begin, "tick_s": packer.tick_s}
    found = unpacked(Payload(head, packer.text()), place)["time"]
    np.testing.assert_allclose(found, times, rtol=1e-12, atol=0.51 * packer.tick_s)


def test_the_command_says_what_part_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def dmsb(*typed: str) -> Any:
        return CliRunner().invoke(app, list(typed))

    assert dmsb("run", "four_way", "--policy", "conditional", "--duration", "300", "--out", "r").exit_code == 0
    for part in ((), ("--from", "100", "--to", "200"), ("--to", "200"), ("--from", "250"), ("--to", "900")):
        assert dmsb("report", "r", *part).stderr == "", "what was asked for is there"
        text = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
        begin, end = ({"--from": 0, "--to": 300} | dict(zip(part[::2], map(int, part[1::2]), strict=True))).values()
        assert f'"begin": {begin}.0, "end": {min(end, 300)}.0' in text
    for option, value, said in (
        ("--from", "400", "--from 400: must be from 0 to below 300 s, the length of the run"),
        ("--from", "-1", "--from -1: must be from 0 to below 300 s, the length of the run"),
        ("--to", "0", "--to 0: must be above 0 s, where the part begins"),
        ("--to", "nan", "--to nan: must be above 0 s, where the part begins"),
    ):
        assert str(dmsb("report", "r", option, value).exception) == said
    monkeypatch.setattr("simulator.view.report.payload.MOST_BYTES", 200_000)
    said = dmsb("run", "four_way", "--policy", "conditional", "--duration", "1800", "--out", "s", "--report").stderr
    assert re.search(r"^0 to 1800 s do not fit .* it shows 0 to [0-9]+ s in detail", said)


def test_a_page_of_a_part_plays_the_part(opened: Browser, run: Result, page: Path) -> None:
    begin, end = PART
    look = Look(opened, page)
    first = int(np.searchsorted(run.tasks["requested"], begin))
    asked = int(run.auctions.index[(run.auctions["asked"]) & (run.auctions["task"] >= first)][0])
    assert f"Auction of task {asked} at" in look.card()
    assert look.ask("() => dmsb.time") == pytest.approx(run.tasks["requested"][asked], abs=1e-5)
    # An address names a task as the tables do.
    assert look.ask("() => location.hash").endswith(f"&task={asked}")
    other = Look(opened, page, f"#t=0&task={asked + 3}")
    assert f"Auction of task {asked + 3} at" in other.card()
    for key, time in (("Home", begin), ("End", end)):
        look.press(key)
        assert look.ask("() => dmsb.time") == time
    assert look.ask("() => dmsb.charts[0].window") == list(PART)
    # Queues at the beginning have the tasks that came before.
    busy = look.ask("(time) => dmsb.runs[0].at(time).active.map(({ task }) => dmsb.runs[0].idOf(task))", begin)
    status, provider = run.tasks["status"], run.tasks["provider"]
    under_way = (run.tasks["requested"] <= begin) & (run.tasks["finished"] > begin) & (provider >= 0)
    assert set(run.tasks.index[under_way & (status == "completed")]) <= set(busy)
    assert "in detail from 3:20 to 6:40" in look.page.locator("#about").inner_text()
    assert not look.complaints
    other.page.close()
    look.page.close()


def test_charts_of_the_entire_run_lead_into_the_part(opened: Browser, page: Path) -> None:
    look = Look(opened, page)
    assert look.page.locator("#overview figure").count() == 5
    assert "the part from 3:20 to 6:40 only" in look.page.locator("#overview-note").inner_text()
    assert look.ask("() => dmsb.overview.charts.map((chart) => chart.window)") == [[0, 600]] * 5
    canvas = look.page.locator("#overview canvas").first
    place = "(time) => dmsb.overview.charts[0].px(time)"
    canvas.click(position={"x": look.ask(place, 300.0), "y": 40})
    assert look.ask("() => dmsb.time") == pytest.approx(300.0, abs=3.0)
    canvas.click(position={"x": look.ask(place, 100.0), "y": 40})
    assert "is not in the part that this page shows" in look.page.locator("[role=status]").inner_text()
    assert look.ask("() => dmsb.time") == pytest.approx(300.0, abs=3.0)
    assert not look.complaints
    look.page.close()


def test_a_page_of_an_entire_run_has_no_such_charts(opened: Browser, run: Result, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report({"conditional": run}, path)
    look = Look(opened, path)
    assert look.page.locator("#overview").is_hidden()
    look.page.close()


def test_a_city_from_far_away_has_numbers_in_place_of_signs(opened: Browser, tmp_path: Path) -> None:
    run = simulate("grid", "conditional", duration=200, **fields(streets(10)))
    path = tmp_path / "report.html"
    write_report({"conditional": run}, path)
    look = Look(opened, path, "#t=150")
    view = "dmsb.panes[0].view"
    assert look.ask(f"() => {view}.isFar")
    numbers = look.ask(f"() => {view}.labels.map((label) => label.text).filter((text) => /^[0-9]+$/.test(text))")
    under_way = look.ask("() => dmsb.runs[0].at(150).active.length")
    assert sum(map(int, numbers)) == under_way > 0
    assert "Zoom in for each of them" in str(look.ask(f"() => {view}.labels.map((label) => label.text)"))
    there = (run.vehicles["entered"] <= 150.0) & ~(run.vehicles["left"] < 150.0)
    assert look.ask(f"() => {view}.vehicles.length") == there.sum()
    # A provider can be picked from far away too.
    icon = look.ask(f"() => {view}.icons[60]")
    look.page.locator(".map canvas").first.click(position={"x": icon["x"], "y": icon["y"]})
    assert look.ask("() => dmsb.provider") >= 0
    for _ in range(6):
        look.page.click("#closer")
    look.settle()
    assert not look.ask(f"() => {view}.isFar")
    assert not look.complaints
    look.page.close()
