"""What the commands of ``dmsb`` share: options, and what they do with a scenario and a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped scenario or the path of a YAML file.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field, such as stations.count=7.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The folder to write; it is the run folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it exists.")]


def whole(text: str) -> int:
    """A whole number as it was typed."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, not '{text}'") from None


def seconds(text: str) -> float:
    """A number of seconds as it was typed."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number of seconds, not '{text}'") from None


Duration = Annotated[float | None, typer.Option("--duration", metavar="S", parser=seconds, help="Length of a run, s.")]
Warmup = Annotated[
    float,
    typer.Option("--warmup", metavar="S", parser=seconds, help="Leave out of the summary what comes before, s."),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", parser=whole, help="Fixes all that does not depend on prices.")
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", parser=whole, help="Worlds, by seeds 0 to N-1.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", parser=whole, help="Processes side by side.")]


def load(scenario: str, sets: list[str] | None) -> Scenario:
    """The scenario that a person names, with what they have set."""
    from simulator.scenario.overrides import parse_assignment
    from simulator.scenario.scenario import Scenario

    return Scenario.load(scenario, **dict(parse_assignment(text) for text in sets or ()))


def slug(text: str) -> str:
    """A text as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text)[-200:]
