"""The report: a page of HTML with its style, its script and the numbers of the runs inside."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path

from simulator.files import replacing, signed, unsigned
from simulator.record.result import Result
from simulator.view.report.payload import payload

SCRIPTS = (
    "words.js", "data.js", "signs.js", "camera.js", "map.js", "charts.js", "figures.js", "panels.js", "pane.js",
    "keys.js", "player.js",
)  # fmt: skip
"""In the order in which they build on each other."""


def write_report(runs: Mapping[str, Result], path: Path, note: str = "", force: bool = False) -> None:
    """Write one self-contained HTML file about runs of one world.

    Args:
        runs: by the name that each has in the page; of several, the first is the one that others are compared with.
        path: the file.
        note: what else a reader is to know of them.
        force: replace a page that is there, if this program wrote it and nobody has changed it since.

    Raises:
        InputError: the runs are not of one world.
        OutputError: the file exists, or cannot be written.
    """
    data = signed_page(runs, note)
    with replacing(path, force, foreign=unsigned) as new:
        new.write_bytes(data)


def signed_page(runs: Mapping[str, Result], note: str = "") -> bytes:
    """Return the page as it is written, with a last line that says that this program made it."""
    return signed(page(runs, note))


def page(runs: Mapping[str, Result], note: str = "") -> str:
    """Return the HTML of a report; see `write_report`."""
    head, columns = payload(runs, note)
    parts = {
        "title": html.escape(f"{head['scenario']}: {', '.join(runs)}"[:200]).encode("utf-8", "replace").decode(),
        "style": _asset("style.css"),
        "script": '"use strict";\n' + "\n".join(_asset(name) for name in SCRIPTS),
        # Neither the end of a script nor the begin of a comment can stand in it, nor half a surrogate pair.
        "head": json.dumps(head, allow_nan=False).replace("<", "\\u003c"),
        "columns": columns,
    }
    return re.sub(r"<!--(\w+)-->", lambda found: parts[found[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return resources("simulator.view.report").joinpath("page", name).read_text(encoding="utf-8")
