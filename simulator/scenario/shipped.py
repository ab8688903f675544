"""The scenarios and recordings that come with the project."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

SHIPPED = "package:"
"""Prefix of a data file that is shipped with the project."""


def shipped_scenarios() -> list[str]:
    """Names of the scenarios that come with the project, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("scenarios").iterdir()
        if entry.name.endswith(".yaml")
    )


def shipped_text(name: str) -> str:
    """The YAML text of a shipped scenario, comments and all."""
    return (resources.files("scenarios") / f"{name}.yaml").read_text(encoding="utf-8")


def data_path(file: str) -> Path:
    """Where a data file named in a scenario lies: `package:NAME` or a path."""
    if file.startswith(SHIPPED):
        return Path(str(resources.files("scenarios") / "data" / file.removeprefix(SHIPPED)))
    return Path(file)
