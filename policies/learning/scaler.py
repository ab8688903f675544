"""Standardisation of features by running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from simulator.model import FloatArray

from .features import LEAST_SD, PRICE_INPUTS, Inputs
from .networks import to_device


class Scaler:
    """Standardisation of features by the mean and variance of all observations so far.

    Args:
        inputs: what the network sees.

    Attributes:
        inputs: what the network sees.
        count: number of observations.
        mean: mean of the features, shape (features,).
        square: sum of squared deviations of the features from their mean, shape (features,).
    """

    def __init__(self, inputs: Inputs = PRICE_INPUTS) -> None:
        self.inputs = inputs
        self.count = 0
        self.mean = np.zeros(len(inputs))
        self.square = np.zeros(len(inputs))

    def learn(self, logs: FloatArray) -> None:
        """Add observations to the statistics.

        Args:
            logs: observations on a logarithmic scale, shape (n, features).
        """
        # The update of Chan, Golub and LeVeque: exact for any batch, without the cancellation of E[x^2] - E[x]^2.
        count, mean = len(logs), logs.mean(axis=0)
        step, total = mean - self.mean, self.count + count
        self.square += ((logs - mean) ** 2).sum(axis=0) + step**2 * self.count * count / total
        self.mean += step * count / total
        self.count = total

    def learn_and_scale(self, vectors: FloatArray) -> FloatArray:
        """Add observations to the statistics, and return their standardised features.

        Args:
            vectors: observations, shape (n, features).

        Returns:
            Features as float32, shape (n, features).
        """
        logs = self.inputs.scaled(vectors)
        self.learn(logs)
        return np.asarray((logs - self.mean) / self.sd, dtype=np.float32)

    def standardise(self, logs: Tensor) -> Tensor:
        """Return standardised features of observations that are on a logarithmic scale already.

        Args:
            logs: features on a logarithmic scale, float32, shape (n, features).
        """
        both = to_device(np.array([self.mean, self.sd], dtype=np.float32), logs.device)
        return (logs - both[0]) / both[1]

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each feature, at least `LEAST_SD`, shape (features,)."""
        if not self.count:
            return np.ones(len(self.inputs))
        # A feature that hardly varies would otherwise become huge at the first value that differs.
        return np.maximum(np.sqrt(self.square / max(self.count, 1)), LEAST_SD)

    def state(self) -> dict[str, Any]:
        """Return the statistics as arrays for a checkpoint."""
        return {"count": np.array([self.count]), "mean": self.mean.copy(), "square": self.square.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the statistics of a checkpoint."""
        self.count = int(state["count"][0])
        self.mean, self.square = np.array(state["mean"]), np.array(state["square"])
