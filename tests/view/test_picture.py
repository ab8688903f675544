"""What is painted: vehicles, signals, queues and charts against the tables, and each layer of the map at all."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator import Observation, Result, simulate
from simulator.view.report.write import write_report
from tests.fields import fields
from tests.view.browser import Look

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COLOUR = """(name) => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
}"""
"""Red, green and blue of a colour of the page's style."""


LAYERS = {
    "drawSignals": "#t=100", "drawAuctions": "#t=100", "drawVehicles": "#t=100", "drawTasks": "#t={sent}",
    "drawProviders": "#t=100", "drawScale": "#t=100", "drawCoverage": "#t=100", "drawRoads": "#t=100",
    "drawResult": "#t={finished}",
}  # fmt: skip
"""What a map consists of, and when there is some of it."""


def test_play_puts_vehicles_where_paths_has_them(opened: Browser, run: Result, report: Path) -> None:
    """Played, not sought: at three times each vehicle on the screen is where the table has it, and nobody else."""
    look = Look(opened, report, "#t=30")
    look.page.select_option("#speed", "60")
    seen = 0
    for _ in range(3):
        before = look.ask("() => dmsb.time")
        look.page.click("#play")
        look.play_until(before + 20.0)
        look.page.click("#play")
        look.settle()
        time, drawn = look.ask(
            """() => {
                const { view } = dmsb.panes[0];
                return [dmsb.time, view.vehicles.map(({ vehicle, x, y }) => ({ vehicle, ...view.toWorld({ x, y }) }))];
            }"""
        )
        there = {int(one["vehicle"]): one for one in drawn}
        expected = {}
        for vehicle, own in run.paths.groupby("vehicle"):
            if own["time"].iloc[0] <= time <= own["time"].iloc[-1]:
                expected[vehicle] = [np.interp(time, own["time"], own[axis]) for axis in ("x", "y")]
        assert there.keys() == expected.keys()
        for vehicle, place in expected.items():
            assert [there[int(str(vehicle))][axis] for axis in ("x", "y")] == pytest.approx(place, abs=0.01)
        seen += len(expected)
    assert seen > 30
    assert look.complaints == []
    # What the player says is there is what is painted: dark pixels in the place of a vehicle that stands apart.
    painted = look.ask(
        """() => {
            const pane = dmsb.panes[0], ratio = pane.canvas.width / pane.canvas.clientWidth;
            const pen = pane.canvas.getContext("2d"), [red, green, blue] = [60, 66, 75];
            return pane.view.vehicles.map(({ x, y, place }) => {
                const east = x - 4 * Math.cos(place.heading), south = y + 4 * Math.sin(place.heading);
                const pixel = pen.getImageData(Math.round(east * ratio), Math.round(south * ratio), 1, 1).data;
                return Math.abs(pixel[0] - red) + Math.abs(pixel[1] - green) + Math.abs(pixel[2] - blue) < 30;
            });
        }"""
    )
    assert np.mean(painted) > 0.6  # the others are under a provider, a task or a sign
    look.page.close()


def test_stop_lines_have_the_colours_that_the_table_says(opened: Browser, run: Result, report: Path) -> None:
    """The middle of each stop line on the canvas, at moments of green, yellow and red."""
    look = Look(opened, report)
    colours = {state: look.ask(COLOUR, name) for state, name in (("green", "good"), ("yellow", "wait"), ("red", "bad"))}
    for _ in range(4):
        look.press("z")
    seen = set()
    for time in (1.0, 26.0, 31.0, 57.0, 123.4):
        look.ask("(time) => dmsb.seek(time)", time)
        look.settle()
        for index, group in enumerate(run.signals["group"].unique()):
            own = run.signals[(run.signals["group"] == group) & (run.signals["time"] <= time)]
            state = str(own["state"].iloc[-1])
            painted = look.ask(
                """([group, index]) => {
                    const pane = dmsb.panes[0], ratio = pane.canvas.width / pane.canvas.clientWidth;
                    const pen = pane.canvas.getContext("2d"), found = [];
                    for (const line of dmsb.world.ground.stop_lines.filter((one) => one.group === index)) {
                        for (let share = 0; share <= 1; share += 0.05) {
                            const [x, y] = [0, 1].map((axis) => line.left[axis] + share * (line.right[axis] - line.left[axis]));
                            const at = pane.view.toScreen({ x, y });
                            found.push([...pen.getImageData(Math.round(at.x * ratio), Math.round(at.y * ratio), 1, 1).data]);
                        }
                    }
                    return found;
                }""",  # noqa: E501
                [group, index],
            )
            near = [state for pixel in painted for state, colour in colours.items() if apart(pixel, colour) < 60]
            assert Counter(near).most_common(1)[0][0] == state
            seen.add(state)
    assert seen == {"green", "yellow", "red"}
    look.page.close()


