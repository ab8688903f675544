"""The power with which a rotary-wing UAV flies."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray

BLADE_W = 79.8563
"""Power of the blades' drag of a hovering UAV, P_0, W. All numbers of this file are those of Zeng et al., Table I."""

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


def propulsion_power(speed_mps: FloatArray | float) -> FloatArray:
    """Return the power with which a rotary-wing UAV flies level, W; at 0 m/s it hovers.

    ``P(V) = P_0 (1 + 3 V^2 / U^2) + P_i sqrt(sqrt(1 + V^4 / (4 v_0^4)) - V^2 / (2 v_0^2)) + d rho s A V^3 / 2``

    Source: Zeng, Xu and Zhang, "Energy minimization for wireless communication with rotary-wing UAV", 2019, (12).

    Args:
        speed_mps: speed V, m/s.
    """
    speed = np.asarray(speed_mps, dtype=np.float64)
    blades = BLADE_W * (1.0 + 3.0 * (speed / TIP_MPS) ** 2)
    # V^2 / (2 v_0^2)
    ratio = 0.5 * (speed / INDUCED_MPS) ** 2
    induced = INDUCED_W * np.sqrt(np.sqrt(1.0 + ratio**2) - ratio)
    return blades + induced + 0.5 * DRAG_RATIO * AIR_KG_M3 * SOLIDITY * DISC_M2 * speed**3
