"""Journals: what is done of a study, a JSON object per line, so that a study that was cut off goes on."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from simulator.errors import OutputError
from simulator.files import writing
from simulator.files.reading import open_regular

Figures = dict[str, float]
"""What a cell is about, by name. NaN stands for what is not known and for what is not finite."""

Note = Callable[[str, Figures], None]
"""Adds a cell that is done."""

_BEGIN = '{"program": "dmsb", "fingerprint": "'
_TRIES = 20


@contextlib.contextmanager
def open_journal(path: Path | None, fingerprint: str) -> Iterator[tuple[dict[str, Figures], Note]]:
    """Open a journal: yield the cells that it knows and a function that adds one.

    A journal only ever grows. Cells that depend on something else stand in it under another fingerprint.

    Args:
        path: the file; nothing is kept if None.
        fingerprint: what the figures depend on besides the cell.

    Raises:
        OutputError: another process uses it, it cannot be written, or it is not a journal.
    """
    if path is None:
        yield {}, lambda cell, figures: None
        return
    missing = [parent for parent in path.parents if not parent.exists()]
    is_new = not os.path.lexists(path)
    noted: list[str] = []
    try:
        with contextlib.ExitStack() as stack:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                number = stack.enter_context(locked(path, os.O_RDWR | os.O_CREAT | os.O_APPEND))
                is_new = is_new and not os.fstat(number).st_size

            def note(cell: str, figures: Figures) -> None:
                numbers = {name: value if math.isfinite(value) else None for name, value in figures.items()}
                with writing(path):
                    _append(number, json.dumps({"cell": cell, "figures": numbers}, allow_nan=False) + "\n")
                noted.append(cell)

            try:
                with writing(path):
                    known = _read(path, number, fingerprint)
                yield known, note
            except BaseException:
                if is_new and not noted:  # a call that did nothing leaves nothing
                    path.unlink(missing_ok=True)
                raise
    except BaseException:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


@contextlib.contextmanager
def locked(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Keep other processes from a file or folder while the block runs; yield it, opened.

    Args:
        path: the file or folder.
        flags: how it is opened.

    Raises:
        OutputError: another process keeps it.
        OSError: it cannot be opened.
    """
    if sys.platform == "win32" and path.is_dir():
        yield -1  # there, a folder cannot be opened
        return
    for _ in range(_TRIES):
        number = os.open(path, flags, 0o666)
        try:
            if not _lock(number):
                raise OutputError(f"{path}: another process is at work there; wait for it, or name another with --out")
            # Whoever kept it before may have removed it between the two calls.
            if os.path.lexists(path) and os.path.samestat(os.fstat(number), path.stat()):
                yield number
                return
        finally:
            os.close(number)
    raise OutputError(f"{path}: other processes remove it all the time; name another with --out")


def _lock(number: int) -> bool:
    """Lock an open file until it is closed or the process ends; return False if another process has locked it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # some network file systems have no locks
    return True


def _read(path: Path, number: int, fingerprint: str) -> dict[str, Figures]:
    """Return the cells that a journal has under a fingerprint, and make it ready for more."""
    text = _text(path, number)
    known, current = _cells(text, fingerprint)
    head = f'{_BEGIN}{fingerprint}"}}\n'
    if _BEGIN.startswith(text):  # it is empty, or its first line was cut off early
        _append(number, head[len(text) :])
    else:
        _append(number, ("" if text.endswith("\n") else "\n") + ("" if current == fingerprint else head))
    return known


def read_journal(path: Path, fingerprint: str) -> dict[str, Figures]:
    """Return the cells that a journal has under a fingerprint. The file is only read.

    Args:
        path: the file.
        fingerprint: what the figures depend on besides the cell.

    Raises:
        OutputError: it cannot be read, or it is not a journal.
    """
    try:
        with open_regular(path) as file:
            return _cells(_text(path, file.fileno()), fingerprint)[0]
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _text(path: Path, number: int) -> str:
    """Return the text of a journal that is open.

    Raises:
        OutputError: it is something else.
    """
    ours = stat.S_ISREG(os.fstat(number).st_mode)
    text = path.read_text(encoding="utf-8", errors="replace") if ours else ""
    if not ours or not (text.startswith(_BEGIN) or _BEGIN.startswith(text)):
        raise OutputError(f"{path}: is not a journal of dmsb; move it, or name another folder")
    return text


def _cells(text: str, fingerprint: str) -> tuple[dict[str, Figures], str | None]:
    """Return the cells of a journal under a fingerprint, and the fingerprint of its last lines."""
    known, current = dict[str, Figures](), None
    for line in text.splitlines():
        # A line that was cut off is passed over: its cell is done again.
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            row = json.loads(line)
            if "fingerprint" in row:
                current = row["fingerprint"]
            elif current == fingerprint:
                figures = {name: math.nan if value is None else float(value) for name, value in row["figures"].items()}
                # A number that JSON cannot hold was not written here.
                if not any(map(math.isinf, figures.values())):
                    known[row["cell"]] = figures
    return known, current


def _append(number: int, text: str) -> None:
    """Write a text at the end; the system mostly takes all of it in one call."""
    data = text.encode()
    while data:
        data = data[os.write(number, data) :]
