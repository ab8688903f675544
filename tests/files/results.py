"""Folders of results as tests make them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from simulator.files import replacing
from tests.kills import forked


def results(path: Path, kind: str = "run", force: bool = False, **files: str) -> Path:
    """A folder of results with text files by stem."""
    with replacing(path, force, kind) as new:
        new.mkdir()
        for name, text in files.items():
            (new / f"{name}.txt").write_text(text)
    return path


def own(folder: Path, **files: str) -> None:
    """A folder of a person's with files by name, ``_`` for the dot."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def staged(folder: Path) -> list[Path]:
    """The staging folders in a folder."""
    return list(folder.glob(".dmsb-*"))


def killed_while_it_writes(path: Path, force: bool = False) -> Path:
    """What a process leaves that was killed when it had written half a result; its staging folder."""
    before = staged(path.parent)

    def write() -> None:
        with replacing(path, force, "run") as new:
            new.mkdir()
            (new / "half.txt").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert forked(write, path.parent).killed
    (place,) = set(staged(path.parent)) - set(before)
    return place
