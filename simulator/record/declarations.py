"""The columns that a mechanism adds to the tables, and the names that the tables have anyway."""

from __future__ import annotations

from simulator.errors import PolicyError
from simulator.market.declarations import declarations_of
from simulator.market.guard import policy_label
from simulator.record.schema import TABLES


def check_names(mechanism: object) -> None:
    """Refuse a column of a mechanism that is called like one of its table.

    Args:
        mechanism: the mechanism.

    Raises:
        PolicyError: a name is taken, or a declaration is not what the contract says.
    """
    declared = declarations_of(mechanism)
    states = [column for seat in declared.seats.values() for column in seat.state]
    for what, columns, table in (
        ("columns", declared.columns, "auctions"),
        ("states of its seats", states, "decisions"),
    ):
        taken = {column.name for column in TABLES[table]}
        for column in columns:
            if column.name in taken:
                raise PolicyError(
                    f"mechanism {policy_label(mechanism)}: {what}: a column is called {column.name}, and the table "
                    f"{table} has such a column already; give it another name"
                )
