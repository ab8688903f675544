"""Calls of policies and mechanisms that users write: their names in messages, and the blame for exceptions."""

from __future__ import annotations

import math
import operator
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeGuard

import numpy as np

from simulator.errors import InputError, PolicyError, PolicyFailedError, RunError, shown
from simulator.market.contracts import (
    MOST_PAID,
    Bidder,
    Choice,
    Information,
    Mechanism,
    Numbers,
    Observation,
    Outcome,
    Policy,
    PriceScale,
    Seat,
    Space,
    View,
)

if TYPE_CHECKING:
    from simulator.market.platform import Platform
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


HERE = Path(__file__).parents[1]
"""Folder of this program."""


def describe(error: BaseException) -> str:
    """Return a short text about an exception: its class, its message, and the line of the user's code it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    # The last line that is not of this program: an error of ours, such as an unknown condition, has its cause there.
    own = [frame for frame in frames if not Path(frame.filename).is_relative_to(HERE)]
    last = (own or frames)[-1]
    try:
        text = " ".join(str(error).split())[:400]
    except Exception:  # a user's exception may fail in its own __str__
        text = ""
    return f"{type(error).__name__}{': ' + text if text else ''} ({Path(last.filename).name}:{last.lineno})"


def is_finite(value: object) -> TypeGuard[float]:
    """Return whether an object is a finite real number that float64 can hold; True and False are none."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(float(value))
    except (OverflowError, ValueError, TypeError):
        return False


def attribute_of(found: object, name: str, what: str) -> Any:
    """Return an attribute of a policy, a mechanism or a bidder; None if it has none.

    It may be a property of the user's class, so reading it may raise anything.

    Args:
        found: the object.
        name: name of the attribute.
        what: what the object is, for messages.

    Raises:
        PolicyError: reading it raised an exception.
    """
    with blamed(f"{what} {type(found).__name__}: its attribute {name}", PolicyError):
        return getattr(found, name, None)


def policy_label(policy: object) -> str:
    """Return the name of a policy or mechanism in messages and tables.

    It is the text that named the object. Without one it is the object's own ``repr``, else the name of its class.
    """
    # The default repr contains a memory address, which differs from run to run.
    spec = policy if isinstance(policy, str) else attribute_of(policy, "spec", "object")
    if isinstance(spec, str):
        return spec
    return shown(policy) if type(policy).__repr__ is not object.__repr__ else type(policy).__name__


def information_of(policy: object) -> Information | None:
    """Return the information that a policy declares to need; None if it declares none."""
    return getattr(policy, "information", None)


def seats_of(mechanism: object) -> Mapping[str, Seat]:
    """Return the seats of a mechanism by name; none if it declares none."""
    seats: Mapping[str, Seat] = getattr(mechanism, "seats", {})
    return seats


def reset_policy(policy: Policy, scenario: Scenario, rng: np.random.Generator) -> None:
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


@contextmanager
def failed(mechanism: object, task: int) -> Iterator[None]:
    """Turn any exception of a mechanism into one error that names it and the task.

    Raises:
        PolicyFailedError: the mechanism raised an exception.
    """
    with blamed(f"mechanism {policy_label(mechanism)}, auction of task {task}: clear()", PolicyFailedError):
        yield


def reset_mechanism(mechanism: Mechanism, platform: Platform, rng: np.random.Generator) -> None:
    """Tell a mechanism that a run begins, if it has ``reset``.

    Raises:
        RunError: it raised an exception.
    """
    with blamed(f"mechanism {policy_label(mechanism)}: reset()"):
        reset = getattr(mechanism, "reset", None)
        if reset is not None:
            reset(platform, rng)


def reset_bidder(bidder: Bidder, scenario: Scenario, rng: np.random.Generator) -> None:
    """Tell a bidder that a run begins, if it has ``reset``.

    Raises:
        RunError: it raised an exception.
    """
    with blamed(f"bidder {policy_label(bidder)}: reset()"):
        reset = getattr(bidder, "reset", None)
        if reset is not None:
            reset(scenario, rng)


