"""Geometry of coverage: the parts of a path, or of the straight road ahead, that are inside circles."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray, IntArray

Spans = dict[int, list[tuple[float, float]]]
"""The disjoint intervals (in, out) in which a provider covers a vehicle, by its id: times, or metres of a path.

A provider that covers no part of the way has no entry.
"""

TOUCHING = 1.0 + 1e-9
"""Factor on a radius within which a circle may touch a path, so that rounding leaves no circle out."""


def circle_intervals(
    at: FloatArray,
    x: FloatArray,
    y: FloatArray,
    center_x: FloatArray,
    center_y: FloatArray,
    radius: FloatArray,
    start: IntArray | None = None,
) -> list[Spans]:
    """Return the intervals in which paths are inside circles, by the index of the circle.

    A path is straight between two samples. The rim belongs to the circle. Crossings between samples are exact.

    Args:
        at: time, s, or metres along the path, of each sample, increasing within a path, shape (samples,).
        x: positions, m east, shape (samples,).
        y: positions, m north, shape (samples,).
        center_x: centres of the circles, m east, shape (circles,).
        center_y: centres of the circles, m north, shape (circles,).
        radius: radii, m, shape (circles,).
        start: index of the first sample of each path, and the number of samples, shape (paths + 1,); None for one path.

    Returns:
        For each path the disjoint intervals (in, out) in order, by the index of the circle. A circle that no part of
        the path is in has no entry.
    """
    start = np.array([0, len(at)]) if start is None else start
    # In a city a path comes near a few circles only. The others lie outside the box around all paths.
    away_x, away_y = (
        np.maximum(np.maximum(place.min() - center, center - place.max()), 0.0)
        for place, center in ((x, center_x), (y, center_y))
    )
    near = np.flatnonzero(np.hypot(away_x, away_y) <= TOUCHING * radius)
    center_x, center_y, radius = center_x[near], center_y[near], radius[near]
    # All paths and circles are computed together, as arrays of shape (circles, samples).
    to_x, to_y = x - center_x[:, None], y - center_y[:, None]
    beyond = to_x**2 + to_y**2 - (radius**2)[:, None]
    inside = beyond <= 0.0
    step_x, step_y, step = np.diff(x), np.diff(y), np.diff(at)
    # On the segment p + u step with 0 <= u <= 1, the rim is where |p + u step - c|^2 = r^2. That is the quadratic
    # square u^2 + 2 half u + beyond = 0. Its roots are u = (-half -+ sqrt(half^2 - square beyond)) / square.
    square = step_x**2 + step_y**2
    half = to_x[:, :-1] * step_x + to_y[:, :-1] * step_y
    root = half**2 - square * beyond[:, :-1]
    # Segments on which a vehicle stands divide by 0. Their results are replaced below.
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum(root, 0.0))
        first = np.clip((-half - spread) / square, 0.0, 1.0)
        last = np.clip((-half + spread) / square, 0.0, 1.0)
    # A vehicle that stands has square = 0. It is inside for the complete segment or not at all.
    stands = square == 0.0
    first[:, stands], last[:, stands] = 0.0, 1.0
    starts_in, ends_in = inside[:, :-1], inside[:, 1:]
    # A segment that only touches the rim has root = 0 and does not pass through the circle.
    passes = starts_in | ends_in | ((root > 0.0) & (last > first))
    # A path enters a circle within a segment or at its first sample. It leaves within a segment or at its last sample.
    # The step from the last sample of a path to the first of the next path is not a segment. What it gives for these
    # two samples is overwritten.
    enters, leaves = np.zeros_like(inside), np.zeros_like(inside)
    into, out = np.broadcast_to(at, inside.shape).copy(), np.broadcast_to(at, inside.shape).copy()
    enters[:, 1:], leaves[:, :-1] = passes & ~starts_in, passes & ~ends_in
    into[:, 1:], out[:, :-1] = at[:-1] + first * step, at[:-1] + last * step
    begins, ends = start[:-1], start[1:] - 1
    enters[:, begins], leaves[:, ends] = inside[:, begins], inside[:, ends]
    into[:, begins], out[:, ends] = at[begins], at[ends]
    circle, sample = np.nonzero(enters)
    path = np.searchsorted(start, sample, side="right") - 1
    found: list[Spans] = [{} for _ in begins]
    # Entries and exits of a circle alternate along the samples, so the n-th entry belongs to the n-th exit. They come
    # in the order of the circles.
    for number, which, begin, end in zip(
        path.tolist(), near[circle].tolist(), into[enters].tolist(), out[leaves].tolist(), strict=True
    ):
        if end > begin:
            found[number].setdefault(which, []).append((begin, end))
    return found


def chord_ahead(
    x: float, y: float, heading: tuple[float, float], center_x: FloatArray, center_y: FloatArray, radius: FloatArray
) -> FloatArray:
    """Return the length of a straight road ahead inside each circle, m, shape (circles,); 0 from a place outside.

    Args:
        x: place, m east.
        y: place, m north.
        heading: unit vector of the heading.
        center_x: centres of the circles, m east, shape (circles,).
        center_y: centres of the circles, m north, shape (circles,).
        radius: radii, m, shape (circles,).
    """
    to_x, to_y = x - center_x, y - center_y
    beyond = to_x**2 + to_y**2 - radius**2
    along = to_x * heading[0] + to_y * heading[1]
    # The larger root s of |p + s heading - c|^2 = r^2.
    reach = np.sqrt(np.maximum(along**2 - beyond, 0.0)) - along
    return np.where(beyond <= 0.0, np.maximum(reach, 0.0), 0.0)
