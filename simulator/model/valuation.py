"""What a task is worth to a provider: equations (9), (10) and (11)."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray


def common_term(latency_s: FloatArray | float, latency_weight: float) -> FloatArray:
    """The term that (9) averages: ``omega_1 / T``."""
    return np.asarray(latency_weight / latency_s)


def match_term(accuracy: FloatArray, accuracy_weight: float, exponent: float, cap: float) -> FloatArray:
    """The term that (10) averages: ``omega_2 / (1 - R)^beta``, with R capped (at 1 the term diverges)."""
    return np.asarray(accuracy_weight / (1.0 - np.minimum(accuracy, cap)) ** exponent)


def mean_with_newest(past_sum: FloatArray, newest: FloatArray, entries: FloatArray) -> FloatArray:
    """The means of (9) and (10) over the last tasks.

    Args:
        past_sum: sum over the last T - 1 tasks, or as many as there are; both terms side by side or one of them.
        newest: the term of the task at hand.
        entries: how many tasks that makes, the one at hand included.
    """
    return np.asarray((past_sum + newest) / entries)


def valuation(common_value: FloatArray, match_value: FloatArray, demand: FloatArray | float) -> FloatArray:
    """Equation (11): ``v_n = c_n m_n``, here times what this request is worth to anyone."""
    return np.asarray(demand * common_value * match_value)
