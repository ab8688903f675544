"""What one station gains if it bids otherwise for complete runs: its own wins fill its own queue."""

from __future__ import annotations

import dataclasses

import numpy as np

from simulator.market.bidders import Patient, Shade
from simulator.market.contracts import Bidder
from simulator.model import FloatArray
from simulator.run import Plan, drive
from simulator.study.finding import Finding
from simulator.study.statistics import half_width

FACTORS = (0.9, 0.95, 1.05, 1.1)
"""Constant multipliers that a station tries."""


def in_the_long_run(planned: Plan, worlds: int) -> list[Finding]:
    """Let the station that wins most bid otherwise, and compare its utility over complete runs in the same worlds.

    Args:
        planned: plan of the run.
        worlds: number of worlds, by seeds from that of the plan on.

    Returns:
        One finding for the best constant multiplier, and one for `patient`.
    """
    base = np.array([_utilities(planned, number) for number in range(worlds)])
    wins = np.array([_wins(planned, number) for number in range(1)])[0]
    uavs = planned.scenario.uavs.total()
    station = uavs + int(np.argmax(wins[uavs:]))
    truth = base[:, station]
    found: dict[str, tuple[float, float]] = {}
    tried: dict[str, Bidder] = {f"{factor:g} times the value": Shade(factor) for factor in FACTORS}
    for name, bidder in {**tried, "patient": Patient()}.items():
        strategies = [bidder if one == station else other for one, other in enumerate(planned.strategies)]
        other = dataclasses.replace(planned, strategies=strategies)
        gains = np.array([_utilities(other, number)[station] for number in range(worlds)]) - truth
        mean = float(truth.mean())
        found[name] = float(gains.mean()) / mean, half_width(gains) / mean if worlds > 1 else float("nan")
    best = max(tried, key=lambda name: found[name][0])
    name = [*planned.scenario.uav_names(), *planned.scenario.station_names()][station]
    return [
        Finding("in the long run", "measured", False, found[key][0],
                f"gain of {name} over complete runs if it bids {said}, ± {found[key][1]:.2g}; {worlds} worlds")
        for key, said in ((best, best), ("patient", "as `patient` does"))
    ]  # fmt: skip


def _utilities(planned: Plan, number: int) -> FloatArray:
    """Return the net utility of each provider in a world: its values less its payments."""
    return _providers(planned, number, "net_utility")


def _wins(planned: Plan, number: int) -> FloatArray:
    return _providers(planned, number, "tasks")


def _providers(planned: Plan, number: int, column: str) -> FloatArray:
    there = planned.with_seed(planned.seed + number)
    simulation = there.simulation()
    drive(simulation, there.new_policy())
    return np.asarray(simulation.tables().providers()[column], dtype=np.float64)
