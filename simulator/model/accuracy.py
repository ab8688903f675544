"""Accuracy: equations (7) and (8), and the distributions from which a simulated provider's accuracy is drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.model import FloatArray, IntArray


def matched_pixels(original: npt.NDArray[np.generic], processed: npt.NDArray[np.generic]) -> IntArray:
    """Equation (7): how many of the k pixels (last axis) came back as they were."""
    return np.asarray(np.sum(original == processed, axis=-1), dtype=np.int64)


def pixel_accuracy(matched: IntArray, pixels: int) -> FloatArray:
    """Equation (8): matched pixels over ``pixels``, in 0..1."""
    return np.asarray(matched / pixels, dtype=np.float64)


def power_law_accuracy(uniform: FloatArray, scale: float, shape: float) -> FloatArray:
    """Accuracy with error ``1 - R = scale U^(1/shape)``; match values have finite variance if ``shape > 2 beta``."""
    return np.asarray(1.0 - scale * uniform ** (1.0 / shape))


def log_normal_accuracy(normal: FloatArray, median_error: float, log_sd: float) -> FloatArray:
    """Accuracy with a log-normal error ``1 - R`` (median, log-sd), not below 0."""
    return np.asarray(1.0 - np.minimum(median_error * np.exp(log_sd * normal), 1.0))
