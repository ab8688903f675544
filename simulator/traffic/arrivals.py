"""Arrival times of vehicles: Poisson, with a least headway, or evenly spaced, scaled by a profile over time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator
from itertools import accumulate, pairwise

import numpy as np

from simulator.scenario.traffic import Arrivals

# Drawing many gaps at once costs less than drawing each alone.
DRAWS_A_BLOCK = 256


def arrival_times(arrivals: Arrivals, rate: float, rng: np.random.Generator) -> Generator[float, None, None]:
    """Yield the times at which vehicles enter, s, without end unless the rate stays 0.

    The rate is r(t) = rate * profile(t). The n-th vehicle enters when the integral of r reaches g_1 + ... + g_n. The
    gaps g have mean 1.

    Args:
        arrivals: process and profile.
        rate: vehicles per second where the profile is 1.
        rng: generator of the gaps.
    """
    times, factors = (list(column) for column in zip(*arrivals.profile, strict=True))
    if rate <= 0.0 or max(factors) == 0.0:
        return
    # The integral of the factor up to each point of the profile. The profile is flat before its first point and after
    # its last one.
    pieces = [(end - begin) * (low + high) / 2 for (begin, low), (end, high) in pairwise(arrivals.profile)]
    area = list(accumulate(pieces, initial=times[0] * factors[0]))
    # Where the mean headway 1 / r is below the least headway, or where r falls steeply, vehicles wait upstream.
    least = arrivals.min_headway_s if arrivals.process == "headway" else 0.0
    done, now = 0.0, -math.inf
    while True:
        gaps = np.ones(DRAWS_A_BLOCK) if arrivals.process == "even" else rng.exponential(1.0, DRAWS_A_BLOCK)
        for gap in gaps.tolist():
            if least > 0.0:
                # The least headway takes this share of the mean gap. The rest is exponential, so the mean stays 1.
                share = min(least * rate * float(np.interp(max(now, 0.0), times, factors)), 1.0)
                gap = share + (1.0 - share) * gap
            done += gap / rate
            found = _inverse(done, times, factors, area)
            if found is None:
                return
            now = max(found, now + least)
            yield now


def _inverse(done: float, times: list[float], factors: list[float], area: list[float]) -> float | None:
    """Return the time at which the integral of the factor reaches ``done``, s; None if it never does."""
    if done <= area[0]:
        return done / factors[0] if factors[0] > 0.0 else None
    if done >= area[-1]:
        return times[-1] + (done - area[-1]) / factors[-1] if factors[-1] > 0.0 else None
    piece = bisect_right(area, done) - 1
    low, slope = factors[piece], (factors[piece + 1] - factors[piece]) / (times[piece + 1] - times[piece])
    rest = done - area[piece]
    if rest <= 0.0:
        return times[piece]
    # Solves rest = low t + slope t^2 / 2. This form of the root does not divide by the slope, which may be 0. The max
    # guards against a discriminant that rounding makes negative.
    return times[piece] + 2.0 * rest / (low + math.sqrt(max(low * low + 2.0 * slope * rest, 0.0)))
