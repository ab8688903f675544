"""Calls of policies and mechanisms that users write: their names in messages, and the blame for exceptions."""

from __future__ import annotations

import math
import operator
import traceback
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np

from simulator.errors import InputError, PolicyFailedError, RunError, nearest, shown
from simulator.files.reading import is_number
from simulator.market.contracts import (
    Ask,
    Award,
    Bidder,
    Choice,
    Clearing,
    Decide,
    Information,
    Lot,
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
    from simulator.market.auction import Auction
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
    if not (isinstance(bid, Real) and not isinstance(bid, bool) and 0.0 <= float(bid) < float("inf")):
        place = f"bidder {policy_label(bidder)}, provider {view.provider}, task {view.task}"
        raise PolicyFailedError(f"{place}: bid() returned {shown(bid)}; it must be a finite number >= 0")
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
    if is_number(action) and space.low <= float(action) <= space.high:  # type: ignore[arg-type]
        return float(action)  # type: ignore[arg-type]
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


def _clearing(mechanism: object, task: object) -> str:
    """Return the place of a fault of a mechanism."""
    return f"mechanism {policy_label(mechanism)}, auction of task {task}"


def begin_clearing(mechanism: Mechanism, lots: Sequence[Lot]) -> Clearing:
    """Return the generator of a clearing.

    Raises:
        PolicyFailedError: the method raised an exception, or it is not a generator.
    """
    task = lots[0].task
    try:
        steps = mechanism.clear(lots)
    except BaseException:
        with failed(mechanism, task):
            raise
    # The exact type comes first: asking for Generator takes a microsecond.
    if type(steps) is not GeneratorType and not isinstance(steps, Generator):
        place = _clearing(mechanism, task)
        raise PolicyFailedError(f"{place}: clear() returned {shown(steps)}; it must be a generator, with a yield")
    return steps


def check_columns(mechanism: object, award: Award, names: Sequence[str]) -> tuple[float, ...]:
    """Return the values of the columns that a mechanism declares, NaN where an award has none.

    Raises:
        PolicyFailedError: a value is not a number.
    """
    columns = award.columns
    try:
        return tuple([float(columns.get(name, math.nan)) for name in names])
    except Exception:
        place = f"{_clearing(mechanism, award.lot.task)}: columns are {shown(columns)}"
        raise PolicyFailedError(f"{place}; they must be a mapping from names to numbers") from None


_QUESTIONS = {
    ("bid", "providers", True),
    ("bid", "providers", False),
    ("bid", "vehicles", True),
    ("accept", "vehicles", True),
    ("accept", "providers", False),
    ("quote", "providers", True),
}
"""What can be asked: the question, the side, and whether it is about lots."""


def check_ask(mechanism: object, step: Ask, tasks: Collection[int]) -> None:
    """Hold a question of a mechanism to the contract.

    Raises:
        PolicyFailedError: it asks something that nobody can answer, or about a lot of another clearing.
    """
    if step.what != "bid" or step.side != "providers":
        place = _clearing(mechanism, next(iter(tasks)))
        if (step.what, step.side, bool(step.lots)) not in _QUESTIONS:
            about = "lots" if step.lots else "no lot"
            raise PolicyFailedError(
                f"{place}: clear() asked {shown(step.side)} for {shown(step.what)} about {about}; it can ask providers "
                "for 'bid' or 'quote' about lots and for 'bid' or 'accept' about none, and vehicles for 'bid' or "
                "'accept' about lots"
            )
        if step.what == "accept" and not (is_number(step.price) and math.isfinite(step.price)):
            raise PolicyFailedError(f"{place}: clear() asked to accept {shown(step.price)}; it must be a finite number")
    for lot in step.lots:
        if lot.task not in tasks:
            place = _clearing(mechanism, next(iter(tasks)))
            raise PolicyFailedError(f"{place}: clear() asked about task {lot.task}, which is not cleared now")


def check_decide(mechanism: object, step: object, tasks: Collection[int]) -> Seat:
    """Return the seat that a decision is for.

    Raises:
        PolicyFailedError: it is not a decision, there is no such seat, or its state is not what the seat declares.
    """
    if not isinstance(step, Decide):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: clear() yielded {shown(step)}; it must yield Ask or Decide")
    seats = getattr(mechanism, "seats", {})
    if step.seat not in seats:
        place = _clearing(mechanism, next(iter(tasks)))
        offer = nearest(str(step.seat), seats) if seats else "it declares none"
        raise PolicyFailedError(f"{place}: there is no seat {shown(step.seat)}; {offer}")
    seat: Seat = seats[step.seat]
    if len(step.lots) == 1 and step.lots[0].task in tasks and step.mask is None and not step.state:
        return seat  # nothing else to check, as in nearly every decision
    if step.state:
        declared = {column.name for column in seat.state}
        for name in step.state:
            if name not in declared:
                offer = nearest(name, declared) if declared else "it declares none"
                place = _clearing(mechanism, next(iter(tasks)))
                raise PolicyFailedError(f"{place}: seat {step.seat} has not declared the state {shown(name)}; {offer}")
    if not step.lots or not all(lot.task in tasks for lot in step.lots):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: a decision must be about lots that are cleared now")
    if step.mask is not None and isinstance(seat.space, Choice) and len(step.mask) != seat.space.n:
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(
            f"{place}: seat {step.seat}: the mask has {len(step.mask)} flags; it must have one per choice"
        )
    return seat


def check_awards(mechanism: object, awards: object, auctions: Mapping[int, Auction]) -> None:
    """Hold the awards of a mechanism to the contract.

    Raises:
        PolicyFailedError: they are not awards of lots that are cleared now, each at most once, to invited providers,
            with finite payments.
    """
    if not isinstance(awards, list | tuple) or not set(map(type, awards)) <= {Award}:
        place = _clearing(mechanism, next(iter(auctions)))
        raise PolicyFailedError(f"{place}: clear() returned {shown(awards)}; it must return a list of Award")
    seen: set[int] = set()
    for award in awards:
        lot, provider, by_provider, by_vehicle, _, royalty = award
        # Nearly every award has these types: asking for the abstract ones takes a microsecond each.
        if not (
            type(lot) is Lot
            and type(provider) is int
            and type(by_provider) is float
            and type(by_vehicle) is float
            and lot.task in auctions
            and lot.task not in seen
            and provider in auctions[lot.task].lot.invited
            and math.isfinite(by_provider + by_vehicle)
            and type(royalty) is float
            and 0.0 <= royalty <= 1.0
        ):
            _check_award(mechanism, award, auctions, seen)
        seen.add(lot.task)


def _check_award(mechanism: object, award: Award, auctions: Mapping[int, Auction], seen: Collection[int]) -> None:
    """Hold one award to the contract.

    Raises:
        PolicyFailedError: it is not an award of a lot that is cleared now.
    """
    if not isinstance(award.lot, Lot):
        place = _clearing(mechanism, next(iter(auctions)))
        raise PolicyFailedError(f"{place}: an Award is for {shown(award.lot)}; it must be for a lot")
    task, provider = award.lot.task, award.provider
    place = _clearing(mechanism, task)
    if task not in auctions or task in seen:
        why = "it has two awards" if task in seen else "it is not cleared now"
        raise PolicyFailedError(f"{place}: {why}; each lot can have one award")
    invited = auctions[task].lot.invited
    is_id = isinstance(provider, Integral) and not isinstance(provider, bool)
    if provider is not None and not (is_id and provider in invited):
        raise PolicyFailedError(
            f"{place}: it went to {shown(provider)}; it must go to None or one of {shown(list(invited))}"
        )
    for name, paid in (("provider", award.paid_by_provider), ("vehicle", award.paid_by_vehicle)):
        if not isinstance(paid, Real) or isinstance(paid, bool) or not math.isfinite(float(paid)):
            raise PolicyFailedError(f"{place}: paid_by_{name} is {shown(paid)}; it must be a finite number")
    if not isinstance(award.royalty, Real) or isinstance(award.royalty, bool) or not 0.0 <= award.royalty <= 1.0:
        raise PolicyFailedError(f"{place}: royalty is {shown(award.royalty)}; it must be a number from 0 to 1")


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
