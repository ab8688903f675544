"""The junction of `four_way` in SUMO, with the same vehicles: ``python -m tests.world.sumo_junction`` prints both.

SUMO's vehicles are its default ones (Krauss, sigma 0.5) but for `tau`, which is set so that a queue discharges at the
scenario's saturation headway. Left turns have green with oncoming traffic, and yield to it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.table import Table

from simulator import Recording, Scenario, simulate
from simulator.scenario.traffic import FourWay, GeneratedTraffic

BIN = Path(sys.executable).parent
ARMS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
RATES_PER_H = (360, 480, 600)
"""Demands per approach without left turns, 48, 64 and 80 % of what its signal can discharge."""

CAPACITY_PER_H = 450.0
"""What an approach with 20 % of left turns discharges in SUMO under a demand of 560 to 740 vehicles/h."""

DEGREES, SEEDS = (0.4, 0.6, 0.8), (0, 1, 2)
"""Demands with left turns, divided by that capacity, and the worlds of each."""

ACCELERATION_MPS2 = 2.6
"""Acceleration of SUMO's default car."""

DRAIN_S = 900.0
"""Time after the last vehicle that counts in which all that do have left, s."""

# Twelve links, clockwise from north, right, straight, left of each arm.
NORTH_SOUTH, EAST_WEST, NOBODY = "GGgrrrGGgrrr", "rrrGGgrrrGGg", "r" * 12


class Junction(NamedTuple):
    """Mean delay of a vehicle, s, and mean number of vehicles before the stop lines below half the speed limit."""

    vehicles: int
    delay_s: float
    queue: float
    standing: float


def ours(rate_per_h: float, left: float, seed: int, duration: float) -> tuple[Junction, pd.DataFrame, Scenario]:
    """The junction as it is here, and its vehicles: those that arrive within the duration."""
    profile = [[0.0, 1.0], [duration, 1.0], [duration + 1e-3, 0.0]]
    overrides: dict[str, Any] = {
        "traffic.arrivals.rate_per_h": rate_per_h,
        "traffic.arrivals.profile": profile,
        "traffic.turning.left": left,
        "traffic.turning.straight": 0.6,
        "traffic.turning.left_rule": "permissive",
        "traffic.acceleration_mps2": ACCELERATION_MPS2,
    }
    scenario = Scenario.load("four_way", **overrides)
    result = simulate(scenario, "always-ground", seed=seed, duration=duration + DRAIN_S)
    traffic = scenario.traffic
    assert isinstance(traffic, GeneratedTraffic)
    paths = result.paths[result.paths["lane"].str.contains(">junction")]
    stay = result.paths.groupby("vehicle")["time"].shift(-1).loc[paths.index] - paths["time"]
    queue, standing = (stay[paths["speed"] < limit].sum() / duration for limit in limits(traffic))
    vehicles = result.vehicles
    assert vehicles["left"].notna().all()
    delay = float((vehicles["delay"] + vehicles["held"]).mean())
    return Junction(len(vehicles), delay, float(queue), float(standing)), vehicles, scenario


def limits(traffic: GeneratedTraffic) -> tuple[float, float]:
    """Speeds below which a vehicle counts as queued, and as standing, m/s."""
    assert isinstance(traffic.roads, FourWay)
    return 0.5 * traffic.roads.speed_mps, 0.1


