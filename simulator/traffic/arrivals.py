"""When vehicles enter: Poisson, headway-limited or even arrivals under a profile of the day."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator
from itertools import accumulate, pairwise

import numpy as np

from simulator.scenario.traffic import Arrivals

DRAWS_A_BLOCK = 256


def arrival_times(arrivals: Arrivals, rate: float, rng: np.random.Generator) -> Generator[float, None, None]:
    """Times at which vehicles enter, s, without end unless the rate stays 0.

    The profile scales the rate: unit-rate arrivals are spaced in the integral of the rate over time.

    Args:
        arrivals: process and profile.
        rate: vehicles a second where the profile is 1.
        rng: draws the gaps.
    """
    times, factors = (list(column) for column in zip(*arrivals.profile, strict=True))
    if rate <= 0.0 or max(factors) == 0.0:
        return
    # The integral of the factor up to the profile's points, which go on flat before the first and after the last.
    pieces = [(end - begin) * (low + high) / 2 for (begin, low), (end, high) in pairwise(arrivals.profile)]
    area = list(accumulate(pieces, initial=times[0] * factors[0]))
    # Where the rate leaves less than the least headway, or falls steeply, vehicles wait upstream for their turn.
    least = arrivals.min_headway_s if arrivals.process == "headway" else 0.0
    done, now = 0.0, -math.inf
    while True:
        gaps = np.ones(DRAWS_A_BLOCK) if arrivals.process == "even" else rng.exponential(1.0, DRAWS_A_BLOCK)
        for gap in gaps.tolist():
            if least > 0.0:
                share = min(least * rate * float(np.interp(max(now, 0.0), times, factors)), 1.0)
                gap = share + (1.0 - share) * gap
            done += gap / rate
            found = _inverse(done, times, factors, area)
            if found is None:
                return
            now = max(found, now + least)
            yield now


def _inverse(done: float, times: list[float], factors: list[float], area: list[float]) -> float | None:
    """The time at which the integral of the factor reaches ``done``; None if it never does."""
    if done <= area[0]:
        return done / factors[0] if factors[0] > 0.0 else None
    if done >= area[-1]:
        return times[-1] + (done - area[-1]) / factors[-1] if factors[-1] > 0.0 else None
    piece = bisect_right(area, done) - 1
    low, slope = factors[piece], (factors[piece + 1] - factors[piece]) / (times[piece + 1] - times[piece])
    rest = done - area[piece]
    return times[piece] + 2.0 * rest / (low + math.sqrt(max(low * low + 2.0 * slope * rest, 0.0)))
