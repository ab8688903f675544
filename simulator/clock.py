"""Simulated time: what a run's seed, duration and warm-up may be, and events at a time."""

from __future__ import annotations

import simpy

from simulator.errors import InputError, shown

LONGEST_S = 1e9


LARGEST_SEED = 2**63


def check_times(seed: int, duration: float, warmup: float) -> None:
    """Hold seed, duration and warm-up to what a run can do.

    Raises:
        InputError: one of them cannot be.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < LARGEST_SEED:
        raise InputError(f"seed: must be a whole number >= 0, not {shown(seed)}")
    if not (isinstance(duration, int | float) and 0 < duration <= LONGEST_S):
        raise InputError(f"duration: must be a number of seconds > 0, not {shown(duration)} (at most 1e9)")
    if not (isinstance(warmup, int | float) and 0 <= warmup < duration):
        raise InputError(f"warmup: must be a number of seconds from 0 to below the duration, not {shown(warmup)}")


def until(env: simpy.Environment, time: float) -> simpy.Event:
    """An event at a time, or at once if that has passed by a rounding."""
    return env.timeout(max(time - env.now, 0.0))
