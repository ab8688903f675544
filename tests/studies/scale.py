"""What a run costs and how much memory it takes: ``python -m tests.studies.scale``.

Each point is a process of its own, which writes its tables into a folder. Cost is processor time per auction without
the start of the process. Memory is the largest resident set of the process. A study that was cut off goes on with what
``docs/results/scale.csv`` has. ``--again`` measures all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tests.benchmarks.city import streets

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "results" / "scale.csv"
FIGURE = ROOT / "docs" / "figures" / "scale.png"

RUN = """
import json, resource, sys, time
from pathlib import Path
from simulator.run import plan

asked = json.load(sys.stdin)
scenario, seconds, overrides = asked["scenario"], asked["duration"], asked["overrides"]
# What is imported with the first run is the start of the process.
plan("four_way", "conditional", duration=60.0).run_into(Path(sys.argv[1]).with_name("first"))
planned = plan(scenario, "conditional", duration=seconds, **overrides)
begin = time.process_time()
result = planned.run_into(Path(sys.argv[1]))
spent = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
tables = sum(path.stat().st_size for path in Path(sys.argv[1]).rglob("*.parquet")) / 2**20
there = int((result.vehicles["entered"].notna() & result.vehicles["left"].isna()).sum())
auctions = result.summary["tasks"]
print(json.dumps({"there": there, "auctions": auctions, "cpu_s": spent, "peak_mib": peak, "tables_mib": tables}))
"""


VEHICLES = "vehicles on the map"
"""The axis whose values are counted at the end of each run."""


class Point(NamedTuple):
    """A run that is measured.

    Attributes:
        axis: what grows.
        value: how much of it there is; of vehicles, the length of an arm, m.
        scenario: name of the scenario.
        duration: length of the run, s.
        overrides: scenario fields by dotted key.
    """

    axis: str
    value: float
    scenario: str
    duration: float
    overrides: dict[str, Any]


def ring(count: int) -> dict[str, Any]:
    """Place UAVs around the middle of the junction, at most 100 m away."""
    angles = 2 * np.pi * np.arange(count) / count
    away = 0.0 if count == 1 else 100.0
    return {
        "uavs.placed": [
            {"name": f"u{number + 1}", "x": float(away * np.cos(angle)), "y": float(away * np.sin(angle))}
            for number, angle in enumerate(angles)
        ]
    }


def vehicles(arm_m: float) -> Point:
    """Return a run with long arms, which hold many vehicles. Its value is the length of an arm; the run counts them."""
    overrides = {"traffic.roads.arm_m": arm_m, "traffic.arrivals.rate_per_h": 500.0}
    # As long as a vehicle needs to cross the map, and twenty minutes.
    full = 2.2 * arm_m / 13.9 + 200.0
    return Point(VEHICLES, arm_m, "four_way", full + 1200.0, overrides)


POINTS = (
    *(Point("hours", float(hours), "four_way", 3600.0 * hours, {}) for hours in (1, 3, 10, 30, 100, 1_000)),
    *(vehicles(arm_m) for arm_m in (300.0, 1_200.0, 12_000.0, 120_000.0, 1_000_000.0)),
    *(Point("stations at a junction", float(count), "four_way", 3600.0, {"stations.count": count})
      for count in (3, 10, 30, 100, 300, 1_000)),
    *(Point("UAVs at a junction", float(count), "four_way", 3600.0, ring(count)) for count in (1, 3, 10, 30, 100, 300)),
    *(Point("junctions", float(rows * rows), "grid", 900.0, streets(rows)) for rows in (3, 6, 10, 20, 30, 50)),
)  # fmt: skip
"""All points. Each axis begins with the scenario as it is shipped, or with fewer.

