"""Myerson's optimal auction: virtual values, ironed where they are not monotone, and their inverses."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from simulator.model import FloatArray


class Virtual(Protocol):
    """The virtual value of a bidder, ``phi(v) = v - (1 - F(v)) / f(v)`` for values with the distribution F.

    A bidder whose values are a scale times those of the distribution has ``scale * phi(v / scale)``.
    """

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the virtual value of a value."""
        ...

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the least value with at least this virtual value; infinity if there is none.

        Args:
            virtual: the virtual value.
            above: whether it must be above the virtual value.
            scale: scale of the values.
        """
        ...


@dataclass(frozen=True)
class UniformValues:
    """Values that are uniform between two numbers: ``phi(v) = 2 v - high``.

    Attributes:
        low: least value.
        high: largest value.
    """

    low: float
    high: float

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the virtual value of a value."""
        return 2.0 * value - scale * self.high

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the least value with at least this virtual value."""
        found = max(0.5 * (virtual + scale * self.high), scale * self.low)
        return found if found <= scale * self.high else math.inf


@dataclass(frozen=True)
class ExponentialValues:
    """Values that are exponential: ``phi(v) = v - mean``.

    Attributes:
        mean: their mean.
    """

    mean: float

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the virtual value of a value."""
        return value - scale * self.mean

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the least value with at least this virtual value."""
        return max(virtual + scale * self.mean, 0.0)


@dataclass(frozen=True)
class PlainValues:
    """The values themselves as virtual values: the second-price auction."""

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the value."""
        return value

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the virtual value."""
        return max(virtual, 0.0)


@dataclass(frozen=True)
class EmpiricalValues:
    """Values of which a sample is known. Their ironed virtual value is a step function.

    The revenue curve is ``R(q) = q F^-1(1 - q)`` over the shares q of the sample. The ironed virtual value is the slope
    of its least concave majorant. These slopes are the isotonic regression of the slopes between neighbours.

    Source: Myerson, "Optimal auction design", Mathematics of Operations Research 6(1), 1981, section 6.

    Attributes:
        sample: the values, in any order; at least one.
    """

    sample: Sequence[float]
    _values: list[float] = field(init=False, repr=False)
    _slopes: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from scipy.optimize import isotonic_regression

        falling = np.sort(np.asarray(self.sample, dtype=np.float64))[::-1]
        revenue = np.arange(1, len(falling) + 1) * falling
        slopes: FloatArray = isotonic_regression(np.diff(revenue, prepend=0.0), increasing=False).x
        # Both rise with the value from here on.
        object.__setattr__(self, "_values", falling[::-1].tolist())
        object.__setattr__(self, "_slopes", slopes[::-1].tolist())

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the ironed virtual value of a value; minus infinity below the sample."""
        place = bisect_right(self._values, value / scale) - 1
        return scale * self._slopes[place] if place >= 0 else -math.inf

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the least value with at least this virtual value; infinity if there is none."""
        # On an ironed stretch many values have one virtual value. The comparison is the same as between bidders, so
        # that rounding does not tell apart what is equal there.
        find = bisect_right if above else bisect_left
        place = find(self._slopes, virtual, key=lambda slope: scale * slope)
        return scale * self._values[place] if place < len(self._values) else math.inf


@dataclass(frozen=True)
class MonotoneValues:
    """Virtual values by a network that rises with the value: ``phi(v) = min_k max_j (exp(w_kj) v + b_kj)``.

    Its inverse is ``max_k min_j (z - b_kj) exp(-w_kj)``.

    Source: the form of MyersonNet (Duetting, Feng, Narasimhan, Parkes and Ravindranath, "Optimal auctions through deep
    learning", 2019).

    Attributes:
        w: logarithms of the slopes, shape (groups, pieces).
        b: heights at 0, shape (groups, pieces).
    """

    w: FloatArray
    b: FloatArray

    def phi(self, value: float, scale: float = 1.0) -> float:
        """Return the virtual value of a value."""
        return scale * float((np.exp(self.w) * (value / scale) + self.b).max(axis=1).min())

    def least(self, virtual: float, above: bool = False, scale: float = 1.0) -> float:
        """Return the value with this virtual value, at least 0."""
        return scale * max(float(((virtual / scale - self.b) * np.exp(-self.w)).min(axis=1).max()), 0.0)


class Sale(NamedTuple):
    """The outcome of an optimal auction.

    Attributes:
        winner: position of the winner.
        paid: its payment, the least bid with which it would have won.
    """

    winner: int
    paid: float


def optimal_auction(
    bids: Sequence[float], values: Sequence[Virtual], scales: Sequence[float] | None = None
) -> Sale | None:
    """Return who wins a single item and what it pays, so that the expected revenue is the largest; None if nobody wins.

    The highest virtual value of at least 0 wins. Among equal ones the first wins.

    Args:
        bids: bid of each bidder.
        values: virtual values of each bidder.
        scales: factor by which each bidder's value is larger than those of its distribution; 1 if None.
    """
    scale = [1.0] * len(bids) if scales is None else scales
    virtual = [one.phi(bid, factor) for bid, one, factor in zip(bids, values, scale, strict=True)]
    winner = max(range(len(bids)), key=lambda one: (virtual[one], -one), default=-1)
    if winner < 0 or virtual[winner] < 0.0:
        return None
    # It must beat those before it, and be as good as those after it.
    before = max(virtual[:winner], default=-math.inf)
    after = max([0.0, *virtual[winner + 1 :]])
    own, factor = values[winner], scale[winner]
    paid = max(own.least(after, scale=factor), own.least(before, above=True, scale=factor))
    return Sale(winner, min(paid, bids[winner]))
