"""Writing of a report: one HTML page with its style, its scripts and the numbers of the runs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from simulator.files import replacing, signed, unsigned
from simulator.record.result import Result
from simulator.view.escape import xml_text
from simulator.view.report.payload import Payload, payload

# The order matters: while it is loaded, map.js needs the class `Camera`.
SCRIPTS = (
    "words.js", "data.js", "signs.js", "camera.js", "ground.js", "far.js", "map.js", "axes.js", "charts.js",
    "figures.js", "comparison.js", "overview.js", "reasons.js", "cards.js", "tables.js", "pane.js", "keys.js",
    "player.js", "open.js",
)  # fmt: skip
"""Scripts of the page, in the order in which they are loaded."""


def write_report(
    runs: Mapping[str, Result],
    path: Path,
    note: str = "",
    force: bool = False,
    part: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Write one HTML file about runs of one world. The file needs no other file and no network.

    Args:
        runs: the runs, by the name that each has in the page. The first is the one with which others are compared.
        path: file to write.
        note: further information for the header of the page.
        force: whether a page may be replaced, if this program wrote it and nobody has changed it since.
        part: beginning and end of what is shown in detail, s; None for as much as fits into a page, from the beginning.

    Returns:
        Beginning and end of what the page shows in detail, s. It may end before the part does.

    Raises:
        InputError: there is no run, the runs are not of one world, or the tables of a run do not fit together.
        OutputError: the file exists, or cannot be written.
    """
    data = payload(runs, note, part)
    with replacing(path, force, foreign=unsigned) as new:
        new.write_bytes(signed_page(data))
    return data.part


def signed_page(data: Payload, means: Mapping[str, Any] | None = None) -> bytes:
    """Return the page as it is written, with a last line that says that this program made it.

    Args:
        data: data of the page.
        means: means over all worlds of a comparison, from `simulator.view.report.means`, with which the page begins.
    """
    return signed(_page(data, means))


def page(runs: Mapping[str, Result], note: str = "") -> str:
    """Return the HTML of a report about runs of one world, such as for a notebook.

    Args:
        runs: the runs, by the name that each has in the page.
        note: further information for the header.

    Raises:
        InputError: there is no run, the runs are not of one world, or the tables of a run do not fit together.
    """
    return _page(payload(runs, note), None)


def _page(data: Payload, means: Mapping[str, Any] | None) -> str:
    """Return the HTML of a report about some data, beginning with means over all worlds of a comparison."""
    head = {**data.head, "means": means}
    names = ", ".join(one["name"] for one in head["runs"])
    parts = {
        "title": html.escape(xml_text(f"{head['scenario']}: {names}"[:200])),
        "style": _asset("style.css"),
        "script": '"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS),
        # "<" is escaped, because "</script>" or "<!--" in a name would end the JSON early or hide what follows.
        # `json.dumps` escapes all that is not ASCII, so a name with half a surrogate pair can be written too.
        "head": json.dumps(head, allow_nan=False).replace("<", "\\u003c"),
        "columns": data.columns,
    }
    # One pass over the template: text that has been inserted is not searched for placeholders again.
    return re.sub(r"<!--(\w+)-->", lambda found: parts[found[1]], _asset("page.html"))


def _asset(name: str) -> str:
    """Return the text of a file of the page."""
    return resources("simulator.view.report").joinpath("page", name).read_text(encoding="utf-8")
