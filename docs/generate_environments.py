"""Pages of the Gymnasium environments, made from the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simulator.environment import Intersection
from simulator.market.contracts import LARGEST, MARKET_CONDITIONS
from simulator.record.schema import TABLES
from simulator.scenario.shipped import ENVIRONMENTS

Table = Callable[[Sequence[str], Any], Iterator[str]]


def page_name(identity: str) -> str:
    """Return the name of the page of an environment, without its ending."""
    return f"env-{identity.removeprefix('dmsb/').lower()}"


def environment(identity: str, table: Table) -> Iterator[str]:
    """Yield the page of an environment.

    Args:
        identity: id of the environment.
        table: function that yields the lines of a table.
    """
    env = Intersection(**ENVIRONMENTS[identity])
    scenario = env.scenario
    yield from (f"# `{identity}`", "", f"Scenario `{scenario.name}`: {scenario.about}.", "")
    yield from ("One step is one auction that asks for a price.", "")
    yield from table(
        ("", ""),
        (
            ("action space", f"`{env.action_space}`"),
            ("observation space", f"`Box`, {env.observation_space.shape}, float32"),
            ("reward", "surplus of the round, or a function of `info`"),
            ("length of an episode", f"{env.duration:g} s; it is truncated there, and never terminates"),
            ("made by", f'`gymnasium.make("{identity}")` after `import dmsb`'),
        ),
    )
    yield from ("", "## Observation", "", *observation(env, table), "")
    yield from (
        "Every number is at least 0. There are 3 bids by default.",
        "With `masked` or `all-bids` there are as many as stations.",
        "`market.most_bids` sets the number. A policy gets the same array from `observation.vector()`.",
        "",
        "## Action",
        "",
        "The index of a price scaling factor ρ. `env.unwrapped.grid` and `observation.grid` hold the prices.",
        "",
    )
    yield from table(("action", "ρ"), ((str(index), f"{price:.4f}") for index, price in enumerate(env.grid)))
    yield from (
        "",
        "## Reward",
        "",
        "The surplus of the round: the winner's value, times zeta for a UAV. It is known at once.",
        "",
    )
    yield from ("## Arguments", "", *arguments(identity, table), "")
    yield from ("## `info`", "", *information(), "")
    yield from ("## Versions", "", "- v0: the first version.")


def observation(env: Intersection, table: Table) -> Iterator[str]:
    """Yield the table of what an observation holds. Every number is 0 or more."""
    highest = env.observation_space.high
    about = {column.name: column for column in TABLES["auctions"]}
    rows = []
    for number, name in enumerate(MARKET_CONDITIONS):
        column = about[f"m_{name}"]
        meaning = column.meaning.removeprefix("public condition: ")
        rows.append((str(number), f"`{name}`", column.unit, f"{highest[number]:g}", meaning))
    first = len(MARKET_CONDITIONS)
    rows.append(
        (f"{first} to ...", "bids", "", f"{LARGEST:g}", "highest ground bids that `information` allows; 0 if missing")
    )
    yield from table(("index", "name", "unit", "at most", "meaning"), rows)


def arguments(identity: str, table: Table) -> Iterator[str]:
    """Yield the table of the arguments, with the defaults of an environment."""
    said = section("Args", "Attributes")
    meanings = dict(re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", said, re.M | re.S))
    own = ENVIRONMENTS[identity]
    rows = []
    for name, parameter in inspect.signature(Intersection).parameters.items():
        default = own.get(name, parameter.default)
        rows.append((f"`{name}`", f"`{default!r}`", " ".join(meanings[name].split())))
    yield from table(("argument", "default", "meaning"), rows)


def information() -> Iterator[str]:
    """Yield what `info` holds, as the docstring says it."""
    doc = inspect.getdoc(Intersection) or ""
    yield from doc[doc.index("After `reset`") : doc.index("\nArgs:")].strip().splitlines()


def section(begin: str, end: str) -> str:
    """Return a section of the docstring of the environment."""
    doc = inspect.getdoc(Intersection) or ""
    return doc.split(f"\n{begin}:\n")[1].split(f"\n{end}:\n")[0]
