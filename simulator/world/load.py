"""Load: how often twins are renewed where a scenario asks for more tasks than its traffic brings."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from simulator.traffic.contract import Crossing, Vehicles

PROBE_S = 5.0
"""Mean time between two renewals in the run that measures, s. Each stands for so many seconds of a covered vehicle."""


def renewal_for(
    load: float, renewal_s: float | None, vehicles: Callable[[simpy.Environment, float], Vehicles], duration: float
) -> float | None:
    """Return the mean time between two renewals that multiplies the number of tasks by a load above 1, s.

    It lets the traffic run once without a market and counts the D departures and the S seconds of covered vehicles.
    Renewals at a rate r make D + r S tasks. So ``load (D + r S) = D + r' S`` gives the new rate
    ``r' = load r + (load - 1) D / S``.

    Args:
        load: factor on the number of tasks, 1 or more.
        renewal_s: mean time between two renewals at a load of 1, s; None for none.
        vehicles: function from an environment and a mean time between renewals, s, to the vehicles at their start.
        duration: time over which tasks are counted, s.

    Returns:
        The mean time, s; None if there are no renewals.
    """
    env = simpy.Environment()
    departed = renewed = 0

    def count(vehicle: int, request: int, crossing: Crossing) -> None:
        nonlocal departed, renewed
        if crossing.station >= 0:
            departed += 1
        else:
            renewed += 1

    vehicles(env, PROBE_S).start(count)
    env.run(until=duration)
    rate = 0.0 if renewal_s is None else load / renewal_s
    if renewed:
        rate += (load - 1.0) * departed / (renewed * PROBE_S)
    return 1.0 / rate if rate > 0.0 else None
