"""Cost of truthfulness: the surplus that a price loses because it must not see the bids."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.model import FloatArray
from simulator.model.mechanism import critical_payment, station_wins
from simulator.study.statistics import half_width

FACTORS = np.geomspace(0.2, 5.0, 121)
"""Factors c by which a fitted price is scaled; the one with the highest surplus is taken."""

# Half of the rounds are for the fit, which has a coefficient for each public condition and for each bid.
LEAST_ROUNDS = 500
"""Least number of rounds for a result."""


class TruthCost(NamedTuple):
    """Extra surplus of prices that see more than the public conditions.

    Each figure is S / S_m - 1. S_m is the surplus of the best log-linear price that sees the public conditions m only.

    Attributes:
        masked: S is the surplus of the best log-linear price that sees m and the bids without the highest.
        masked_ci: half-width of the 95 % interval of ``masked``.
        all_bids: S is the surplus of the best log-linear price that sees m and all bids.
        all_bids_ci: half-width of the 95 % interval of ``all_bids``.
        own: S is the surplus of the policy that was audited.
        own_ci: half-width of the 95 % interval of ``own``.
    """

    masked: float
    masked_ci: float
    all_bids: float
    all_bids_ci: float
    own: float
    own_ci: float


def truth_cost(market: FloatArray, bids: FloatArray, uav_value: FloatArray, own: FloatArray) -> TruthCost:
    """Fit prices to the even rounds and compare their surplus in the odd rounds.

    A price is ``rho = c exp(x w)``. The vector x holds ``log(1 + m)`` of each public condition m, and ``log b`` of each
    bid that the price may see. The weights w are the least-squares fit of ``log(zeta v_0 / b_(2))`` on x. The factor c
    is the one with the highest surplus.

    Args:
        market: public market conditions, shape (rounds, conditions).
        bids: the three highest ground bids, descending, shape (rounds, 3). If there are two bids, the third column
            repeats the second.
        uav_value: value of the UAV times zeta, shape (rounds,).
        own: surplus of the policy that was audited, shape (rounds,).

    Returns:
        The extra surplus as shares; NaN if there are fewer than `LEAST_ROUNDS` rounds.
    """
    # A cleverer price may use the same information a little better. All prices here have the same form, so that
    # only their information differs.
    if len(own) < LEAST_ROUNDS:
        return TruthCost(*[float("nan")] * 6)
    # Logarithms, because the price of `conditional` is a product of powers of public conditions. A bid can be 0.
    # A condition can be 0 too, or NaN for a provider that does not cover the vehicle.
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
    """Return the surplus of each odd round at the price that is fitted to the even rounds, shape (rounds / 2,)."""
    design = np.hstack([np.ones((len(x), 1)), x])
    target = np.log(np.maximum(uav_value, 1e-9)) - np.log(np.maximum(bids[:, 1], 1e-9))
    # Odd rounds are new to the fit, so more coefficients do not earn more by fitting noise.
    weights, *_ = np.linalg.lstsq(design[::2], target[::2], rcond=None)
    rho = np.exp(np.clip(design @ weights, -20.0, 20.0))

    def surplus(factor: float, rounds: slice) -> FloatArray:
        """Return the surplus of some rounds if the fitted price is scaled by a factor."""
        threshold = critical_payment(bids[rounds, 1], np.maximum(factor * rho[rounds], 1.0))
        return np.where(station_wins(bids[rounds, 0], threshold), bids[rounds, 0], uav_value[rounds])

    # The best fit of a logarithm is not the best price: an error costs surplus only if it changes the winner.
    best = max(FACTORS.tolist(), key=lambda factor: float(surplus(factor, slice(0, None, 2)).mean()))
    return surplus(best, slice(1, None, 2))
