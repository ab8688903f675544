"""Errors by cause: what a person got wrong, and what a policy did wrong while it ran."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A person's input is wrong; the message is one sentence with the place, the value and what would be right."""


class ScenarioError(InputError):
    """A scenario, or an override of one of its fields, does not say what a scenario may say."""


class RecordingError(InputError):
    """A traffic recording cannot be read; the message names the file and, for text, the line."""


class PolicyError(InputError):
    """No such policy or mechanism, or one whose arguments or declarations do not fit."""


class OutputError(InputError):
    """A folder cannot be written to, or does not hold a run."""


class RunError(Exception):
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
