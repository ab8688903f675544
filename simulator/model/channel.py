"""Radio: signal-to-noise ratios of the radio models, and the data rates of equations (1) and (2)."""

from __future__ import annotations

import math

import numpy as np

from simulator.model import FloatArray


def data_rate(bandwidth_mhz: FloatArray, snr: FloatArray) -> FloatArray:
    """Return equations (1) and (2), the Shannon rate of a link ``B log2(1 + g p / sigma^2)``.

    Args:
        bandwidth_mhz: uplink or downlink bandwidth ``B``, MHz.
        snr: received signal-to-noise ratio ``g p / sigma^2``, a plain ratio.

    Returns:
        Rates in Mbit/s.
    """
    # For a ratio below 1e-16, 1 + snr rounds to 1 and log2() would give the rate 0. With log1p() the link is just slow.
    return np.asarray(bandwidth_mhz / math.log(2.0) * np.log1p(snr))


def snr_ratio(decibel: FloatArray | float) -> FloatArray:
    """Return a signal-to-noise ratio or a gain in dB as the plain ratio ``10^(decibel / 10)``.

    Args:
        decibel: the ratio, dB.

    Returns:
        The plain ratio, of the shape of ``decibel``.
    """
    # exp() of an array is four to five times faster than a power of 10.
    return np.asarray(np.exp(0.1 * math.log(10.0) * decibel))


def distance_snr_db(
    distance_m: FloatArray, reference_snr_db: FloatArray | float, reference_m: float, exponent: float
) -> FloatArray:
    """Return the signal-to-noise ratio at one power unit under log-distance path loss.

    The ratio is ``SNR(d) = SNR(d_0) - 10 n log10(d / d_0)``, in dB.

    Args:
        distance_m: length ``d`` of the link, m. A link shorter than 1 m counts as 1 m.
        reference_snr_db: signal-to-noise ratio ``SNR(d_0)`` at the reference distance, dB.
        reference_m: reference distance ``d_0``, m.
        exponent: path-loss exponent ``n``: 2 in free space, 2.7 to 3.5 in streets.

    Returns:
        Signal-to-noise ratios, dB, of the shape of ``distance_m``.
    """
    # At the place of the station itself the ratio would be infinite.
    return np.asarray(reference_snr_db - 10.0 * exponent * np.log10(np.maximum(distance_m, 1.0) / reference_m))


def line_of_sight_probability(elevation_deg: FloatArray, a: float, b: float) -> FloatArray:
    """Return the probability of a line of sight to an aerial station, ``1 / (1 + a exp(-b (theta - a)))``.

    Source: Al-Hourani, Kandeepan and Lardner, "Optimal LAP Altitude for Maximum Coverage", IEEE WCL 3(6), 2014,
    equation (5). In that paper a = 9.61 and b = 0.16 stand for an urban environment.

    Args:
        elevation_deg: elevation angle ``theta`` of the aerial station as seen from the ground, degrees.
        a: first environment parameter.
        b: second environment parameter, 1/degree.

    Returns:
        Probabilities in [0, 1], of the shape of ``elevation_deg``. They grow with the angle.
    """
    return np.asarray(1.0 / (1.0 + a * np.exp(-b * (elevation_deg - a))))


def plane_wave_field(x: FloatArray | float, y: FloatArray | float, waves: FloatArray, phases: FloatArray) -> FloatArray:
    """Return the values of random fields at a place, each a sum of plane waves.

    A field is a fixed function of the place. Over random phases its value at a place has mean 0 and variance 1. With
    many waves the value is close to normal.

    Args:
        x: position east, m, a scalar or shape (...).
        y: position north, m, of the shape of ``x``.
        waves: wave vectors, 1/m, shape (fields, waves, 2).
        phases: phases, radian, shape (fields, waves).

    Returns:
        Values of the fields, shape (..., fields).
    """
    place_x, place_y = np.asarray(x)[..., None, None], np.asarray(y)[..., None, None]
    angle = waves[..., 0] * place_x + waves[..., 1] * place_y + phases
    # The cosine of a uniform phase has variance 1/2, so the sum over n waves has variance n/2.
    return np.asarray(math.sqrt(2.0 / phases.shape[-1]) * np.cos(angle).sum(axis=-1))


NOISE_DBM_PER_HZ = -174.0
"""Thermal noise power per hertz at 290 K, dBm/Hz."""

UNIT_DBM = 20.0
"""One power unit, 100 mW, in dBm."""


def noise_dbm(bandwidth_mhz: FloatArray | float, noise_figure_db: float) -> FloatArray:
    """Return the noise power of a receiver, ``-174 + 10 log10(B) + NF``, dBm.

    Args:
        bandwidth_mhz: bandwidth ``B`` of the channel, MHz.
        noise_figure_db: noise figure ``NF`` of the receiver, dB.
    """
    return np.asarray(NOISE_DBM_PER_HZ + 60.0 + 10.0 * np.log10(bandwidth_mhz) + noise_figure_db)


def spectral_efficiency(
    snr: FloatArray, share: FloatArray | float, ceiling: FloatArray | float, overhead: FloatArray | float
) -> FloatArray:
    """Return the bits per second and hertz that a modem carries: ``(1 - overhead) min(share log2(1 + snr), ceiling)``.

    With share 1, no ceiling and no overhead it is Shannon's bound, as in (1) and (2).

    Args:
        snr: received signal-to-noise-and-interference ratio, a plain ratio.
        share: share of Shannon's bound that coding and modulation reach.
        ceiling: efficiency of the highest modulation, bit/s/Hz; `inf` for none.
        overhead: share of the channel that control signals take.
    """
    return np.asarray((1.0 - overhead) * np.minimum(share / math.log(2.0) * np.log1p(snr), ceiling))
