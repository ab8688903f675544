"""Geometry of coverage: when a path is inside circles, and how much of a straight road ahead is."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray


def circle_intervals(
    time: FloatArray, x: FloatArray, y: FloatArray, center_x: FloatArray, center_y: FloatArray, radius: FloatArray
) -> list[list[tuple[float, float]]]:
    """When a path, straight between its samples, is inside each circle; the rim belongs to the circle.

    Args:
        time: increasing sample times, s, shape (samples,).
        x: positions, m, shape (samples,).
        y: positions, m, shape (samples,).
        center_x: centres of the circles, m, shape (circles,).
        center_y: centres of the circles, m, shape (circles,).
        radius: radii, m, shape (circles,).

    Returns:
        For each circle its disjoint intervals (in, out) in order of time; crossings between samples are exact.
    """
    to_x, to_y = x - center_x[:, None], y - center_y[:, None]
    beyond = to_x**2 + to_y**2 - (radius**2)[:, None]
    inside = beyond <= 0.0
    step_x, step_y, step_t = np.diff(x), np.diff(y), np.diff(time)
    # On each segment |p + u step - c|^2 = r^2 is a quadratic in u; its roots are where the path crosses the rim.
    square = step_x**2 + step_y**2
    half = to_x[:, :-1] * step_x + to_y[:, :-1] * step_y
    root = half**2 - square * beyond[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum(root, 0.0))
        first = np.nan_to_num(np.clip((-half - spread) / square, 0.0, 1.0))
        last = np.nan_to_num(np.clip((-half + spread) / square, 0.0, 1.0), nan=1.0)
    starts_in, ends_in = inside[:, :-1], inside[:, 1:]
    passes = starts_in | ends_in | ((root > 0.0) & (first > 0.0) & (last < 1.0))
    enters, leaves = passes & ~starts_in, passes & ~ends_in
    enter_time, leave_time = time[:-1] + first * step_t, time[:-1] + last * step_t
    intervals = []
    for circle in range(len(radius)):
        begins = enter_time[circle, enters[circle]].tolist()
        ends = leave_time[circle, leaves[circle]].tolist()
        if inside[circle, 0]:
            begins.insert(0, float(time[0]))
        if inside[circle, -1]:
            ends.append(float(time[-1]))
        intervals.append([(begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin])
    return intervals


def chord_ahead(
    x: float, y: float, heading: tuple[float, float], center_x: FloatArray, center_y: FloatArray, radius: FloatArray
) -> FloatArray:
    """Metres that a straight road ahead stays in each circle from a place inside it; 0 from outside.

    Args:
        x: place, m.
        y: place, m.
        heading: unit vector of the heading.
        center_x: centres of the circles, m, shape (circles,).
        center_y: centres of the circles, m, shape (circles,).
        radius: radii, m, shape (circles,).
    """
    to_x, to_y = x - center_x, y - center_y
    beyond = to_x**2 + to_y**2 - radius**2
    along = to_x * heading[0] + to_y * heading[1]
    reach = np.sqrt(np.maximum(along**2 - beyond, 0.0)) - along
    return np.where(beyond <= 0.0, np.maximum(reach, 0.0), 0.0)
