"""What an auction costs: by scenario, by vehicles on the map, by stations, and where the time goes."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator import Simulation
from simulator.market.auction import Auction
from simulator.market.contracts import PricingPolicy
from simulator.record.recorder import Recorder
from simulator.record.schema import TABLES
from simulator.run import plan
from simulator.study.worlds import KeptWorlds
from simulator.world.driving import drive
from tests.benchmarks.clock import cpu_s

TEN = ("conditional", "oracle", "optimal", "myopic", "spa", "random", "greedy", "always-uav", "always-ground",
       "constant:1.6")  # fmt: skip
"""Policies of a comparison. None of them is learned, so that the market is what is measured."""

SHARES = {
    "SimPy": ("simpy",),
    "numpy": ("numpy",),
    "traffic": ("traffic", "following.py"),
    "radio and stage times": ("radio", "model", "world", "requests.py"),
    "providers": ("providers",),
    "market and policies": ("market", "policies", "run.py"),
    "trace": ("record",),
}
"""Parts of a run by the folders and files that they are in; the first that fits counts."""


class Rates(NamedTuple):
    """Auctions and vehicle-seconds per CPU-second."""

    auctions: float
    vehicle_seconds: float


def ready(name: str, duration: float, **overrides: Any) -> tuple[Simulation, PricingPolicy]:
    """A simulation under `conditional` that has not begun."""
    planned = plan(name, "conditional", duration=duration, **overrides)
    policy = planned.new_policy()
    assert isinstance(policy, PricingPolicy)
    return planned.simulation(), policy


def rates(name: str, duration: float) -> Rates:
    """A whole run with its trace, without reading or writing files."""
    simulation, policy = ready(name, duration)
    seconds = cpu_s(lambda: drive(simulation, policy))
    auctions, traffic = len(simulation.recorder.rows().auctions["task"]), simulation.site.traffic
    if traffic is None:
        return Rates(auctions / seconds, 0.0)
    rows = traffic.vehicle_rows(duration, range(traffic.came(duration)))
    left = np.asarray(rows["left"], dtype=np.float64)
    driven = float(np.nansum(np.where(np.isnan(left), duration, left) - np.asarray(rows["entered"])))
    return Rates(auctions / seconds, driven / seconds)


def replay_ratio(name: str) -> float:
    """CPU time of ten policies in runs of their own, divided by that in a world that is drawn once."""
    plans, worlds = [plan(name, policy) for policy in TEN], KeptWorlds()
    plans[0].run()
    alone = kept = 0.0
    for planned in plans:  # alternating: whatever slows the machine slows both
        alone += cpu_s(lambda planned=planned: planned.run().summary)  # type: ignore[misc]
        kept += cpu_s(lambda planned=planned: worlds.run(planned).summary)  # type: ignore[misc]
    return alone / kept


def by_stations(stations: int) -> float:
    """Microseconds an auction of `four_way` with as many stations on its ring."""
    simulation, policy = ready("four_way", 1800, **{"stations.count": stations})
    seconds = cpu_s(lambda: drive(simulation, policy))
    return 1e6 * seconds / len(simulation.recorder.rows().auctions["task"])


def by_vehicles(arm_m: float, rate_per_h: float) -> tuple[float, float]:
    """Vehicles on the map and microseconds an auction, once the map is full; longer arms hold more vehicles."""
    full, measured = 2.2 * arm_m / 13.9 + 200.0, 1200.0
    overrides = {"traffic.roads.arm_m": arm_m, "traffic.arrivals.rate_per_h": rate_per_h}
    simulation, policy = ready("four_way", full + measured, **overrides)
    for decision in simulation:
        simulation.answer(policy.price(decision.observation))
        if simulation.now > full:
            break
    before = len(simulation.recorder.rows().auctions["task"])
    seconds = cpu_s(lambda: drive(simulation, policy))
    auctions = len(simulation.recorder.rows().auctions["task"]) - before
    traffic = simulation.site.traffic
    assert traffic is not None
    rows = traffic.vehicle_rows(full, range(traffic.came(full)))
    entered, left = (np.asarray(rows[name], dtype=np.float64) for name in ("entered", "left"))
    on_map = ((entered < full) & ~(left < full)).sum()
    return float(on_map), 1e6 * seconds / auctions


def trace(name: str, duration: float) -> tuple[float, float]:
    """Microseconds an auction: the recorder's rows, and the frames of all tables."""
    simulation, policy = ready(name, duration)
    kept: list[Auction] = []
    for decision in simulation:
        simulation.answer(policy.price(decision.observation))
        kept += decision.auctions
    recorder = Recorder(simulation.recorder.columns)

    def write_again() -> None:
        for auction in kept:
            recorder.auction(auction)
            recorder.task_done(auction.task, 0.0)

    rows = cpu_s(write_again)

    def frames() -> None:
        tables = simulation.tables()
        for table in TABLES:
            getattr(tables, table)()

    frames()  # imports pandas, which is nobody's figure
    return 1e6 * rows / len(kept), 1e6 * cpu_s(frames) / len(simulation.recorder.rows().auctions["task"])


def shares(name: str, duration: float) -> dict[str, float]:
    """Share of each part in the time of a run under the profiler, built-in functions counted with their callers."""
    simulation, policy = ready(name, duration)
    profile = cProfile.Profile()
    profile.runcall(drive, simulation, policy)
    spent: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if function[0] == "~":
            for caller, (_, _, part, _) in callers.items():
                spent[_part(caller[0])] += part
        else:
            spent[_part(function[0])] += own
    return {part: spent[part] / spent.total() for part in [*SHARES, "other"]}


def _part(file: str) -> str:
    parts = set(Path(file).parts)
    return next((part for part, names in SHARES.items() if parts & set(names)), "other")
