"""Radio: signal-to-noise ratios of the three radio models and the data rates of equations (1) and (2)."""

from __future__ import annotations

import math

import numpy as np

from simulator.model import FloatArray


def data_rate(bandwidth_mhz: FloatArray, snr: FloatArray) -> FloatArray:
    """Equations (1) and (2): the Shannon rate of a link, ``B log2(1 + g p / sigma^2)``.

    Args:
        bandwidth_mhz: uplink or downlink bandwidth, MHz.
        snr: received signal-to-noise ratio ``g p / sigma^2``, a plain ratio.

    Returns:
        The rate in Mbit/s.
    """
    return np.asarray(bandwidth_mhz / math.log(2.0) * np.log1p(snr))


def snr_ratio(decibel: FloatArray | float) -> FloatArray:
    """A signal-to-noise ratio or a gain in dB as a plain ratio; ratios of place, fading and power multiply."""
    return np.asarray(np.exp(0.1 * math.log(10.0) * decibel))


def distance_snr_db(
    distance_m: FloatArray, reference_snr_db: FloatArray | float, reference_m: float, exponent: float
) -> FloatArray:
    """Log-distance path loss, as a signal-to-noise ratio at one power unit.

    Args:
        distance_m: length of the link, m; shorter than 1 m counts as 1 m.
        reference_snr_db: the ratio at the reference distance, dB.
        reference_m: the reference distance, m.
        exponent: path-loss exponent (2 in free space, 2.7 to 3.5 in streets).

    Returns:
        The ratio in dB.
    """
    return np.asarray(reference_snr_db - 10.0 * exponent * np.log10(np.maximum(distance_m, 1.0) / reference_m))


def line_of_sight_probability(elevation_deg: FloatArray, a: float, b: float) -> FloatArray:
    """Probability of a line of sight to an aerial station, ``1 / (1 + a exp(-b (theta - a)))``.

    Source: Al-Hourani, Kandeepan and Lardner, "Optimal LAP Altitude for Maximum Coverage", IEEE WCL 3(6), 2014,
    equation (5); there a = 9.61, b = 0.16 is an urban environment.

    Args:
        elevation_deg: elevation angle of the aerial station as seen from the ground, degrees.
        a: first environment parameter.
        b: second environment parameter, 1/degree.

    Returns:
        A probability in 0..1 that grows with the angle.
    """
    return np.asarray(1.0 / (1.0 + a * np.exp(-b * (elevation_deg - a))))


def plane_wave_field(x: FloatArray | float, y: FloatArray | float, waves: FloatArray, phases: FloatArray) -> FloatArray:
    """A standard normal field that is a fixed function of place: a sum of random plane waves.

    Args:
        x: place, m, a scalar or shape (...,).
        y: place, m, as ``x``.
        waves: wave vectors, 1/m, shape (fields, waves, 2).
        phases: phases, shape (fields, waves).

    Returns:
        The value of each field there, shape (..., fields): mean 0, variance 1 over random waves and phases.
    """
    place_x, place_y = np.asarray(x)[..., None, None], np.asarray(y)[..., None, None]
    angle = waves[..., 0] * place_x + waves[..., 1] * place_y + phases
    return np.asarray(math.sqrt(2.0 / phases.shape[-1]) * np.cos(angle).sum(axis=-1))