Arms of 1,000 km, 1,000 stations and 50 x 50 junctions are the most that a scenario may have.
"""

BEYOND = {"hours": 10_000.0, VEHICLES: 1_000_000.0, "stations at a junction": 3_000.0,
          "UAVs at a junction": 1_000.0, "junctions": 10_000.0}  # fmt: skip
"""Where each axis is extrapolated to."""


def measure(point: Point) -> dict[str, float]:
    """Measure a point in a process of its own."""
    asked = {"scenario": point.scenario, "duration": point.duration, "overrides": point.overrides}
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        # A city is too long for an argument of a command.
        command = [sys.executable, "-c", RUN, str(out)]
        done = subprocess.run(
            command, cwd=ROOT, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found | {"us": 1e6 * found["cpu_s"] / found["auctions"]}


def extrapolated(points: pd.DataFrame, column: str, value: float) -> float:
    """Return what a column would be at a value.

    Memory is on the line through the two largest points: what is kept per task or per place adds up. Time per auction
    is on a power law through the three largest.
    """
    last = points.nlargest(2 if column == "peak_mib" else 3, "value")
    if column == "peak_mib":
        return float(np.polyval(np.polyfit(last["value"], last[column], 1), value))
    return float(np.exp(np.polyval(np.polyfit(np.log(last["value"]), np.log(last[column]), 1), np.log(value))))


def measured(said: Callable[[str], None]) -> pd.DataFrame:
    """Return all points, measuring those that are missing."""
    known = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=["axis", "point"])
    for point in POINTS:
        if ((known["axis"] == point.axis) & np.isclose(known["point"].astype(float), point.value)).any():
            continue
        found = measure(point)
        there = found.pop("there")
        value = there if point.axis == VEHICLES else point.value
        row = {"axis": point.axis, "point": point.value, "value": value} | found
        said(f"{point.axis} {value:,.0f}: {row['us']:.0f} us per auction, {row['peak_mib']:.0f} MiB")
        known = pd.concat([known, pd.DataFrame([row])], ignore_index=True)
        known.round(3).to_csv(TABLE, index=False)
    return known


def draw(found: pd.DataFrame) -> None:
    """Draw cost and memory against each axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    axes = list(dict.fromkeys(found["axis"]))
    figure, panels = plt.subplots(2, len(axes), figsize=(13, 5), layout="constrained", sharey="row", squeeze=False)
    for row, (column, label) in enumerate((("us", "CPU time per auction, us"), ("peak_mib", "peak memory, MiB"))):
        for number, axis in enumerate(axes):
            points, panel = found[found["axis"] == axis].sort_values("value"), panels[row][number]
            panel.loglog(points["value"], points[column], "o-", color="#1f5fbf")
            beyond = extrapolated(points, column, BEYOND[axis])
            last = points.iloc[-1]
            panel.loglog([last["value"], BEYOND[axis]], [last[column], beyond], "o:", color="#b84a00", mfc="none")
            panel.grid(alpha=0.3)
            panel.set_xlabel(axis if row else "")
            panel.set_ylabel("" if number else label)
            panel.set_title(f"({'abcdefghij'[row * len(axes) + number]})", loc="left", fontsize=10)
    panels[0][0].set_ylim(100, 10_000)
    panels[1][0].set_ylim(100, 20_000)
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Measure what is missing, print the table and draw the figure."""
    if "--again" in sys.argv[1:]:
        TABLE.unlink(missing_ok=True)
    found = measured(lambda text: print(text, file=sys.stderr, flush=True))
    print("| what grows | how many | auctions | us per auction | peak memory, MiB | tables, MiB |")
    print("|---|---|---|---|---|---|")
    for axis in dict.fromkeys(found["axis"]):
        points = found[found["axis"] == axis].sort_values("value")
        for row in points.to_dict("records"):
            print(
                f"| {axis} | {row['value']:,.0f} | {row['auctions']:,.0f} | {row['us']:.0f} | {row['peak_mib']:,.0f} | "
                f"{row['tables_mib']:,.0f} |"
            )
        beyond = [extrapolated(points, column, BEYOND[axis]) for column in ("us", "peak_mib")]
        print(f"| {axis} | {BEYOND[axis]:,.0f}, not measured | | {beyond[0]:,.0f} | {beyond[1]:,.0f} | |")
    draw(found)


if __name__ == "__main__":
    main()
