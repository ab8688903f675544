"""Geometry of coverage: where paths are inside circles, and how much of a straight road ahead is."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray, IntArray

Spans = list[list[tuple[float, float]]]
"""For each provider the disjoint intervals (in, out) of an axis, time or metres, in which it covers a vehicle."""


def circle_intervals(
    at: FloatArray,
    x: FloatArray,
    y: FloatArray,
    center_x: FloatArray,
    center_y: FloatArray,
    radius: FloatArray,
    start: IntArray | None = None,
) -> list[Spans]:
    """Where paths, straight between their samples, are inside each circle; the rim belongs to the circle.

    Args:
        at: time, s, or metres along the path, of each sample, increasing within a path, shape (samples,).
        x: positions, m, shape (samples,).
        y: positions, m, shape (samples,).
        center_x: centres of the circles, m, shape (circles,).
        center_y: centres of the circles, m, shape (circles,).
        radius: radii, m, shape (circles,).
        start: where each path's samples begin, and the number of samples, shape (paths + 1,); one path if not given.

    Returns:
        For each path and circle the disjoint intervals (in, out) in order; crossings between samples are exact.
    """
    start = np.array([0, len(at)]) if start is None else start
    to_x, to_y = x - center_x[:, None], y - center_y[:, None]
    beyond = to_x**2 + to_y**2 - (radius**2)[:, None]
    inside = beyond <= 0.0
    step_x, step_y, step = np.diff(x), np.diff(y), np.diff(at)
    # On each segment |p + u step - c|^2 = r^2 is a quadratic in u; its roots are where the path crosses the rim.
    square = step_x**2 + step_y**2
    half = to_x[:, :-1] * step_x + to_y[:, :-1] * step_y
    root = half**2 - square * beyond[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum(root, 0.0))
        first = np.clip((-half - spread) / square, 0.0, 1.0)
        last = np.clip((-half + spread) / square, 0.0, 1.0)
    stands = square == 0.0
    first[:, stands], last[:, stands] = 0.0, 1.0
    starts_in, ends_in = inside[:, :-1], inside[:, 1:]
    passes = starts_in | ends_in | ((root > 0.0) & (last > first))
    # A path enters by a segment or with its first sample, and leaves by a segment or with its last.
    enters, leaves = np.zeros_like(inside), np.zeros_like(inside)
    into, out = np.broadcast_to(at, inside.shape).copy(), np.broadcast_to(at, inside.shape).copy()
    enters[:, 1:], leaves[:, :-1] = passes & ~starts_in, passes & ~ends_in
    into[:, 1:], out[:, :-1] = at[:-1] + first * step, at[:-1] + last * step
    begins, ends = start[:-1], start[1:] - 1
    enters[:, begins], leaves[:, ends] = inside[:, begins], inside[:, ends]
    into[:, begins], out[:, ends] = at[begins], at[ends]
    circle, sample = np.nonzero(enters)
    path = np.searchsorted(start, sample, side="right") - 1
    found: list[Spans] = [[[] for _ in radius] for _ in begins]
    for number, which, begin, end in zip(
        path.tolist(), circle.tolist(), into[enters].tolist(), out[leaves].tolist(), strict=True
    ):
        if end > begin:
            found[number][which].append((begin, end))
    return found


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
