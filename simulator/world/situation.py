"""What the market is told when a task is requested, whatever the kind of world it comes from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from simulator.model import BoolArray, FloatArray
from simulator.world.attachment import Coverage
from simulator.world.task import Task

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


class Books(Protocol):
    """What the auctioneer keeps from past rounds; in `rounds` a calibration draw stands in for them."""

    def uav_bid(self, uav: int) -> float:
        """What a UAV bids since its last report."""
        ...

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Mean audited match values of a UAV, of two stations that cover a vehicle, and of all ground stations."""
        ...

    def contract_bid(self) -> float | None:
        """The contract bid of (13), None while there are too few rounds for it."""
        ...

    def settled(self, uav_value: float, top_value: float) -> None:
        """Take in the true values of a priced round that has settled."""
        ...

    def served(self, task: Task, delivered: bool) -> None:
        """Take in a task that its provider has served, and whether the result reached the vehicle in time."""
        ...
