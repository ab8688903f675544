"""Writing of a report: one HTML page with its style, its scripts and the numbers of the runs."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from simulator.errors import OutputError
from simulator.record.result import Result
from simulator.view.escape import xml_text
from simulator.view.report.payload import payload

# The order matters: while it is loaded, map.js needs the class `Camera`.
SCRIPTS = (
    "words.js", "data.js", "signs.js", "camera.js", "map.js", "charts.js", "figures.js", "panels.js", "pane.js",
    "keys.js", "player.js",
)  # fmt: skip
"""Scripts of the page, in the order in which they are loaded."""


def write_report(runs: Mapping[str, Result], path: Path, note: str = "") -> None:
    """Write one HTML file about runs of one world. The file needs no other file and no network.

    Args:
        runs: the runs, by the name that each has in the page. The first is the one with which others are compared.
        path: file to write; a file of that name is replaced.
        note: further information for the header of the page.

    Raises:
        InputError: there is no run, the runs are not of one world, or the tables of a run do not fit together.
        OutputError: the file cannot be written.
    """
    text = page(runs, note)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    # Beside the folder and not in it: what a killed process leaves must not look like a part of the run.
    part = path.parent.with_name(f".{path.parent.name}.{path.name}.part-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def page(runs: Mapping[str, Result], note: str = "") -> str:
    """Return the HTML of a report about runs of one world, with an optional note for its header."""
    head, columns = payload(runs, note)
    parts = {
        "title": html.escape(xml_text(f"{head['scenario']}: {', '.join(runs)}"[:200])),
        "style": _asset("style.css"),
        "script": '"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS),
        # "<" is escaped, because "</script>" or "<!--" in a name would end the JSON early or hide what follows.
        # `json.dumps` escapes all that is not ASCII, so a name with half a surrogate pair can be written too.
        "head": json.dumps(head, allow_nan=False).replace("<", "\\u003c"),
        "columns": columns,
    }
    # One pass over the template: text that has been inserted is not searched for placeholders again.
    return re.sub(r"<!--(\w+)-->", lambda found: parts[found[1]], _asset("page.html"))


def _asset(name: str) -> str:
    """Return the text of a file of the page."""
    return files("simulator.view.report").joinpath("page", name).read_text(encoding="utf-8")
