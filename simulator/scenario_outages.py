"""What a scenario may say of outages: planned windows, failures by chance, and what becomes of running tasks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from simulator.scenario_fields import Model, NonNegative, Positive, Seconds

WhichProvider = Annotated[str, Field(min_length=1)]


class OutageWindow(Model):
    """A planned outage."""

    provider: WhichProvider
    """Name of the provider, or `stations`, `uavs` for all of a kind."""
    from_s: NonNegative
    """When it begins, s."""
    to_s: Positive
    """When it ends, s."""
    every_s: Seconds | None = None
    """It comes again after this time, s, such as a UAV's battery swap; once if not given."""

    @model_validator(mode="after")
    def _in_order(self) -> OutageWindow:
        length = self.to_s - self.from_s
        if length <= 0.0:
            raise PydanticCustomError("window", "must end after it begins: to_s > from_s")
        if self.every_s is not None and self.every_s <= length:
            raise PydanticCustomError("window", "every_s must be longer than the outage itself")
        return self


class Failures(Model):
    """Outages by chance, exponential both between failures and to repair."""

    provider: WhichProvider
    """Name of the provider, or `stations`, `uavs`: each of a kind on its own."""
    mean_between_s: Seconds
    """Mean time from a repair to the next failure, s."""
    mean_repair_s: Seconds
    """Mean time to repair, s."""


class Outages(Model):
    """Times in which a provider does not work: it is not invited, and everybody knows."""

    mode: Literal["lost", "wait"] = "lost"
    """What becomes of its tasks: `lost` at that moment, or they `wait` until it is back."""
    windows: tuple[OutageWindow, ...] = ()
    """Planned outages."""
    failures: tuple[Failures, ...] = ()
    """Outages by chance."""
