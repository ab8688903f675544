"""Folders and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from simulator.errors import OutputError, shown


def folder(directory: str | Path) -> Path:
    """A folder as a person names it, ``~`` resolved.

    Raises:
        OutputError: it is no path, or one that no file system takes.
    """
    try:
        path = Path(directory).expanduser()
        str(path).encode()
    except (TypeError, ValueError, RuntimeError) as error:
        raise OutputError(f"a folder must be a path, not {shown(directory)} ({error})") from None
    return path


def check_output(directory: Path, force: bool, written: Collection[str], marks: Collection[str]) -> None:
    """Refuse a folder that must not be written.

    Raises:
        OutputError: it exists and is not to be replaced, or holds something other than a result.
    """
    if directory.name in ("", ".", ".."):
        raise OutputError(f"{directory}: must name the folder to write, such as outputs/mine")
    try:
        _clear_stale(directory)
        _check_parent(directory)
        if not os.path.lexists(directory):
            directory.stat()
        if not force:
            raise OutputError(f"{directory} exists already; force its replacement (--force), or name another folder")
        whole = directory.is_dir() and not directory.is_symlink()
        names = [path.name for path in directory.iterdir()] if whole else ["it"]
        others = [name for name in names if name not in written]
        if names and not others and not set(marks) & set(names):
            others = names  # a scenario or a recording of one's own, no result
    except FileNotFoundError:
        return
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"{str(directory)[:200]}: cannot be written ({getattr(error, 'strerror', error)})") from None
    if others:
        raise OutputError(
            f"{directory} holds more than results ({others[0]}), so it is not replaced; name another folder"
        )


def _check_parent(directory: Path) -> None:
    """Find out before a long run that its folder could not be made.

    Raises:
        OutputError: the nearest parent that exists is no folder, or cannot be written.
    """
    there = next(parent for parent in directory.absolute().parents if os.path.lexists(parent))
    if not there.is_dir():
        raise OutputError(f"{directory}: cannot be written ({there} is no folder)")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{directory}: cannot be written (no permission to write in {there})")


@contextlib.contextmanager
def whole_folder(directory: Path) -> Iterator[Path]:
    """A folder beside ``directory`` to write into, which takes its place when the block ends without an error.

    Raises:
        OutputError: it cannot be made.
    """
    made = [parent for parent in directory.parents if not parent.exists()]
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        part = directory.with_name(f".{directory.name}.part-{os.getpid()}")
        part.mkdir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise OutputError(f"{str(directory)[:200]}: cannot be written ({reason})") from None
    try:
        yield part
        if directory.exists():
            old = directory.with_name(f".{directory.name}.old-{os.getpid()}")
            directory.rename(old)
            part.rename(directory)
            shutil.rmtree(old)
        else:
            part.rename(directory)
    finally:
        if part.exists():
            shutil.rmtree(part)
            for parent in made:
                with contextlib.suppress(OSError):
                    parent.rmdir()


def _clear_stale(directory: Path) -> None:
    """Put right what a writer of this folder left that was killed; one that still runs is let be.

    If it was killed between the two renames, the folder that was to be replaced comes back to its name.
    """
    for left in directory.parent.glob(f".{glob.escape(directory.name)}.*-*"):
        kind, _, number = left.name.removeprefix(f".{directory.name}.").rpartition("-")
        if kind not in ("part", "old") or not number.isdigit() or _is_alive(int(number)):
            continue
        if kind == "old" and not os.path.lexists(directory):
            left.rename(directory)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # there, asking would kill it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