def sumo(vehicles: pd.DataFrame, scenario: Scenario, duration: float, folder: Path) -> Junction:
    """The same in SUMO: its roads, its car-following, our signals and our vehicles."""
    traffic = scenario.traffic
    assert isinstance(traffic, GeneratedTraffic)
    assert isinstance(traffic.roads, FourWay)
    roads, signals = traffic.roads, traffic.signals
    places = {name: (roads.arm_m * x, roads.arm_m * y) for name, (x, y) in ARMS.items()}
    nodes = "".join(f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in places.items())
    (folder / "n.xml").write_text(f'<nodes><node id="junction" x="0" y="0" type="traffic_light"/>{nodes}</nodes>')
    road = f'numLanes="{roads.lanes}" speed="{roads.speed_mps}"'
    edges = "".join(
        f'<edge id="{name}_in" from="{name}" to="junction" {road}/>'
        f'<edge id="{name}_out" from="junction" to="{name}" {road}/>'
        for name in ARMS
    )
    (folder / "e.xml").write_text(f"<edges>{edges}</edges>")
    network, plain = folder / "net.xml", ("--no-turnarounds", "--junctions.limit-turn-speed", "-1")
    call("netconvert", "-n", folder / "n.xml", "-e", folder / "e.xml", "-o", network, *plain)
    phases = "".join(
        f'<phase duration="{seconds}" state="{state}"/>'
        for green in (NORTH_SOUTH, EAST_WEST)
        for seconds, state in (
            (signals.green_s, green), (signals.yellow_s, green.lower().replace("g", "y")), (signals.all_red_s, NOBODY)
        )
    )  # fmt: skip
    text = re.sub(r"(<tlLogic[^>]*>).*?</tlLogic>", rf"\1{phases}</tlLogic>", network.read_text(), flags=re.DOTALL)
    network.write_text(text)
    tau = signals.saturation_headway_s - traffic.jam_spacing_m / roads.speed_mps
    came = vehicles.assign(came=vehicles["entered"] - vehicles["held"])
    rows = "".join(
        f'<vehicle id="{number}" type="car" depart="{time:.2f}" departSpeed="max" departPos="base">'
        f'<route edges="{entry}_in {exit_}_out"/></vehicle>'
        for number, time, entry, exit_ in came[["vehicle", "came", "entry", "exit"]].itertuples(index=False)
    )
    spread = f'speedFactor="normc(1,{traffic.speed_sd},0.6,1.4)"'
    (folder / "r.xml").write_text(f'<routes><vType id="car" tau="{tau:.3f}" {spread}/>{rows}</routes>')
    call(
        "sumo", "-n", network, "-r", folder / "r.xml", "--step-length", "0.25", "--seed", "1", "--no-warnings",
        "--no-step-log", "--tripinfo-output", folder / "trips.xml", "--fcd-output", folder / "fcd.xml",
        "--device.fcd.period", "1", "--end", str(duration + DRAIN_S),
    )  # fmt: skip
    trips = [trip.attrib for trip in ET.parse(folder / "trips.xml").getroot()]
    delay = sum(float(trip["timeLoss"]) + float(trip["departDelay"]) for trip in trips) / len(trips)
    recording = Recording.read(folder / "fcd.xml", max_gap_s=5.0)
    before = pd.Series(recording.lane).str.contains("_in_").to_numpy()
    queue, standing = ((recording.speed[before] < limit).sum() / duration for limit in limits(traffic))
    return Junction(len(trips), delay, float(queue), float(standing))


def call(program: str, *arguments: str | Path) -> None:
    """Run one of SUMO's programs."""
    subprocess.run([BIN / program, *arguments], check=True, capture_output=True)


def both(rate_per_h: float, left: float = 0.0, seed: int = 0, duration: float = 3600.0) -> tuple[Junction, Junction]:
    """The junction here and in SUMO at a demand."""
    here, vehicles, scenario = ours(rate_per_h, left, seed, duration)
    with TemporaryDirectory() as folder:
        return here, sumo(vehicles, scenario, duration, Path(folder))


def main() -> None:
    """Print the figures of both, without and with left turns."""
    for left, demands in ((0.0, RATES_PER_H), (0.2, [degree * CAPACITY_PER_H for degree in DEGREES])):
        heads = ("rate", "seed", "vehicles", "delay, s", "in SUMO", "queue", "in SUMO", "standing", "in SUMO")
        table = Table(
            *heads, box=None, title=f"{left:.0%} turn left; rate: vehicles per hour and approach", title_justify="left"
        )
        for rate in demands:
            for seed in SEEDS:
                here, there = both(rate, left, seed)
                pairs = zip(here[1:], there[1:], strict=True)
                row = (f"{rate:.0f}", str(seed), str(here.vehicles))
                table.add_row(*row, *(f"{value:.2f}" for pair in pairs for value in pair))
        Console().print(table)


if __name__ == "__main__":
    main()
