"""Newell's simplified car-following: a vehicle repeats the path of the one before it, later and further back."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from operator import itemgetter

Path = list[tuple[float, float]]
"""Where a vehicle is on its road: (time, s; metres from the road's begin), straight between the points."""


def follow(
    entered_s: float, speed_mps: float, length_m: float, leader: Path | None, reaction_s: float, spacing_m: float
) -> Path:
    """The path of a vehicle to the stop line if the line itself does not hold it.

    It drives at its own speed, but never beyond the leader's path shifted by the reaction time and the jam spacing:
    queues form, stand and creep up as the wave of starting vehicles passes through them. G. F. Newell, "A simplified
    car-following theory: a lower order model", Transportation Research Part B 36, 2002.

    Args:
        entered_s: when it enters the road, s.
        speed_mps: its free speed, m/s.
        length_m: length of the road to the stop line, m.
        leader: path of the vehicle before it in its lane, None without one.
        reaction_s: time by which it follows, s.
        spacing_m: distance by which it follows, m.

    Returns:
        Its path; the last point is the stop line. A queue that is longer than the road stacks up at its begin.
    """
    path: Path = [(entered_s, 0.0)]
    time, place = entered_s, 0.0
    if leader is None or leader[-1][0] + reaction_s <= entered_s:
        return [*path, (entered_s + length_m / speed_mps, length_m)]
    for (begin, low), (end, high) in pairwise(leader):
        begin, end, low, high = begin + reaction_s, end + reaction_s, low - spacing_m, high - spacing_m
        if end <= time:
            continue
        if time < begin:
            time = _go(path, begin, place)
        pace = (high - low) / (end - begin)
        bound = low + pace * (time - begin)
        if place > bound:
            # Stacked up at the begin of the road until the leader has left room.
            time = _go(path, end if high <= place else begin + (place - low) / pace, place)
            bound = place
            if time >= end:
                continue
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
    """Lengthen a path to a point; one on the straight line so far takes the place of the last."""
    (last_time, last_place) = path[-1]
    if time <= last_time:
        return last_time
    if len(path) > 1:
        before_time, before_place = path[-2]
        pace = (last_place - before_place) / (last_time - before_time)
        if abs(last_place + pace * (time - last_time) - place) < 1e-9:
            path.pop()
    path.append((time, place))
    return time


def metres(path: Path, now: float) -> float:
    """Where on its road a vehicle is at a time, m from the begin; at an end of the path before and after it."""
    return _across(path, 0, now)


def time_at(path: Path, place: float) -> float:
    """When a vehicle first is that many metres from the begin of its road, s; an end of the path's time beyond it."""
    return _across(path, 1, place)


def _across(path: Path, axis: int, value: float) -> float:
    """The other coordinate of the first point of a path that has this one on an axis."""
    number = bisect_left(path, value, key=itemgetter(axis))
    if number == 0 or number == len(path):
        return path[min(number, len(path) - 1)][1 - axis]
    before, after = path[number - 1], path[number]
    share = (value - before[axis]) / (after[axis] - before[axis])
    return before[1 - axis] + share * (after[1 - axis] - before[1 - axis])
