"""The interface of a world without its market: providers, ledger, traffic and requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simulator.market.ledger import Ledger
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.fleet import Fleet
from simulator.providers.queues import Server
from simulator.traffic.contract import Traffic


class Site(Protocol):
    """A world without its market. Each kind of world builds itself.

    Attributes:
        fleet: providers by id.
        providers: servers of the tasks, by provider id.
        free_at: times at which each stage of each provider is free, s, shape (5, providers).
        ledger: records of the platform about past rounds.
        traffic: vehicles; None where nothing moves.
        time_origin: time in the source's clock at the start of the run, s.
        left_out: numbers of rows of a recording that were left out or mended, by reason.
    """

    fleet: Fleet
    providers: list[Server]
    free_at: FloatArray
    ledger: Ledger
    traffic: Traffic | None
    time_origin: float
    left_out: dict[str, int]

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        ...

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start everything that requests tasks.

        Args:
            on_request: function that is called with the situation of each request, at the time of the request.
        """
        ...
