"""Access to the scenarios and recordings that come with the project."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

SHIPPED = "package:"
"""Prefix of the name of a data file that comes with the project."""


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
