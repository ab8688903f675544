"""Lanes before stop lines: queues of vehicles, and when the first of them may cross."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.model.following import Path
from simulator.model.signals import EffectiveGreen
from simulator.traffic.plans import Movement


@dataclass(eq=False)
class Lane:
    """One lane before a stop line.

    Attributes:
        greens: effective green of each movement.
        opposing: lanes of the opposite road, to which left turns yield; empty if they do not.
        first_among_lefts: whether its left turns go before opposing left turns, where the two cross.
        waiting: number of vehicles on the way to the stop line.
        movement: what the first of them will do.
        second_s: earliest time at which the second of them is at the stop line, s; `inf` if it turns left or is not
            there.
        last_s: time at which the last vehicle has crossed the stop line, s; -inf before the first vehicle.
        last_movement: what that vehicle did.
        leader: path of that vehicle to the stop line; None before the first vehicle.
        leader_length: length of its stretch, m.
        path: path of the first vehicle in the queue, up to the stop line as far as nothing holds it there.
        crossing_s: time at which that vehicle crosses unless it has to yield, s; `inf` without one.
        stood: whether it has stood at the line to yield.
        going: whether it has found its gap.
    """

    greens: Mapping[Movement, EffectiveGreen]
    opposing: tuple[Lane, ...] = ()
    first_among_lefts: bool = True
    waiting: int = 0
    movement: Movement = "straight"
    second_s: float = math.inf
    last_s: float = -math.inf
    last_movement: Movement = "straight"
    leader: Path | None = None
    leader_length: float = 0.0
    path: Path = field(default_factory=list)
    crossing_s: float = math.inf
    stood: bool = False
    going: bool = False

    def conflict_s(self) -> float:
        """Return when the next vehicle comes to which a left turn from this lane yields, s; `inf` if none is near.

        Behind an opposing vehicle that waits to turn left nobody can come before it.
        """
        return min((lane.comes_s(self.first_among_lefts) for lane in self.opposing), default=math.inf)

    def comes_s(self, before_lefts: bool) -> float:
        """Return when the next vehicle crosses to which an opposing left turn yields, s; `inf` if none is near.

        Args:
            before_lefts: whether that left turn goes before the left turns of this lane.
        """
        if not self.waiting:
            return math.inf
        if self.movement != "left" or not before_lefts:
            return self.crossing_s
        # While its first vehicle waits to turn left, nobody behind can come. If it goes, the next one follows.
        return math.inf if self.stood else max(self.crossing_s + self.greens["left"].headway_s, self.second_s)
