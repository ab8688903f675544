"""What every kind of world builds for itself: providers, what the platform remembers, traffic, and requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simulator.market.ledger import Ledger
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.fleet import Fleet
from simulator.providers.queues import Server
from simulator.traffic.contract import Traffic


class Site(Protocol):
    """A world without its market.

    Attributes:
        fleet: the providers by id.
        providers: who serves tasks, by id.
        free_at: when each stage of each provider is free, s, shape (4, providers).
        ledger: what the platform remembers of past rounds.
        traffic: the vehicles; None where nothing moves.
        time_origin: the source's time at the start of the run, s.
        left_out: number of rows of a recording that were left out, by reason.
    """

    fleet: Fleet
    providers: Sequence[Server]
    free_at: FloatArray
    ledger: Ledger
    traffic: Traffic | None
    time_origin: float
    left_out: dict[str, int]

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        ...

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start everything that asks for tasks.

        Args:
            on_request: called with the situation of each request, at its time.
        """
        ...
