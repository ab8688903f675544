"""Simulated time: limits of the seed, duration and warm-up of a run, and events at a given time."""

from __future__ import annotations

import simpy

from simulator.errors import InputError, shown

LONGEST_S = 1e9
"""Longest duration of a run, s."""

LARGEST_SEED = 2**63
"""Seeds are smaller than this number, so that a signed 64-bit integer can hold them."""


def check_times(seed: int, duration: float, warmup: float) -> None:
    """Check the seed, duration and warm-up of a run.

    Args:
        seed: the seed, an integer from 0 to below `LARGEST_SEED`.
        duration: length of the run, s, above 0 and at most `LONGEST_S`.
        warmup: length of the warm-up, s, from 0 to below the duration.

    Raises:
        InputError: one of them is not a number or is out of range.
    """
    # In Python True and False are integers, but nobody means them as a seed.
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < LARGEST_SEED:
        raise InputError(f"seed: must be a whole number >= 0, not {shown(seed)}")
    # Each range is written as "not (low < value)", because a comparison with NaN is always false.
    if not (isinstance(duration, int | float) and 0 < duration <= LONGEST_S):
        raise InputError(f"duration: must be a number of seconds > 0, not {shown(duration)} (at most 1e9)")
    if not (isinstance(warmup, int | float) and 0 <= warmup < duration):
        raise InputError(f"warmup: must be a number of seconds from 0 to below the duration, not {shown(warmup)}")


def until(env: simpy.Environment, time: float) -> simpy.Event:
    """Return an event that occurs at a given time.

    Args:
        env: the SimPy environment.
        time: when the event occurs, s. A time that has passed means now.
    """
    # Times are sums of floats, so a time that should be now can lie a rounding error in the past.
    # SimPy refuses a negative delay.
    return env.timeout(max(time - env.now, 0.0))
