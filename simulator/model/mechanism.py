"""The Modified Second-Bid auction: surplus (12), contract bid (13), allocation (14), payment (15) and price grid.

Source: Arnosti, Beck and Milgrom, "Adverse Selection and Auction Design for Internet Display
Advertising", American Economic Review 106(10), 2016.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from simulator.model import BoolArray, FloatArray

Number = TypeVar("Number", float, FloatArray)
"""One number, or an array of numbers for many auctions."""


def price_grid(actions: int, first_action: int = 0) -> FloatArray:
    """Return the price scaling factors of the actions, ``rho = 10^(a / |A|)``.

    Args:
        actions: number ``|A|`` of actions.
        first_action: first action ``a``. With 0 the grid contains rho = 1; with 1, as in the paper, it does not.

    Returns:
        Price scaling factors in increasing order, shape (actions,).
    """
    return np.asarray(10.0 ** ((first_action + np.arange(actions)) / actions))


def critical_payment(second_bid: Number, rho: Number) -> Number:
    """Return equation (15), the payment ``rho b_(2)`` of the top station.

    The payment is also the threshold that the bid of the top station must exceed to win.

    Args:
        second_bid: second-highest bid ``b_(2)`` of a ground station.
        rho: price scaling factor.
    """
    return rho * second_bid


def station_wins(top_bid: Number, threshold: Number) -> bool | BoolArray:
    """Return whether the top station wins, by equation (14).

    Args:
        top_bid: highest bid of a ground station.
        threshold: the bid that it must exceed.
    """
    # The comparison is strict, as in (14): a tie goes to the UAV.
    return top_bid > threshold


def surplus_weights(is_uav: BoolArray, uav_weight: float) -> FloatArray:
    """Return the weights of equation (12), by which values enter the surplus.

    Args:
        is_uav: whether each provider is a UAV, shape (providers,).
        uav_weight: weight zeta of a UAV.

    Returns:
        zeta for a UAV and 1 for a ground station, shape (providers,).
    """
    return np.where(is_uav, uav_weight, 1.0)


def scaling_factor(uav_amount: float, second_amount: float) -> float:
    """Return ``rho = max(1, u_0 / u_(2))``, the form of the rules Myopic, Optimal and conditional.

    Args:
        uav_amount: amount ``u_0`` of the UAV, with its weight zeta.
        second_amount: amount ``u_(2)`` of the second-best ground station.

    Returns:
        The price scaling factor. It is ``inf`` if only ``u_(2)`` is 0, and 1 if both are 0.
    """
    # With rho >= 1 only the top station can exceed rho times the highest bid of the others.
    if second_amount > 0.0:
        return max(1.0, uav_amount / second_amount)
    return float("inf") if uav_amount > 0.0 else 1.0


def contract_bid(uav_values: FloatArray, top_values: FloatArray, uav_weight: float = 1.0) -> float:
    """Return equation (13), the largest b that maximises ``E[(zeta v_0 - v_max) 1(v_max <= zeta b)]``.

    The expectation is a mean over past rounds. The paper has no zeta in (13). Here it is in the indicator too, because
    ``zeta b`` is the ground value up to which the UAV should win. The bid b itself is not weighted, because
    the payment of the UAV is not weighted either.

    Args:
        uav_values: value ``v_0`` of the UAV in each round, shape (rounds,).
        top_values: highest value ``v_max`` of a ground station in each round, shape (rounds,).
        uav_weight: weight zeta of the UAV.

    Returns:
        The contract bid. It is 0 if every b loses.

    Example:
        >>> contract_bid(np.array([2.0, 1.0, 1.0]), np.array([1.0, 0.5, 3.0]))
        1.0
    """
    # The bid v_max / zeta wins all rounds up to that v_max. In sorted order its gain is therefore a cumulative sum.
    order = np.argsort(top_values)
    top = top_values[order]
    gains = np.cumsum((uav_weight * uav_values)[order] - top)
    # Rounds with the same v_max are won together. Only the sum after the last of them is the gain of a bid.
    gains[:-1][top[1:] == top[:-1]] = -np.inf
    # argmax() returns the first maximum; on the reversed array this is the largest bid.
    last_best = len(gains) - 1 - int(np.argmax(gains[::-1]))
    # A bid below every v_max wins nothing, and so it is better than any bid with a negative gain.
    return float(top[last_best]) / uav_weight if gains[last_best] >= 0.0 else 0.0
