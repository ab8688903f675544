"""What a task costs its provider, what it consumes, and how evenly vehicles are served."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray

UNIT_W = 0.1
"""One unit of transmit power, W."""


def radio_energy(power_units: FloatArray | float, downlink_s: FloatArray | float) -> FloatArray:
    """Return the energy that a provider radiates for the result of a task, J.

    Args:
        power_units: transmit power p^d, units of 100 mW.
        downlink_s: time of the downlink, s.
    """
    return np.asarray(UNIT_W * np.multiply(power_units, downlink_s))


def task_cost(
    gpu_s: FloatArray | float,
    energy_j: FloatArray | float,
    price_gpu_s: FloatArray | float,
    price_j: FloatArray | float,
) -> FloatArray:
    """Return what a task costs its provider, ``C = price_gpu_s * GPU seconds + price_J * Joules``.

    Args:
        gpu_s: time of the GPU stage, s.
        energy_j: energy of the downlink and, for a UAV, of hovering for as long as the task makes it stay, J.
        price_gpu_s: price of a second of the GPU.
        price_j: price of a Joule.
    """
    return np.asarray(np.multiply(price_gpu_s, gpu_s) + np.multiply(price_j, energy_j))


def jain_index(shares: FloatArray) -> float:
    """Return Jain's fairness index ``(sum x)^2 / (n sum x^2)``; NaN if all shares are 0 or there are none.

    It is 1 if all have the same share and 1/n if one has everything.

    Source: Jain, Chiu and Hawe, "A quantitative measure of fairness and discrimination", DEC-TR-301, 1984.

    Args:
        shares: what each participant gets, >= 0, shape (participants,).
    """
    largest = float(np.max(shares, initial=0.0))
    if not largest > 0.0:
        return float("nan")
    scaled = np.asarray(shares) / largest  # squares of small or large numbers would leave the range
    return float(scaled.sum() ** 2 / (len(scaled) * (scaled**2).sum()))
