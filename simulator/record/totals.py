"""The sums over tasks in the table `providers`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from simulator.model import FloatArray
from simulator.model.economy import radio_energy
from simulator.model.latency import STAGES
from simulator.model.mechanism import surplus_weights
from simulator.providers.fleet import Fleet
from simulator.record.events import LAST, Columns
from simulator.record.schema import PROVIDER_KINDS
from simulator.scenario.scenario import Scenario

TASKS_PER_BLOCK = 128
"""Tasks that are added up together. A run whose tables are written while it goes on writes some blocks at a time.

A sum of floating-point numbers depends on the order. A run whose tables are written while it goes on adds up the same
blocks as one whose tables are written at its end.
"""


class ProviderTotals:
    """The sums over tasks in the table `providers`.

    Args:
        fleet: providers.
        scenario: scenario of the run.
        duration: length of the run, s.
        value_of: whose utility the value of a served task is.
    """

    def __init__(
        self, fleet: Fleet, scenario: Scenario, duration: float, value_of: Literal["provider", "vehicle"]
    ) -> None:
        self._fleet, self._duration, self._value_of = fleet, duration, value_of
        self._weight = surplus_weights(fleet.is_uav, scenario.market.uav_weight)
        self._hovering_j = np.where(fleet.is_uav, scenario.uavs.hover_w * duration, 0.0)
        self._won, self._served = np.zeros((2, fleet.size), dtype=np.int64)
        self._surplus, self._payments, self._cost, self._radio_j, self._latency, self._out_s = np.zeros((6, fleet.size))
        self._busy_s = np.zeros((len(STAGES), fleet.size))

    def add_tasks(self, auctions: Columns, tasks: Columns) -> None:
        """Add tasks, block by block.

        Args:
            auctions: their auctions.
            tasks: the tasks as they are at the end of the run.
        """
        for begin in range(0, len(tasks["task"]), TASKS_PER_BLOCK):
            rows = slice(begin, begin + TASKS_PER_BLOCK)
            block = ({name: column[rows] for name, column in columns.items()} for columns in (auctions, tasks))
            self._add_block(*block)

    def _add_block(self, auctions: Columns, tasks: Columns) -> None:
        won = auctions["winner"] >= 0
        winner = auctions["winner"][won]
        self._won += self._sum(winner).astype(np.int64)
        self._surplus += self._sum(winner, auctions["surplus"][won])
        self._payments += self._sum(winner, auctions["paid_by_provider"][won])
        self._cost += self._sum(winner, auctions["cost"][won])
        served = ~np.isnan(tasks[LAST])
        self._served += self._sum(tasks["provider"][served]).astype(np.int64)
        self._latency += self._sum(tasks["provider"][served], (tasks[LAST] - tasks["requested"])[served])
        sending_s = tasks[LAST] - tasks[f"started_{len(STAGES) - 1}"] - tasks["paused_s"]
        sent = radio_energy(tasks["sender_units"], sending_s)
        self._radio_j += self._sum(tasks["provider"][served], sent[served])
        # A stage without an end was busy until an outage took its task, or until the end of the run.
        cut = np.minimum(tasks["cut_at"], self._duration)
        for number in range(len(STAGES)):
            started = tasks[f"started_{number}"]
            begun = ~np.isnan(started)
            ended = np.where(np.isnan(tasks[f"finished_{number}"]), cut, tasks[f"finished_{number}"])
            self._busy_s[number] += self._sum(tasks["provider"][begun], (ended - started)[begun])

    def add_outages(self, outages: Columns) -> None:
        """Add starts and ends of outages.

        Args:
            outages: the recorded starts and ends, in the order of time.
        """
        # Time out is the sum of (duration - start) minus the sum of (duration - end). An outage without an end thus
        # counts up to the end of the run.
        fields = (outages[name].tolist() for name in ("time", "provider", "is_out"))
        for time, provider, is_out in zip(*fields, strict=True):
            self._out_s[int(provider)] += (1.0 if is_out else -1.0) * (self._duration - time)

    def columns(self) -> dict[str, Any]:
        """Return the columns of the table `providers`."""
        fleet, served = self._fleet, self._served
        # zeta weighs the UAV's value for the platform only. To the UAV itself the task is worth v_0.
        worth = self._surplus / self._weight if self._value_of == "provider" else -self._cost
        return {
            "provider": np.arange(fleet.size),
            "name": fleet.names,
            "owner": fleet.owners,
            "kind": np.where(fleet.is_uav, PROVIDER_KINDS.index("uav"), PROVIDER_KINDS.index("ground")),
            "x": fleet.x,
            "y": fleet.y,
            "tasks": self._won,
            "surplus": self._surplus,
            "payments": self._payments,
            "cost": self._cost,
            "net_utility": worth - self._payments,
            "energy_j": self._radio_j + self._hovering_j,
            "mean_latency": np.divide(self._latency, served, out=np.full(fleet.size, np.nan), where=served > 0),
            "out_s": self._out_s,
            **{f"{stage}_utilisation": busy / self._duration for stage, busy in zip(STAGES, self._busy_s, strict=True)},
        }

    def _sum(self, providers: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """Return the number of rows of each provider, or the sum of their weights."""
        found = np.bincount(providers.astype(np.int64), weights=weights, minlength=self._fleet.size)
        return np.asarray(found, dtype=np.float64)
