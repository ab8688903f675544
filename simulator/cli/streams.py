"""What a shell gives to the command: streams, which never stop it, and a working directory.

A result that was computed must not be lost because a disk is full, a pipe is broken or a stream was closed. So what
cannot be written is told at the end.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from simulator.errors import InputError

GONE = "the working directory has been deleted; change to one that is there"

STREAMS = 3
"""Standard input, output and error have the descriptors 0, 1 and 2."""


class _Stream(io.FileIO):
    """A standard stream as bytes. Its first error is kept, and what is written after that goes nowhere."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write bytes and return how many; all of them where they cannot be written."""
        if self.error is None:
            try:
                written: int | None = super().write(data)
                if written is None:  # a pipe that does not block is full
                    select.select([], [self], [])
                    return 0
            except OSError as error:
                self.error = error
            else:
                return written
        return memoryview(data).nbytes


class Streams:
    """The standard streams of the process, from now on as `_Stream`; one that was closed leads nowhere."""

    def __init__(self) -> None:
        _fill()
        self._out, sys.stdout = _guarded(sys.stdout)
        self._err, sys.stderr = _guarded(sys.stderr)

    def error(self) -> str | None:
        """Write what is still to be written; say why standard output could not be, None if it could.

        A reader that has left, such as ``head``, has what it wanted: that is not an error.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        found = self._out.error if self._out is not None else None
        return None if found is None or found.errno == errno.EPIPE else found.strerror


def _fill() -> None:
    """Open the descriptors of streams that were closed, so that no file of ours gets one of them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor < STREAMS:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _guarded(stream: TextIO | Any) -> tuple[_Stream | None, TextIO]:
    if stream is None:  # it was closed when Python started
        return None, open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    if not isinstance(stream, io.TextIOWrapper):
        return None, stream
    raw = _Stream(stream.fileno(), "wb", closefd=False)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",  # a terminal that knows no "±" still gets the table
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return raw, text


def has_working_directory() -> bool:
    """Return whether the working directory is there: somebody may have deleted it."""
    try:
        return bool(os.getcwd())  # noqa: PTH109
    except FileNotFoundError:
        return False


def need_working_directory() -> None:
    """Make sure that there is a working directory, without which torch ends the process.

    Raises:
        InputError: it has been deleted.
    """
    if not has_working_directory():
        raise InputError(GONE)
