"""What users' mechanisms, policies and bidders declare and return: each fault is one sentence with its cause."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from simulator import PolicyError, RunError, simulate
from simulator.environment.seat import SeatEnvironment
from simulator.market.contracts import (
    Ask,
    Award,
    Bids,
    Choice,
    Clearing,
    Column,
    Decide,
    Lot,
    Mechanism,
    Numbers,
    PriceScale,
    Seat,
)
from simulator.record.schema import TABLES
from simulator.study.arena import arena
from simulator.study.audit import audit
from simulator.study.finding import CLAIMABLE


class First(Mechanism):
    """The first bidder wins and pays nothing."""

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        bids: Bids = yield Ask("bid", lots)
        winner = dict(sorted(bids, reverse=True))
        return [Award(lot, winner.get(lot.task)) for lot in lots]


def declares(**attributes: Any) -> Mechanism:
    """Return a sound mechanism with other attributes."""
    mechanism = First()
    vars(mechanism).update(attributes)
    return mechanism


def number(name: str) -> Column:
    return Column(name, "float", "", "a number")


SOUND: dict[str, dict[str, Any]] = {
    "windows": {"every_s": 0.5, "most_lots": 3},
    "whole seconds": {"every_s": 2},
    "columns": {"columns": [number("mine"), number("other")]},
    "values of vehicles": {"value_of": "vehicle"},
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_declarations_pass(case: str) -> None:
    assert len(simulate("paper", duration=5, mechanism=declares(**SOUND[case])).auctions) == 5


def seat(space: Any, *state: Column) -> dict[str, Any]:
    return {"seats": {"mine": Seat(space, state)}}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a window of nan": ({"every_s": math.nan}, "every_s is nan; it must be 0 or a number of seconds from 0.001"),
    "a window before now": ({"every_s": -1.0}, "every_s is -1.0; it must be 0 or"),
    "a window of nothing": ({"every_s": 1e-20}, "every_s is 1e-20; it must be 0 or"),
    "a window without end": ({"every_s": math.inf}, "every_s is inf; it must be 0 or"),
    "a window of text": ({"every_s": "1 s"}, "every_s is '1 s'; it must be 0 or"),
    "a window of a huge number": ({"every_s": 10**400}, "every_s is 1000"),
    "half a lot": ({"most_lots": 0.5}, "most_lots is 0.5; it must be a whole number >= 0"),
    "fewer than no lots": ({"most_lots": -1}, "most_lots is -1; it must be"),
    "values of nobody": ({"value_of": "station"}, "value_of is 'station'; it must be 'provider' or 'vehicle'"),
    "a column twice": ({"columns": [number("mine")] * 2}, "a column is called mine, and so is another"),
    "a column of the table": (
        {"columns": [number("surplus")]}, "called surplus, and the table auctions has such a column already; give"),
    "a column of text": (
        {"columns": [Column("mine", "text", "", "words")]}, "the type of mine is 'text'; it must be 'float'"),
    "a column of flags": (
        {"columns": [Column("mine", "bool", "", "a flag")]}, "the type of mine is 'bool'; it must be 'float'"),
    "a column with a number as its unit": (
        {"columns": [Column("mine", "float", 3, "x")]}, "unit and meaning of mine must be text"),  # type: ignore[arg-type]
    "a column of reasons": ({"columns": [number("why_x")]}, "is called 'why_x'; .* does not begin with why_"),
    "too many choices": (seat(Choice(10**9)), "Choice has n = 1000000000; it must be a whole number from 1 to"),
    "a grid in a set": (seat(Numbers(0.0, 1.0, {0.5})), "the grid must be one or more numbers"),  # type: ignore[arg-type]
    "a space of one's own": (seat(type("Mine", (Choice,), {})(3)), "it must be PriceScale, Choice or Numbers"),
    "a column without a name": ({"columns": [number("a b")]}, "a column is called 'a b'; it must be a name"),
    "names of columns": ({"columns": ["mine"]}, r"columns is \['mine'\]; it must be a tuple of Column"),
    "a column alone": ({"columns": number("mine")}, "it must be a tuple of Column"),
    "a list of seats": ({"seats": ["mine"]}, r"seats is \['mine'\]; it must be a mapping from names to Seat"),
    "a seat without a name": ({"seats": {1: Seat(PriceScale())}}, "the name of a seat is 1; it must be text"),
    "no space": (seat("numbers"), "seat mine: its space is 'numbers'; it must be PriceScale, Choice or Numbers"),
    "a choice of nothing": (seat(Choice(0)), "seat mine: Choice has n = 0; it must be a whole number from 1"),
    "a range of nothing": (seat(Numbers(1.0, 1.0, (1.0,))), "low must be below high"),
    "a range without a grid": (seat(Numbers(0.0, 1.0, ())), "the grid must be one or more numbers"),
    "a grid out of order": (seat(Numbers(0.0, 1.0, (0.5, 0.2))), "in increasing order"),
    "a grid out of range": (seat(Numbers(0.0, 1.0, (0.5, 2.0))), "from low to high"),
    "a state of the table": (
        seat(PriceScale(), number("action")), "called action, and the table decisions has such a column already"),
    "two states of one name": (
        {"seats": {"a": Seat(PriceScale(), (number("x"),)),
                   "b": Seat(PriceScale(), (Column("x", "float", "s", "another"),))}}, "states of its seats: a column"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_is_refused_before_the_run(case: str) -> None:
    attributes, message = WRONG[case]
    with pytest.raises(PolicyError, match=r"mechanism First: .*" + message) as caught:
        simulate("paper", "none", duration=5, mechanism=declares(**attributes))
    assert "\n" not in str(caught.value)


def test_an_attribute_that_raises_is_the_users() -> None:
    class Raises(First):
        @property
        def every_s(self) -> float:  # type: ignore[override]
            raise ZeroDivisionError("on purpose")

    with pytest.raises(PolicyError, match="mechanism Raises: its attributes raised ZeroDivisionError: on purpose"):
        simulate("paper", duration=5, mechanism=Raises())


RESETS: dict[str, tuple[str, Any, str]] = {
    "a window": ("every_s", 1e-9, r"mechanism First: every_s is 1e-09"),
    "a shorter window": ("every_s", 0.5, r"reset\(\) changes every_s from 0\.0 to 0\.5; declare it in the class or in"),
    "a column": ("columns", (number("late"),), r"reset\(\) changes columns from \(\) to .*late"),
    "whose value it is": ("value_of", "vehicle", r"reset\(\) changes value_of from 'provider' to 'vehicle'"),
    "a seat": ("seats", {"late": Seat(PriceScale())}, r"reset\(\) changes seats from \{\} to .*late"),
}


@pytest.mark.parametrize("case", RESETS)
def test_a_reset_changes_nothing_that_is_declared(case: str) -> None:
    """The tables and the seats have been made by then, so half of the run would go by the old declaration."""
    name, value, message = RESETS[case]

    class Late(First):
        def reset(self, platform: object, rng: object) -> None:
            setattr(self, name, value)

    with pytest.raises(PolicyError, match=message.replace("First", "Late")):
        simulate("paper", duration=5, mechanism=Late())


def test_a_seat_that_chooses_may_have_as_many_choices_as_there_are_providers() -> None:
    assert simulate("paper", "nearest", duration=5).run["seats"] == ["controller"]


def test_nobody_named_in_a_seat_that_chooses_is_random() -> None:
    class Chooses(First):
        seats = {"who": Seat(Choice(3))}  # noqa: RUF012 (read only)

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            who: int = yield Decide("who", lots, {}, [False, True, True])
            return [Award(lot, who) for lot in lots]

    result = simulate("paper", duration=60, mechanism=Chooses())
    assert result.run["policy"] == "random"
    assert set(result.auctions["winner"]) == {1, 2}
    with pytest.raises(RunError, match="mechanism Chooses, auction of task 0: seat who: the mask allows no choice"):
        simulate("paper", duration=5, mechanism=NoChoice())


class NoChoice(First):
    seats = {"who": Seat(Choice(3))}  # noqa: RUF012 (read only)

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        yield Decide("who", lots, {}, [False] * 3)
        return []

    def __repr__(self) -> str:
        return "mechanism Chooses".removeprefix("mechanism ")


def test_the_environment_of_a_seat_refuses_it_too() -> None:
    with pytest.raises(PolicyError, match="most_lots is -1"):
        SeatEnvironment("paper", mechanism=declares(most_lots=-1))


def test_a_name_of_every_table_is_taken() -> None:
    for column in TABLES["auctions"]:
        with pytest.raises(PolicyError, match="has such a column already"):
            simulate("paper", duration=1, mechanism=declares(columns=[number(column.name)]))


def claims(found: Any) -> Mechanism:
    """Return a mechanism that claims something."""
    return declares(claims=lambda information: found)


CLAIMS: dict[str, tuple[Any, str]] = {
    "misspelt": ({"truthfull"}, r"claims\(\) has 'truthfull'; did you mean 'truthful'"),
    "one name": ("truthful", r"claims\(\) returned 'truthful'; it must be a set of names of findings"),
    "nothing": (None, r"claims\(\) returned None; it must be a set"),
    "numbers": ({1}, r"claims\(\) returned \{1\}; it must be a set"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_claim_that_nobody_knows_is_refused(case: str) -> None:
    found, message = CLAIMS[case]
    with pytest.raises(PolicyError, match="mechanism First: " + message):
        audit("paper", rounds=2, watched=2, mechanism=claims(found))


def test_claims_that_raise_are_the_users() -> None:
    mechanism = declares(claims=lambda information: information.nothing)
    with pytest.raises(PolicyError, match=r"mechanism First: claims\(\) raised AttributeError"):
        audit("paper", rounds=2, watched=2, mechanism=mechanism)


@pytest.mark.parametrize("value_of", ["provider", "vehicle"])
def test_every_claim_has_a_line_of_the_audit(value_of: str) -> None:
    mechanism = claims(CLAIMABLE)
    vars(mechanism)["value_of"] = value_of
    found = audit("paper", rounds=3, watched=3, mechanism=mechanism)
    claimed = [finding for finding in found.findings if finding.claimed]
    assert {finding.property.partition(", ")[0] for finding in claimed} == CLAIMABLE
    not_tested = {finding.property for finding in claimed if finding.meaning.endswith("does not test this")}
    if value_of == "provider":
        assert not not_tested
    else:
        assert {"anonymous", "false-name-proof"} <= not_tested
        assert all(one.verdict == "untested" for one in claimed if one.property in not_tested)


def asks(question: Callable[[Sequence[Lot]], Any]) -> Mechanism:
    """Return a mechanism that asks something."""

    class Asks(Mechanism):
        seats = {"price": Seat(PriceScale())}  # noqa: RUF012 (read only)

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield question(lots)
            return []

    return Asks()


def iterator(lots: Sequence[Lot]) -> Iterator[Lot]:
    return iter(lots)


QUESTIONS: dict[str, tuple[Callable[[Sequence[Lot]], Any], str]] = {
    "an iterator of lots": (lambda lots: Ask("bid", iterator(lots)), "Ask is about <.*>; give it a list of Lot"),  # type: ignore[arg-type]
    "a number": (lambda lots: Ask("bid", 3), "Ask is about 3; give it a list of Lot"),  # type: ignore[arg-type]
    "ids of tasks": (lambda lots: Ask("bid", [lots[0].task]), "Ask is about 0; give it a list of Lot"),  # type: ignore[list-item]
    "an iterator of providers": (lambda lots: Ask("bid", lots, to=iter([1])), "asked <.*>; it must ask None or a list"),  # type: ignore[arg-type]
    "one provider": (lambda lots: Ask("bid", lots, to=1), "asked 1; it must ask None or a list of ids"),  # type: ignore[arg-type]
    "a decision on an iterator": (lambda lots: Decide("price", iterator(lots)), "Decide is about <.*>; give it a"),  # type: ignore[arg-type]
    "a decision on a task": (lambda lots: Decide("price", [lots[0].task]), "Decide is about 0; give it a list"),  # type: ignore[list-item]
    "a state that is none": (lambda lots: Decide("price", lots, 3), "the state of a decision is 3; it must be a"),  # type: ignore[arg-type]
    "names of providers": (lambda lots: Ask("bid", lots, to=["s1"]), r"asked \['s1'\]; it must ask None"),  # type: ignore[list-item]
    "lists of providers": (lambda lots: Ask("bid", lots, to=[[1]]), r"asked \[\[1\]\]; it must ask None"),  # type: ignore[list-item]
    "a decision on a lot twice": (
        lambda lots: Decide("price", [*lots, *lots]),
        "a decision names a lot twice",
    ),
    "a huge price": (lambda lots: Ask("accept", price=10**400), "asked to accept 1000"),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_a_question_about_something_else_is_the_mechanisms(case: str) -> None:
    question, message = QUESTIONS[case]
    with pytest.raises(RunError, match=r"mechanism Asks, auction of task 0: .*" + message):
        simulate("paper", "constant:1.2", duration=2, mechanism=asks(question))


def awards(**fields: Any) -> Mechanism:
    """Return a mechanism whose awards have these fields."""

    class Pays(Mechanism):
        columns = (number("spread"),)

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield Ask("bid", lots)
            return [Award(lot, lot.invited[0])._replace(**fields) for lot in lots]

    return Pays()


AWARDS: dict[str, tuple[dict[str, Any], str]] = {
    "a huge whole number": ({"paid_by_provider": 10**400}, "paid_by_provider is 1000"),
    "more than there is": ({"paid_by_vehicle": 1.7e308}, r"paid_by_vehicle is 1\.7e\+308; it must be a number from"),
    "a huge royalty": ({"royalty": 10**400}, "royalty is 1000"),
    "odds in a list": ({"chances": [1]}, r"chances are \[1\]; they must be"),
    "huge odds": ({"chances": {0: (1.0, 10**400)}}, "chances are"),
    "odds of a list": ({"chances": {0: [1.0]}}, "chances are"),
    "odds in words": ({"chances": {0: ("1", "2")}}, "chances are"),
    "a payment without measure": ({"chances": {0: (1.0, 1e300)}}, "chances are"),
    "a column that is misspelt": (
        {"columns": {"spraed": 1.0}},
        "has not declared the column 'spraed'; did you mean",
    ),
}


@pytest.mark.parametrize("case", AWARDS)
def test_an_award_without_measure_is_the_mechanisms(case: str) -> None:
    fields, message = AWARDS[case]
    with pytest.raises(RunError, match=r"mechanism Pays, auction of task 0: .*" + message):
        simulate("paper", duration=2, mechanism=awards(**fields))


@pytest.mark.parametrize("bid", [10**400, 1e13, math.nan])
def test_a_bid_without_measure_is_the_bidders(bid: float) -> None:
    class Bids:
        def bid(self, view: object) -> float:
            return bid

    with pytest.raises(RunError, match=r"bidder Bids, provider 1, task 0: bid\(\) returned .*; it must be a number"):
        simulate("paper", duration=2, bidders=Bids(), mechanism="vickrey")


STATES: dict[str, tuple[Any, str]] = {
    "words": ("many", r"seat price: the state n is 'many'; give a number"),
    "nothing": (None, "the state n is None; give a number"),
    "a list": ([1.0], r"the state n is \[1\.0\]; give a number"),
    "a huge number": (10**400, "the state n is 1000"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_state_is_a_number(case: str) -> None:
    value, message = STATES[case]

    class Shows(First):
        seats = {"price": Seat(PriceScale(), (number("n"),))}  # noqa: RUF012 (read only)

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield Decide("price", lots, {"n": value})
            return []

    with pytest.raises(RunError, match=r"mechanism Shows, auction of task 0: .*" + message):
        simulate("paper", "constant:1.2", duration=2, mechanism=Shows())


def test_a_state_of_each_provider_is_an_array() -> None:
    column = Column("n", "float", "", "a number of each provider", per_provider=True)

    class Shows(First):
        seats = {"price": Seat(PriceScale(), (column,))}  # noqa: RUF012 (read only)

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield Decide("price", lots, {"n": 1.0})
            return []

    with pytest.raises(RunError, match=r"the state n is 1\.0; give an array with one number per provider"):
        simulate("paper", "constant:1.2", duration=2, mechanism=Shows())


def test_an_attribute_that_cannot_be_read_is_the_users() -> None:
    class Hides:
        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError("on purpose")

    for arguments in ({"policy": Hides()}, {"mechanism": Hides()}, {"bidders": Hides()}):
        with pytest.raises(PolicyError, match=r"Hides.*: its attribute.* raised ZeroDivisionError: on purpose"):
            simulate("paper", duration=2, **arguments)  # type: ignore[arg-type]


def test_a_class_in_the_place_of_its_instance_is_told_so() -> None:
    with pytest.raises(PolicyError, match=r"mechanism First is a class; give an instance, First\(\)"):
        simulate("paper", duration=2, mechanism=First)  # type: ignore[arg-type]


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(PolicyError, match=r"policy 'constant:rho=1\.3:rho=2': rho is given twice; give it once"):
        simulate("paper", "constant:rho=1.3:rho=2", duration=2)


def test_a_lot_is_read_only_and_can_be_copied() -> None:
    class Writes(First):
        def clear(self, lots: Sequence[Lot]) -> Clearing:
            yield Ask("bid", lots)
            lots[0].predicted_s[lots[0].invited[0]] = 0.0  # type: ignore[index]
            return []

    with pytest.raises(RunError, match=r"clear\(\) raised TypeError: 'mappingproxy' object does not support"):
        simulate("paper", duration=2, mechanism=Writes())

    class Keeps(First):
        """Keeps the lots that it has seen; the audit copies it."""

        def __init__(self) -> None:
            self.seen: list[Lot] = []

        def clear(self, lots: Sequence[Lot]) -> Clearing:
            self.seen += lots
            return super().clear(lots)

    audit("paper", rounds=3, watched=3, mechanism=Keeps())
    kept = Keeps()
    simulate("paper", duration=1, mechanism=kept)
    assert copy.deepcopy(kept).seen == kept.seen


SLOTS = """
from dataclasses import dataclass

