"""Calling somebody else's policy or mechanism: what it is called, and whose fault an exception is."""

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


def information_of(policy: object) -> Information | None:
    """What the policy declares to look at; None if it declares nothing."""
    return getattr(policy, "information", None)


def reset_policy(policy: PricingPolicy, scenario: Scenario, rng: np.random.Generator) -> None:
    """Tell the policy that a run begins, if it wants to know.

    Raises:
        RunError: it raised.
    """
    with blamed(f"policy {policy_label(policy)}: reset()"):
        reset = getattr(policy, "reset", None)
        if reset is not None:
            reset(scenario, rng)


def reset_mechanism(mechanism: Mechanism, scenario: Scenario) -> None:
    """Tell the mechanism that a run begins, if it wants to know.

    Raises:
        RunError: it raised.
    """
    with blamed(f"mechanism {policy_label(mechanism)}: reset()"):
        reset = getattr(mechanism, "reset", None)
        if reset is not None:
            reset(scenario)


def ask_price(policy: PricingPolicy, observation: Observation, task: int) -> float:
    """Ask for a price and hold it to the contract.

    Raises:
        PolicyFailedError: the policy raised, or returned something other than a number >= 1.
    """
    try:
        rho = policy.price(observation)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in a policy is a fault of the policy, no end of ours
        raise PolicyFailedError(
            f"policy {policy_label(policy)}, auction of task {task}: price() raised {describe(error)}"
        ) from error
    try:
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
    """Tell the policy what came of its price.

    Raises:
        PolicyFailedError: the policy raised.
    """
    with blamed(f"policy {policy_label(policy)}, auction of task {outcome.task}: feedback()", PolicyFailedError):
        policy.feedback(outcome)  # type: ignore[attr-defined]
