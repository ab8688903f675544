"""What a station gains if it bids otherwise for complete runs: its own wins fill its own queue."""

from __future__ import annotations

import dataclasses

import numpy as np

from simulator.market.bidders import Patient, Shade
from simulator.market.contracts import Bidder
from simulator.model import FloatArray
from simulator.study.finding import Finding
from simulator.study.statistics import ratio_of_means
from simulator.study.worlds import KeptWorlds
from simulator.world.plan import Plan

FACTORS = (0.9, 0.95, 1.05, 1.1)
"""Constant multipliers that a station tries."""

MOST_STATIONS = 3
"""Number of stations that try them, one at a time: those that win most."""


def in_the_long_run(planned: Plan, worlds: int) -> list[Finding]:
    """Let one station at a time bid otherwise, and compare its utility over complete runs in the same worlds.

    A bid that wins another task changes all later rounds, so the utility of one station varies much between worlds. The
    gain is therefore the sum over the stations that try, divided by the sum of what they have if all are truthful.

    Args:
        planned: plan of the run.
        worlds: number of worlds, by seeds from that of the plan on.

    Returns:
        One finding for the best constant multiplier, and one for `patient`.
    """
    kept, uavs = KeptWorlds(), planned.scenario.uavs.total()
    base = np.array([_utilities(kept, planned, number) for number in range(worlds)])
    stations = uavs + np.argsort(-base[:, uavs:].mean(axis=0), kind="stable")[:MOST_STATIONS]
    truth = base[:, stations].sum(axis=1)
    found: dict[str, tuple[float, float]] = {}
    tried: dict[str, Bidder] = {f"{factor:g} times the value": Shade(factor) for factor in FACTORS}
    for name, bidder in {**tried, "patient": Patient()}.items():
        earned = np.zeros(worlds)
        for station in stations.tolist():
            strategies = [bidder if one == station else other for one, other in enumerate(planned.strategies)]
            other = dataclasses.replace(planned, strategies=strategies)
            earned += [_utilities(kept, other, number)[station] for number in range(worlds)]
        ratio, width = ratio_of_means(earned, truth)
        found[name] = ratio - 1.0, width
    best = max(tried, key=lambda name: found[name][0])
    return [
        Finding("in the long run", "measured", False, found[key][0],
                f"gain over complete runs of a station that bids {said}, ± {found[key][1]:.2g}; "
                f"{len(stations)} stations, one at a time, in {worlds} worlds")
        for key, said in ((best, best), ("patient", "as `patient` does"))
    ]  # fmt: skip


def _utilities(kept: KeptWorlds, planned: Plan, number: int) -> FloatArray:
    """Return the net utility of each provider in a world: its values less its payments."""
    result = kept.run(planned.with_seed(planned.seed + number))
    return np.asarray(result.providers["net_utility"], dtype=np.float64)
