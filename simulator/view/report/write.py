"""The report: a page of HTML with its style, its script and the numbers of the runs inside."""

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
from simulator.view.report.payload import payload

SCRIPTS = (
    "words.js", "data.js", "signs.js", "camera.js", "ground.js", "map.js", "axes.js", "charts.js", "figures.js",
    "comparison.js", "cards.js", "tables.js", "pane.js", "keys.js", "player.js", "open.js",
)  # fmt: skip
"""In the order in which they build on each other."""


def write_report(runs: Mapping[str, Result], path: Path, note: str = "") -> None:
    """Write one self-contained HTML file about runs of one world; it is written beside and renamed when whole.

    Args:
        runs: by the name that each has in the page; of several, the first is the one that others are compared with.
        path: the file; one that is there is replaced.
        note: what else a reader is to know of them.

    Raises:
        InputError: the runs are not of one world.
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
    """The HTML of a report; see `write_report`."""
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
    return files("simulator.view.report").joinpath("page", name).read_text(encoding="utf-8")
