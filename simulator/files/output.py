"""Writing a folder or a file under a name: checked before, complete or absent afterwards."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from simulator.errors import OutputError, shown
from simulator.files.ours import Foreign, not_ours, write_manifest
from simulator.files.renames import exchange, put
from simulator.files.staging import OLD, TRIES, clear, delete, recover, staging

DEEPEST = 200
"""Largest number of parts of a path. Python makes missing folders one within the other, down to a limit of its own."""


def folder(directory: str | Path) -> Path:
    """Return a path as a person names it, with ``~`` resolved.

    Raises:
        OutputError: it is not a path, or no file system takes it.
    """
    try:
        path = Path(directory).expanduser()
        reason = "it holds a null character" if b"\0" in str(path).encode() else None
        if len(path.parts) > DEEPEST:
            reason = f"it is {len(path.parts):,} folders deep; at most {DEEPEST} can be made"
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error)
    if reason is not None:
        raise OutputError(f"a folder must be a path, not {shown(directory)} ({reason})")
    return path


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses inside the block into one sentence.

    Raises:
        OutputError: the disk is full, a permission is missing, the name is too long, or the like.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{str(path)[:200]}: cannot be written ({error.strerror or error})") from None


def check(path: Path, force: bool = False, kind: str | None = None, foreign: Foreign | None = None) -> None:
    """Refuse a name that must not be written.

    Nothing is deleted. What a killed process was replacing is put back, because it has the name.

    Args:
        path: the name.
        force: whether what has the name is to be replaced.
        kind: the kind of result that the folder would hold, such as ``run``.
        foreign: the test of what may be replaced, for what has no kind.

    Raises:
        OutputError: the name cannot be written, or what has it is not to be replaced.
    """
    with writing(path):
        _check_place(path)
        if _exists(path):
            _refuse(path, force, _test(kind, foreign))


@contextlib.contextmanager
def replacing(
    path: Path, force: bool = False, kind: str | None = None, foreign: Foreign | None = None
) -> Iterator[Path]:
    """Give a path to write a file or folder to; it gets its own name when the block ends without an error.

    Args:
        path: the name that it gets.
        force: replace what has the name, if this program wrote it.
        kind: the kind of result that the folder holds, such as ``run``; the folder then gets a manifest.
        foreign: the test of what may be replaced, for what has no kind.

    Raises:
        OutputError: the name cannot be written, or what has it is not to be replaced.
    """
    test = _test(kind, foreign)
    with writing(path):
        _check_place(path)
        if (test is None or not force) and _exists(path):
            _refuse(path, force, test)
        clear(path.parent)
        with staging(path) as place:
            new = place / f"new{path.suffix}"
            yield new
            if kind is not None:
                write_manifest(new, kind)
            _settle(new, path, force, test)


def discard(path: Path, foreign: Foreign) -> None:
    """Remove a folder that this program wrote.

    Raises:
        OutputError: it holds something else, or cannot be removed.
    """
    with writing(path):
        clear(path.parent)
        _refuse(path, True, foreign)
        with staging(path) as place:
            # The name goes first, so that nothing that is removed in part looks like a result.
            path.rename(place / "gone")


def _test(kind: str | None, foreign: Foreign | None) -> Foreign | None:
    return foreign if kind is None else functools.partial(not_ours, kind=kind)


def _check_place(path: Path) -> None:
    """Find out before a long run that a name could not be written."""
    if path.name in ("", ".", ".."):
        raise OutputError(f"{path}: must name what to write, such as outputs/mine")
    recover(path)
    parent = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"no permission to write in {parent}")


def _exists(path: Path) -> bool:
    """Return whether something has a name; raise what the system says of a name that nothing can have."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _refuse(path: Path, force: bool, test: Foreign | None) -> None:
    """Raise unless what has the name is to be replaced and this program wrote it."""
    if test is None or not force:
        raise OutputError(f"{path} exists already; name another" + (", or replace it with --force" if test else ""))
    reason = test(path)
    if reason is not None:
        raise OutputError(f"{path} is not replaced, because {reason}; name another")


def _settle(new: Path, path: Path, force: bool, test: Foreign | None) -> None:
    """Give something new its name."""
    for _ in range(TRIES):
        if put(new, path):
            return
        # However long ago `check` was: another process may have taken the name, or a person put something in.
        _refuse(path, force, test)
        if test is not None and _swap(new, path, test):
            return
    raise OutputError(f"{path}: other processes replace it all the time; name another")


def _swap(new: Path, path: Path, test: Foreign) -> bool:
    """Let something new take the place of what has its name; return False if nothing has the name any more.

    Without an exchange there is a moment in which nothing has the name. `recover` knows what a kill leaves then.
    """
    old = new.with_name(OLD)
    try:
        exchanged = exchange(new, path)
        if not exchanged:
            path.rename(old)
    except FileNotFoundError:
        return False
    replaced, is_done, reason = new if exchanged else old, False, None
    try:
        # Nobody else reaches what was replaced any more: is it still what was looked at before?
        reason = test(replaced)
        is_done = reason is None and (exchanged or put(new, path))
    finally:
        if not is_done:
            exchange(new, path) if exchanged else put(old, path)
    if not is_done:
        raise OutputError(f"{path} is not replaced, because {reason or 'another process replaces it'}; name another")
    with contextlib.suppress(OSError):  # the staging folder goes anyway
        delete(replaced)
    return True
