"""The value of a task to a provider: equations (9), (10) and (11)."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray


def common_term(latency_s: FloatArray | float, latency_weight: float) -> FloatArray:
    """Return the term ``omega_1 / T`` of which equation (9) is the mean.

    Args:
        latency_s: latency ``T``, s.
        latency_weight: weight ``omega_1``, s.
    """
    return np.asarray(latency_weight / latency_s)


def match_term(accuracy: FloatArray, accuracy_weight: float, exponent: float, cap: float) -> FloatArray:
    """Return the term ``omega_2 / (1 - R)^beta`` of which equation (10) is the mean.

    Args:
        accuracy: accuracy ``R``.
        accuracy_weight: weight ``omega_2``.
        exponent: exponent ``beta``.
        cap: largest accuracy that enters the term, below 1.
    """
    # At R = 1 the term would be infinite.
    return np.asarray(accuracy_weight / (1.0 - np.minimum(accuracy, cap)) ** exponent)


def mean_with_newest(past_sum: FloatArray, newest: FloatArray, entries: FloatArray) -> FloatArray:
    """Return the means of equations (9) and (10) over past tasks and the task on offer.

    Args:
        past_sum: sum of the terms of the past tasks, at most T - 1 of them.
        newest: term of the task on offer, of the shape of ``past_sum``.
        entries: number of tasks, the task on offer included. It broadcasts against ``past_sum``.
    """
    return np.asarray((past_sum + newest) / entries)


def valuation(common_value: FloatArray, match_value: FloatArray, demand: FloatArray | float) -> FloatArray:
    """Return equation (11) times the demand, ``v_n = demand c_n m_n``.

    Args:
        common_value: common value ``c_n`` of (9), 1/s times the unit of ``omega_1``.
        match_value: match value ``m_n`` of (10).
        demand: factor that states what the request is worth to any provider. The paper does not have it.
    """
    return np.asarray(demand * common_value * match_value)
