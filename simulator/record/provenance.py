"""What is recorded of how a run came about: when it began, what it took, and the versions of packages."""

from __future__ import annotations

import functools
import importlib.metadata
import time
from datetime import UTC, datetime
from typing import Any

PACKAGES = ("dmsb", "numpy", "pandas", "pyarrow", "pydantic", "simpy")
"""Packages whose versions are recorded with a run."""


class RunClock:
    """When a run began, and what it has taken."""

    def __init__(self) -> None:
        self._begin, self._wall, self._cpu = datetime.now(UTC), time.perf_counter(), time.process_time()

    def figures(self) -> dict[str, Any]:
        """Return the begin as text, and wall-clock and processor time so far, s."""
        return {
            "started": self._begin.isoformat(timespec="seconds"),
            "wall_s": time.perf_counter() - self._wall,
            "cpu_s": time.process_time() - self._cpu,
        }


def versions() -> dict[str, str]:
    """Return the versions of the packages that are recorded with a run."""
    return dict(_versions())


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of the packages that are recorded with a run."""
    # Read once: in a comparison of short runs it would be a tenth of the time.
    return tuple((name, importlib.metadata.version(name)) for name in PACKAGES)
