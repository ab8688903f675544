"""What a scenario may say: typed fields with units, defaults and limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from simulator.errors import nearest
from simulator.scenario import document
from simulator.scenario.fields import Model, Positive, Problem, refuse
from simulator.scenario.market import Market
from simulator.scenario.outages import Failures, Outages, OutageWindow
from simulator.scenario.providers import Providers, Stations, Uavs
from simulator.scenario.shipped import data_path
from simulator.scenario.tasks import Tasks
from simulator.scenario.traffic import Traffic


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
        if not self.traffic.has_places:
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
        """Read a shipped scenario by name, or one from a YAML file, with overrides such as ``**{"stations.count": 7}``.

        Raises:
            ScenarioError: no scenario has that name, or a field is wrong; the message names file, line and field.
        """
        return document.load(cls, scenario, overrides)

    @classmethod
    def problems(cls, file: str | Path) -> list[str]:
        """List everything that is wrong with the fields of a scenario file; empty if nothing is.

        Raises:
            ScenarioError: no scenario has that name, or the file is not YAML.
        """
        return document.problems_of(cls, file)

    def to_yaml(self, directory: Path, recording: str | None = None) -> str:
        """Write the complete scenario as YAML; a data file that is not shipped is named relative to a folder.

        Args:
            directory: the folder where the text will stand.
            recording: name of a file in ``directory`` that takes the place of the scenario's recording.
        """
        return document.dump(self, directory, recording)

    def data_hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each data file that the scenario names and that can be read."""
        file = self.traffic.data_file
        if file is None:
            return {}
        try:
            with data_path(file).open("rb") as stream:
                return {file: hashlib.file_digest(stream, "sha256").hexdigest()}
        except (OSError, ValueError):
            # Whoever reads the file says what is wrong with it.
            return {}


def _names(providers: Providers, prefix: str) -> list[str]:
    if providers.placed is not None:
        return [place.name for place in providers.placed]
    return [f"{prefix}{number}" for number in range(1, providers.total() + 1)]
