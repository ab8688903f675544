"""Errors and warnings by cause, and the words that messages share.

The exceptions, each with what went wrong::

    Exception
    ├── InputError                   the input is wrong; the command exits with 2
    │   ├── ScenarioError            a scenario, or an override of one of its fields
    │   ├── RecordingError           a traffic recording
    │   ├── PolicyError              a policy or mechanism, before a run
    │   └── OutputError              a folder or file of results
    ├── RunError                     a run failed after it had begun; the command exits with 1
    │   └── PolicyFailedError        a policy or mechanism, during a run
    └── UserWarning
        ├── EmptyMarketWarning       a run that asked for no price
        ├── EmptyWorldWarning        worlds without a task, left out of a comparison
        ├── SkippedWarning           a policy without a seat in a mechanism, left out of a comparison
        └── RecordingWarning         a recording of which parts were left out or corrected
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable

LONGEST_MESSAGE = 1_000
"""Characters of a message that are kept."""

LONGEST_VALUE = 100
"""Characters of a value that a message shows."""


def one_line(text: object) -> str:
    """Return a text on one line, without control characters, and with its middle cut out where it is too long."""
    # Messages quote files and policies of other people, whose control characters could drive a terminal.
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in str(text)).split())
    if len(line) <= LONGEST_MESSAGE:
        return line
    # A message names the place first and what would be right last, so its middle can be spared.
    return f"{line[: LONGEST_MESSAGE // 2]} ... {line[-LONGEST_MESSAGE // 2 :]}"


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line and not too long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        # The value may come from a policy of somebody else, and its repr() may fail.
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


class _MessageError(Exception):
    """Base of the errors whose message is written for a person."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


class InputError(_MessageError):
    """Wrong input from a person.

    The message is one sentence with the place, the value and what would be right.
    """


class ScenarioError(InputError):
    """A scenario, or an override of one of its fields, that is not allowed."""


class RecordingError(InputError):
    """A traffic recording that cannot be read.

    The message names the file and, in a text file, the line.
    """


class PolicyError(InputError):
    """A policy or mechanism that does not exist, or whose arguments or declarations are wrong."""


class OutputError(InputError):
    """A folder or file that cannot be written, or that does not hold the expected result."""


class RunError(_MessageError):
    """Failure of a run after it had begun."""


class PolicyFailedError(RunError):
    """Failure of a policy or mechanism during a run.

    It raised an exception, or it returned something that is not a valid price or outcome.
    """


class EmptyMarketWarning(UserWarning):
    """Warning that a run asked for no price; the message says why."""


class SkippedWarning(UserWarning):
    """A pair of policy and mechanism that a comparison leaves out. The message says why."""


class EmptyWorldWarning(UserWarning):
    """Worlds without a task were left out of a comparison."""


class RecordingWarning(UserWarning):
    """Warning that parts of a recording were left out or corrected; the message counts them."""


def nearest(name: object, known: Iterable[str]) -> str:
    """Return a clause that offers the known name most similar to ``name``.

    Args:
        name: the name that a person gave.
        known: the names that exist.

    Returns:
        A question such as ``did you mean 'count'?``, or the list of all names if none is similar.
    """
    names, name = sorted(set(known)), str(name)
    # 0.6 is the default of the library: names that share fewer letters are hardly typing errors.
    begun = [one for one in names if name and one.startswith(name)]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6) or begun
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


EXTRAS = {
    "scipy": "study",
    "statsmodels": "study",
    "matplotlib": "study",
    "torch": "learn",
    "tensorboard": "learn",
    "distributed": "cluster",
    "stable_baselines3": "sb3",
}
"""The extra of dmsb that installs each optional package."""


def need(package: str) -> None:
    """Check that an optional package is installed.

    Args:
        package: the package to look for, one of `EXTRAS`.

    Raises:
        InputError: the package is not installed; the message names the extra.
    """
    # Importing a package such as torch is slow, and looking for it is enough here.
    if importlib.util.find_spec(package) is None:
        raise InputError(f"this needs the package {package}: pip install 'dmsb[{EXTRAS[package]}]'")
