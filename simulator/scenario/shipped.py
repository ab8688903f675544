"""Access to the scenarios and recordings that come with the project, and the environments that are made of them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

SHIPPED = "package:"
"""Prefix of the name of a data file that comes with the project."""

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "dmsb/Intersection-v0": {},
    "dmsb/Paper-v0": {"scenario": "paper", "duration": 5000.0},
}
"""Arguments of each Gymnasium environment, by id."""


def shipped_scenarios() -> list[str]:
    """Return the names of the shipped scenarios, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("scenarios").iterdir()
        if entry.name.endswith(".yaml")
    )


def shipped_text(name: str) -> str:
    """Return the YAML text of a shipped scenario, with its comments."""
    return (resources.files("scenarios") / f"{name}.yaml").read_text(encoding="utf-8")


def data_path(file: str) -> Path:
    """Return the path of a data file.

    Args:
        file: the file as a scenario names it: ``package:NAME``, or a path.
    """
    if file.startswith(SHIPPED):
        return Path(str(resources.files("scenarios") / "data" / file.removeprefix(SHIPPED)))
    return Path(file)
