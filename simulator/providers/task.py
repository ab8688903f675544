"""A vehicle-twin task on its way through the market and a provider's four stages."""

from __future__ import annotations

import math

from simulator.model.latency import STAGES
from simulator.providers.attachment import Coverage

COMPLETED, LOST, UNSERVED, OPEN = range(4)
STATUSES = ("completed", "lost", "unserved", "open")
"""What can become of a task, by code; `open` tasks have neither result nor loss when the run ends."""


class Task:
    """One request of one vehicle.

    Attributes:
        id: number of the task, in order of request.
        vehicle: id of the vehicle.
        request: index of the request among those of its vehicle.
        kind: index into the kinds of task.
        size_mb: input size, MB.
        demand: what the request is worth to anyone.
        requested: time of the request, s.
        deadline: time after which the result is of no use, s.
        provider: id of the winner, -1 for nobody.
        times: seconds in each stage at the winner.
        started: when each stage began, s; NaN until then.
        finished: when each stage ended, s; NaN until then.
        coverage: how long each provider covers the vehicle; None where all do forever.
        cut_at: when an outage of the provider ended it, s; `inf` if none did.
        accuracy: share of matched pixels of the result.
        match: match value of that accuracy.
        status: code of what became of it, an index into `STATUSES`.
    """

    __slots__ = (
        "accuracy",
        "coverage",
        "cut_at",
        "deadline",
        "demand",
        "finished",
        "id",
        "kind",
        "match",
        "provider",
        "request",
        "requested",
        "size_mb",
        "started",
        "status",
        "times",
        "vehicle",
    )

    def __init__(
        self,
        task_id: int,
        vehicle: int,
        request: int,
        kind: int,
        size_mb: float,
        demand: float,
        requested: float,
        deadline: float = math.inf,
    ) -> None:
        self.id = task_id
        self.vehicle = vehicle
        self.request = request
        self.kind = kind
        self.size_mb = size_mb
        self.demand = demand
        self.requested = requested
        self.deadline = deadline
        self.provider = -1
        self.times: list[float] = []
        self.started = [math.nan] * len(STAGES)
        self.finished = [math.nan] * len(STAGES)
        self.coverage: Coverage | None = None
        self.cut_at = math.inf
        self.accuracy = math.nan
        self.match = math.nan
        self.status = OPEN

    @property
    def latency(self) -> float:
        """Seconds from request to result; NaN while there is none."""
        return self.finished[-1] - self.requested

    @property
    def lost_at(self) -> float:
        """When the task is lost if it is not done by then: out of coverage, past the deadline or by an outage, s."""
        limit = min(self.deadline, self.cut_at)
        if self.coverage is None or self.provider < 0:
            return limit
        return min(self.coverage.end(self.provider), limit)
