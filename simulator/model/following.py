"""Newell's simplified car-following: a vehicle repeats the path of its leader, later and further back.

Source: G. F. Newell, "A simplified car-following theory: a lower order model", Transportation Research Part B 36, 2002.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from operator import itemgetter

Path = list[tuple[float, float]]
"""Path of a vehicle along its road: points (time in s, metres from the begin of the road).

Between two points the vehicle moves at a constant speed.
"""

SAME_PLACE_M = 1e-9
"""Places that differ by less than this are the same place, m."""


def follow(
    entered_s: float, speed_mps: float, length_m: float, leader: Path | None, reaction_s: float, spacing_m: float
) -> Path:
    """Return the path of a vehicle to the stop line, as far as no signal holds it there.

    The vehicle drives at its free speed, but never beyond its bound. The bound is the path of the leader, shifted by
    the reaction time and by the jam spacing: ``x(t) <= x_leader(t - reaction) - spacing``. Queues form in this way, and
    they discharge in a wave from the stop line backwards.

    Args:
        entered_s: time at which the vehicle enters the road, s.
        speed_mps: free speed of the vehicle, m/s.
        length_m: length of the road to the stop line, m.
        leader: path of the vehicle ahead in the same lane, or None if there is none.
        reaction_s: reaction time, s.
        spacing_m: jam spacing, m.

    Returns:
        The path of the vehicle, which ends at the stop line. A queue that is longer than the road piles up at the begin
        of the road.
    """
    path: Path = [(entered_s, 0.0)]
    time, place = entered_s, 0.0
    # A leader that crossed the stop line a reaction time ago no longer restricts anybody.
    if leader is None or leader[-1][0] + reaction_s <= entered_s:
        return [*path, (entered_s + length_m / speed_mps, length_m)]
    # Each piece of the leader's path gives one straight piece of the bound, from (begin, low) to (end, high).
    for (begin, low), (end, high) in pairwise(leader):
        begin, end, low, high = begin + reaction_s, end + reaction_s, low - spacing_m, high - spacing_m
        if end <= time:
            continue
        if time < begin:
            # The leader itself has just entered, so the vehicle waits until there is room on the road.
            time = _go(path, begin, place)
        pace = (high - low) / (end - begin)
        bound = low + pace * (time - begin)
        if place > bound:
            # Apart from rounding, a vehicle is ahead of its bound only at the begin of the road, where it waits.
            time = _go(path, end if high <= place else begin + (place - low) / pace, place)
            bound = place
            if time >= end:
                continue
        # The moment at which the vehicle, at its free speed, reaches the bound.
        caught = time + (bound - place) / (speed_mps - pace) if pace < speed_mps else end
        if caught < end:
            _go(path, caught, place + speed_mps * (caught - time))
            time, place = _go(path, end, high), high
        else:
            place += speed_mps * (end - time)
            time = _go(path, end, place)
    if place < length_m:
        _go(path, time + (length_m - place) / speed_mps, length_m)
    return path


def _go(path: Path, time: float, place: float) -> float:
    """Extend a path to a point.

    Args:
        path: the path, which is changed.
        time: time of the point, s.
        place: place of the point, m.

    Returns:
        The time at which the path ends now, s.
    """
    (last_time, last_place) = path[-1]
    # Rounding can put a point on the last one. Two points at one time would have no speed between them.
    if time <= last_time:
        return last_time
    # A point on the straight line so far replaces the last one. Otherwise paths would become longer from vehicle to
    # vehicle, because each repeats the points of its leader.
    if len(path) > 1:
        before_time, before_place = path[-2]
        pace = (last_place - before_place) / (last_time - before_time)
        if abs(last_place + pace * (time - last_time) - place) < SAME_PLACE_M:
            path.pop()
    path.append((time, place))
    return time


def start(path: Path, length_m: float, speed_mps: float, acceleration_mps2: float) -> tuple[float, float]:
    """Return what a vehicle still loses beyond the stop line because it has stood before it.

    It has stood at a distance d before the line, so it crosses at ``v_0 = min(v, sqrt(2 a d))``. It then loses
    ``(v - v_0)^2 / (2 a v)`` seconds over the ``(v^2 - v_0^2) / (2 a)`` metres on which it reaches its free speed.

    Args:
        path: path of the vehicle to the stop line.
        length_m: place of the stop line, m.
        speed_mps: free speed v of the vehicle, m/s.
        acceleration_mps2: acceleration a, m/s^2.

    Returns:
        The loss, s, and the distance, m; both are 0 if the vehicle has not stood, or reaches its speed before the line.
    """
    for before, after in pairwise(reversed(path)):
        if before[1] - after[1] < SAME_PLACE_M and before[0] > after[0]:
            crossing = math.sqrt(2.0 * acceleration_mps2 * max(length_m - before[1], 0.0))
            if crossing >= speed_mps:
                return 0.0, 0.0
            loss = (speed_mps - crossing) ** 2 / (2.0 * acceleration_mps2 * speed_mps)
            return loss, (speed_mps**2 - crossing**2) / (2.0 * acceleration_mps2)
    return 0.0, 0.0


def with_start(path: Path, entered_s: float, loss_s: float, over_m: float) -> Path:
    """Return a path that begins with a loss: the vehicle is slower on its first metres.

    Args:
        path: path at free speed of a vehicle that enters ``loss_s`` later.
        entered_s: time at which the vehicle enters the road, s.
        loss_s: the loss, s.
        over_m: distance over which it is lost, m.
    """
    if loss_s <= 0.0:
        return path
    (begin, _), (end, place) = path[:2]
    if place > over_m:
        return [(entered_s, 0.0), (begin + (end - begin) * over_m / place, over_m), *path[1:]]
    return [(entered_s, 0.0), *path[1:]]


def metres(path: Path, now: float) -> float:
    """Return the place of a vehicle at a time.

    Args:
        path: path of the vehicle.
        now: the time, s. Before its begin and after its end the path stands still.

    Returns:
        Distance from the begin of the road, m.
    """
    return _across(path, 0, now)


def time_at(path: Path, place: float) -> float:
    """Return the first time at which a vehicle is at a place.

    Args:
        path: path of the vehicle.
        place: distance from the begin of the road, m. A place beyond an end of the path means that end.

    Returns:
        The time, s.
    """
    return _across(path, 1, place)


def _across(path: Path, axis: int, value: float) -> float:
    """Return the other coordinate of the first point of a path that has a given coordinate.

    Args:
        path: the path.
        axis: axis of the given coordinate: 0 for the time, 1 for the place.
        value: the given coordinate.
    """
    # A vehicle that stands has several points at one place. The leftmost of them is its arrival.
    number = bisect_left(path, value, key=itemgetter(axis))
    if number == 0 or number == len(path):
        return path[min(number, len(path) - 1)][1 - axis]
    before, after = path[number - 1], path[number]
    # bisect_left() makes before[axis] < value <= after[axis], so nothing is divided by 0.
    share = (value - before[axis]) / (after[axis] - before[axis])
    return before[1 - axis] + share * (after[1 - axis] - before[1 - axis])
