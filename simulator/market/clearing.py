"""What a mechanism yields and returns, held to the contract."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping, Sequence
from numbers import Integral
from types import GeneratorType
from typing import Protocol

import numpy as np

from simulator.errors import PolicyFailedError, nearest, shown
from simulator.market.contracts import MOST_PAID, Ask, Award, Choice, Clearing, Decide, Lot, Mechanism, Seat
from simulator.market.guard import failed, is_finite, policy_label, seats_of


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
        PolicyFailedError: a value is not a number, or a column is not declared.
    """
    columns = award.columns
    if type(columns) is dict and not columns:
        return (math.nan,) * len(names)
    try:
        unknown = columns.keys() - names
        found = tuple([float(columns.get(name, math.nan)) for name in names])
    except Exception:
        place = f"{_clearing(mechanism, award.lot.task)}: columns are {shown(columns)}"
        raise PolicyFailedError(f"{place}; they must be a mapping from names to numbers") from None
    for name in unknown:
        offer = nearest(name, names) if names else "it declares none"
        place = _clearing(mechanism, award.lot.task)
        raise PolicyFailedError(f"{place}: the mechanism has not declared the column {shown(name)}; {offer}")
    return found


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
        if isinstance(step.places, bool) or not isinstance(step.places, Integral) or step.places < 1:
            raise PolicyFailedError(f"{place}: clear() asked for {shown(step.places)} places; it must be 1 or more")
        if step.what == "accept" and not is_finite(step.price):
            raise PolicyFailedError(f"{place}: clear() asked to accept {shown(step.price)}; it must be a finite number")
    _check_lots(mechanism, step, tasks)
    to = step.to
    if to is not None and (isinstance(to, str) or not isinstance(to, Collection) or not all(map(_is_id, to))):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: clear() asked {shown(to)}; it must ask None or a list of ids of providers")


def _is_id(one: object) -> bool:
    """Return whether something can be the id of a provider."""
    return type(one) is int or (isinstance(one, Integral) and not isinstance(one, bool))


def _check_lots(mechanism: object, step: Ask | Decide, tasks: Collection[int]) -> None:
    """Refuse a question or a decision about something other than lots of this clearing.

    Raises:
        PolicyFailedError: its lots are not a list of lots that are cleared now.
    """
    # An iterator would be empty the second time it is read.
    if type(step.lots) is not list and not isinstance(step.lots, Sequence):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: {type(step).__name__} is about {shown(step.lots)}; give it a list of Lot")
    for lot in step.lots:
        if type(lot) is not Lot:
            place = _clearing(mechanism, next(iter(tasks)))
            raise PolicyFailedError(f"{place}: {type(step).__name__} is about {shown(lot)}; give it a list of Lot")
        if lot.task not in tasks:
            place = _clearing(mechanism, next(iter(tasks)))
            what = "asked about" if isinstance(step, Ask) else "decides on"
            raise PolicyFailedError(f"{place}: clear() {what} task {lot.task}, which is not cleared now")


def check_decide(mechanism: object, step: object, tasks: Collection[int]) -> Seat:
    """Return the seat that a decision is for.

    Raises:
        PolicyFailedError: it is not a decision, there is no such seat, or its state is not what the seat declares.
    """
    if not isinstance(step, Decide):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: clear() yielded {shown(step)}; it must yield Ask or Decide")
    seats = seats_of(mechanism)
    if step.seat not in seats:
        place = _clearing(mechanism, next(iter(tasks)))
        offer = nearest(str(step.seat), seats) if seats else "it declares none"
        raise PolicyFailedError(f"{place}: there is no seat {shown(step.seat)}; {offer}")
    seat = seats[step.seat]
    if not (type(step.reward) is float and step.reward == 0.0) and not is_finite(step.reward):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: a decision has the reward {shown(step.reward)}; it must be a finite number")
    _check_lots(mechanism, step, tasks)
    if not step.lots:
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: a decision must be about lots that are cleared now")
    if type(step.state) is not dict and not isinstance(step.state, Mapping):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: the state of a decision is {shown(step.state)}; it must be a mapping")
    if len(step.lots) > 1 and len({lot.task for lot in step.lots}) < len(step.lots):
        place = _clearing(mechanism, next(iter(tasks)))
        raise PolicyFailedError(f"{place}: a decision names a lot twice; name it once")
    if step.mask is None and not step.state:
        return seat  # nothing else to check, as in nearly every decision
    if step.state:
        declared = {column.name: column.per_provider for column in seat.state}
        for name, value in step.state.items():
            if name not in declared:
                offer = nearest(name, declared) if declared else "it declares none"
                place = _clearing(mechanism, next(iter(tasks)))
                raise PolicyFailedError(f"{place}: seat {step.seat} has not declared the state {shown(name)}; {offer}")
            if not (_are_numbers(value) if declared[name] else type(value) is float or _is_number(value)):
                place = _clearing(mechanism, next(iter(tasks)))
                right = "an array with one number per provider" if declared[name] else "a number"
                raise PolicyFailedError(f"{place}: seat {step.seat}: the state {name} is {shown(value)}; give {right}")
    if step.mask is not None and isinstance(seat.space, Choice):
        place = _clearing(mechanism, next(iter(tasks)))
        if (
            isinstance(step.mask, str)
            or not isinstance(step.mask, Sequence | np.ndarray)
            or not all(map(_is_flag, step.mask))
        ):
            raise PolicyFailedError(f"{place}: seat {step.seat}: the mask is {shown(step.mask)}; give a list of flags")
        if len(step.mask) != seat.space.n:
            raise PolicyFailedError(
                f"{place}: seat {step.seat}: the mask has {len(step.mask)} flags; it must have one per choice"
            )
        if not any(step.mask):
            raise PolicyFailedError(f"{place}: seat {step.seat}: the mask allows no choice; allow one or more")
    return seat


