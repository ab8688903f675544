"""What a recording looks like: movement that nobody can drive, and units that are not those of a recording."""

from __future__ import annotations

import numpy as np

from simulator.model import BoolArray, FloatArray

FASTEST_MPS = 100.0
"""Speed that no vehicle on a road has, m/s."""

HARDEST_MPS2 = 12.0
"""Acceleration that no vehicle on a road has, m/s2."""

SLACK_M = 10.0
"""Error of a position that passes for noise, m."""

INVALID_POSITION = -(2.0**30)
"""SUMO's coordinate of a vehicle that has no position, m."""

FACTORS = {
    3.6: "speeds look like km/h",
    2.2369: "speeds look like miles per hour",
    3.2808: "speeds look like feet per second",
    0.3048: "positions look like feet",
    1000.0: "times look like milliseconds",
    10.0: "times look like frames at 10 per second",
    12.5: "times look like frames at 12.5 per second",
    25.0: "times look like frames at 25 per second",
    29.97: "times look like frames at 30 per second",
}
"""What a ratio of recorded speed to driven speed means."""

CLOSE = 0.05
"""Relative difference up to which a ratio is one of `FACTORS`."""

SHARE_THAT_AGREES = 0.8
"""Share of the movements that must have the same ratio."""


def impossible(time: FloatArray, x: FloatArray, y: FloatArray, same: BoolArray) -> BoolArray:
    """Tell which steps between two samples nobody can drive, shape (samples - 1,).

    Such a step is faster than `FASTEST_MPS`, or an acceleration of `HARDEST_MPS2` does not lead from the motion before
    it to the motion after it over this step.

    Args:
        time: times of the samples, s, shape (samples,).
        x: positions, m east, shape (samples,).
        y: positions, m north, shape (samples,).
        same: whether the two samples of a step belong to one vehicle, shape (samples - 1,).
    """
    seconds = np.diff(time)
    way = np.stack([np.diff(x), np.diff(y)])
    usable = same & (seconds > 0.0)
    known = np.where(usable, seconds, np.nan)
    with np.errstate(invalid="ignore"):
        fast = np.hypot(*way) > FASTEST_MPS * known + SLACK_M
        off = _off(way, known, np.zeros_like(usable))
        # A jump also spoils what the steps beside it are compared with. They are compared once more without it.
        off &= _off(way, known, off | fast)
    return np.asarray(usable & (off | fast))


def _off(way: FloatArray, seconds: FloatArray, suspect: BoolArray) -> BoolArray:
    """Tell which steps no acceleration leads through.

    Args:
        way: movement in each step, m east and m north, shape (2, steps).
        seconds: length of each step, s, NaN between two vehicles, shape (steps,).
        suspect: steps that count for nothing beside a slower step, shape (steps,).
    """
    velocity, gap = way / seconds, np.full((2, 1), np.nan)
    speed = np.hypot(*velocity)
    before, after = np.hstack([gap, velocity[:, :-1]]), np.hstack([velocity[:, 1:], gap])
    before[:, 1:][:, suspect[:-1] & (speed[:-1] > speed[1:])] = np.nan
    after[:, :-1][:, suspect[1:] & (speed[1:] > speed[:-1])] = np.nan
    took_before, took_after = np.append(np.nan, seconds[:-1]), np.append(seconds[1:], np.nan)
    # With both ends known, a step of length t covers t (v_1 + v_2) / 2 up to a t^2 / 4. With one end known it covers
    # t v up to a t^2 / 2. Each v is a mean over its own step, which is off by up to half of what that step can change.
    both = np.isfinite(before[0]) & np.isfinite(after[0])
    one = np.where(np.isfinite(before), before, after)
    expected = seconds * np.where(both, 0.5 * (before + after), one)
    beside = np.where(both, 0.25 * (took_before + took_after), 0.5 * np.fmax(took_before, took_after))
    reach = HARDEST_MPS2 * seconds * (np.where(both, 0.25, 0.5) * seconds + beside)
    return np.asarray(np.hypot(*(way - expected)) > reach + SLACK_M)


def unit_problem(time: FloatArray, x: FloatArray, y: FloatArray, speed: FloatArray, same: BoolArray) -> str | None:
    """Return what the units of a recording look like if they are not m, s and m/s; else None.

    Args:
        time: times of the samples, s, shape (samples,).
        x: positions, m east, shape (samples,).
        y: positions, m north, shape (samples,).
        speed: recorded speeds, m/s, NaN where there is none, shape (samples,).
        same: whether the two samples of a step belong to one vehicle, shape (samples - 1,).
    """
    steps, metres = np.diff(time), np.hypot(np.diff(x), np.diff(y))
    recorded = 0.5 * (speed[:-1] + speed[1:])
    moves = same & (steps > 0.0) & (metres > 0.0) & (recorded > 0.1)
    if moves.sum() < 3:
        return None
    ratios = recorded[moves] * steps[moves] / metres[moves]
    middle = float(np.median(ratios))
    for factor, meaning in FACTORS.items():
        agrees = np.abs(ratios / factor - 1.0) < 3.0 * CLOSE
        if abs(middle / factor - 1.0) < CLOSE and agrees.mean() >= SHARE_THAT_AGREES:
            return f"recorded speeds are {middle:.3g} times those that positions and times give: {meaning}"
    return None


def axis_problem(time: FloatArray, x: FloatArray, y: FloatArray, angle: FloatArray, same: BoolArray) -> str | None:
    """Return a sentence if the recorded angles say that the axes are swapped; else None.

    Args:
        time: times of the samples, s, shape (samples,).
        x: positions, m east, shape (samples,).
        y: positions, m north, shape (samples,).
        angle: recorded headings, degrees clockwise from north, NaN where there is none, shape (samples,).
        same: whether the two samples of a step belong to one vehicle, shape (samples - 1,).
    """
    east, north = np.diff(x), np.diff(y)
    moves = same & (np.diff(time) > 0.0) & (np.hypot(east, north) > 0.5) & np.isfinite(angle[1:])
    if moves.sum() < 20:
        return None
    heading = np.degrees(np.arctan2(east[moves], north[moves]))

    def share(said: FloatArray) -> float:
        """Return the share of movements whose heading is within 20 degrees of what is said."""
        return float((np.abs((heading - said + 180.0) % 360.0 - 180.0) < 20.0).mean())

    if share(angle[1:][moves]) < 0.5 and share(90.0 - angle[1:][moves]) >= SHARE_THAT_AGREES:
        return "movement does not agree with the angles: x and y look swapped, or angles are counted from east"
    return None


def degree_problem(x: FloatArray, y: FloatArray, speed: FloatArray) -> str | None:
    """Return a sentence if positions look like degrees of longitude and latitude; else None.

    Args:
        x: positions, shape (samples,).
        y: positions, shape (samples,).
        speed: recorded speeds, m/s, NaN where there is none, shape (samples,).
    """
    wide, high = float(np.ptp(x)), float(np.ptp(y))
    on_globe = bool((np.abs(x) <= 180.0).all() and (np.abs(y) <= 90.0).all())
    moving = bool((np.nan_to_num(speed) > 1.0).any()) or len(x) > 100
    if on_globe and moving and 0.0 < max(wide, high) < 1.0:
        return (
            f"x and y span {wide:.3g} m and {high:.3g} m, and look like degrees of longitude and latitude; "
            "give positions in metres, as SUMO writes them without --fcd-output.geo"
        )
    return None