def apart(one: list[int], other: list[int]) -> int:
    """How far two colours are apart, summed over red, green and blue; far where one is hardly painted."""
    if min(one[3], other[3]) < 128:
        return 3 * 255
    return sum(abs(a - b) for a, b in zip(one[:3], other[:3], strict=True))


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_of_the_map_is_painted(opened: Browser, run: Result, report: Path, layer: str) -> None:
    """Without it the picture is another."""
    task = run.tasks.iloc[40]
    sent, finished = float(task["requested"] + task["uplink_wait"]) + 0.1, float(task["finished"]) + 0.5
    look = Look(opened, report, LAYERS[layer].format(sent=sent, finished=finished))
    look.press("n" if layer == "drawAuctions" else "0")
    picture = "() => { dmsb.panes[0].view.drawn = ''; dmsb.draw(performance.now()); return dmsb.panes[0].canvas.toDataURL(); }"  # noqa: E501
    whole = look.ask(picture)
    assert whole == look.ask(picture)
    look.ask("(layer) => { dmsb.panes[0].view[layer] = () => {}; }", layer)
    assert look.ask(picture) != whole
    look.page.close()


def test_queues_are_drawn_as_they_fill(opened: Browser, run: Result, report: Path) -> None:
    """Beside a provider there is a filled square for each task in service, and more paint where tasks wait."""
    waits = run.tasks[(run.tasks["uplink_wait"] > 0.3) & (run.tasks["status"] == "completed")].iloc[0]
    time, look = float(waits["requested"] + 0.5 * waits["uplink_wait"]), Look(opened, report)
    square = """([id, time]) => {
        dmsb.seek(time);
        dmsb.draw(performance.now());
        const pane = dmsb.panes[0], ratio = pane.canvas.width / pane.canvas.clientWidth, { x, y } = pane.view.icons[id];
        const pen = pane.canvas.getContext("2d"), left = x + 15, bottom = y + 6;
        return [2.5, 8].map((up) => [...pen.getImageData(Math.round((left + 2.5) * ratio), Math.round((bottom - up) * ratio), 1, 1).data]);
    }"""  # noqa: E501
    ink = look.ask(COLOUR, "stage-uplink")
    busy = look.ask(square, [int(waits["provider"]), time])
    assert apart(busy[0], ink) < 30
    idle = look.ask(square, [int(waits["provider"]), 0.0])
    assert apart(idle[0], ink) > 60
    look.page.close()


def test_charts_show_what_the_tables_say(opened: Browser, run: Result, report: Path) -> None:
    """Each chart's numbers, in a window of ten minutes' length or less, against the same in numpy."""
    look = Look(opened, report, "#t=200")
    look.page.select_option("#span", "120")
    look.settle()
    begin, end = look.ask("() => dmsb.window")
    assert (begin, end) == (188.0, 308.0)
    titles = look.ask("() => dmsb.charts.map((chart) => chart.spec.title)")
    marks = look.ask(
        """() => dmsb.charts.map((chart) => Object.fromEntries(chart.spec.marks.map((mark) => [
            mark.name, Object.fromEntries(Object.entries(mark).map(([key, value]) => [
                key, Array.isArray(value) ? value.map((one) => (Number.isNaN(one) ? null : one)) : value])),
        ])))"""
    )
    chart = dict(zip(titles, marks, strict=True))
    tasks, auctions = run.tasks, run.auctions
    inside = ((tasks["requested"] >= begin) & (tasks["requested"] <= end)).to_numpy()
    edges = np.linspace(begin, end, 49)
    which = np.clip(np.searchsorted(edges, tasks["requested"][inside], side="right") - 1, 0, 47)

    def means(values: Any) -> list[float | None]:
        column = np.asarray(values, dtype=float)[inside]
        found = [column[(which == number) & np.isfinite(column)] for number in range(48)]
        return [float(part.mean()) if len(part) else None for part in found]

    def close(found: list[float | None], expected: list[float | None]) -> None:
        assert [value is None for value in found] == [value is None for value in expected]
        assert [value for value in found if value is not None] == pytest.approx(
            [value for value in expected if value is not None], rel=1e-5, abs=1e-6
        )

    close(chart["Surplus per task"]["winner"]["y"], means(auctions["surplus"]))
    close(chart["Surplus per task"]["best of each round"]["y"], means(auctions["best_surplus"]))
    close(chart["Surplus per task"]["realised, 0 if lost"]["y"], means(tasks["realised_surplus"]))
    for stage in ("uplink", "gpu", "cpu", "downlink"):
        for part, column in (("service", "time"), ("wait", "wait")):
            expected = [value or 0.0 for value in means(tasks[f"{stage}_{column}"])]
            close(chart["Latency by stage"][f"{stage} {part}"]["values"], list(expected))
    won = chart["Price scaling factor ρ"]["the UAV won"]
    expected_won = auctions[inside & auctions["asked"] & (auctions["winner_kind"] == "uav")]
    assert won["task"] == expected_won["task"].tolist()
    assert won["y"] == pytest.approx(expected_won["rho"].tolist(), rel=1e-6)
    shares = [value or 0.0 for value in means(auctions["winner_kind"] == "uav")]
    close(chart["Who gets the tasks"]["UAV"]["values"], list(shares))
    cells = chart["Utilisation"]["0, 0.5, 1"]["rows"]
    stage_spans: list[tuple[Any, Any]] = []
    for stage in ("uplink", "gpu", "cpu", "downlink"):
        starts = (tasks["requested"] if not stage_spans else stage_spans[-1][1]) + tasks[f"{stage}_wait"]
        stage_spans.append((starts, starts + tasks[f"{stage}_time"]))
    for number, row in enumerate(cells):
        own = (tasks["provider"] == number).to_numpy()
        busy = [
            [np.nansum(np.maximum(np.minimum(ends[own], high) - np.maximum(starts[own], low), 0.0)) / (high - low)
             for low, high in pairwise(edges)]
            for starts, ends in stage_spans
        ]  # fmt: skip
        assert list(row["values"]) == pytest.approx(np.max(busy, axis=0).tolist(), abs=1e-4)
    bids = chart["Bid and value of the UAV"]["bid"]["y"]
    close(bids, [float(bid) if np.isfinite(bid) else None for bid in auctions["uav_bid"][inside]])
    look.ask("() => dmsb.seek(500)")
    look.settle()
    assert look.ask("() => dmsb.window[0] <= 500 && 500 <= dmsb.window[1]")
    look.page.close()


