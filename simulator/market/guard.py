"""Calls of policies and mechanisms that users write: their names in messages, and the blame for exceptions."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import InputError, PolicyFailedError, RunError, shown
from simulator.market.contracts import Information, Mechanism, Observation, Outcome, PricingPolicy

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario


@contextmanager
def blamed(place: str, error_class: type[Exception] = RunError) -> Iterator[None]:
    """Turn any exception that a user's code raises into one error of this program.

    Args:
        place: what was called, such as ``policy mine: reset()``.
        error_class: class of the error that is raised instead.

    Raises:
        InputError: the code raised it, so it already has a message for the user.
        RunError: the code raised it, so it already has a message for the user.
        KeyboardInterrupt: the user wants to stop.
    """
    try:
        yield
    except (InputError, RunError, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit() in a user's code must not end this program without a message
        raise error_class(f"{place} raised {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Return a short text about an exception: its class, its message, and the file and line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    try:
        text = " ".join(str(error).split())[:200]
    except Exception:  # a user's exception may fail in its own __str__
        text = ""
    return f"{type(error).__name__}{': ' + text if text else ''} ({Path(last.filename).name}:{last.lineno})"


def policy_label(policy: object) -> str:
    """Return the name of a policy or mechanism in messages and tables.

    It is the text that named the object. Without one it is the object's own ``repr``, else the name of its class.
    """
    # The default repr contains a memory address, which differs from run to run.
    spec = getattr(policy, "spec", None) if not isinstance(policy, str) else policy
    if isinstance(spec, str):
        return spec
    return shown(policy) if type(policy).__repr__ is not object.__repr__ else type(policy).__name__


def information_of(policy: object) -> Information | None:
    """Return the information that a policy declares to need; None if it declares none."""
    return getattr(policy, "information", None)


def reset_policy(policy: PricingPolicy, scenario: Scenario, rng: np.random.Generator) -> None:
    """Call the method ``reset`` of a policy, if it has one.

    Args:
        policy: policy of a run that begins.
        scenario: scenario of the run.
        rng: generator for the policy's own random numbers.

    Raises:
        RunError: the method raised an exception.
    """
    with blamed(f"policy {policy_label(policy)}: reset()"):
        reset = getattr(policy, "reset", None)
        if reset is not None:
            reset(scenario, rng)


def reset_mechanism(mechanism: Mechanism, scenario: Scenario) -> None:
    """Call the method ``reset`` of a mechanism, if it has one.

    Args:
        mechanism: mechanism of a run that begins.
        scenario: scenario of the run.

    Raises:
        RunError: the method raised an exception.
    """
    with blamed(f"mechanism {policy_label(mechanism)}: reset()"):
        reset = getattr(mechanism, "reset", None)
        if reset is not None:
            reset(scenario)


def ask_price(policy: PricingPolicy, observation: Observation, task: int) -> float:
    """Ask a policy for a price and check it.

    Args:
        policy: policy to ask.
        observation: the part of the auction that the policy may see.
        task: id of the task, for messages.

    Returns:
        rho >= 1, possibly ``inf``.

    Raises:
        PolicyFailedError: the policy raised an exception, or returned something other than a number >= 1.
    """
    try:
        rho = policy.price(observation)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in a policy is a fault of the policy
        raise PolicyFailedError(
            f"policy {policy_label(policy)}, auction of task {task}: price() raised {describe(error)}"
        ) from error
    try:
        # A plain float comes first: isinstance(rho, Real) asks an abstract base class, which is slower.
        # bool is a Real, but True is not a price.
        valid = type(rho) is float or (isinstance(rho, Real) and not isinstance(rho, bool))
        valid = valid and float(rho) >= 1.0
    except (ValueError, TypeError, OverflowError):
        valid = False
    if not valid:
        raise PolicyFailedError(
            f"policy {policy_label(policy)}, auction of task {task}: price() returned {shown(rho)}; "
            "it must be a number >= 1 (inf gives the task to the UAV)"
        )
    return float(rho)


def give_feedback(policy: PricingPolicy, outcome: Outcome) -> None:
    """Call the method ``feedback`` of a policy.

    Args:
        policy: a policy with this method.
        outcome: result of an auction that the policy priced.

    Raises:
        PolicyFailedError: the method raised an exception.
    """
    with blamed(f"policy {policy_label(policy)}, auction of task {outcome.task}: feedback()", PolicyFailedError):
        policy.feedback(outcome)  # type: ignore[attr-defined]
