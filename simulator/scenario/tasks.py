"""What vehicles ask for: the kinds of task, their sizes, and what a request is worth."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from simulator.scenario.fields import LogSd, Model, NonNegative, Positive, Problem, Real, Span, refuse

TaskKindName: TypeAlias = Literal["ar_navigation", "pedestrian_detection", "entertainment_3d"]


TASK_KINDS: tuple[TaskKindName, ...] = get_args(TaskKindName)
"""The vehicle-twin tasks of the paper."""


class TaskKind(Model):
    """One kind of vehicle-twin task."""

    share: NonNegative = 1.0
    """Share of the requests, relative to the other kinds."""
    deadline_s: Positive | None = None
    """Seconds after which the result is of no use; none if not given."""
    gpu_per_bit: Positive = 0.5
    """GPU work a bit e_p, 1/bit."""


class Tasks(Model):
    """What vehicles ask for."""

    size_mb: Span = (20.0, 40.0)
    """Input size D, MB; the result has the same size."""
    demand_log_sd: LogSd = 0.8
    """Log-sd of what a request is worth to anyone (log-normal, mean 1)."""
    power_units: Span = (1.0, 10.0)
    """Transmit power p^u of the vehicle, units of 100 mW."""
    accuracy_cap: Annotated[Real, Field(gt=0, lt=1)] = 0.98
    """Accuracy above which a match value no longer grows."""
    kinds: dict[TaskKindName, TaskKind] = Field(
        default={
            "ar_navigation": TaskKind(),
            "pedestrian_detection": TaskKind(),
            "entertainment_3d": TaskKind(),
        }
    )
    """The kinds of task that occur."""

    def mean_inverse_mb(self) -> float:
        """Mean of 1/D over the uniform sizes, 1/MB."""
        low, high = self.size_mb
        return math.log(high / low) / (high - low) if high > low else 1.0 / low

    @model_validator(mode="after")
    def _some_kind(self) -> Tasks:
        if sum(kind.share for kind in self.kinds.values()) <= 0.0:
            refuse(Problem(("kinds",), "at least one kind needs a share above 0"))
        return self
