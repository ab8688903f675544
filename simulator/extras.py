"""Packages that only some people need: what is missing is named together with the extra that brings it."""

from __future__ import annotations

import importlib.util

from simulator.errors import InputError


def need(package: str, extra: str) -> None:
    """Make sure that an optional package is there.

    Raises:
        InputError: it is not; the message names the extra to install.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f"this needs the package {package}: pip install 'dmsb[{extra}]'")
