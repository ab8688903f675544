"""Renames that never replace what another process or a person has put there."""

from __future__ import annotations

import errno
import functools
import os
import sys
from pathlib import Path
from typing import Any

NOREPLACE, EXCHANGE = 1, 2
"""Flags of Linux's renameat2: fail if the new name exists; let the two names change places."""

_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)
"""What renameat2 says where the file system has no such rename, or a sandbox does not let it through."""

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def put(new: Path, path: Path) -> bool:
    """Rename to a name that nothing has; return False, and rename nothing, if something has it."""
    try:
        if renameat2(new, path, NOREPLACE):
            return True
        if not new.is_dir() and _link(new, path):
            new.unlink()
            return True
        if os.path.lexists(path):
            return False
        # A folder never takes the name of a file, nor that of a folder that holds something (POSIX, rename).
        new.rename(path)
    except OSError as error:
        if error.errno in _TAKEN and os.path.lexists(path):
            return False
        raise
    return True


def exchange(one: Path, other: Path) -> bool:
    """Let two names change places at once; return False where system or file system cannot."""
    return renameat2(one, other, EXCHANGE)


def renameat2(old: Path, new: Path, flag: int) -> bool:
    """Rename with a flag; return False where system or file system cannot.

    Raises:
        OSError: the system can, but not with these names.
    """
    call = _call()
    if call is None:
        return False
    import ctypes

    here = -100  # AT_FDCWD: names are relative to the working directory
    if call(here, os.fsencode(old), here, os.fsencode(new), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(old), None, str(new))


@functools.cache
def _call() -> Any:
    """Return the C library's renameat2; None where it has none."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return call


def _link(new: Path, path: Path) -> bool:
    """Give a file a second name, which fails if something has it; return False where there are no such links."""
    try:
        os.link(new, path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True
