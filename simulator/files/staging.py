"""Folders next to a name in which something new stands until it is complete, and what is left of them after a kill."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from simulator.files import owners
from simulator.files.ours import MANIFEST, manifest_of, not_ours
from simulator.files.owners import OWNER, Owner
from simulator.files.renames import put

OLD = "old"
"""What is replaced, while it stands in a staging folder on a system that cannot exchange two names."""

TRIES = 20


@contextlib.contextmanager
def staging(path: Path) -> Iterator[Path]:
    """Make a staging folder next to a name, and the folders that are missing above; remove it when the block ends.

    The folders above are removed too if the block ends with an error.

    Raises:
        OSError: it cannot be made.
    """
    made: list[Path] = []
    try:
        place = _make(path, made)
        try:
            owners.sign(place, path.name)
            yield place
        finally:
            _remove(place)
    except BaseException:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def clear(parent: Path) -> None:
    """Remove the staging folders that killed processes left in a folder, and put back what they were replacing."""
    for place, owner in _stale(parent):
        _restore(place, owner)
        _remove(place)


def recover(path: Path) -> None:
    """Put back what a process was replacing when it was killed, if nothing has the name."""
    if not os.path.lexists(path):
        for place, owner in _stale(path.parent):
            if owner.target == path.name:
                _restore(place, owner)


def _make(path: Path, made: list[Path]) -> Path:
    for _ in range(TRIES):
        # Another process may remove an empty folder above, or take the name.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            for parent in [parent for parent in reversed(path.parents) if not parent.exists()]:
                parent.mkdir(exist_ok=True)
                made.append(parent)
            return owners.make(path)
    raise FileNotFoundError(errno.ENOENT, f"{path.parent} comes and goes")


def _stale(parent: Path) -> Iterator[tuple[Path, Owner]]:
    """Yield the staging folders of a folder whose processes have ended."""
    for place in sorted(parent.glob(f".{owners.PROGRAM}-*")):
        with contextlib.suppress(OSError):  # another process may clear it at the same time
            owner = owners.owner_of(place)
            if owner is not None and not owner.is_alive():
                yield place, owner


def _restore(place: Path, owner: Owner) -> None:
    if owner.target is not None and os.path.lexists(place / OLD):
        put(place / OLD, place.with_name(owner.target))


def delete(entry: Path) -> None:
    """Delete what stands in a staging folder."""
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink()
        return
    for one in entry.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        elif one.name != MANIFEST:
            one.unlink()
    (entry / MANIFEST).unlink(missing_ok=True)  # last, so that what is removed in part is still known
    entry.rmdir()


def _remove(place: Path) -> None:
    """Remove a staging folder as far as that can be done; a later command clears the rest.

    A result that was replaced, and to which somebody has added in the meantime, stays.
    """
    with contextlib.suppress(OSError):
        kept = False
        for entry in [entry for entry in place.iterdir() if entry.name != OWNER]:
            if entry.is_dir() and manifest_of(entry) is not None and not_ours(entry) is not None:
                kept = True
            else:
                delete(entry)
        if not kept:
            (place / OWNER).unlink(missing_ok=True)
            place.rmdir()
