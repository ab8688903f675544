"""What an auction costs in a city, and how much memory the city takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from simulator.world.driving import drive
from tests.benchmarks.clock import cpu_s, peak_memory_mib
from tests.benchmarks.market import ready

BLOCK_M = 250.0
"""Distance between two junctions, m."""

A_QUARTER = """
from simulator.run import plan
from tests.benchmarks.city import streets
plan("grid", "conditional", duration={duration}, **streets({rows})).run().summary
"""


class City(NamedTuple):
    """The cost of a city.

    Attributes:
        providers: number of stations and UAVs.
        auctions: number of auctions.
        us: CPU time of an auction, microseconds.
    """

    providers: int
    auctions: int
    us: float


def streets(rows: int) -> dict[str, Any]:
    """Overrides of `grid` with as many rows and columns, and stations and UAVs as far apart as there."""
    stations = [
        {"name": f"s{row}-{column}", "x": (column - rows / 2) * BLOCK_M, "y": (row - rows / 2) * BLOCK_M}
        for row in range(rows + 1)
        for column in range(rows + 1)
    ]
    across = max(2, round(rows * 2 / 3))
    apart = rows * BLOCK_M / across
    uavs = [
        {"name": f"u{row}-{column}", "x": (column - (across - 1) / 2) * apart, "y": (row - (across - 1) / 2) * apart}
        for row in range(across)
        for column in range(across)
    ]
    return {
        "traffic.roads.rows": rows,
        "traffic.roads.columns": rows,
        "stations.placed": stations,
        "uavs.placed": uavs,
    }


def city(rows: int, duration: float) -> City:
    """Run a city without its tables."""
    simulation, policy = ready("grid", duration, **streets(rows))
    seconds = cpu_s(lambda: drive(simulation, policy))
    auctions = len(simulation.recorder.rows().auctions["task"])
    return City(simulation.site.fleet.size, auctions, 1e6 * seconds / auctions)


def city_memory_mib(rows: int, duration: float) -> float:
    """Peak memory of a city with its summary, in a process of its own, MiB."""
    return peak_memory_mib(A_QUARTER.format(rows=rows, duration=duration))
