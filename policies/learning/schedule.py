"""The forward process (16): a variance-preserving schedule, and the coefficients of the reverse process (17)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

BETA_MIN, BETA_MAX = 0.1, 10.0
"""Ends of the schedule as published with D2SAC."""

TIME_FEATURES = 16


@dataclass(frozen=True)
class Schedule:
    """Coefficients by step k = 1..K, as plain numbers.

    Attributes:
        beta: eta_k of (16), the variance that step k adds.
        kept: product of (1 - eta) up to k: ``x_k = sqrt(kept) x_0 + sqrt(1 - kept) noise``.
        shrink: ``1 / sqrt(1 - eta_k)``.
        subtract: ``eta_k / sqrt(1 - kept_k)``: the mean of (17) is ``shrink (x_k - subtract noise(x_k, k, s))``.
        spread: standard deviation of (17), that of the posterior of x_{k-1} given x_0.
    """

    beta: tuple[float, ...]
    kept: tuple[float, ...]
    shrink: tuple[float, ...]
    subtract: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def variance_preserving(cls, steps: int) -> Schedule:
        """The discretised variance-preserving schedule; for K = 5 its betas are .196 .459 .636 .755 .835."""
        k = np.arange(1, steps + 1)
        beta = 1.0 - np.exp(-BETA_MIN / steps - 0.5 * (BETA_MAX - BETA_MIN) * (2 * k - 1) / steps**2)
        kept = np.cumprod(1.0 - beta)
        before = np.append(1.0, kept[:-1])
        spread = np.sqrt(beta * (1.0 - before) / (1.0 - kept))
        columns = (beta, kept, 1.0 / np.sqrt(1.0 - beta), beta / np.sqrt(1.0 - kept), spread)
        return cls(*(tuple(column.tolist()) for column in columns))

    @property
    def steps(self) -> int:
        """K."""
        return len(self.beta)


def time_features(steps: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Sinusoidal features of k = 1..K, shape (K, 16), as in the transformer."""
    half = TIME_FEATURES // 2
    rates = np.exp(-math.log(10_000.0) / (half - 1) * np.arange(half))
    angles = np.arange(1, steps + 1)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
