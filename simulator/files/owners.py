"""Staging folders: how they are called, which process made one, and whether it still runs."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = "dmsb"

OWNER = "owner.json"
"""File in a staging folder that says who made it, and for which name."""

_MOST_BYTES = 1 << 24


class Owner(NamedTuple):
    """The process that made a staging folder.

    Attributes:
        pid: its number.
        started: when it started, in ticks since the machine did; 0 where the system does not say.
        target: the name that it was writing; None if it was killed before it said so.
    """

    pid: int
    started: int
    target: str | None

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        if os.name != "posix":
            return True  # there, asking would kill it
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass
        # The system gives a number to another process in time, but that one started at another moment.
        return _started(self.pid) in (0, self.started)


def make(path: Path) -> Path:
    """Make an empty staging folder next to a name.

    Raises:
        OSError: it cannot be made.
    """
    pid, salt = os.getpid(), os.urandom(4).hex()
    started = _started(pid)
    place = path.with_name(f".{PROGRAM}-{pid}-{started}-{salt}-{_seal(pid, started, salt)}")
    place.mkdir()
    return place


def sign(place: Path, target: str) -> None:
    """Write down in a staging folder of this process for which name it is."""
    pid = os.getpid()
    about = {"program": PROGRAM, "host": platform.node(), "pid": pid, "started": _started(pid), "target": target}
    (place / OWNER).write_text(json.dumps(about, allow_nan=False) + "\n", encoding="utf-8")


def owner_of(place: Path) -> Owner | None:
    """Return who made a staging folder; None for a folder that this program did not make on this machine."""
    found = re.fullmatch(r"\.dmsb-(\d{1,10})-(\d{1,20})-([0-9a-f]{8})-([0-9a-f]{16})", place.name)
    if found is None or not stat.S_ISDIR(place.lstat().st_mode):
        return None
    pid, started, salt = int(found[1]), int(found[2]), found[3]
    if found[4] != _seal(pid, started, salt):
        return None
    about = read_json(place / OWNER)
    if about is None:
        is_empty = all(entry.name == OWNER for entry in place.iterdir())
        return Owner(pid, started, None) if is_empty else None
    if [about.get(key) for key in ("program", "host", "pid", "started")] != [PROGRAM, platform.node(), pid, started]:
        return None
    target = about.get("target")
    return Owner(pid, started, target) if isinstance(target, str) else None


def is_stale(place: Path) -> bool:
    """Return whether a folder is a staging folder whose process has ended."""
    owner = owner_of(place)
    return owner is not None and not owner.is_alive()


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a small file that holds a JSON object; return None where there is no such file."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _seal(pid: int, started: int, salt: str) -> str:
    """Return the end of a staging folder's name, which this program gives on this machine only.

    A process that is killed before it has written `OWNER` leaves an empty folder. By this end it is known all the same.
    """
    return hashlib.sha256(f"{PROGRAM} {platform.node()} {pid} {started} {salt}".encode()).hexdigest()[:16]


def _started(pid: int) -> int:
    """Return when a process started, in ticks; -1 if it has ended, 0 where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    state, *fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return -1 if state in ("Z", "X") else int(fields[18])
