"""Accuracy: equations (7) and (8), and the distributions from which the accuracy of a provider is drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.model import FloatArray, IntArray


def matched_pixels(original: npt.NDArray[np.generic], processed: npt.NDArray[np.generic]) -> IntArray:
    """Return equation (7), the number of pixels that are the same in both images.

    Args:
        original: pixels of the task, shape (..., k).
        processed: pixels of the result, shape (..., k).

    Returns:
        Numbers from 0 to k, shape (...).
    """
    return np.asarray(np.sum(original == processed, axis=-1), dtype=np.int64)


def pixel_accuracy(matched: IntArray, pixels: int) -> FloatArray:
    """Return equation (8), the accuracy ``R = matched / k``.

    Args:
        matched: numbers of matched pixels.
        pixels: number k of pixels of a task.

    Returns:
        Accuracies in [0, 1], of the shape of ``matched``.
    """
    return np.asarray(matched / pixels, dtype=np.float64)


def power_law_accuracy(uniform: FloatArray, scale: float, shape: float) -> FloatArray:
    """Return accuracies ``R`` with the error ``1 - R = scale U^(1/shape)``.

    Args:
        uniform: draws of ``U``, uniform on [0, 1].
        scale: the largest error, in (0, 1].
        shape: inverse of the exponent of ``U``.

    Returns:
        Accuracies in [0, 1], of the shape of ``uniform``.
    """
    # The match value (10) varies as U^(-beta/shape). E[U^(-2 beta/shape)], and so its variance, is finite only for
    # shape > 2 beta.
    return np.asarray(1.0 - scale * uniform ** (1.0 / shape))


def log_normal_accuracy(normal: FloatArray, median_error: float, log_sd: float) -> FloatArray:
    """Return accuracies ``R`` with the log-normal error ``1 - R = median_error exp(log_sd Z)``.

    Args:
        normal: draws of ``Z``, standard normal.
        median_error: median of the error.
        log_sd: standard deviation of the logarithm of the error.

    Returns:
        Accuracies in [0, 1], of the shape of ``normal``.
    """
    # A log-normal error has no upper bound, but an error above 1 would make the accuracy negative.
    return np.asarray(1.0 - np.minimum(median_error * np.exp(log_sd * normal), 1.0))
