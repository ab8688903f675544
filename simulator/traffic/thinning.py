"""Thinning: which of its requests a vehicle makes where the load is below 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from simulator.draws import Draws

REQUESTS_PER_DRAW = 16
"""Requests of a vehicle whose numbers are drawn at once."""

Thinning = Callable[[int, int], bool]
"""Function from (id of a vehicle, number of one of its possible requests) to whether the vehicle makes it."""


def thinning(draws: Draws, load: float) -> Thinning | None:
    """Return which requests are made: each with probability ``load``, independently of the others.

    A request that is made at one load is made at every higher load too, so worlds of different loads are paired.

    Args:
        draws: randomness of the run.
        load: probability of each request.

    Returns:
        The function; None if every request is made.
    """
    if load >= 1.0:
        return None

    @lru_cache(maxsize=512)
    def numbers(vehicle: int, block: int) -> list[float]:
        """Return a uniform number for each request of a block of a vehicle."""
        drawn: list[float] = draws.generator("thinning", vehicle, block).random(REQUESTS_PER_DRAW).tolist()
        return drawn

    def made(vehicle: int, request: int) -> bool:
        """Return whether a vehicle makes a request."""
        block, at = divmod(request, REQUESTS_PER_DRAW)
        return numbers(vehicle, block)[at] < load

    return made
