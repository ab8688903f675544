"""Worlds whose demand is drawn once and replayed for each policy."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from typing import Any

from simulator.record.result import Result
from simulator.world.plan import Plan
from simulator.world.simulation import Demand

KEPT_BYTES = 512 * 2**20
"""Largest memory of all worlds that a process keeps, bytes."""


class KeptWorlds:
    """The demand of the worlds that were used last.

    The tables of a run are those of a run by itself, byte for byte. A copy of this object that is sent to another
    process is empty.

    Args:
        most_bytes: largest memory of what is kept, bytes. A world that does not fit is drawn again in each run.
        most_worlds: largest number of worlds that are kept.

    Attributes:
        kept_bytes: memory of what is kept, bytes.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES, most_worlds: int = sys.maxsize) -> None:
        self._most_bytes, self._most_worlds = most_bytes, most_worlds
        self._worlds: OrderedDict[str, Demand | None] = OrderedDict()
        self.kept_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_worlds": OrderedDict(), "kept_bytes": 0}

    def run(self, planned: Plan) -> Result:
        """Run a plan in its world.

        Args:
            planned: the plan.

        Raises:
            RunError: the policy or the mechanism failed during the run.
        """
        return planned.run(demand=self._demand(planned))

    def _demand(self, planned: Plan) -> Demand | None:
        """Return the demand of the world of a plan; None if it does not fit."""
        hashes = planned.hashes["scenario_sha256"], planned.hashes["data_sha256"]
        world = json.dumps([*hashes, planned.seed, planned.duration], sort_keys=True, allow_nan=False)
        if world in self._worlds:
            self._worlds.move_to_end(world)
            return self._worlds[world]
        demand = planned.demand(self._most_bytes)
        while self._worlds and (
            len(self._worlds) >= self._most_worlds or self.kept_bytes + demand.kept_bytes > self._most_bytes
        ):
            _, oldest = self._worlds.popitem(last=False)
            self.kept_bytes -= 0 if oldest is None else oldest.kept_bytes
        self.kept_bytes += demand.kept_bytes
        self._worlds[world] = demand if demand.kept_bytes else None
        return demand
