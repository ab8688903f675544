"""The folder of the parts of a study, and the command that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from simulator.errors import InputError, OutputError
from simulator.files import replacing, writing
from simulator.files.reading import read_json
from simulator.study.trainings import MOST_TRAININGS

COMMAND = "command.json"
"""File in the folder of the parts that holds the command."""

COMMANDS = COMPARE, TRAIN = "compare", "train"
"""Commands that can be cut into parts."""


@contextmanager
def noted_command(parts: Path, command: str, options: dict[str, Any]) -> Iterator[None]:
    """Note in the folder of the parts what command they belong to, while a part is done.

    If the input turns out to be wrong, and this part is the first, the folder is gone afterwards.

    Args:
        parts: the folder.
        command: name of the command.
        options: its options, as JSON has them.

    Raises:
        OutputError: there are parts of another command, or the folder cannot be written.
    """
    is_new = _note(parts, command, options)
    try:
        yield
    except InputError:
        # Nothing has been done: wrong input leaves nothing behind.
        if is_new:
            with suppress(OSError):
                if [path.name for path in parts.iterdir()] == [COMMAND]:
                    (parts / COMMAND).unlink()
                    parts.rmdir()
        raise


def _note(parts: Path, command: str, options: dict[str, Any]) -> bool:
    """Note a command, and check that the folder has no parts of another; return whether the folder is new."""
    path = parts / COMMAND
    text = json.dumps({"program": "dmsb", "command": command, "options": options}, indent=1, allow_nan=False)
    with writing(parts):
        is_new = not parts.exists()
        parts.mkdir(parents=True, exist_ok=True)
        names = [one.name for one in parts.iterdir()]
    # A part that begins at the same time has written nothing else before its note.
    if COMMAND not in names and any(not name.startswith(".") for name in names):
        raise OutputError(f"{parts}: exists and holds no parts of a study; name another folder with --out")
    if not path.exists():
        try:
            with replacing(path) as new:
                new.write_text(text + "\n", encoding="utf-8")
        except OutputError:
            # Another part has begun in the meantime. If it was something else, that is told below.
            if not path.exists():
                raise
    known = read_command(parts)
    if known != (command, json.loads(text)["options"]):
        differ = [name for name in options if known[1].get(name) != json.loads(text)["options"][name]]
        raise OutputError(
            f"{parts}: holds parts of another command (different: {', '.join(differ) or 'the command'}); name another "
            "folder with --out"
        )
    return is_new


def read_command(parts: Path) -> tuple[str, dict[str, Any]]:
    """Return the command that parts belong to, and its options.

    Args:
        parts: the folder.

    Raises:
        OutputError: it holds no parts.
    """
    try:
        known = read_json(parts / COMMAND)
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(f"{parts}: holds no parts of a study; make them with --part") from None
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or known.get("command") not in COMMANDS:
        raise OutputError(not_a_part(parts))
    if not isinstance(known.get("options"), dict):
        raise OutputError(not_a_part(parts))
    return known["command"], known["options"]


@dataclass(frozen=True)
class Trained:
    """What all parts of several trainings have in common.

    Attributes:
        label: names of the scenarios.
        what: the policy or mechanism.
        seeds: number of trainings.
        steps: number of environment steps of each.
        reference: policy to which an evaluation is the ratio.
        reward: what a step of a price earns.
    """

    label: str
    what: str
    seeds: Annotated[int, Field(ge=2, le=MOST_TRAININGS)]
    steps: Annotated[int, Field(ge=1)]
    reference: str = "conditional"
    reward: str = "own"


OptionsT = TypeVar("OptionsT")


def checked(kind: type[OptionsT], options: dict[str, Any], parts: Path) -> OptionsT:
    """Return the options of a command, each with its type.

    Args:
        kind: class of the options.
        options: the options, as JSON has them.
        parts: the folder that they are from.

    Raises:
        OutputError: they are not what this program has written.
    """
    # Some options are noted only to be compared.
    own = {field.name: options[field.name] for field in fields(kind) if field.name in options}  # type: ignore[arg-type]
    try:
        return TypeAdapter(kind).validate_json(json.dumps(own, allow_nan=False), strict=True)
    except ValueError:
        raise OutputError(not_a_part(parts)) from None


def not_a_part(parts: Path) -> str:
    """Return a message for a folder whose command is not what this program wrote."""
    return f"{parts / COMMAND}: is not what --part has written; make the parts again"