class Slots:
    __slots__ = ("rho",)
    def __init__(self, rho: float = 1.2):
        self.rho = rho
    def price(self, observation):
        return self.rho

class Named(Slots):
    __slots__ = ("spec",)

@dataclass(frozen=True)
class Frozen:
    rho: float = 1.2
    def price(self, observation):
        return self.rho
"""


def test_a_class_with_slots_has_a_place_for_its_name(tmp_path: Path) -> None:
    """Two parameters or two versions of it would be one policy in a table and in a journal."""
    file = tmp_path / "mine.py"
    file.write_text(SLOTS)
    with pytest.raises(PolicyError, match=r"class Slots must let its attribute 'spec' be set, .* lists 'spec'"):
        simulate("paper", f"{file}:Slots", duration=2)
    for name in ("Named", "Frozen"):
        run = simulate("paper", f"{file}:{name}:1.3", duration=2).run
        assert run["policy"] == f"{file}:{name}:1.3"
        assert list(run["code_sha256"]) == [str(file)]


@pytest.mark.parametrize(("award", "message"), [
    (None, r"clear\(\) returned \[None\]; it must return a list of Award"),
    (("abc", 0.0), "paid_by_provider is 'abc'; it must be a number"),
    ((math.nan, 0.0), "paid_by_provider is nan; it must be a number"),
])  # fmt: skip
def test_awards_to_a_second_identity_are_held_to_the_contract(award: Any, message: str) -> None:
    """The audit adds a false name to the invited. A mechanism that mistakes it is told so."""

    class Mistakes(First):
        def clear(self, lots: Sequence[Lot]) -> Clearing:
            awards: Any = yield from super().clear(lots)
            if len(lots[0].invited) <= 6:  # five stations and a UAV
                return awards  # type: ignore[no-any-return]
            return [None if award is None else Award(lots[0], lots[0].invited[-1], *award)]  # type: ignore[list-item]

    with pytest.raises(RunError, match="mechanism Mistakes, auction of task [0-9]+: " + message):
        audit("paper", rounds=3, watched=3, mechanism=Mistakes())


def test_what_cannot_be_copied_in_the_middle_of_a_run_is_the_mechanisms() -> None:
    class Locks(First):
        def reset(self, platform: object, rng: object) -> None:
            self.lock = threading.Lock()

    with pytest.raises(RunError, match="mechanism Locks: a deep copy in the middle of a run raised TypeError"):
        audit("paper", rounds=3, watched=3, mechanism=Locks())


def test_the_arena_tells_a_claim_that_nobody_knows_before_its_runs(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from simulator.market.mechanisms.first_price import FirstPrice\n"
        "class Mine(FirstPrice):\n    def claims(self, information):\n        return {'truthfull'}\n"
    )
    with pytest.raises(PolicyError, match="has 'truthfull'; did you mean 'truthful'"):
        arena("paper", ["msb", f"{file}:Mine"], 2, 20, journal=tmp_path / "runs", rounds=2)
    assert not (tmp_path / "runs").exists()
