"""Access to the scenarios and recordings that come with the project, and the environments that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHIPPED = "package:"
"""Prefix of the name of a data file that comes with the project."""

# By its place: a user's own folder `scenarios` would hide a package of that name.
FOLDER = Path(__file__).parents[2] / "scenarios"
"""Folder of the shipped scenarios."""

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "dmsb/Intersection-v0": {},
    "dmsb/Paper-v0": {"scenario": "paper", "duration": 5000.0},
}
"""Arguments of each Gymnasium environment over the prices of `msb`, by id."""

ENTRY_POINTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: ("simulator.environment:Intersection", arguments) for name, arguments in ENVIRONMENTS.items()},
    "dmsb/Seat-v0": ("simulator.environment:SeatEnvironment", {}),
}
"""Class and arguments of each Gymnasium environment, by id."""


def shipped_scenarios() -> list[str]:
    """Return the names of the shipped scenarios, sorted."""
    return sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """Return the YAML text of a shipped scenario, with its comments."""
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def data_path(file: str) -> Path:
    """Return the path of a data file.

    Args:
        file: the file as a scenario names it: ``package:NAME``, or a path.
    """
    if file.startswith(SHIPPED):
        return FOLDER / "data" / file.removeprefix(SHIPPED)
    return Path(file)
