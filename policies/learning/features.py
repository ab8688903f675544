"""Features of all learners: the observation on a logarithmic scale."""

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
