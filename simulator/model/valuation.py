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


def timeliness(latency_s: FloatArray | float, limit_s: FloatArray | float, grace_s: FloatArray | float) -> FloatArray:
    """Return the share ``g`` of its worth that a result still has when it comes.

    ``g = max(0, 1 - (T - limit) / grace)`` for a latency ``T`` beyond the limit, and 1 in time. Without grace, a late
    result has no worth.

    Args:
        latency_s: latency ``T``, s.
        limit_s: time from the request to the deadline, s; `inf` without a deadline.
        grace_s: time after the deadline over which the worth falls to 0, s.
    """
    late, grace = np.broadcast_arrays(np.subtract(latency_s, limit_s), grace_s)
    # Where there is no grace, what is late has lost all of its worth.
    with np.errstate(over="ignore"):  # a grace of next to nothing is no grace
        lost = np.divide(late, grace, out=np.where(late > 0.0, 1.0, 0.0), where=grace > 0.0)
    return np.asarray(np.clip(1.0 - lost, 0.0, 1.0))


def timeliness_of(latency_s: float, limit_s: float, grace_s: float) -> float:
    """Return what `timeliness` returns, for one latency.

    Plain numbers take a hundredth of the time of numpy's. Double auctions ask for this at every provider of every lot
    that waits.

    Args:
        latency_s: latency ``T``, s.
        limit_s: time from the request to the deadline, s; `inf` without a deadline.
        grace_s: time after the deadline over which the worth falls to 0, s.
    """
    late = latency_s - limit_s
    if not late > 0.0:
        return 1.0
    return max(1.0 - late / grace_s, 0.0) if grace_s > 0.0 else 0.0


def valuation(
    common_value: FloatArray,
    match_value: FloatArray,
    demand: FloatArray | float,
    timely: FloatArray | float = 1.0,
) -> FloatArray:
    """Return equation (11) times demand and timeliness, ``v_n = demand c_n m_n g_n``.

    Args:
        common_value: common value ``c_n`` of (9), 1/s times the unit of ``omega_1``.
        match_value: match value ``m_n`` of (10).
        demand: factor that states what the request is worth to any provider. The paper does not have it.
        timely: share ``g_n`` of its worth that the result still has when it comes, see `timeliness`.
    """
    return np.asarray(demand * common_value * match_value * timely)


def expected_value(
    latency_s: float, latency_weight: float, size_factor: float, match: float, limit_s: float, grace_s: float
) -> float:
    """Return the value of a task that its public conditions let expect, ``E[v | m]``, at the mean demand 1.

    Args:
        latency_s: public prediction of the latency, for a task of the reference size, s.
        latency_weight: weight ``omega_1``, s.
        size_factor: reference size times the mean of 1/D over the task sizes D.
        match: mean audited match value of the provider.
        limit_s: time from the request to the deadline, s; `inf` without a deadline.
        grace_s: time after the deadline over which the worth falls to 0, s.
    """
    # A latency that scales with D makes omega_1 / T scale with 1 / D.
    worth = latency_weight / latency_s * size_factor * match
    return worth * timeliness_of(latency_s, limit_s, grace_s)
