"""Features of all learners: the observation on a logarithmic scale, standardised by running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.market.contracts import MARKET_CONDITIONS, VECTOR_BIDS
from simulator.model import FloatArray

# Bids enter by rank, not by name, so the price does not depend on who made which bid. Their number is fixed, so one set
# of weights serves any number of stations.
NAMES = (*MARKET_CONDITIONS, *(f"bid_{number}" for number in range(1, VECTOR_BIDS + 1)))
"""Names of the features in order: the public conditions, then the visible bids by rank."""

# A flag is 0 or 1, so a logarithm would only rescale it.
_FLAGS = np.array([unit == "0/1" for unit, _ in MARKET_CONDITIONS.values()] + [False] * VECTOR_BIDS)

FLOOR = 1e-3
"""Number that is added before the logarithm, so that 0 has a finite logarithm."""

LEAST_SD = 1e-2
"""Smallest standard deviation by which a feature is divided."""


class Scaler:
    """Standardisation of features by the mean and variance of all observations so far.

    Attributes:
        count: number of observations.
        mean: mean of the features, shape (features,).
        square: sum of squared deviations of the features from their mean, shape (features,).
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(len(NAMES))
        self.square = np.zeros(len(NAMES))

    def learn(self, vectors: FloatArray) -> None:
        """Add observations to the statistics.

        Args:
            vectors: observations, shape (n, features).
        """
        # The update of Chan, Golub and LeVeque: exact for any batch, without the cancellation of E[x^2] - E[x]^2.
        logs = log_features(vectors)
        count, mean = len(logs), logs.mean(axis=0)
        step, total = mean - self.mean, self.count + count
        self.square += ((logs - mean) ** 2).sum(axis=0) + step**2 * self.count * count / total
        self.mean += step * count / total
        self.count = total

    def scale(self, vectors: FloatArray) -> FloatArray:
        """Return standardised features.

        Args:
            vectors: observations, shape (n, features).

        Returns:
            Features as float32, shape (n, features).
        """
        return np.asarray((log_features(vectors) - self.mean) / self.sd, dtype=np.float32)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each feature, at least `LEAST_SD`, shape (features,)."""
        # A feature that hardly varies would otherwise become huge at the first value that differs.
        return np.maximum(np.sqrt(self.square / max(self.count, 1)), LEAST_SD)

    def state(self) -> dict[str, Any]:
        """Return the statistics as arrays for a checkpoint."""
        return {"count": np.array([self.count]), "mean": self.mean.copy(), "square": self.square.copy()}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Scaler:
        """Return the scaler with the statistics of a checkpoint."""
        scaler = cls()
        scaler.count = int(state["count"][0])
        scaler.mean, scaler.square = np.array(state["mean"]), np.array(state["square"])
        return scaler


def log_features(vectors: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return observations on a logarithmic scale, except for flags.

    Args:
        vectors: observations, shape (..., features or more). Bids beyond the third are left out.

    Returns:
        Features, shape (..., features).
    """
    # Times, loads, values and bids matter by their ratios, and a logarithm turns ratios into differences.
    vectors = np.asarray(vectors[..., : len(NAMES)], dtype=np.float64)
    return np.where(_FLAGS, vectors, np.log(np.maximum(vectors, 0.0) + FLOOR))
