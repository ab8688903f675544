"""What this program wrote, told by content: a manifest for folders, a last line for pages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from simulator.files.owners import PROGRAM, is_stale, read_json

MANIFEST = "files.json"
"""File in a result's folder that names every other file with its SHA-256. It is written last."""

PAGE = "report.html"
"""Name of the page that is added to a result's folder later. Its last line says that this program made it."""

Foreign = Callable[[Path], str | None]
"""Says in a clause why something is not as this program wrote it; None if it is."""


class Manifest(NamedTuple):
    """What `MANIFEST` says: the kind of result, and the SHA-256 of each file by its path in the folder."""

    kind: str
    files: dict[str, str]


def manifest_of(place: Path) -> Manifest | None:
    """Return the manifest of a folder, None if it has none."""
    found = read_json(place / MANIFEST) or {}
    kind, files = found.get("kind"), found.get("files")
    if found.get("program") != PROGRAM or not isinstance(kind, str) or not isinstance(files, dict):
        return None
    return Manifest(kind, files)


def write_manifest(place: Path, kind: str) -> None:
    """Write the manifest of a folder that is complete."""
    paths = [path for path in sorted(place.rglob("*")) if path.is_file() and path != place / MANIFEST]
    files = {path.relative_to(place).as_posix(): _hash(path) for path in paths}
    text = json.dumps({"program": PROGRAM, "kind": kind, "files": files}, indent=1, allow_nan=False)
    (place / MANIFEST).write_text(text + "\n", encoding="utf-8")


def not_ours(place: Path, kind: str | None = None) -> str | None:
    """Say why a folder is not a result as this program wrote it.

    Args:
        place: the folder.
        kind: the kind of result that it must hold, such as ``run``; any if None.

    Returns:
        A clause that names the first entry that is strange or was changed; None if there is none.
    """
    if not stat.S_ISDIR(place.lstat().st_mode):
        return "it is not a folder"
    manifest = manifest_of(place)
    if manifest is None:
        names = sorted(entry.name for entry in place.iterdir())
        return f"{PROGRAM} did not write {names[0] if names else 'it'}"
    if kind is not None and manifest.kind != kind:
        return f"it holds a {manifest.kind}, not a {kind}"
    return _strange(place, manifest.files, "")


def signed(text: str) -> bytes:
    """Return a page with a last line by which `unsigned` knows that this program made it."""
    data = text.encode()
    return data + _signature(data)


def unsigned(path: Path) -> str | None:
    """Say why a file is not a page as `signed` made it; return None if it is one."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return "it is not a file"
    length = len(_signature(b""))
    with path.open("rb") as file:
        # The end first, because somebody else's file may be huge.
        file.seek(max(file.seek(0, os.SEEK_END) - length, 0))
        if not re.fullmatch(rb"<!-- dmsb [0-9a-f]{64} -->\n", file.read(length)):
            return f"{PROGRAM} did not write it"
    data = path.read_bytes()
    return None if _signature(data[:-length]) == data[-length:] else f"it was changed after {PROGRAM} wrote it"


def _signature(data: bytes) -> bytes:
    return f"<!-- {PROGRAM} {hashlib.sha256(data).hexdigest()} -->\n".encode()


def _strange(place: Path, known: dict[str, str], within: str) -> str | None:
    """Say which entry of a folder is not as the manifest has it."""
    for entry in sorted(place.iterdir()):
        name = within + entry.name
        if entry.is_dir() and not entry.is_symlink():
            if is_stale(entry):  # a page was being written when its process was killed
                continue
            holds_ours = any(one.startswith(f"{name}/") for one in known)
            reason = _strange(entry, known, f"{name}/") if holds_ours else f"{PROGRAM} did not write {name}"
            if reason is not None:
                return reason
        elif entry.is_symlink() or not entry.is_file():
            return f"{PROGRAM} did not write {name}"
        elif not (name == MANIFEST or known.get(name) == _hash(entry) or (name == PAGE and unsigned(entry) is None)):
            return (
                f"{name} was changed after {PROGRAM} wrote it" if name in known else f"{PROGRAM} did not write {name}"
            )
    return None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
