"""A command that is killed before each of its file operations: a harness for tests.

The command runs in a forked child, so that everything it needs is imported already. An audit hook sees each file
operation before it happens. At the n-th the child kills itself with SIGKILL: no handler runs, no buffer is flushed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from simulator.errors import InputError
from simulator.files import renames
from simulator.study import journal

CHANGES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
}  # fmt: skip
"""Audit events of calls that change a folder; opening a file to write is the event ``open``."""

FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Command = Callable[[], object]

OnOperation = Callable[[str, Callable[[], object] | None], None]
"""Called before an operation with what it is; and, if a kill may cut it off half-way, with what does the half."""


class Ended(NamedTuple):
    """How a child has ended: killed, or with an exit code and what an error said."""

    killed: bool
    code: int
    message: str


def forked(command: Command, folder: Path, on_operation: OnOperation | None = None) -> Ended:
    """Run a command in a child whose working directory is a folder, and wait for its end."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on about threads, of which none matters
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.chdir(folder)
            sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            if on_operation is not None:
                _watch(folder, on_operation)
            command()
            code = 0
        except InputError as error:
            code = 2
            os.write(writer, str(error).encode())
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        message = file.read().decode()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return Ended(killed, os.waitstatus_to_exitcode(status), message)


def operations(command: Command, folder: Path) -> list[str]:
    """Run a command in a folder to its end; return its file operations."""
    log = folder.parent / "operations"
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:

        def note(what: str, half: Callable[[], object] | None) -> None:
            os.write(number, f"before {what}\n".encode() + (f"within {what}\n".encode() if half else b""))

        ended = forked(command, folder, note)
    finally:
        os.close(number)
    assert ended == (False, 0, ""), ended.message
    return log.read_text().splitlines()


def kills(command: Command, template: Path, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Kill a command before, and where that differs within, each of its file operations.

    Args:
        command: what is killed; its working directory is a copy of the template.
        template: a folder as it is before.
        scratch: an empty folder.

    Yields:
        What the process was about to do, and the folder as it is after the kill.
    """
    folder = scratch / "folder"
    shutil.copytree(template, folder, symlinks=True)
    found = operations(command, folder)
    shutil.rmtree(folder)
    for number, what in enumerate(found):
        shutil.copytree(template, folder, symlinks=True)
        seen = 0

        def kill(_: str, half: Callable[[], object] | None, number: int = number) -> None:
            nonlocal seen
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
            if half is not None:
                if seen == number:
                    half()
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

        ended = forked(command, folder, kill)
        assert ended.killed, f"it was not killed at operation {number} ({what}): {ended.message}"
        yield f"{number}: {what}", folder
        shutil.rmtree(folder)


def tree(folder: Path, volatile: Mapping[str, Callable[[bytes], bytes]] | None = None) -> dict[str, bytes | None]:
    """Return what a folder holds by path: the bytes of files, None for folders. A file holds itself.

    Args:
        folder: the folder, or a file.
        volatile: for files by name, what takes out of their bytes what differs from run to run.
    """
    found: dict[str, bytes | None] = {}
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[str(path.relative_to(folder))] = (volatile or {}).get(path.name, bytes)(data)
        else:
            found[str(path.relative_to(folder))] = None
    return found


def _watch(folder: Path, on_operation: OnOperation) -> None:
    """Call something before each file operation below a folder, until this process ends."""
    root, busy = f"{folder.resolve()}{os.sep}", False

    def tell(what: str, half: Callable[[], object] | None = None) -> None:
        nonlocal busy
        busy = True  # what is done to tell it is no operation of the command
        on_operation(what, half)
        busy = False

    def name_of(path: Any) -> str | None:
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (links stay)
        return name.removeprefix(root) if name.startswith(root) else None

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if busy:
            return
        if event == "open" and not isinstance(arguments[0], int) and arguments[2] & FOR_WRITING:
            path, flags = arguments[0], arguments[2]
            name = name_of(path)
            if name is not None:
                # Cut off half-way, the file is there and nothing is in it: what was written stood in a buffer.
                tell(f"open {name}", lambda: os.open(path, flags, 0o666))
        elif event in CHANGES:
            is_within = isinstance(arguments[-1], int) and arguments[-1] >= 0  # relative to an open folder
            name = str(arguments[0]) if is_within else name_of(arguments[0])
            if name is not None:
                tell(f"{event} {name}")

    rename, append, to_parquet = renames.renameat2, journal._append, pd.DataFrame.to_parquet

    def renameat2(old: Path, new: Path, flag: int) -> bool:
        tell(f"renameat2 {new.name} {flag}")
        return rename(old, new, flag)

    def append_to(number: int, text: str) -> None:
        tell(f"append {text[:20]!r}", lambda: append(number, text[: len(text) // 2]))
        append(number, text)

    def write_parquet(frame: pd.DataFrame, path: Path, **options: Any) -> None:
        tell(f"write {name_of(path)}", lambda: path.write_bytes(b"PAR1"))
        to_parquet(frame, path, **options)

    # The three that no audit event tells of.
    renames.renameat2 = renameat2
    journal._append = append_to
    pd.DataFrame.to_parquet = write_parquet  # type: ignore[assignment, method-assign]
    sys.addaudithook(hook)
