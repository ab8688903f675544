"""What the market is told when a task is requested, whatever the kind of world it comes from."""

from __future__ import annotations

from typing import NamedTuple

from simulator.model import BoolArray, FloatArray
from simulator.providers.attachment import Coverage
from simulator.providers.task import Task

REFERENCE_MB = 30.0
"""Size of the task that public predictions speak of, MB."""


class Situation(NamedTuple):
    """A task and what it meets at every provider.

    Attributes:
        task: the task.
        station_left: id of the station whose coverage the vehicle leaves, -1 for none.
        times: stage times, s, shape (4, 2, providers): those of the task, and the public ones of 30 MB.
        accuracy: accuracy of each provider, shape (providers,).
        match: match value of that accuracy, shape (providers,).
        covered: which providers cover the vehicle now, shape (providers,).
        dwell_s: how long each is expected to cover it still, s, shape (providers,).
        coverage: how long each will really cover the vehicle; None where all do forever.
    """

    task: Task
    station_left: int
    times: FloatArray
    accuracy: FloatArray
    match: FloatArray
    covered: BoolArray
    dwell_s: FloatArray
    coverage: Coverage | None
