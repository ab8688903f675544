"""What the replay of a report costs: frames in headless Chromium, which draws in software where there is no GPU."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from simulator import simulate
from simulator.view.report.write import write_report
from tests.fields import fields
from tests.view.browser import Look, browser

SECONDS = 4.0


class Frames(NamedTuple):
    """Playback of a grid of junctions at 10 x in a window of 1440 x 900.

    Attributes:
        vehicles: how many are on the map.
        per_second: frames that the browser shows a second of wall-clock time.
        ms: median time that the page itself takes for one.
    """

    vehicles: int
    per_second: float
    ms: float


def playback() -> Frames:
    """Play for some seconds and count."""
    run = simulate("grid", "conditional", duration=500, **fields({"traffic.arrivals.rate_per_h": 700}))
    with TemporaryDirectory() as folder, browser() as opened:
        path = Path(folder) / "report.html"
        write_report({"conditional": run}, path)
        look = Look(opened, path, "#t=300")
        vehicles = look.ask("() => dmsb.panes[0].view.vehicles.length")
        look.page.select_option("#speed", "10")
        look.page.click("#play")
        shown = look.ask(
            """(seconds) => new Promise((done) => {
                let count = 0, begin = performance.now();
                const next = (now) => {
                    count += 1;
                    if (now - begin < 1000 * seconds) requestAnimationFrame(next);
                    else done(count / (now - begin) * 1000);
                };
                requestAnimationFrame(next);
            })""",
            SECONDS,
        )
        return Frames(vehicles, shown, float(np.median(look.ask("() => dmsb.frameMs"))))


class Opening(NamedTuple):
    """Opening of the report of a large run, in a window of 1440 x 900.

    Attributes:
        mb: size of the page, MB.
        seconds: wall-clock time from the address to the first frame, s.
    """

    mb: float
    seconds: float


def opening(scenario: str, duration: float, **overrides: Any) -> Opening:
    """Make the report of a run, and open it.

    Args:
        scenario: name of the scenario.
        duration: length of the run, s.
        overrides: scenario fields by dotted key.
    """
    run = simulate(scenario, "conditional", duration=duration, **fields(overrides))
    with TemporaryDirectory() as folder, browser() as opened:
        path = Path(folder) / "report.html"
        write_report({"conditional": run}, path)
        begin = time.perf_counter()
        look = Look(opened, path)
        look.page.wait_for_function("() => window.dmsb && dmsb.frameMs.length > 0")
        return Opening(path.stat().st_size / 1e6, time.perf_counter() - begin)
