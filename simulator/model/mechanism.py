"""The Modified Second-Bid auction: surplus (12), contract bid (13), allocation (14), payment (15), price grid.

Source of the auction: Arnosti, Beck and Milgrom, "Adverse Selection and Auction Design for Internet Display
Advertising", American Economic Review 106(10), 2016.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from simulator.model import BoolArray, FloatArray

Number = TypeVar("Number", float, FloatArray)


def price_grid(actions: int, first_action: int = 0) -> FloatArray:
    """The price scaling factors of the actions, ``rho = 10^(a / |A|)``, shape (actions,).

    Args:
        actions: |A|.
        first_action: the first a; with 0, rho = 1 is among them, and with the paper's 1 it is not.
    """
    return np.asarray(10.0 ** ((first_action + np.arange(actions)) / actions))


def critical_payment(second_bid: Number, rho: Number) -> Number:
    """Equation (15): what the top ground station must exceed, and pays if it wins, ``rho b_(2)``."""
    return rho * second_bid


def station_wins(top_bid: Number, threshold: Number) -> bool | BoolArray:
    """Equation (14): the top ground station wins if its bid exceeds the threshold; a tie goes to the UAV."""
    return top_bid > threshold


def surplus_weights(is_uav: BoolArray, uav_weight: float) -> FloatArray:
    """Equation (12): what the value of each provider counts in the surplus, zeta for a UAV and 1 for a station."""
    return np.where(is_uav, uav_weight, 1.0)


def scaling_factor(uav_amount: float, second_amount: float) -> float:
    """``max(1, u_0 / u_(2))``: the form of the Myopic, Optimal and conditional rules; ``inf`` if ``u_(2)`` is 0."""
    if second_amount > 0.0:
        return max(1.0, uav_amount / second_amount)
    return float("inf") if uav_amount > 0.0 else 1.0


def contract_bid(uav_values: FloatArray, top_values: FloatArray, uav_weight: float = 1.0) -> float:
    """Equation (13): the largest b that maximises ``E[(zeta v_0 - v_max) 1(v_max <= zeta b)]`` over past rounds.

    With zeta in the indicator too, ``zeta b_0`` is the ground value up to which the UAV should have the task, and b is
    in the UAV's own money, as its payment is.

    Args:
        uav_values: ``v_0`` of each round, shape (rounds,).
        top_values: ``v_max`` of each round, the highest ground value, shape (rounds,).
        uav_weight: zeta.

    Returns:
        The bid; 0 where no b earns anything.

    Example:
        >>> contract_bid(np.array([2.0, 1.0, 1.0]), np.array([1.0, 0.5, 3.0]))
        1.0
    """
    order = np.argsort(top_values)
    top = top_values[order]
    gains = np.cumsum((uav_weight * uav_values)[order] - top)
    # A bid takes all rounds of equal v_max or none, so only the last of them is a bid's gain.
    gains[:-1][top[1:] == top[:-1]] = -np.inf
    last_best = len(gains) - 1 - int(np.argmax(gains[::-1]))
    return float(top[last_best]) / uav_weight if gains[last_best] >= 0.0 else 0.0
