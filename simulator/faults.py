"""Calling somebody else's policy or mechanism: what it is called, and whose fault an exception is."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.errors import InputError, RunError, shown


@contextmanager
def blamed(place: str, error_class: type[Exception] = RunError) -> Iterator[None]:
    """Around a call of somebody else's code: whatever it raises, sys.exit() too, becomes one error of ours.

    Args:
        place: who was asked for what, such as ``policy mine: reset()``.
        error_class: what is raised; our own errors and KeyboardInterrupt pass.
    """
    try:
        yield
    except (InputError, RunError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise error_class(f"{place} raised {describe(error)}") from error


def describe(error: BaseException) -> str:
    """An exception in a few words: kind, message, and the file and line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    try:
        text = " ".join(str(error).split())[:200]
    except Exception:
        text = ""
    return f"{type(error).__name__}{': ' + text if text else ''} ({Path(last.filename).name}:{last.lineno})"


def policy_label(policy: object) -> str:
    """The name that a policy or mechanism was found by, else what it calls itself, else its class."""
    spec = getattr(policy, "spec", None) if not isinstance(policy, str) else policy
    if isinstance(spec, str):
        return spec
    return shown(policy) if type(policy).__repr__ is not object.__repr__ else type(policy).__name__
