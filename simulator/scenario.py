"""What a scenario may say: typed fields with units, defaults and limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from simulator.errors import nearest
from simulator.model.mechanism import price_grid
from simulator.scenario_fields import LogSd, Model, NonNegative, Positive, Problem, Real, Span, Whole, refuse
from simulator.scenario_outages import Failures, Outages, OutageWindow
from simulator.scenario_providers import Providers, Stations, Uavs
from simulator.scenario_traffic import Rounds, Traffic

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


class Market(Model):
    """The auction and its weights."""

    mechanism: str | None = None
    """Mechanism by name (`msb`, `second-price`, or one's own); none: the policy's own, else `msb`."""
    information: Literal["public", "masked", "all-bids", "clairvoyant"] | None = None
    """What the policy may see; none: what it declares, else `public`."""
    reference: Literal["stations", "all"] = "stations"
    """Over whom the max in (14) runs: the other ground stations, or literally all other providers."""
    uav_weight: Positive = 1.0
    """Weight zeta of the UAV's surplus."""
    latency_weight: Positive = 1.0
    """Weight omega_1 of the latency, s."""
    accuracy_weight: Positive = 0.1
    """Weight omega_2 of the accuracy."""
    accuracy_exponent: Annotated[Real, Field(gt=0, le=10)] = 2.0
    """Exponent beta of the accuracy."""
    history: Annotated[Whole, Field(ge=1, le=10_000)] = 5
    """T: over how many tasks a provider averages, this one included."""
    actions: Annotated[Whole, Field(ge=1, le=1000)] = 20
    """|A|: size of the grid of price scaling factors 10^(a/|A|)."""
    first_action: Literal[0, 1] = 0
    """The first a of the grid: 0, so that rho = 1 is a choice, or the paper's 1."""
    contract_rounds: Annotated[Whole, Field(ge=1, le=10_000_000)] = 100_000
    """Rounds from which the contract bid (13) is computed: the last settled ones; in `rounds` a calibration draw."""
    load_window_s: Positive = 120.0
    """Window over which the load of the market is counted, s."""

    def prices(self) -> list[float]:
        """The grid of price scaling factors."""
        grid: list[float] = price_grid(self.actions, self.first_action).tolist()
        return grid


class Scenario(Model):
    """A world and its market, complete; `Scenario.load` reads one."""

    name: Annotated[str, Field(min_length=1, max_length=10_000)]
    """Name; run folders are called after it."""
    about: str = ""
    """What the scenario shows."""
    duration_s: Positive = 3600.0
    """Length of a run, s."""
    traffic: Traffic
    """Who drives where."""
    stations: Stations
    """The ground base stations."""
    uavs: Uavs = Uavs(count=1)
    """The UAVs; `count: 0` for none."""
    tasks: Tasks = Tasks()
    """What vehicles ask for."""
    market: Market = Market()
    """The auction."""
    outages: Outages = Outages()
    """Times in which providers do not work."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Scenario:
        names = [*self.uav_names(), *self.station_names()]
        again = sorted({name for name in names if names.count(name) > 1})
        problems = [Problem((), f"two providers are called '{name}'; give each a name of its own") for name in again]
        for part, own in (("stations", self.station_names()), ("uavs", self.uav_names())):
            for name in getattr(self, part).bidding:
                if name != "all" and name not in own:
                    offer = f"no provider is called '{name}'; {nearest(name, own)}" if own else "there is none"
                    problems.append(Problem((part, "bidding", name), offer))
        refuse(*problems)
        return self

    @model_validator(mode="after")
    def _rounds_have_no_places(self) -> Scenario:
        if isinstance(self.traffic, Rounds):
            radios = {"stations": self.stations.radio, "uavs": self.uavs.radio}
            refuse(
                *(
                    Problem(
                        (part, "radio", "model"),
                        f"in 'rounds' nothing has a place, so it must be 'random', not '{radio.model}'",
                    )
                    for part, radio in radios.items()
                    if radio.model != "random"
                )
            )
        return self

    @model_validator(mode="after")
    def _outages_of_providers(self) -> Scenario:
        named: dict[str, Sequence[OutageWindow | Failures]] = {
            "windows": self.outages.windows,
            "failures": self.outages.failures,
        }
        if isinstance(self.traffic, Rounds) and any(named.values()):
            refuse(Problem(("outages",), "in 'rounds' nobody lasts from one round to the next; leave them out"))
        known = ["stations", "uavs", *self.uav_names(), *self.station_names()]
        problems = []
        for part, outages in named.items():
            for number, outage in enumerate(outages):
                name = outage.provider
                if not self.providers_called(name):
                    offer = "the scenario has none" if name in known else nearest(name, known)
                    message = f"no provider is called '{name}'; {offer}"
                    problems.append(Problem(("outages", part, number, "provider"), message))
        refuse(*problems)
        return self

    def providers_called(self, name: str) -> list[int]:
        """Ids of the provider of that name, or of all `stations` or `uavs`; empty if there is none."""
        uavs, names = self.uavs.total(), [*self.uav_names(), *self.station_names()]
        kinds = {"uavs": range(uavs), "stations": range(uavs, len(names))}
        return list(kinds[name]) if name in kinds else [number for number, own in enumerate(names) if own == name]

    def uav_names(self) -> list[str]:
        """Names of the UAVs, by id from 0."""
        return _names(self.uavs, "u")

    def station_names(self) -> list[str]:
        """Names of the ground stations, by id from the number of UAVs."""
        return _names(self.stations, "s")

    @classmethod
    def load(cls, scenario: str | Path | Scenario, **overrides: Any) -> Scenario:
        """A shipped scenario by name or one from a YAML file, with overrides such as ``**{"stations.count": 7}``.

        Raises:
            ScenarioError: there is none of that name, or it says something a scenario may not say.
        """
        from simulator.scenario_file import load_scenario

        return load_scenario(scenario, overrides)


def _names(providers: Providers, prefix: str) -> list[str]:
    if providers.placed is not None:
        return [place.name for place in providers.placed]
    return [f"{prefix}{number}" for number in range(1, providers.total() + 1)]
