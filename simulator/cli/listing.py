"""The commands that list what is installed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.terminal import print_rows
from simulator.errors import InputError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Entry = Annotated[str | None, typer.Argument(metavar="NAME", show_default=False, help="Tell all of this one.")]


def policies(name: Entry = None) -> None:
    """List the installed policies: what each sets, and its parameters.

    With a name, print all that is written about this one.
    """
    from simulator.market.entry_points import known_policies
    from simulator.market.seats import brought_by, decided_by, with_defaults

    def sets(kind: Any) -> str:
        brought = brought_by(with_defaults(kind))
        return ", ".join(decided_by(kind)) if brought is None else "own mechanism"

    _list("policy", name, known_policies(), ("sets", sets))


def mechanisms(name: Entry = None) -> None:
    """List the installed mechanisms: what a policy sets in each, and its parameters.

    With a name, print all that is written about this one.
    """
    from simulator.market.entry_points import known_mechanisms
    from simulator.market.guard import seats_of
    from simulator.market.seats import SETS, with_defaults

    def seats(kind: Any) -> str:
        return ", ".join(SETS[type(seat.space)] for seat in seats_of(with_defaults(kind)).values())

    _list("mechanism", name, known_mechanisms(), ("seat", seats))


def bidders(name: Entry = None) -> None:
    """List the installed bidders with their parameters.

    With a name, print all that is written about this one.
    """
    from simulator.market.entry_points import known_bidders

    _list("bidder", name, known_bidders())


def systems() -> None:
    """List the systems of the arena: the policy and the mechanism of each."""
    from simulator.study.systems import SYSTEMS

    rows = [(name, one.policy, one.mechanism or "its own", one.about) for name, one in SYSTEMS.items()]
    print_rows(("system", "policy", "mechanism", "description"), rows)


def _list(
    what: str, only: str | None, known: Mapping[str, EntryPoint], *more: tuple[str, Callable[[Any], str]]
) -> None:
    """Print what is installed: names, parameters and the first paragraph of the docstring.

    Args:
        what: head of the names.
        only: name of the one whose complete docstring is printed instead; None for the list.
        known: entry points by name.
        more: heads of other columns, each with a function that returns the cell of a class.
    """
    from simulator.market.entry_points import load as load_entry

    if only is not None:
        if only not in known:
            raise InputError(f"there is no {what} '{only}'; {nearest(only, known)}")
        found = load_entry(known[only])
        print(f"{only}: {', '.join(_parameters(found)) or 'no parameters'}\n\n{inspect.getdoc(found) or ''}")  # noqa: T201
        return
    rows = []
    for name, entry in known.items():
        found = load_entry(entry)
        about = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")
        rows.append((name, *(cell(found) for _, cell in more), ", ".join(_parameters(found)), about))
    print_rows((what, *(head for head, _ in more), "parameters", "description"), rows)


def _parameters(maker: Any) -> list[str]:
    """Return the parameters of a class or function, as the command line takes them."""
    parameters = inspect.signature(maker).parameters.values()
    return [one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in parameters]
