"""What every learner sees: the observation's vector on a logarithmic scale, standardised by running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.market.contracts import MARKET_CONDITIONS, VECTOR_BIDS
from simulator.model import FloatArray

NAMES = (*MARKET_CONDITIONS, *(f"bid_{number}" for number in range(1, VECTOR_BIDS + 1)))
"""The features in order: public conditions, then the bids that `information` allows, by rank and never by name."""

_FLAGS = np.array([unit == "0/1" for unit, _ in MARKET_CONDITIONS.values()] + [False] * VECTOR_BIDS)

FLOOR = 1e-3
"""Added before the logarithm: seconds, loads, values and bids matter by their ratio, not by their difference."""

LEAST_SD = 1e-2
"""A feature that hardly varies is not blown up."""


class Scaler:
    """Standardises features by the mean and variance of all that it has been shown.

    Attributes:
        count: vectors seen.
        mean: their mean, shape (features,).
        square: sum of their squared deviations, shape (features,).
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(len(NAMES))
        self.square = np.zeros(len(NAMES))

    def learn(self, vectors: FloatArray) -> None:
        """Take in vectors, shape (n, features) (Chan, Golub and LeVeque's update)."""
        logs = log_features(vectors)
        count, mean = len(logs), logs.mean(axis=0)
        step, total = mean - self.mean, self.count + count
        self.square += ((logs - mean) ** 2).sum(axis=0) + step**2 * self.count * count / total
        self.mean += step * count / total
        self.count = total

    def scale(self, vectors: FloatArray) -> FloatArray:
        """Standardised features of vectors, of the same shape; float32."""
        return np.asarray((log_features(vectors) - self.mean) / self.sd, dtype=np.float32)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each feature, at least `LEAST_SD`."""
        return np.maximum(np.sqrt(self.square / max(self.count, 1)), LEAST_SD)

    def state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {"count": np.array([self.count]), "mean": self.mean.copy(), "square": self.square.copy()}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Scaler:
        """A scaler from its state."""
        scaler = cls()
        scaler.count = int(state["count"][0])
        scaler.mean, scaler.square = np.array(state["mean"]), np.array(state["square"])
        return scaler


def log_features(vectors: FloatArray) -> FloatArray:
    """Features on a logarithmic scale, flags as they are, of the same shape."""
    return np.where(_FLAGS, vectors, np.log(np.maximum(vectors, 0.0) + FLOOR))
