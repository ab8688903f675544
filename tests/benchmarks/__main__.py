"""``make bench``: figures per CPU-second of this process, beside a bare SimPy loop timed in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import simpy
from rich.console import Console
from rich.table import Table

from simulator import Scenario, Simulation
from simulator.draws import generator
from simulator.pricing import reset_policy
from simulator.run import drive, prepare
from simulator.schema import EVENT_KINDS, table
from simulator.world.recording import Recording

BARE_EVENTS = 300_000


def cpu_s(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def bare_simpy() -> float:
    """Events per CPU-second of 100 processes that only sleep: what the kernel costs here and now."""
    env = simpy.Environment()

    def sleeper(period: float) -> Generator[simpy.Event, None, None]:
        while True:
            yield env.timeout(period)

    for number in range(100):
        env.process(sleeper(1.0 + number / 100))

    def step_all() -> None:
        for _ in range(BARE_EVENTS):
            env.step()

    return BARE_EVENTS / cpu_s(step_all)


def market(name: str, duration: float, policy: str = "conditional") -> tuple[float, float]:
    """Auctions and vehicle-seconds per CPU-second of a whole run with its trace, without reading or writing files."""
    scenario = Scenario.load(name)
    found, mechanism, information = prepare(scenario, policy, None)
    simulation = Simulation(scenario, 0, duration, mechanism, information)
    reset_policy(found, scenario, generator(0, "policy"))
    seconds = cpu_s(lambda: drive(simulation, found))
    auctions = len(simulation.recorder.auctions()["task"])
    traffic, driven = simulation.world.traffic, 0.0
    if traffic is not None:
        rows = traffic.vehicle_rows(duration)
        left = np.asarray(rows["left"], dtype=np.float64)
        driven = float((np.where(np.isnan(left), duration, left) - np.asarray(rows["entered"])).sum())
    return auctions / seconds, driven / seconds


def xml_rows() -> float:
    """Rows per CPU-second of reading floating-car XML into a recording."""
    rows = 200_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.xml"
        with path.open("w") as file:
            file.write("<fcd-export>\n")
            for step in range(rows // 100):
                file.write(f'<timestep time="{step}.0">\n')
                for car in range(100):
                    file.write(
                        f'<vehicle id="v{car}" x="{step + car}.5" y="{car}.0" angle="90.0" type="car" '
                        f'speed="1.0" lane="e_{car % 3}"/>\n'
                    )
                file.write("</timestep>\n")
            file.write("</fcd-export>\n")
        return rows / cpu_s(lambda: Recording.read(path, 5.0))


def million_events() -> float:
    """Seconds to write a million events as Parquet."""
    rows, rng = 1_000_000, np.random.default_rng(0)
    ids = np.arange(rows) // 12
    events = table(
        "events",
        {
            "time": np.sort(rng.uniform(0, 1e5, rows)),
            "kind": rng.integers(0, len(EVENT_KINDS), rows),
            "vehicle": ids,
            "task": ids,
            "provider": ids % 7,
            "value": rng.uniform(0, 9, rows),
        },
    )
    with TemporaryDirectory() as folder:
        return cpu_s(lambda: events.to_parquet(Path(folder) / "events.parquet", index=False))


def main() -> None:
    """Measure and print."""
    xml_rows(), pd.DataFrame({"a": [1]})  # imports and caches are nobody's figure
    shown = Table(
        "figure", "measured", "target", box=None, title="per CPU-second of this process", title_justify="left"
    )
    shown.columns[1].justify = "right"
    simpy_rate = bare_simpy()
    shown.add_row("bare SimPy loop, events", f"{simpy_rate:,.0f}", "")
    for name, duration in (("paper", 10_000.0), ("braunschweig", 3_600.0), ("four_way", 3_600.0)):
        auctions, driven = market(name, duration)
        shown.add_row(f"{name}, auctions", f"{auctions:,.0f}", "")
        shown.add_row(f"{name}, auctions a thousand bare events", f"{1000 * auctions / simpy_rate:,.1f}", "")
        if driven:
            shown.add_row(f"{name}, vehicle-seconds", f"{driven:,.0f}", "")
    shown.add_row("XML recording, rows", f"{xml_rows():,.0f}", ">= 250,000")
    shown.add_row("a million events to Parquet, s", f"{million_events():.2f}", "< 0.5")
    Console().print(shown)


if __name__ == "__main__":
    main()
