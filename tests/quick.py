"""Which cases of a test `make test` runs; `make slow` runs the others."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def quick(first: Container[Any], cases: Iterable[Any]) -> list[Any]:
    """Return all cases, those marked as slow that are not among the first.

    Args:
        first: cases that `make test` runs.
        cases: all of them. A tuple has one value per parameter.
    """
    slow = pytest.mark.slow
    return [
        case if case in first else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=slow)
        for case in cases
    ]
