"""What a task costs its provider, what it consumes, and how evenly vehicles are served."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray

UNIT_W = 0.1
"""One unit of transmit power, W."""

BLADE_W = 79.8563
"""Power of the blades' drag of a hovering UAV, P_0, W. This and the next six are those of Zeng et al., Table I."""

INDUCED_W = 88.6279
"""Power that lifts a hovering UAV, P_i, W."""

TIP_MPS = 120.0
"""Speed of the tips of the blades, m/s."""

INDUCED_MPS = 4.03
"""Mean induced speed of the air at hover, v_0, m/s."""

DRAG_RATIO = 0.6
"""Ratio of the drag of the fuselage to that of the rotor."""

AIR_KG_M3 = 1.225
"""Density of the air, kg/m^3."""

SOLIDITY, DISC_M2 = 0.05, 0.503
"""Solidity of the rotor, and the area of its disc, m^2."""


def radio_energy(power_units: FloatArray | float, downlink_s: FloatArray | float) -> FloatArray:
    """Return the energy that a provider radiates for the result of a task, J.

    Args:
        power_units: transmit power p^d, units of 100 mW.
        downlink_s: time of the downlink, s.
    """
    return np.asarray(UNIT_W * np.multiply(power_units, downlink_s))


def propulsion_power(speed_mps: FloatArray | float) -> FloatArray:
    """Return the power with which a rotary-wing UAV flies level, W; at 0 m/s it hovers.

    ``P(V) = P_0 (1 + 3 V^2 / U^2) + P_i sqrt(sqrt(1 + V^4 / (4 v_0^4)) - V^2 / (2 v_0^2)) + d rho s A V^3 / 2``

    Source: Zeng, Xu and Zhang, "Energy minimization for wireless communication with rotary-wing UAV", 2019, (12).

    Args:
        speed_mps: speed V, m/s.
    """
    speed = np.asarray(speed_mps, dtype=np.float64)
    blades = BLADE_W * (1.0 + 3.0 * (speed / TIP_MPS) ** 2)
    half = 0.5 * (speed / INDUCED_MPS) ** 2
    induced = INDUCED_W * np.sqrt(np.sqrt(1.0 + half**2) - half)
    return blades + induced + 0.5 * DRAG_RATIO * AIR_KG_M3 * SOLIDITY * DISC_M2 * speed**3


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
