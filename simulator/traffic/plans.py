"""Signal plans: lists of phases, each with the movements at stop lines that it serves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from simulator.model.signals import EffectiveGreen
from simulator.scenario.traffic import Signals

Road: TypeAlias = tuple[str, str]
"""A road as the names of the nodes at its start and at its end."""

Movement: TypeAlias = Literal["left", "straight", "right"]
"""What a vehicle does at a junction."""

MOVEMENTS: tuple[Movement, ...] = ("left", "straight", "right")


class Phase(NamedTuple):
    """One phase of a signal plan.

    Attributes:
        name: name of the signal group that has green.
        start_s: begin of the green in the cycle, s.
        green_s: length of the green, s.
        served: movements that have green, as (road, movement).
    """

    name: str
    start_s: float
    green_s: float
    served: frozenset[tuple[Road, Movement]]


class Plan(NamedTuple):
    """The signal plan of a junction.

    Attributes:
        begin_s: begin of the first cycle, s.
        phases: the phases, in order of time.
        signals: cycle, yellow, all-red, lost times and saturation headway.
    """

    begin_s: float
    phases: tuple[Phase, ...]
    signals: Signals

    def green(self, road: Road, movement: Movement) -> EffectiveGreen:
        """Return the effective green of a movement: green minus start-up lost time plus used yellow.

        Args:
            road: road that ends at the junction.
            movement: what vehicles do there.

        Raises:
            KeyError: no phase serves the movement.
        """
        signals = self.signals
        for phase in self.phases:
            if (road, movement) in phase.served:
                start = self.begin_s + phase.start_s + signals.startup_lost_s
                length = phase.green_s - signals.startup_lost_s + signals.yellow_used_s
                return EffectiveGreen(signals.cycle_s, start, length, signals.saturation_headway_s)
        raise KeyError(f"no phase serves {movement} from {road[0]} to {road[1]}")

    def group(self, road: Road) -> str:
        """Return the name of the signal group of the vehicles of a road that go straight on."""
        return next(phase.name for phase in self.phases if (road, "straight") in phase.served)

    def changes(self, duration: float) -> Iterable[tuple[float, str, int]]:
        """Iterate over (time, group, 0 green, 1 yellow or 2 red) from the cycle that is under way at time 0.

        Args:
            duration: end of the run, s.
        """
        signals = self.signals
        for phase in self.phases:
            green = self.begin_s + phase.start_s
            green -= math.ceil(green / signals.cycle_s) * signals.cycle_s
            while green < duration:
                yellow = green + phase.green_s
                yield from ((green, phase.name, 0), (yellow, phase.name, 1), (yellow + signals.yellow_s, phase.name, 2))
                green += signals.cycle_s


def two_phases(signals: Signals, begin_s: float, axes: Mapping[Road, int]) -> Plan:
    """Return a plan with two phases that share the cycle equally. Left turns have green with the others.

    Args:
        signals: settings of the signals.
        begin_s: begin of the first cycle, s.
        axes: 0 for the roads of the first phase, north and south, and 1 for those of the second, east and west.
    """
    half, green = signals.cycle_s / 2, signals.green_s
    return Plan(
        begin_s,
        tuple(Phase(str(axis + 1), axis * half, green, _served(axes, axis, MOVEMENTS)) for axis in (0, 1)),
        signals,
    )


def protected_lefts(signals: Signals, begin_s: float, axes: Mapping[Road, int]) -> Plan:
    """Return a plan with four phases: for each axis first the left turns, then all others.

    Args:
        signals: settings of the signals.
        begin_s: begin of the first cycle, s.
        axes: 0 for the roads of north and south, and 1 for those of east and west.
    """
    clear, half = signals.yellow_s + signals.all_red_s, signals.cycle_s / 2
    left, phases = signals.left_green_s, list[Phase]()
    for axis in (0, 1):
        phases.append(Phase(str(axis + 3), axis * half, left, _served(axes, axis, ("left",))))
        begin = axis * half + left + clear
        rest = half - left - 2.0 * clear
        phases.append(Phase(str(axis + 1), begin, rest, _served(axes, axis, ("straight", "right"))))
    return Plan(begin_s, tuple(phases), signals)


def _served(axes: Mapping[Road, int], axis: int, movements: Iterable[Movement]) -> frozenset[tuple[Road, Movement]]:
    return frozenset((road, movement) for road, own in axes.items() if own == axis for movement in movements)