def ask_bid(bidder: Bidder, view: View) -> float:
    """Ask a bidder for its bid and hold it to the contract.

    Raises:
        PolicyFailedError: it raised an exception, or returned something other than a number >= 0.
    """
    try:
        bid = bidder.bid(view)
    except BaseException as error:
        _blame(f"bidder {policy_label(bidder)}, provider {view.provider}, task {view.task}: bid()", error)
    if not (is_finite(bid) and 0.0 <= float(bid) <= MOST_PAID):
        place = f"bidder {policy_label(bidder)}, provider {view.provider}, task {view.task}"
        raise PolicyFailedError(f"{place}: bid() returned {shown(bid)}; it must be a number from 0 to {MOST_PAID:g}")
    return float(bid)


def ask_action(policy: Policy, observation: Observation, space: Space, task: int) -> float | int:
    """Ask the policy in a seat for its action and hold it to the contract.

    Raises:
        PolicyFailedError: it raised an exception, or its action is not in the space.
    """
    # The label costs more than the call, so it is made only for a message.
    try:
        if isinstance(space, PriceScale):
            action = policy.price(observation)  # type: ignore[attr-defined]
            if type(action) is float and action >= 1.0:
                return action
        else:
            action = getattr(policy, METHODS[type(space)])(observation, space)
    except BaseException as error:
        _blame(f"policy {policy_label(policy)}, auction of task {task}: {METHODS[type(space)]}()", error)
    return check_action(action, space, observation.mask, f"policy {policy_label(policy)}, auction of task {task}")


def _blame(place: str, error: BaseException) -> NoReturn:
    """Raise what an exception of a user's code becomes."""
    with blamed(place, PolicyFailedError):
        raise error
    raise AssertionError  # blamed() never swallows an exception


METHODS = {PriceScale: "price", Choice: "act", Numbers: "number"}
"""Method of a policy that answers in a seat, by the type of the seat's space."""


def check_action(action: object, space: Space, mask: Sequence[bool] | None, place: str) -> float | int:
    """Return an action that is in the space of its seat.

    Raises:
        PolicyFailedError: it is not.
    """
    if isinstance(space, PriceScale):
        return check_price(action, place)
    return check_choice(action, space, mask, place) if isinstance(space, Choice) else check_number(action, space, place)


def check_number(action: object, space: Numbers, place: str) -> float:
    """Return a number that is in a range.

    Raises:
        PolicyFailedError: it is not.
    """
    if is_finite(action) and space.low <= float(action) <= space.high:
        return float(action)
    raise PolicyFailedError(
        f"{place}: number() returned {shown(action)}; it must be a number from {space.low:g} to {space.high:g}"
    )


def check_price(rho: object, place: str) -> float:
    """Return a price scaling factor that is one.

    Raises:
        PolicyFailedError: it is not a number >= 1.
    """
    try:
        valid = type(rho) is float or (isinstance(rho, Real) and not isinstance(rho, bool))
        if valid and float(rho) >= 1.0:  # type: ignore[arg-type]
            return float(rho)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        pass
    raise PolicyFailedError(
        f"{place}: price() returned {shown(rho)}; it must be a number >= 1 (inf gives the task to the UAV)"
    )


def check_choice(action: object, space: Choice, mask: Sequence[bool] | None, place: str) -> int:
    """Return the index of a choice that is allowed.

    Raises:
        PolicyFailedError: it is not a whole number in the range, or the mask forbids it.
    """
    allowed = [number for number in range(space.n) if mask is None or mask[number]]
    try:
        index = operator.index(action)  # type: ignore[arg-type]
    except TypeError:
        index = -1
    if isinstance(action, bool) or index not in allowed:
        raise PolicyFailedError(f"{place}: act() returned {shown(action)}; it must be one of {shown(allowed)}")
    return index


def give_outcome(policy: Policy, method: Literal["feedback", "served"], outcome: Outcome) -> None:
    """Tell a policy an outcome.

    Args:
        policy: a policy with this method.
        method: name of the method.
        outcome: result of an auction that the policy decided on.

    Raises:
        PolicyFailedError: the method raised an exception.
    """
    with blamed(f"policy {policy_label(policy)}, auction of task {outcome.task}: {method}()", PolicyFailedError):
        getattr(policy, method)(outcome)
