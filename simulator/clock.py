"""Simulated time: limits of the seed, duration and warm-up of a run, and events at a given time."""

from __future__ import annotations

from heapq import heappush
from numbers import Integral, Real

import simpy
from simpy.events import NORMAL, EventPriority

from simulator.errors import InputError, shown

LONGEST_S = 1e9
"""Longest duration of a run, s."""

LARGEST_SEED = 2**63
"""Seeds are smaller than this number, so that a signed 64-bit integer can hold them."""


LAST = EventPriority(NORMAL + 1)
"""Priority of an event that comes after all others of its moment."""


def check_times(seed: int, duration: float, warmup: float) -> None:
    """Check the seed, duration and warm-up of a run.

    Args:
        seed: the seed, an integer from 0 to below `LARGEST_SEED`.
        duration: length of the run, s, above 0 and at most `LONGEST_S`.
        warmup: length of the warm-up, s, from 0 to below the duration.

    Raises:
        InputError: one of them is not a number or is out of range.
    """
    # In Python True and False are integers, but nobody means them as a seed. Numbers of numpy are numbers.
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < LARGEST_SEED:
        raise InputError(f"seed: must be a whole number >= 0 and below 2^63, not {shown(seed)}")
    # Each range is written as "not (low < value)", because a comparison with NaN is always false.
    if not (isinstance(duration, Real) and 0 < duration <= LONGEST_S):
        raise InputError(f"duration: must be a number of seconds > 0, not {shown(duration)} (at most 1e9)")
    if not (isinstance(warmup, Real) and 0 <= warmup < duration):
        raise InputError(f"warmup: must be a number of seconds from 0 to below the duration, not {shown(warmup)}")


def until(env: simpy.Environment, time: float, priority: EventPriority = NORMAL) -> simpy.Event:
    """Return an event that occurs at a given time, exactly.

    Args:
        env: the SimPy environment.
        time: when the event occurs, s. A time that has passed means now.
        priority: order among the events of one moment.
    """
    # SimPy schedules after a delay only, and now + (time - now) may differ from time in the last place. A request that
    # is replayed must come at the same time as when it was drawn, so the event enters the queue with its own time.
    event = simpy.Event(env)
    event._ok, event._value = True, None
    heappush(env._queue, (max(time, env._now), priority, next(env._eid), event))
    return event
