"""Settings of outages: planned outages, random failures, and the fate of running tasks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.scenario.fields import Model, NonNegative, Period, Positive, Problem, refuse

WhichProvider = Annotated[str, Field(min_length=1)]
"""Name of one provider, or of a kind."""


class OutageWindow(Model):
    """A planned outage, once or periodic."""

    provider: WhichProvider
    """Name of the provider, or `stations` or `uavs` for all providers of a kind."""
    from_s: NonNegative
    """Begin of the outage, s."""
    to_s: Positive
    """End of the outage, s."""
    every_s: Period | None = None
    """Time from one begin to the next, s, as for battery swaps. If not given, the outage occurs once."""

    @model_validator(mode="after")
    def _in_order(self) -> OutageWindow:
        length = self.to_s - self.from_s
        if length <= 0.0:
            refuse(Problem(("to_s",), f"must be after from_s, {self.from_s:g}, not {self.to_s:g}"))
        # An outage that begins again before it ends would never end.
        if self.every_s is not None and self.every_s <= length:
            refuse(Problem(("every_s",), f"must be longer than the outage itself, {length:g}, not {self.every_s:g}"))
        return self


class Failures(Model):
    """Random outages with exponential times between failures and to repair."""

    provider: WhichProvider
    """Name of the provider, or `stations` or `uavs`: each provider of the kind fails independently."""
    mean_between_s: Period
    """Mean time from a repair to the next failure, s."""
    mean_repair_s: Period
    """Mean time from a failure to its repair, s."""


class Outages(Model):
    """Outages of providers: a provider that is out is not invited, and this is public."""

    mode: Literal["lost", "wait"] = "lost"
    """Fate of the tasks at a provider that goes out: `lost` at once, or `wait` until it is back."""
    windows: tuple[OutageWindow, ...] = ()
    """Planned outages."""
    failures: tuple[Failures, ...] = ()
    """Random outages."""

    @property
    def possible(self) -> bool:
        """Whether a provider can be out."""
        return bool(self.windows or self.failures)
