"""What a mechanism declares of itself, held to the contract before a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, get_args

from simulator.errors import PolicyError, shown
from simulator.market.contracts import Choice, Column, Numbers, Seat, Space
from simulator.market.guard import blamed, is_finite, policy_label
from simulator.record.schema import TABLES

SHORTEST_WINDOW_S = 1e-3
"""Shortest window of a mechanism, s. A lot that waits is cleared again in each window until its patience is over."""

LONGEST_WINDOW_S = 1e6
"""Longest window of a mechanism, s."""

NUMERIC = ("float", "int", "bool")
"""Types of the columns that a mechanism adds: it gives their values as numbers."""


def check_declarations(mechanism: object) -> None:
    """Hold the attributes of a mechanism to the contract of `Mechanism`.

    Args:
        mechanism: the mechanism.

    Raises:
        PolicyError: an attribute is not what the contract says.
    """
    label = f"mechanism {policy_label(mechanism)}"
    # Each may be a property of the user's class, so reading it may raise anything.
    with blamed(f"{label}: its attributes", PolicyError):
        every_s, most_lots = getattr(mechanism, "every_s", 0.0), getattr(mechanism, "most_lots", 0)
        seats, columns = getattr(mechanism, "seats", {}), getattr(mechanism, "columns", ())
        value_of, policy = getattr(mechanism, "value_of", "provider"), getattr(mechanism, "policy", "")
    if not is_finite(every_s) or not (every_s == 0.0 or SHORTEST_WINDOW_S <= every_s <= LONGEST_WINDOW_S):
        right = f"0 or a number of seconds from {SHORTEST_WINDOW_S:g} to {LONGEST_WINDOW_S:,.0f}"
        raise PolicyError(f"{label}: every_s is {shown(every_s)}; it must be {right}")
    if isinstance(most_lots, bool) or not isinstance(most_lots, Integral) or most_lots < 0:
        raise PolicyError(f"{label}: most_lots is {shown(most_lots)}; it must be a whole number >= 0")
    if not isinstance(value_of, str) or value_of not in ("provider", "vehicle"):
        raise PolicyError(f"{label}: value_of is {shown(value_of)}; it must be 'provider' or 'vehicle'")
    if not isinstance(policy, str):
        raise PolicyError(f"{label}: policy is {shown(policy)}; it must be the name of a policy")
    _check_columns(f"{label}: columns", columns, "auctions")
    if not isinstance(seats, Mapping) or not all(isinstance(one, Seat) for one in seats.values()):
        raise PolicyError(f"{label}: seats is {shown(seats)}; it must be a mapping from names to Seat")
    state = list[Column]()
    for name, seat in seats.items():
        if not isinstance(name, str) or not name:
            raise PolicyError(f"{label}: the name of a seat is {shown(name)}; it must be text")
        _check_space(f"{label}: seat {name}", seat.space)
        _check_columns(f"{label}: state of seat {name}", seat.state, "decisions")
        state += seat.state
    # Two seats may show the same number, as the same column.
    _check_columns(f"{label}: states of its seats", list(dict.fromkeys(state)), "decisions")


def _check_columns(place: str, columns: Any, table: str) -> None:
    """Hold columns that a mechanism adds to a table to the contract.

    Raises:
        PolicyError: they are not columns, two have one name, a name is taken, or a type is not allowed.
    """
    if not isinstance(columns, Sequence) or not all(isinstance(column, Column) for column in columns):
        raise PolicyError(f"{place} is {shown(columns)}; it must be a tuple of Column")
    names, taken = [column.name for column in columns], [column.name for column in TABLES[table]]
    for column in columns:
        if not isinstance(column.name, str) or not column.name.isidentifier():
            raise PolicyError(f"{place}: a column is called {shown(column.name)}; it must be a name such as spread")
        if column.name in taken or names.count(column.name) > 1:
            why = f"the table {table} has such a column already" if column.name in taken else "so is another"
            raise PolicyError(f"{place}: a column is called {column.name}, and {why}; give it another name")
        if column.type not in NUMERIC:
            raise PolicyError(
                f"{place}: the type of {column.name} is {shown(column.type)}; it must be one of {', '.join(NUMERIC)}"
            )


def _check_space(place: str, space: object) -> None:
    """Hold the space of a seat to the contract.

    Raises:
        PolicyError: it is none.
    """
    if not isinstance(space, get_args(Space)):
        raise PolicyError(f"{place}: its space is {shown(space)}; it must be PriceScale, Choice or Numbers")
    if isinstance(space, Choice) and (isinstance(space.n, bool) or not isinstance(space.n, Integral) or space.n < 1):
        raise PolicyError(f"{place}: Choice has n = {shown(space.n)}; it must be a whole number >= 1")
    if isinstance(space, Numbers) and not _is_range(space):
        raise PolicyError(
            f"{place}: its space is {shown(space)}; low must be below high, and the grid must be one or more numbers "
            "from low to high in increasing order"
        )


def _is_range(space: Numbers) -> bool:
    """Return whether a range and its grid are in order."""
    ends = (space.low, space.high)
    if not all(map(is_finite, ends)) or not space.low < space.high:
        return False
    if not isinstance(space.grid, Iterable):
        return False
    grid = list(space.grid)
    if not grid or not all(map(is_finite, grid)):
        return False
    return space.low <= grid[0] and grid[-1] <= space.high and all(a < b for a, b in pairwise(grid))
