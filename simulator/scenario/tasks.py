"""Settings of the tasks: their kinds and sizes, and what a request is worth."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from simulator.model.latency import STAGES
from simulator.scenario.fields import LogSd, Model, NonNegative, Period, Positive, Problem, Real, Span, refuse

TaskKindName: TypeAlias = Literal["ar_navigation", "pedestrian_detection", "entertainment_3d"]
"""Name of a kind of task."""


TASK_KINDS: tuple[TaskKindName, ...] = get_args(TaskKindName)
"""The kinds of vehicle-twin task that the paper names."""


PENETRATION_DB: dict[str, tuple[float, float]] = {"roof": (0.0, 0.0), "cabin": (9.0, 5.0), "metallised": (20.0, 5.0)}
"""Mean and standard deviation of the loss into a car, dB, by the place of the antenna (TR 38.901, 7.4.3.2)."""


class TaskKind(Model):
    """One kind of vehicle-twin task."""

    share: NonNegative = 1.0
    """Share of this kind among the requests, relative to the other kinds."""
    deadline_s: Positive | None = None
    """Time from the request at which the result is due, s. If not given, there is no deadline."""
    grace_s: NonNegative = 0.0
    """Time after the deadline over which the worth of the result falls linearly to 0, s. Then the task is lost."""
    gpu_per_bit: Positive = 0.5
    """GPU work per bit e_p, 1/bit."""


class Tasks(Model):
    """The tasks that vehicles request."""

    size_mb: Span = (20.0, 40.0)
    """Input size D, MB: one number, or [low, high] for a uniform draw. The result has the same size."""
    reference_mb: Positive | None = None
    """Size of the task that public predictions are made for, MB. If not given, the mean size."""
    renewal_s: Period | None = None
    """Mean time between two renewals of the twin of a vehicle that a station covers, s. By default there are none.

    The times are exponential. A renewal is a task with draws of its own, like that of a vehicle that leaves a coverage.
    """
    load: Annotated[Real, Field(gt=0, le=100)] = 1.0
    """Factor on the number of tasks, at the same traffic.

    Below 1, a vehicle makes each of its requests with this probability. Above 1, twins are renewed so much more often.
    """
    sensing_s: NonNegative = 0.0
    """Time from the first sensed datum of a task to its request, s. It counts in the age of its result, not in its
    latency.
    """
    twin_mb: NonNegative = 0.0
    """Size of a vehicle's twin, MB.

    Before the uplink of a task, the twin moves over the backhaul of the winner, unless the winner of the vehicle's last
    task wins again.
    """
    demand_log_sd: LogSd = 0.8
    """Standard deviation of ln(demand). The demand is a factor with mean 1 on everybody's value of a task."""
    power_units: Span = (1.0, 10.0)
    """Transmit power p^u of a vehicle, units of 100 mW: one number, or [low, high] for a uniform draw."""
    antenna: Literal["roof", "cabin", "metallised"] = "roof"
    """Place of a vehicle's antenna. In the `cabin` the car costs 9 dB, behind `metallised` windows 20 dB, each with a
    standard deviation of 5 dB (3GPP TR 38.901, 7.4.3.2).
    """
    accuracy_cap: Annotated[Real, Field(gt=0, lt=1)] = 0.98
    """Largest accuracy R in the match value (10), which would be infinite at R = 1."""
    kinds: dict[TaskKindName, TaskKind] = Field(
        default={
            "ar_navigation": TaskKind(),
            "pedestrian_detection": TaskKind(),
            "entertainment_3d": TaskKind(),
        }
    )
    """The kinds of task that occur, by name."""

    @property
    def predicted_mb(self) -> float:
        """Size of the task that public predictions are made for, MB."""
        return 0.5 * sum(self.size_mb) if self.reference_mb is None else self.reference_mb

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages that a task passes. Without a size of the twin nothing migrates."""
        return STAGES if self.twin_mb > 0.0 else STAGES[1:]

    def size_factor(self) -> float:
        """Return the reference size times the mean of 1/D over the uniform sizes D."""
        # E[1/D] = ln(high / low) / (high - low), whose limit for high = low is 1 / low.
        low, high = self.size_mb
        return self.predicted_mb * (math.log(high / low) / (high - low) if high > low else 1.0 / low)

    @model_validator(mode="after")
    def _some_kind(self) -> Tasks:
        # The shares are divided by their sum.
        if sum(kind.share for kind in self.kinds.values()) <= 0.0:
            refuse(Problem(("kinds",), "at least one kind needs a share above 0"))
        return self