def test_an_infinite_price_stands_above_every_finite_one(opened: Browser, tmp_path: Path) -> None:
    """What is infinite has a band of its own, with a sign."""

    class InfiniteAtFirst:
        def __init__(self) -> None:
            self.asked = 0

        def price(self, observation: Observation) -> float:
            self.asked += 1
            return math.inf if self.asked <= 40 else 1.5

    run = simulate("four_way", InfiniteAtFirst(), duration=300)
    path = tmp_path / "report.html"
    write_report({"mine": run}, path)
    look = Look(opened, path)
    endless, highest, texts = look.ask(
        """() => {
            const chart = dmsb.charts[0], texts = [], write = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (...given) { texts.push(given[0]); };
            chart.draw();
            CanvasRenderingContext2D.prototype.fillText = write;
            return [chart.py(Infinity), chart.py(chart.high), texts];
        }"""
    )
    assert np.isinf(run.auctions["rho"]).sum() == 40
    assert endless < highest - 5, "pixels from the top"
    assert "∞" in texts
    plain = tmp_path / "plain.html"
    write_report({"constant": simulate("four_way", "constant:1.3", duration=300)}, plain)
    look.page.goto(plain.resolve().as_uri())
    look.page.wait_for_selector("main:not([hidden])")
    assert look.ask("() => dmsb.charts[0].endless") is False
    look.page.close()


def test_a_frame_costs_what_is_on_the_map_and_no_more(opened: Browser, tmp_path: Path) -> None:
    """A second of playback, frame by frame, in a city: what stands still is not drawn again, and cards not every time.

    What a frame takes in ms is for `make bench`: it depends on the machine.
    """
    run = simulate("grid", "conditional", duration=400, **fields({"traffic.arrivals.rate_per_h": 700}))
    path = tmp_path / "report.html"
    write_report({"conditional": run}, path)
    look = Look(opened, path, "#t=300")
    frames = look.ask(
        """() => {
            const counts = {}, found = [];
            const count = (name, prototype, method) => {
                const own = prototype[method];
                prototype[method] = function (...given) {
                    counts[name] += 1;
                    return own.apply(this, given);
                };
            };
            count("places", World.prototype, "place");
            count("roads", MapView.prototype, "drawRoads");
            count("charts", Chart.prototype, "draw");
            count("cards", Pane.prototype, "cards");
            for (let frame = 0; frame < 60; frame += 1) {
                Object.assign(counts, { places: 0, roads: 0, charts: 0, cards: 0 });
                dmsb.time += 5 / 60;
                dmsb.draw(1e9 + 1000 / 60 * frame);
                const { vehicles, dots } = dmsb.panes[0].view;
                found.push({ ...counts, vehicles: vehicles.length, tasks: dots.length });
            }
            return found;
        }"""
    )
    assert min(frame["vehicles"] for frame in frames) >= 200
    assert sum(frame["roads"] + frame["charts"] for frame in frames) == 0
    assert sum(frame["cards"] for frame in frames) == 5, "one in 200 ms"
    for frame in frames:
        # A place for each vehicle and each task under way, for the results and lines that fade away, and at most one
        # more pass over the vehicles for the cards, which count them.
        passes = 1 + frame["cards"]
        assert frame["vehicles"] <= frame["places"] <= passes * frame["vehicles"] + frame["tasks"] + 40
    look.page.close()


def test_a_market_without_a_map_has_its_requests_in_the_middle(opened: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    run = simulate("paper", "conditional", duration=60)
    write_report({"conditional": run}, path)
    look = Look(opened, path, "#task=30")
    assert "without a map" in str(look.page.locator(".map canvas").get_attribute("aria-label"))
    assert look.page.locator("#follow").is_hidden()
    icons = look.ask("() => dmsb.panes[0].view.icons.map(({ x, y }) => [x, y])")
    assert len({(round(x), round(y)) for x, y in icons}) == len(run.providers)
    dots = look.ask("() => dmsb.panes[0].view.dots")
    assert 30 in [dot["task"] for dot in dots]
    look.page.close()
