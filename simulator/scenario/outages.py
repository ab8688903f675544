"""What a scenario may say of outages: planned windows, failures by chance, and what becomes of running tasks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.scenario.fields import Model, NonNegative, Period, Positive, Problem, refuse

WhichProvider = Annotated[str, Field(min_length=1)]


class OutageWindow(Model):
    """A planned outage."""

    provider: WhichProvider
    """Name of the provider, or `stations`, `uavs` for all of a kind."""
    from_s: NonNegative
    """When it begins, s."""
    to_s: Positive
    """When it ends, s."""
    every_s: Period | None = None
    """It comes again after this time, s, such as a UAV's battery swap; once if not given."""

    @model_validator(mode="after")
    def _in_order(self) -> OutageWindow:
        length = self.to_s - self.from_s
        if length <= 0.0:
            refuse(Problem(("to_s",), f"must be after from_s, {self.from_s:g}, not {self.to_s:g}"))
        if self.every_s is not None and self.every_s <= length:
            refuse(Problem(("every_s",), f"must be longer than the outage itself, {length:g}, not {self.every_s:g}"))
        return self


class Failures(Model):
    """Outages by chance, exponential both between failures and to repair."""

    provider: WhichProvider
    """Name of the provider, or `stations`, `uavs`: each of a kind on its own."""
    mean_between_s: Period
    """Mean time from a repair to the next failure, s."""
    mean_repair_s: Period
    """Mean time to repair, s."""


class Outages(Model):
    """Times in which a provider does not work: it is not invited, and everybody knows."""

    mode: Literal["lost", "wait"] = "lost"
    """What becomes of its tasks: `lost` at that moment, or they `wait` until it is back."""
    windows: tuple[OutageWindow, ...] = ()
    """Planned outages."""
    failures: tuple[Failures, ...] = ()
    """Outages by chance."""
