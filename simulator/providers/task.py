"""A vehicle-twin task on its way through the market and the four stages of a provider."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulator.model.latency import STAGES
from simulator.providers.attachment import Coverage

COMPLETED, LOST, UNSERVED, OPEN = range(4)
STATUSES = ("completed", "lost", "unserved", "open")
"""What can become of a task, by code. An `open` task has neither a result nor a loss when the run ends."""


def _no_times() -> list[float]:
    return [math.nan] * len(STAGES)


@dataclass(slots=True, eq=False)
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
        awarded: time at which it was awarded or given up, s; that of the request until then.
        provider: id of the winner, -1 for nobody.
        times: seconds in each stage at the winner.
        started: when each stage began, s; NaN until then.
        finished: when each stage ended, s; NaN until then.
        coverage: how long each provider covers the vehicle; None where all cover it forever.
        cut_at: when an outage of the provider ended the task, s; `inf` if none did.
        accuracy: share of matched pixels of the result.
        match: match value of that accuracy.
        status: code of what became of it, an index into `STATUSES`.
    """

    id: int
    vehicle: int
    request: int
    kind: int
    size_mb: float
    demand: float
    requested: float
    deadline: float = math.inf
    awarded: float = field(init=False)
    provider: int = -1
    times: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=_no_times)
    finished: list[float] = field(default_factory=_no_times)
    coverage: Coverage | None = None
    cut_at: float = math.inf
    accuracy: float = math.nan
    match: float = math.nan
    status: int = OPEN

    def __post_init__(self) -> None:
        self.awarded = self.requested

    @property
    def latency(self) -> float:
        """Seconds from request to result; NaN while there is no result."""
        return self.finished[-1] - self.requested

    @property
    def lost_at(self) -> float:
        """When the task is lost if it is not done by then, s: out of coverage, past the deadline, or by an outage."""
        limit = min(self.deadline, self.cut_at)
        if self.coverage is None or self.provider < 0:
            return limit
        return min(self.coverage.end(self.provider), limit)
