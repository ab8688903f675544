"""What a mechanism declares of itself, held to the contract before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

from simulator.errors import PolicyError, shown
from simulator.market.contracts import Choice, Column, Numbers, PriceScale, Seat
from simulator.market.guard import blamed, is_finite, policy_label

SHORTEST_WINDOW_S = 1e-3
"""Shortest window of a mechanism, s. A lot that waits is cleared again in each window until its patience is over."""

LONGEST_WINDOW_S = 1e6
"""Longest window of a mechanism, s."""

MOST_CHOICES = 100_000
"""Largest number of things in a seat that chooses."""

EXPLAINED = "why_"
"""Begin of the names of the columns in which a policy explains its decisions."""


class Declarations(NamedTuple):
    """What a mechanism declares, see `simulator.market.contracts.Mechanism`."""

    every_s: float
    most_lots: int
    value_of: str
    policy: str
    columns: tuple[Column, ...]
    seats: dict[str, Seat]


def declarations_of(mechanism: object) -> Declarations:
    """Return what a mechanism declares, held to the contract.

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
    _check_columns(f"{label}: columns", columns)
    if not isinstance(seats, Mapping) or not all(isinstance(one, Seat) for one in seats.values()):
        raise PolicyError(f"{label}: seats is {shown(seats)}; it must be a mapping from names to Seat")
    for name, seat in seats.items():
        if not isinstance(name, str) or not name.isprintable() or not name:
            raise PolicyError(f"{label}: the name of a seat is {shown(name)}; it must be text")
        _check_space(f"{label}: seat {name}", seat.space)
        _check_columns(f"{label}: state of seat {name}", seat.state)
    # Two seats may show the same number, as the same column.
    _check_columns(
        f"{label}: states of its seats", list(dict.fromkeys(c for seat in seats.values() for c in seat.state))
    )
    return Declarations(float(every_s), int(most_lots), value_of, policy, tuple(columns), dict(seats))


def check_unchanged(mechanism: object, before: Declarations) -> None:
    """Refuse a ``reset`` that changes what a mechanism declares: tables and seats have been made by then.

    Args:
        mechanism: the mechanism after its ``reset``.
        before: what it declared before. The number of things that a seat chooses from may follow from the run.

    Raises:
        PolicyError: it declares something else.
    """
    after = declarations_of(mechanism)
    for name, old, new in zip(Declarations._fields, before, after, strict=True):
        same = _forms(before.seats) == _forms(after.seats) if name == "seats" else old == new
        if not same:
            raise PolicyError(
                f"mechanism {policy_label(mechanism)}: reset() changes {name} from {shown(old)} to {shown(new)}; "
                "declare it in the class or in __init__"
            )


def _forms(seats: Mapping[str, Seat]) -> dict[str, object]:
    """Return what of seats must not change in a run."""
    return {
        name: (type(seat.space) if isinstance(seat.space, Choice) else seat.space, seat.state)
        for name, seat in seats.items()
    }


def _check_columns(place: str, columns: Any) -> None:
    """Hold declared columns to the contract.

    Raises:
        PolicyError: they are not columns of numbers, or two have one name.
    """
    if not isinstance(columns, Sequence) or not all(isinstance(column, Column) for column in columns):
        raise PolicyError(f"{place} is {shown(columns)}; it must be a tuple of Column")
    names = [column.name for column in columns]
    for column in columns:
        name = column.name
        if not isinstance(name, str) or not name.isidentifier() or name.startswith(EXPLAINED):
            own = f" that does not begin with {EXPLAINED}, which stands before the reasons of a policy"
            raise PolicyError(f"{place}: a column is called {shown(name)}; it must be a name such as spread{own}")
        if names.count(name) > 1:
            raise PolicyError(f"{place}: a column is called {name}, and so is another; give it another name")
        # Every value of a mechanism is a number or missing, and only a float can be missing.
        if not isinstance(column.type, str) or column.type != "float":
            raise PolicyError(f"{place}: the type of {name} is {shown(column.type)}; it must be 'float'")
        if not isinstance(column.unit, str) or not isinstance(column.meaning, str):
            raise PolicyError(f"{place}: unit and meaning of {name} must be text")


def _check_space(place: str, space: object) -> None:
    """Hold the space of a seat to the contract.

    Raises:
        PolicyError: it is not a space, or its numbers are out of order.
    """
    if type(space) not in (PriceScale, Choice, Numbers):
        raise PolicyError(f"{place}: its space is {shown(space)}; it must be PriceScale, Choice or Numbers")
    if isinstance(space, Choice):
        number = space.n
        if isinstance(number, bool) or not isinstance(number, Integral) or not 1 <= number <= MOST_CHOICES:
            right = f"a whole number from 1 to {MOST_CHOICES:,}"
            raise PolicyError(f"{place}: Choice has n = {shown(number)}; it must be {right}")
    if isinstance(space, Numbers) and not _is_range(space):
        raise PolicyError(
            f"{place}: its space is {shown(space)}; low must be below high, and the grid must be one or more numbers "
            "from low to high in increasing order"
        )


def _is_range(space: Numbers) -> bool:
    """Return whether a range and its grid are in order."""
    low, high, grid = space
    if not (is_finite(low) and is_finite(high) and low < high and isinstance(grid, Sequence) and len(grid)):
        return False
    return all(map(is_finite, grid)) and low <= grid[0] and grid[-1] <= high and all(a < b for a, b in pairwise(grid))
