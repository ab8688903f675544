"""Renewals: the moments at which a vehicle on its way renews its twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from simulator.draws import Draws

GAPS_PER_DRAW = 16
"""Gaps that are drawn at once."""

Renewals = Callable[[int, float], Iterator[float]]
"""Function from (id of a vehicle, time of its entry, s) to the times at which it would renew its twin, s."""


def renewals(draws: Draws, mean_s: float | None) -> Renewals:
    """Return the renewals of the vehicles of a run. They depend on the vehicle only.

    Args:
        draws: randomness of the run.
        mean_s: mean time between two renewals, s; None for none.
    """

    def of(vehicle: int, entered: float) -> Iterator[float]:
        """Iterate over the times at which a vehicle would renew its twin, without end."""
        if mean_s is None:
            return
        rng, last = draws.generator("renewals", vehicle), entered
        while True:
            times = (last + np.cumsum(rng.exponential(mean_s, GAPS_PER_DRAW))).tolist()
            yield from times
            last = times[-1]

    return of
