"""A scenario: typed fields with units, defaults and limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from simulator.errors import nearest
from simulator.files.reading import file_hash
from simulator.scenario import document
from simulator.scenario.fields import Model, Positive, Problem, refuse
from simulator.scenario.market import Market
from simulator.scenario.outages import Failures, Outages, OutageWindow
from simulator.scenario.providers import Providers, Stations, Uavs
from simulator.scenario.shipped import data_path
from simulator.scenario.tasks import Tasks
from simulator.scenario.traffic import Traffic


class Scenario(Model):
    """A complete description of a world and its market; `Scenario.load` reads one."""

    name: Annotated[str, Field(min_length=1, max_length=10_000)]
    """Name of the scenario. Run folders are named after it."""
    about: str = ""
    """One line that says what the scenario shows."""
    duration_s: Positive | None = None
    """Length of a run, s. By default 3,600 s, or all of a recording; a recording that is shorter ends the run."""
    traffic: Traffic
    """The vehicles: independent rounds, a recording, or generated traffic."""
    stations: Stations
    """The ground base stations."""
    uavs: Uavs = Uavs(count=1)
    """The UAVs. With `count: 0` there are none."""
    tasks: Tasks = Tasks()
    """The tasks that vehicles request."""
    market: Market = Market()
    """The auction and its weights."""
    outages: Outages = Outages()
    """Times at which providers are out of service."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Scenario:
        names = [*self.uav_names(), *self.station_names()]
        # Overrides, outages and messages refer to providers by name.
        again = sorted({name for name in names if names.count(name) > 1})
        problems = [Problem((), f"two providers are called '{name}'; give each a name of its own") for name in again]
        problems += [
            Problem((), f"a provider is called '{name}', which stands for several; give it another name")
            for name in ("stations", "uavs", "all")
            if name in names
        ]
        for part, own in (("stations", self.station_names()), ("uavs", self.uav_names())):
            for field in ("bidding", "owners"):
                for name in getattr(getattr(self, part), field):
                    if name not in own and (name, field) != ("all", "bidding"):
                        offer = f"no provider is called '{name}'; {nearest(name, own)}" if own else "there is none"
                        problems.append(Problem((part, field, name), offer))
        refuse(*problems)
        return self

    @model_validator(mode="after")
    def _rounds_have_no_places(self) -> Scenario:
        # Path loss, line of sight and coverage need positions, which rounds do not have.
        if not self.traffic.has_places:
            if self.tasks.renewal_s is not None:
                refuse(Problem(("tasks", "renewal_s"), "in 'rounds' no vehicle drives, so nothing is renewed"))
            if self.tasks.load != 1.0:
                refuse(Problem(("tasks", "load"), "in 'rounds' no task waits for another, so it must be 1"))
            if self.tasks.twin_mb > 0.0:
                refuse(Problem(("tasks", "twin_mb"), "in 'rounds' each vehicle comes once, so no twin migrates"))
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
        if not self.traffic.has_places and any(named.values()):
            refuse(Problem(("outages",), "cannot occur in 'rounds', where each round is independent; leave them out"))
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
        """Return the ids of the providers that a name stands for.

        Args:
            name: name of one provider, or `stations` or `uavs` for all providers of a kind.

        Returns:
            The ids, or an empty list if there is no such provider.
        """
        uavs, names = self.uavs.total(), [*self.uav_names(), *self.station_names()]
        # UAVs have the ids 0 to U - 1, ground stations the ids after them.
        kinds = {"uavs": range(uavs), "stations": range(uavs, len(names))}
        return list(kinds[name]) if name in kinds else [number for number, own in enumerate(names) if own == name]

    def uav_names(self) -> list[str]:
        """Return the names of the UAVs, whose ids begin at 0."""
        return _names(self.uavs, "u")

    def station_names(self) -> list[str]:
        """Return the names of the ground stations, whose ids begin at the number of UAVs."""
        return _names(self.stations, "s")

    @classmethod
    def load(cls, scenario: str | Path | Scenario, **overrides: Any) -> Scenario:
        """Read a scenario and apply overrides.

        Args:
            scenario: name of a shipped scenario, path of a YAML file, or a scenario.
            overrides: values by dotted key, such as ``**{"stations.count": 7}``.

        Raises:
            ScenarioError: no scenario has that name, or a field is wrong. The message names file, line and field.
        """
        return document.load(cls, scenario, overrides)

    @classmethod
    def problems(cls, file: str | Path) -> list[str]:
        """List all problems of the fields of a scenario file.

        Args:
            file: path of a YAML file, or name of a shipped scenario.

        Returns:
            One sentence per problem.

        Raises:
            ScenarioError: no scenario has that name, or the file is not valid YAML.
        """
        return document.problems_of(cls, file)

    def to_yaml(self, directory: Path, recording: str | None = None) -> str:
        """Return the complete scenario as YAML.

        Args:
            directory: folder to which the text will be written. Paths of data files are relative to it.
            recording: name of a file in ``directory`` that replaces the recording of the scenario.
        """
        return document.dump(self, directory, recording)

    def data_hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each data file that the scenario names and that can be read."""
        file = self.traffic.data_file
        if file is None:
            return {}
        try:
            return {file: file_hash(data_path(file))}
        except OSError:
            # Whoever reads the file says what is wrong with it.
            return {}


def _names(providers: Providers, prefix: str) -> list[str]:
    if providers.placed is not None:
        return [place.name for place in providers.placed]
    return [f"{prefix}{number}" for number in range(1, providers.total() + 1)]
