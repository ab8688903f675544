"""The parts of the site that are made from the code: ``python docs/generate.py FOLDER``."""

from __future__ import annotations

import inspect
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from generate_environments import environment, page_name
from generate_results import claims, one_task, sensitivity, table

import simulator
from simulator import errors
from simulator.cli.app import app
from simulator.record.schema import TABLES
from simulator.record.summary import SUMMARY
from simulator.scenario.reference import scenario_fields
from simulator.scenario.shipped import ENVIRONMENTS, shipped_scenarios, shipped_text

MADE = Path(__file__).parent / "results" / "made" / "made.json"
"""Where and when each study of the results was made."""

NOTEBOOK = Path(__file__).parent.parent / "scenarios" / "tour.ipynb"


def write(folder: Path) -> None:
    """Write every page that is made from the code.

    Args:
        folder: folder of the pages. What is in it is replaced.
    """
    pages = {
        "fields": fields(),
        "tables": tables(),
        "commands": commands(),
        "api": api(),
        "errors": exceptions(),
        "scenarios": scenarios(),
        "claims": claims(),
        "sensitivity": sensitivity(),
        "one-task": one_task(),
    }
    pages |= {page_name(identity): environment(identity, table) for identity in ENVIRONMENTS}
    pages |= {f"made-{name}": made(name, about) for name, about in json.loads(MADE.read_text(encoding="utf-8")).items()}
    # Pages are written when all could be made.
    texts = {name: "\n".join(lines) + "\n" for name, lines in pages.items()}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.copyfile(NOTEBOOK, folder / "tour.ipynb")


def fields() -> Iterator[str]:
    """Yield the page of all fields of a scenario."""
    yield from ("# Scenario fields", "", "Every field of a scenario file. `dmsb schema` prints the same list.", "")
    yield from table(
        ("field", "default", "allowed", "meaning"),
        ((f"`{row.field}`", f"`{row.default}`", row.allowed, row.meaning) for row in scenario_fields()),
    )


def tables() -> Iterator[str]:
    """Yield the page of all columns of all tables."""
    yield from (
        "# Tables",
        "",
        "Times are in s from the start of the run; `run.json` has `time_origin`. Ids are whole numbers, and -1 is",
        "none. UAVs have the ids 0 to U - 1, and stations the ids after them. The same seed gives the same bytes.",
        "`Result.describe()` is this list as a DataFrame.",
        "",
        "The columns that a mechanism adds are in `run.json` under `columns`. `msb` adds `rho`, `contract_bid` and",
        "`scaled_bid` to `auctions`.",
    )
    for name, columns in TABLES.items():
        yield from ("", f"## `{name}`", "")
        yield from table(
            ("column", "unit", "type", "meaning"),
            ((f"`{column.name}`", column.unit, column.type, column.meaning) for column in columns),
        )
    yield from ("", "## `summary`", "")
    yield from table(("figure", "unit", "meaning"), ((f"`{name}`", *about) for name, about in SUMMARY.items()))


def commands() -> Iterator[str]:
    """Yield the page of the command line: the help of each command."""
    yield from ("# Command line", "", "What `dmsb COMMAND --help` says.")
    group: Any = typer.main.get_command(app)
    with_context = group.make_context("dmsb", [], resilient_parsing=True)
    for name in group.list_commands(with_context):
        command = group.get_command(with_context, name)
        yield from ("", f"## `dmsb {name}`", "", inspect.cleandoc(command.help or "").replace("\x08", ""), "")
        rows = []
        for parameter in command.params:
            if name == "help" or getattr(parameter, "hidden", False):
                continue
            is_option = parameter.param_type_name == "option"
            said = ", ".join(f"`{text}`" for text in (parameter.opts if is_option else [_argument(parameter)]))
            metavar = parameter.metavar if is_option and not parameter.is_flag else ""
            default = "" if parameter.default in (None, False, "") or callable(parameter.default) else parameter.default
            rows.append((said, f"`{metavar}`" if metavar else "", str(default), getattr(parameter, "help", "") or ""))
        yield from table(("option", "value", "default", "meaning"), rows)


def _argument(parameter: Any) -> str:
    """Return the name of an argument as the help shows it."""
    return str(parameter.metavar or parameter.name.upper())


def api() -> Iterator[str]:
    """Yield the page of the public names of the package, documented by autodoc."""
    yield from ("# Python", "", "`import simulator` and `import dmsb` have the same public names.")
    for name in sorted(simulator.__all__, key=str.lower):
        thing = getattr(simulator, name)
        if inspect.isclass(thing) and issubclass(thing, BaseException):
            continue  # on the page of errors
        kind = "autoclass" if inspect.isclass(thing) else "autofunction"
        yield from ("", f"## `{name}`", "", "```{eval-rst}", f".. {kind}:: {thing.__module__}.{thing.__qualname__}")
        if kind == "autoclass":
            yield from ("   :members:", "   :no-index:")
        else:
            yield "   :no-index:"
        yield "```"


def exceptions() -> Iterator[str]:
    """Yield the page of exceptions and warnings."""
    yield from (
        "# Errors and warnings",
        "",
        "A message is one sentence: the place, the value, and what would be right.",
    )
    yield from ("", "```text", *inspect.getdoc(errors).split("::\n\n", 1)[1].splitlines(), "```", "")  # type: ignore[union-attr]
    found = [
        (f"`{name}`", (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " "))
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Exception) and not name.startswith("_")
    ]
    yield from table(("class", "meaning"), found)


def made(name: str, about: dict[str, Any]) -> Iterator[str]:
    """Yield what a page of results says of where its numbers come from."""
    took = f" {about['minutes']:g} minutes." if "minutes" in about else ""
    yield from (
        "```{admonition} How these numbers were made",
        f"`{about['command']}`, or `python -m tests.studies.results {name}`.",
        f"Machine: {about['machine']}; {about['versions']}. Commit `{about['commit']}`, {about['date']}.{took}",
        "```",
    )


def scenarios() -> Iterator[str]:
    """Yield the page of the shipped scenario files."""
    yield from ("# Shipped scenario files", "", "What `dmsb scenarios --show NAME` prints.")
    for name in shipped_scenarios():
        yield from ("", f"## `{name}`", "", "```yaml", shipped_text(name).rstrip(), "```")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
