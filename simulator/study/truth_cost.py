"""What truth costs: the surplus that a price has for want of the bids that it must not see."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.model import FloatArray
from simulator.model.mechanism import critical_payment, station_wins
from simulator.study.statistics import half_width

FACTORS = np.geomspace(0.2, 5.0, 121)
"""By which a fitted price is scaled, as what fits the UAV's value best need not earn most."""

LEAST_ROUNDS = 500
"""Fewer say nothing."""


class TruthCost(NamedTuple):
    """Surplus of the best log-linear price that may see more than public conditions, over that of one that may not.

    Attributes:
        masked: of one that sees the bids without the highest, less 1.
        masked_ci: half its 95 % interval.
        all_bids: of one that sees all bids, less 1.
        all_bids_ci: half its 95 % interval.
        own: of the policy that was audited, less 1.
        own_ci: half its 95 % interval.
    """

    masked: float
    masked_ci: float
    all_bids: float
    all_bids_ci: float
    own: float
    own_ci: float


def truth_cost(market: FloatArray, bids: FloatArray, uav_value: FloatArray, own: FloatArray) -> TruthCost:
    """Fit prices on the even rounds and compare what they earn in the odd ones.

    A price is ``rho = c exp(x w)``: w is the least-squares fit of ``log(zeta v_0 / b_(2))`` on what it may see, and c
    the factor that earns most. Better use of the same information may earn a little more; all are fitted alike.

    Args:
        market: public market conditions, shape (rounds, conditions).
        bids: the three highest ground bids, descending, shape (rounds, 3); the third is the second where there are two.
        uav_value: the UAV's value, weighted, shape (rounds,).
        own: surplus of the policy that was audited, shape (rounds,).

    Returns:
        Shares; NaN where there are fewer than `LEAST_ROUNDS` rounds.
    """
    if len(own) < LEAST_ROUNDS:
        return TruthCost(*[float("nan")] * 6)
    logs = np.log(np.maximum(bids, 1e-9))
    seen = {
        "public": np.log1p(np.nan_to_num(market)),
        "masked": np.hstack([np.log1p(np.nan_to_num(market)), logs[:, 1:]]),
        "all-bids": np.hstack([np.log1p(np.nan_to_num(market)), logs]),
    }
    earned = {name: _earned(x, bids, uav_value) for name, x in seen.items()}
    earned["own"] = own[1::2]
    base = earned["public"]
    shares = []
    for name in ("masked", "all-bids", "own"):
        ratio = float(earned[name].mean() / base.mean())
        shares += [ratio - 1.0, half_width(earned[name] - ratio * base) / float(base.mean())]
    return TruthCost(*shares)


def _earned(x: FloatArray, bids: FloatArray, uav_value: FloatArray) -> FloatArray:
    """Surplus of the odd rounds at the price that fits the even ones, shape (rounds / 2,)."""
    design = np.hstack([np.ones((len(x), 1)), x])
    target = np.log(np.maximum(uav_value, 1e-9)) - np.log(np.maximum(bids[:, 1], 1e-9))
    weights, *_ = np.linalg.lstsq(design[::2], target[::2], rcond=None)
    rho = np.exp(np.clip(design @ weights, -20.0, 20.0))

    def surplus(factor: float, rounds: slice) -> FloatArray:
        threshold = critical_payment(bids[rounds, 1], np.maximum(factor * rho[rounds], 1.0))
        return np.where(station_wins(bids[rounds, 0], threshold), bids[rounds, 0], uav_value[rounds])

    best = max(FACTORS.tolist(), key=lambda factor: float(surplus(factor, slice(0, None, 2)).mean()))
    return surplus(best, slice(1, None, 2))
