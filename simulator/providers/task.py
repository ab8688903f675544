"""A vehicle-twin task, from its request to its result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.model.latency import STAGES
from simulator.model.valuation import timeliness_of
from simulator.providers.attachment import Coverage

COMPLETED, LOST, UNSERVED, OPEN = range(4)
STATUSES = ("completed", "lost", "unserved", "open")
"""Names of the statuses of a task, by code. An `open` task has neither a result nor a loss at the end of the run."""

NO_TIMES = (math.nan,) * len(STAGES)
"""NaN for each stage."""


@dataclass(slots=True, eq=False)
class Task:
    """The task of one request of one vehicle.

    Attributes:
        id: number of the task in the order of requests.
        vehicle: id of the vehicle.
        request: number of the request among those that its vehicle could make.
        kind: index into `TASK_KINDS`.
        size_mb: size D of the input and of the result, MB.
        demand: factor of (11) that is common to all providers.
        requested: time of the request, s.
        power_units: transmit power p^u of the vehicle, units of 100 mW.
        gpu_per_bit: GPU work per bit e_p, 1/bit.
        limit_s: time from the request to the deadline, s; `inf` without a deadline.
        grace_s: time after the deadline over which the worth of the result falls to 0, s.
        awarded: time at which the task was awarded or given up, s; that of the request until then.
        provider: id of the winner; -1 for nobody.
        times: service time of each stage at the winner, s.
        started: time at which each stage begins, s, known from the award on. NaN if the task has no provider, or if an
            outage leaves it open.
        finished: time at which each stage ends, s, known like ``started``.
        coverage: time until which each provider covers the vehicle; None where all cover it forever.
        cut_at: time at which an outage of the provider ended the task, s; `inf` if none did.
        accuracy: accuracy R of the result.
        match: match term omega_2 / (1 - R)^beta of that accuracy.
        sender_units: transmit power p^d of the winner, units of 100 mW.
        cost: what the task costs the winner, as planned at the award.
        paused_s: time for which an outage stopped the downlink, s.
        status: code of the status, an index into `STATUSES`.
    """

    id: int
    vehicle: int
    request: int
    kind: int
    size_mb: float
    demand: float
    requested: float
    power_units: float = math.nan
    gpu_per_bit: float = math.nan
    limit_s: float = math.inf
    grace_s: float = 0.0
    awarded: float = field(init=False)
    provider: int = -1
    times: Sequence[float] = ()
    started: Sequence[float] = NO_TIMES
    finished: Sequence[float] = NO_TIMES
    coverage: Coverage | None = None
    cut_at: float = math.inf
    accuracy: float = math.nan
    match: float = math.nan
    sender_units: float = math.nan
    cost: float = 0.0
    paused_s: float = 0.0
    status: int = OPEN

    def __post_init__(self) -> None:
        self.awarded = self.requested

    @property
    def latency(self) -> float:
        """The time from request to result, s; NaN if no result is to come."""
        return self.finished[-1] - self.requested

    def own_term(self, latency_weight: float) -> float:
        """Return what the result is worth at the actual latency, without demand and zeta: ``c m g`` of this task alone.

        Args:
            latency_weight: weight omega_1, s.
        """
        latency_s = self.latency
        term = latency_weight / latency_s * self.match
        if self.limit_s == math.inf:
            return term
        return term * timeliness_of(latency_s, self.limit_s, self.grace_s)

    @property
    def lost_at(self) -> float:
        """The time at which the task is lost if it is not done by then, s.

        It is the earliest of three times: that at which the result has lost its worth, the end of coverage by the
        winner, and `cut_at`.
        """
        limit = min(self.requested + self.limit_s + self.grace_s, self.cut_at)
        if self.coverage is None or self.provider < 0:
            return limit
        return min(self.coverage.end(self.provider), limit)
