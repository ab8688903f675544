"""Fixed-time signals: when a queued vehicle may cross the stop line, and the mean delay in theory."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class EffectiveGreen:
    """The part of a fixed-time signal plan in which the queue of a lane discharges.

    Attributes:
        cycle_s: length of the cycle, s.
        start_s: begin of the effective green in any one cycle, s.
        green_s: length of the effective green, s.
        headway_s: saturation headway, s.
    """

    cycle_s: float
    start_s: float
    green_s: float
    headway_s: float

    def crossing(self, ready_s: float, last_s: float = -math.inf) -> float:
        """Return the first time at which a vehicle can cross the stop line.

        Args:
            ready_s: time at which the vehicle reaches the stop line if nothing holds it, s.
            last_s: time at which the vehicle ahead in the same lane crosses, s.

        Returns:
            The time of the crossing, s.
        """
        # At least one saturation headway between two vehicles keeps the flow of the lane at or below saturation.
        time = max(ready_s, last_s + self.headway_s)
        cycle = math.floor((time - self.start_s) / self.cycle_s)
        begin = self.start_s + cycle * self.cycle_s
        # The first vehicle of a queue crosses half a headway after the begin. One green then serves green / headway
        # vehicles, rounded to the nearest integer. Without the half, the number would always be rounded up.
        first = begin + 0.5 * self.headway_s
        if time < first:
            return first
        # A vehicle that misses this effective green is the first of the next one.
        return time if time <= begin + self.green_s else first + self.cycle_s

    def end_s(self, time: float) -> float:
        """Return the end of the effective green that has begun last, s.

        Args:
            time: a time, s.
        """
        cycle = math.floor((time - self.start_s) / self.cycle_s)
        return self.start_s + cycle * self.cycle_s + self.green_s

    @property
    def capacity(self) -> float:
        """Mean flow of the lane with a queue that never ends, vehicles/s."""
        # The crossings are at begin + (n + 1/2) headway for n = 0, 1, ... up to the end of the effective green.
        return math.floor(self.green_s / self.headway_s + 0.5) / self.cycle_s


def uniform_delay(flow: float, cycle_s: float, green_s: float, headway_s: float) -> float:
    """Return the mean delay of evenly spaced arrivals, ``d1 = C (1 - lambda)^2 / (2 (1 - lambda x))``.

    Here ``lambda = g / C`` is the share of green in the cycle, and ``x = q h / lambda`` is the degree of saturation.

    Args:
        flow: flow ``q`` in the lane, vehicles/s, below saturation.
        cycle_s: length ``C`` of the cycle, s.
        green_s: length ``g`` of the effective green, s.
        headway_s: saturation headway ``h``, s.

    Returns:
        The mean delay, s.
    """
    share = green_s / cycle_s
    # lambda x = q h.
    return cycle_s * (1.0 - share) ** 2 / (2.0 * (1.0 - flow * headway_s))


def webster_delay(flow: float, cycle_s: float, green_s: float, headway_s: float) -> float:
    """Return the mean delay of Poisson arrivals by Webster's full formula.

    The formula is ``d1 + x^2 / (2 q (1 - x)) - 0.65 (C / q^2)^(1/3) x^(2 + 5 lambda)``. Here ``d1`` is `uniform_delay`,
    ``lambda = g / C`` is the share of green in the cycle, and ``x = q h / lambda`` is the degree of saturation.

    Source: F. V. Webster, "Traffic Signal Settings", Road Research Technical Paper 39, 1958.

    Args:
        flow: flow ``q`` in the lane, vehicles/s, below saturation.
        cycle_s: length ``C`` of the cycle, s.
        green_s: length ``g`` of the effective green, s.
        headway_s: saturation headway ``h``, s.

    Returns:
        The mean delay, s.
    """
    share = green_s / cycle_s
    degree = flow * headway_s / share
    random = degree**2 / (2.0 * flow * (1.0 - degree))
    correction = 0.65 * math.cbrt(cycle_s / flow**2) * math.pow(degree, 2.0 + 5.0 * share)
    return uniform_delay(flow, cycle_s, green_s, headway_s) + random - correction
