"""What a UAV gains if it slows down before its reports."""

from __future__ import annotations

import math

import numpy as np

from simulator.model.latency import tandem_times
from simulator.model.mechanism import surplus_weights
from simulator.providers.queues import Server
from simulator.providers.task import Task
from simulator.study.finding import Finding
from simulator.study.statistics import half_width
from simulator.world.driving import drive
from simulator.world.plan import Plan
from simulator.world.simulation import Demand, Simulation

KEPT_BYTES = 512 * 2**20
"""Largest memory of the demand of a world, bytes."""

BEFORE_S = 5.0
"""Tasks that would end at most this long before a report are held back, s."""

MARGIN_S = 1e-3
"""Time before a report at which a task that is held back ends, s."""


class HoldingBack:
    """A UAV that lets what would end shortly before its next report end just before it.

    The tasks that it reports on are then worse than they could be, and so is any average of them.

    Args:
        server: the UAV itself.
        simulation: its world.
        provider: its id.
    """

    def __init__(self, server: Server, simulation: Simulation, provider: int) -> None:
        self._server, self._simulation, self._provider = server, simulation, provider
        self._every_s = simulation.scenario.uavs.report_s

    def submit(self, task: Task) -> None:
        """Accept a task, with a longer downlink if it would end shortly before a report.

        Args:
            task: task with the stage times of this provider.
        """
        free_at = self._simulation.site.free_at[:, self._provider].tolist()
        _, finished = tandem_times(self._simulation.now, free_at, task.times)
        early = (math.floor(finished[-1] / self._every_s) + 1) * self._every_s - MARGIN_S - finished[-1]
        if 0.0 < early <= BEFORE_S:
            task.times = [*task.times[:-1], task.times[-1] + early]
        self._server.submit(task)


def slowdown(planned: Plan, worlds: int) -> list[Finding]:
    """Let each UAV hold tasks back before its reports for complete runs, and compare its utility in the same worlds.

    The utility of a UAV is what its tasks have been worth to it in the end, less its payments.

    Args:
        planned: plan of the run.
        worlds: number of worlds, by seeds from that of the plan on.

    Returns:
        One finding; none where there are no UAVs, or nothing has a place and nobody reports.
    """
    if not planned.scenario.uavs.total() or not planned.scenario.traffic.has_places:
        return []
    gains, losses = np.empty(worlds), np.empty(worlds)
    for number in range(worlds):
        own = planned.with_seed(planned.seed + number)
        demand = own.demand(KEPT_BYTES)
        (honest, whole), (held, rest) = _lived(own, demand, False), _lived(own, demand, True)
        gains[number] = (held - honest) * 3600.0 / own.duration
        losses[number] = 1.0 - rest / whole if whole > 0.0 else 0.0
    gain, width = float(gains.mean()), half_width(gains) if worlds > 1 else math.nan
    return [
        Finding(
            "no UAV gains by slowing down",
            "undecided" if not abs(gain) > width else "holds" if gain < 0.0 else "fails",
            False,
            gain,
            f"utility per hour that UAVs gain if they hold back what ends up to {BEFORE_S:g} s before a report, "
            f"± {width:.2g}, in {worlds} worlds; the realised surplus changes by {-losses.mean():+.1%}",
        )
    ]


def _lived(planned: Plan, demand: Demand, hold_back: bool) -> tuple[float, float]:
    """Return the utility of all UAVs in a run, and the realised surplus of the run."""
    simulation = planned.simulation(demand)
    uavs = planned.scenario.uavs.total()
    if hold_back:
        servers = simulation.site.providers
        for uav in range(uavs):
            servers[uav] = HoldingBack(servers[uav], simulation, uav)
    drive(simulation, planned.new_policy())
    auctions = simulation.tables().auctions()
    realised = np.nan_to_num(auctions["realised_surplus"].to_numpy())
    by_uav = (auctions["winner_kind"] == "uav").to_numpy()
    weight = surplus_weights(by_uav, planned.scenario.market.uav_weight)
    paid = auctions["paid_by_provider"].to_numpy()
    return float((realised / weight - paid)[by_uav].sum()), float(realised.sum())
