"""The files of a training that are read again: what it is about, how far it is, and its metrics."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.errors import OutputError, shown
from simulator.files.reading import MOST_LOG_BYTES, is_whole, number, read_json, read_text

RATIO = "evaluation/ratio"
"""Column of the figure by which weights are the best."""

MOST_STEPS = 10**15
"""Largest number of environment steps."""


def read_about(path: Path) -> dict[str, Any]:
    """Return what a training is about: the fields of training.json.

    Raises:
        OutputError: there is no such file, or it does not hold a JSON object.
    """
    found = _read_json(path)
    if not isinstance(found, dict):
        raise OutputError(f"{path.parent}: holds no training to go on with ({path.name} is {shown(found)})")
    return found


def read_steps(path: Path) -> int:
    """Return the steps of a checkpoint, from the ``meta.json`` in it.

    Raises:
        OutputError: there is no such file, or it does not say a number of steps.
    """
    found = _read_json(path)
    steps: Any = found.get("steps") if isinstance(found, dict) else None
    if not is_whole(steps) or not 0 <= steps <= MOST_STEPS:
        raise OutputError(f"{path}: 'steps' must be a whole number from 0 to {MOST_STEPS:g}, not {shown(steps)}")
    return int(steps)


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path.parent}: holds no training to go on with ({path.name}: {reason})") from None


def read_metrics(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of metrics.csv; a last row that was cut off is left out.

    Args:
        path: the file.
        columns: its columns; the first is ``steps``.

    Raises:
        OutputError: it cannot be read, or is not what a training writes; the message names the line.
    """
    try:
        text = read_text(path, MOST_LOG_BYTES)
    except OSError as error:
        raise OutputError(f"{path}: the metrics of the training cannot be read ({error.strerror})") from None
    lines = text.splitlines(keepends=True)[: None if text.endswith("\n") else -1]
    rows: list[dict[str, str]] = []
    reader = csv.reader(lines, strict=True)
    try:
        if next(reader, []) != list(columns):
            raise OutputError(f"{path}:1: the columns of a training's metrics must be {','.join(columns)}")
        for cells in reader:
            if len(cells) != len(columns):
                raise OutputError(f"{path}:{reader.line_num}: must have {len(columns)} cells, not {len(cells)}")
            row = dict(zip(columns, cells, strict=True))
            _check_row(f"{path}:{reader.line_num}", row, int(rows[-1]["steps"]) if rows else 0)
            rows.append(row)
    except csv.Error as error:
        raise OutputError(f"{path}:{reader.line_num}: this is not CSV ({error})") from None
    return rows


def _check_row(place: str, row: dict[str, str], before: int) -> None:
    for name, cell in row.items():
        try:
            value = number(cell)
        except ValueError as error:
            # What has diverged is written as inf.
            if cell not in ("inf", "-inf") or name in ("steps", "seconds", RATIO):
                raise OutputError(f"{place}: {name} {error}") from None
            continue
        if name == "steps" and not (cell.isascii() and cell.isdigit() and before <= value <= MOST_STEPS):
            raise OutputError(f"{place}: steps must be a whole number from {before} on, not {shown(cell)}")
        if name == "seconds" and not value >= 0.0:
            raise OutputError(f"{place}: seconds must be a number >= 0, not {shown(cell)}")