def _is_flag(one: object) -> bool:
    """Return whether something says yes or no."""
    return isinstance(one, bool | np.bool_) or (isinstance(one, Integral) and one in (0, 1))


def _is_number(value: object) -> bool:
    """Return whether something is a number that float64 can hold; NaN is one that is missing."""
    return is_finite(value) or isinstance(value, float | np.floating | bool | np.bool_)


def _are_numbers(value: object) -> bool:
    """Return whether something is a one-dimensional array of numbers."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fiub"


class HasLot(Protocol):
    """An auction, or what stands for one: it has a lot."""

    @property
    def lot(self) -> Lot:
        """The lot."""
        ...


def check_awards(mechanism: object, awards: object, auctions: Mapping[int, HasLot]) -> None:
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
        lot, provider, by_provider, by_vehicle, _, royalty, chances = award
        # Nearly every award has these types: asking for the abstract ones takes a microsecond each.
        if not (
            type(lot) is Lot
            and type(provider) is int
            and type(by_provider) is float
            and type(by_vehicle) is float
            and lot.task in auctions
            and lot.task not in seen
            and provider in auctions[lot.task].lot.invited
            and -MOST_PAID <= by_provider <= MOST_PAID
            and -MOST_PAID <= by_vehicle <= MOST_PAID
            and type(royalty) is float
            and 0.0 <= royalty <= 1.0
            and not chances
        ):
            _check_award(mechanism, award, auctions, seen)
        seen.add(lot.task)


def _check_award(mechanism: object, award: Award, auctions: Mapping[int, HasLot], seen: Collection[int]) -> None:
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
        if not is_finite(paid) or abs(paid) > MOST_PAID:
            raise PolicyFailedError(
                f"{place}: paid_by_{name} is {shown(paid)}; it must be a number from {-MOST_PAID:g} to {MOST_PAID:g}"
            )
    if not is_finite(award.royalty) or not 0.0 <= award.royalty <= 1.0:
        raise PolicyFailedError(f"{place}: royalty is {shown(award.royalty)}; it must be a number from 0 to 1")
    if not isinstance(award.chances, Mapping) or award.chances:
        _check_chances(place, award, invited)


def _check_chances(place: str, award: Award, invited: Collection[int]) -> None:
    """Hold the lottery of an award to the contract.

    Raises:
        PolicyFailedError: its probabilities or payments are none, or the winner is not in it.
    """
    try:
        odds = [chance if is_finite(chance) else -1.0 for chance, _ in award.chances.values()]
        sound = all(is_finite(paid) and abs(paid) <= MOST_PAID for _, paid in award.chances.values())
        known = {*award.chances} <= {*invited} and (award.provider is None or award.provider in award.chances)
        shown_chances = shown(dict(award.chances))
    except (TypeError, ValueError, OverflowError, AttributeError):
        odds, sound, known, shown_chances = [-1.0], False, False, shown(award.chances)
    if not (sound and known and all(0.0 <= chance <= 1.0 for chance in odds) and math.fsum(odds) <= 1.0 + 1e-6):
        raise PolicyFailedError(
            f"{place}: chances are {shown_chances}; they must be (probability, payment) by invited "
            "provider, with the winner among them and at most 1 in all"
        )
