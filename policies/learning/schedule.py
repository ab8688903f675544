"""The schedule of the forward process (16) and the coefficients of the reverse process (17)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

BETA_MIN, BETA_MAX = 0.1, 10.0
"""First and last noise rate of the schedule, as in D2SAC."""

TIME_FEATURES = 16
"""Number of features of a step k, as in D2SAC."""


@dataclass(frozen=True)
class Schedule:
    """Coefficients of both processes for each step k = 1..K.

    The forward process has the marginal ``x_k = sqrt(kept_k) x_0 + sqrt(1 - kept_k) noise``. The mean of the reverse
    process (17) is ``shrink_k (x_k - subtract_k noise(x_k, k, s))``.

    Attributes:
        beta: variance ``eta_k`` of (16).
        kept: product of ``1 - eta_j`` for j = 1..k.
        shrink: ``1 / sqrt(1 - eta_k)``.
        subtract: ``eta_k / sqrt(1 - kept_k)``.
        spread: standard deviation ``sigma_k`` of (17), which is that of the posterior of ``x_(k-1)`` given ``x_0``.
    """

    # Plain floats, because the deployed policy uses them without PyTorch.

    beta: tuple[float, ...]
    kept: tuple[float, ...]
    shrink: tuple[float, ...]
    subtract: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def variance_preserving(cls, steps: int) -> Schedule:
        """Return the discretised variance-preserving schedule.

        For K = 5 its variances eta_k are 0.196, 0.459, 0.636, 0.755 and 0.835.

        Args:
            steps: number K of steps.
        """
        k = np.arange(1, steps + 1)
        # eta_k = 1 - exp(-integral of the noise rate over step k). The rate rises linearly over a unit of time.
        beta = 1.0 - np.exp(-BETA_MIN / steps - 0.5 * (BETA_MAX - BETA_MIN) * (2 * k - 1) / steps**2)
        kept = np.cumprod(1.0 - beta)
        before = np.append(1.0, kept[:-1])
        spread = np.sqrt(beta * (1.0 - before) / (1.0 - kept))
        columns = (beta, kept, 1.0 / np.sqrt(1.0 - beta), beta / np.sqrt(1.0 - kept), spread)
        return cls(*(tuple(column.tolist()) for column in columns))

    @property
    def steps(self) -> int:
        """Number K of steps."""
        return len(self.beta)


def time_features(steps: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return sinusoidal features of the steps k = 1..K, as in the transformer.

    Args:
        steps: number K of steps.

    Returns:
        Features as float32, shape (K, `TIME_FEATURES`).
    """
    half = TIME_FEATURES // 2
    rates = np.exp(-math.log(10_000.0) / (half - 1) * np.arange(half))
    angles = np.arange(1, steps + 1)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
