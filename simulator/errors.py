"""Errors by cause: what a person got wrong, and what a policy did wrong while it ran."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable

LONGEST_MESSAGE = 1_000


def one_line(text: object) -> str:
    """Text as it stands in a message: on one line, printable, and without its middle where it gets long."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in str(text)).split())
    if len(line) <= LONGEST_MESSAGE:
        return line
    return f"{line[: LONGEST_MESSAGE // 2]} ... {line[-LONGEST_MESSAGE // 2 :]}"


def shown(value: object) -> str:
    """A value in a message: on one line and not too long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:100]}..."


class _MessageError(Exception):
    """An error that is a message to a person."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


class InputError(_MessageError):
    """A person's input is wrong; the message is one sentence with the place, the value and what would be right."""


class ScenarioError(InputError):
    """A scenario, or an override of one of its fields, does not say what a scenario may say."""


class RecordingError(InputError):
    """A traffic recording cannot be read; the message names the file and, for text, the line."""


class PolicyError(InputError):
    """No such policy or mechanism, or one whose arguments or declarations do not fit."""


class OutputError(InputError):
    """A folder cannot be written to, or does not hold a run."""


class RunError(_MessageError):
    """A run failed after it had begun."""


class PolicyFailedError(RunError):
    """A policy or mechanism raised, or returned something that is no price or no outcome, while it ran."""


class EmptyMarketWarning(UserWarning):
    """A run asked for no price at all; the message says why."""


class RecordingWarning(UserWarning):
    """Part of a recording was left out or mended; the message counts what."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that offers the known name nearest to ``name``, or lists them all where none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


def need(package: str, extra: str) -> None:
    """Make sure that an optional package is there.

    Raises:
        InputError: it is not; the message names the extra to install.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f"this needs the package {package}: pip install 'dmsb[{extra}]'")
