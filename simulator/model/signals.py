"""Fixed-time signals: when a queued vehicle may cross the stop line, and what theory says of the delay."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class EffectiveGreen:
    """The part of a fixed-time plan in which a lane discharges: its green less the start-up lost time.

    Attributes:
        cycle_s: length of the cycle, s.
        start_s: begin of the effective green, s, in any cycle.
        green_s: length of the effective green, s.
        headway_s: saturation headway, s; the first of a queue crosses half of it after the effective green begins.
    """

    cycle_s: float
    start_s: float
    green_s: float
    headway_s: float

    def crossing(self, ready_s: float, last_s: float = -math.inf) -> float:
        """The first moment at which a vehicle can cross the stop line.

        Vehicles of a lane follow each other by the saturation headway or more, so its flow never exceeds saturation.

        Args:
            ready_s: when it reaches the stop line if nothing holds it, s.
            last_s: when the vehicle before it in its lane crosses, s.
        """
        time = max(ready_s, last_s + self.headway_s)
        cycle = math.floor((time - self.start_s) / self.cycle_s)
        begin = self.start_s + cycle * self.cycle_s
        first = begin + 0.5 * self.headway_s
        if time < first:
            return first
        return time if time <= begin + self.green_s else first + self.cycle_s

    @property
    def capacity(self) -> float:
        """Vehicles a second that a lane discharges on average when its queue never ends."""
        return math.floor(self.green_s / self.headway_s + 0.5) / self.cycle_s


def uniform_delay(flow: float, cycle_s: float, green_s: float, headway_s: float) -> float:
    """Mean delay of evenly spaced arrivals, s: ``d1 = C (1 - lambda)^2 / (2 (1 - lambda x))``.

    Args:
        flow: arrivals a second in the lane, below saturation.
        cycle_s: length of the cycle, s.
        green_s: effective green, s; ``lambda`` is its share of the cycle.
        headway_s: saturation headway, s; ``x`` is the flow over what the green can discharge.
    """
    share = green_s / cycle_s
    return cycle_s * (1.0 - share) ** 2 / (2.0 * (1.0 - flow * headway_s))


def webster_delay(flow: float, cycle_s: float, green_s: float, headway_s: float) -> float:
    """Mean delay of Poisson arrivals by Webster's full formula, s.

    ``d1 + x^2 / (2 q (1 - x)) - 0.65 (C / q^2)^(1/3) x^(2 + 5 lambda)``; F. V. Webster, "Traffic Signal Settings",
    Road Research Technical Paper 39, 1958. Arguments as in `uniform_delay`.
    """
    share = green_s / cycle_s
    degree = flow * headway_s / share
    random = degree**2 / (2.0 * flow * (1.0 - degree))
    correction = 0.65 * math.cbrt(cycle_s / flow**2) * math.pow(degree, 2.0 + 5.0 * share)
    return uniform_delay(flow, cycle_s, green_s, headway_s) + random - correction
