"""Path loss and line of sight at 0.5 to 100 GHz: 3GPP TR 38.901 for streets, TR 36.777 and Al-Hourani from above.

Frequencies are in GHz, distances and heights in m, losses in dB. ``d3D`` is the length of the link and ``d2D`` that on
the ground.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.model import FloatArray

LIGHT_MPS = 299_792_458.0
"""Speed of light, m/s."""

ENVIRONMENT_M = 1.0
"""Effective height h_E of the environment in the break-point distance (TR 38.901, table 7.4.1-1), m."""

NEAR_M = 18.0
"""Distance on the ground up to which there is always a line of sight (TR 38.901, table 7.4.2-1), m."""

LEAST_M = 10.0
"""Least distance on the ground for which TR 38.901 is valid; what is closer counts as this far, m."""


def free_space_db(length_m: FloatArray, carrier_ghz: float) -> FloatArray:
    """Return the free-space path loss ``20 log10(4 pi d f / c)``.

    Args:
        length_m: length ``d`` of the link, m.
        carrier_ghz: frequency ``f``, GHz.
    """
    return np.asarray(20.0 * np.log10(4.0 * math.pi * length_m * carrier_ghz * 1e9 / LIGHT_MPS))


def break_point_m(station_m: float, vehicle_m: float, carrier_ghz: float) -> float:
    """Return the break-point distance ``4 (h_BS - h_E)(h_UT - h_E) f / c``, m.

    Args:
        station_m: height ``h_BS`` of the station's antenna, m.
        vehicle_m: height ``h_UT`` of the vehicle's antenna, m.
        carrier_ghz: frequency ``f``, GHz.
    """
    high, low = station_m - ENVIRONMENT_M, vehicle_m - ENVIRONMENT_M
    return 4.0 * high * low * carrier_ghz * 1e9 / LIGHT_MPS


def street_canyon_db(
    ground_m: FloatArray, station_m: float, vehicle_m: float, carrier_ghz: float
) -> tuple[FloatArray, FloatArray]:
    """Return the path losses of an urban micro cell, UMi street canyon, with and without a line of sight.

    Source: 3GPP TR 38.901 v19.4.0, table 7.4.1-1.

    Args:
        ground_m: length of the links on the ground, m.
        station_m: height of the station's antenna, m.
        vehicle_m: height of the vehicle's antenna, m.
        carrier_ghz: frequency, GHz.

    Returns:
        Loss in sight and loss out of sight, dB, each of the shape of ``ground_m``.
    """
    ground, length = _lengths(ground_m, station_m - vehicle_m)
    lg_d, lg_f = np.log10(length), math.log10(carrier_ghz)
    near = 32.4 + 21.0 * lg_d + 20.0 * lg_f
    bend = break_point_m(station_m, vehicle_m, carrier_ghz)
    far = 32.4 + 40.0 * lg_d + 20.0 * lg_f - 9.5 * math.log10(bend**2 + (station_m - vehicle_m) ** 2)
    seen = np.where(ground <= bend, near, far)
    hidden = 22.4 + 35.3 * lg_d + 21.3 * lg_f - 0.3 * (vehicle_m - 1.5)
    return seen, np.maximum(seen, hidden)


def macro_cell_db(
    ground_m: FloatArray, station_m: float, vehicle_m: float, carrier_ghz: float
) -> tuple[FloatArray, FloatArray]:
    """Return the path losses of an urban macro cell, UMa, with and without a line of sight.

    Source: 3GPP TR 38.901 v19.4.0, table 7.4.1-1, for vehicles below 13 m.

    Args:
        ground_m: length of the links on the ground, m.
        station_m: height of the station's antenna, m.
        vehicle_m: height of the vehicle's antenna, m.
        carrier_ghz: frequency, GHz.

    Returns:
        Loss in sight and loss out of sight, dB, each of the shape of ``ground_m``.
    """
    ground, length = _lengths(ground_m, station_m - vehicle_m)
    lg_d, lg_f = np.log10(length), math.log10(carrier_ghz)
    near = 28.0 + 22.0 * lg_d + 20.0 * lg_f
    bend = break_point_m(station_m, vehicle_m, carrier_ghz)
    far = 28.0 + 40.0 * lg_d + 20.0 * lg_f - 9.0 * math.log10(bend**2 + (station_m - vehicle_m) ** 2)
    seen = np.where(ground <= bend, near, far)
    hidden = 13.54 + 39.08 * lg_d + 20.0 * lg_f - 0.6 * (vehicle_m - 1.5)
    return seen, np.maximum(seen, hidden)


def micro_from_above_db(
    ground_m: FloatArray, altitude_m: float, vehicle_m: float, carrier_ghz: float
) -> tuple[FloatArray, FloatArray]:
    """Return the path losses of UMi-AV, an aerial and a street antenna, with and without a line of sight.

    Source: 3GPP TR 36.777 v15.0.0, table B-2, for altitudes from 22.5 to 300 m.

    Args:
        ground_m: length of the links on the ground, m.
        altitude_m: height ``h`` of the aerial antenna, m.
        vehicle_m: height of the other antenna, m.
        carrier_ghz: frequency, GHz.

    Returns:
        Loss in sight and loss out of sight, dB, each of the shape of ``ground_m``.
    """
    _, length = _lengths(ground_m, altitude_m - vehicle_m, 0.0)
    lg_d, lg_f, lg_h = np.log10(length), math.log10(carrier_ghz), math.log10(altitude_m)
    free = free_space_db(length, carrier_ghz)
    seen = np.maximum(free, 30.9 + (22.25 - 0.5 * lg_h) * lg_d + 20.0 * lg_f)
    hidden = 32.4 + (43.2 - 7.6 * lg_h) * lg_d + 20.0 * lg_f
    return seen, np.maximum(seen, hidden)


def macro_from_above_db(
    ground_m: FloatArray, altitude_m: float, vehicle_m: float, carrier_ghz: float
) -> tuple[FloatArray, FloatArray]:
    """Return the path losses of UMa-AV, an aerial antenna and a street below, with and without a line of sight.

    Source: 3GPP TR 36.777 v15.0.0, table B-2. Above 100 m there is always a line of sight, so only the first counts.

    Args:
        ground_m: length of the links on the ground, m.
        altitude_m: height ``h`` of the aerial antenna, m.
        vehicle_m: height of the other antenna, m.
        carrier_ghz: frequency, GHz.

    Returns:
        Loss in sight and loss out of sight, dB, each of the shape of ``ground_m``.
    """
    _, length = _lengths(ground_m, altitude_m - vehicle_m, 0.0)
    lg_d, lg_h = np.log10(length), math.log10(altitude_m)
    seen = 28.0 + 22.0 * lg_d + 20.0 * math.log10(carrier_ghz)
    # The factor is 40 pi / 3: some published programs have 4 pi.
    hidden = -17.5 + (46.0 - 7.0 * lg_h) * lg_d + 20.0 * math.log10(40.0 * math.pi * carrier_ghz / 3.0)
    return seen, np.maximum(seen, hidden)


def sight_in_streets(ground_m: FloatArray, decay_m: float) -> FloatArray:
    """Return the probability of a line of sight, 1 up to 18 m and ``18/d + exp(-d/p)(1 - 18/d)`` beyond.

    Source: 3GPP TR 38.901 v19.4.0, table 7.4.2-1, for vehicles below 13 m.

    Args:
        ground_m: length ``d`` of the links on the ground, m.
        decay_m: the distance ``p``: 36 m for UMi, 63 m for UMa.
    """
    return _sight(ground_m, NEAR_M, decay_m)


def micro_sight_from_above(ground_m: FloatArray, altitude_m: float) -> FloatArray:
    """Return the probability of a line of sight of UMi-AV.

    Source: 3GPP TR 36.777 v15.0.0, table B-1, for altitudes from 22.5 to 300 m.

    Args:
        ground_m: length of the links on the ground, m.
        altitude_m: height of the aerial antenna, m.
    """
    lg_h = math.log10(altitude_m)
    return _sight(ground_m, max(294.05 * lg_h - 432.94, NEAR_M), 233.98 * lg_h - 0.95)


def macro_sight_from_above(ground_m: FloatArray, altitude_m: float) -> FloatArray:
    """Return the probability of a line of sight of UMa-AV. Above 100 m it is 1.

    Source: 3GPP TR 36.777 v15.0.0, table B-1.

    Args:
        ground_m: length of the links on the ground, m.
        altitude_m: height of the aerial antenna, m.
    """
    if altitude_m > 100.0:
        return np.ones_like(np.asarray(ground_m, dtype=np.float64))
    lg_h = math.log10(altitude_m)
    return _sight(ground_m, max(460.0 * lg_h - 700.0, NEAR_M), 4300.0 * lg_h - 3800.0)


def micro_spread_from_above_db(altitude_m: float) -> tuple[float, float]:
    """Return the standard deviations of the shadowing of UMi-AV, in and out of sight (TR 36.777, table B-3), dB."""
    return max(5.0 * math.exp(-0.01 * altitude_m), 2.0), 8.0


def macro_spread_from_above_db(altitude_m: float) -> tuple[float, float]:
    """Return the standard deviations of the shadowing of UMa-AV, in and out of sight (TR 36.777, table B-3), dB."""
    return 4.64 * math.exp(-0.0066 * altitude_m), 6.0


def _lengths(ground_m: FloatArray, height_m: float, least_m: float = LEAST_M) -> tuple[FloatArray, FloatArray]:
    """Return the lengths of links on the ground, at least a smallest one, and in space, m."""
    ground = np.maximum(ground_m, least_m)
    return ground, np.hypot(ground, height_m)


def _sight(ground_m: FloatArray, always_m: float, decay_m: float) -> FloatArray:
    share = always_m / np.maximum(ground_m, always_m)
    # At the distance up to which there is always a line of sight, the share is 1 and so is the sum.
    return np.asarray(share + np.exp(-np.maximum(ground_m, always_m) / decay_m) * (1.0 - share))
