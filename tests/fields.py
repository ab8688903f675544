"""Overrides for `simulate`, typed so that a literal dict may be unpacked beside its named parameters."""

from __future__ import annotations

from typing import Any


def fields(overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides as they are."""
    return overrides
