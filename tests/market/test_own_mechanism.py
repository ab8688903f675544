"""A user's own mechanism: what it may do, that nothing is settled without it, and what is said if it is wrong."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import RunError, simulate
from simulator.market.contracts import Ask, Award, Choice, Clearing, Decide, Lot, Mechanism, PriceScale, Seat
from simulator.market.guard import seats_of
from simulator.run import plan
from simulator.scenario.shipped import shipped_scenarios
from simulator.world.driving import drive
from tests.fields import fields
from tests.laws import check_laws

LOTTERY = '''
from simulator.market.contracts import Ask, Award, Column


class Lottery:
    """Asks the UAVs, then the stations. Now and then nobody wins; else the best bid does, and is paid a tenth."""

    columns = (Column("lot_drawn", "float", "", "number that was drawn"),)

    def __init__(self, unsold: float = 0.2):
        self.unsold = unsold

    def reset(self, platform, rng):
        self.platform, self.rng = platform, rng
        self.cleared, self.seen = 0, {}

    def clear(self, lots):
        (lot,) = lots
        self.cleared += 1
        uavs = [one for one in lot.invited if one < self.platform.uavs]
        bids = dict((yield Ask("bid", lots, uavs)))
        assert all(one < self.platform.uavs for _, one in bids)
        bids |= yield Ask("bid", lots, [one for one in lot.invited if one not in uavs])
        self.seen[lot.task] = {one: bids[lot.task, one] for one in lot.invited}
        drawn = self.rng.random()
        if drawn < self.unsold:
            return [Award(lot, None, columns={"lot_drawn": drawn})]
        best = max(lot.invited, key=self.seen[lot.task].get)
        return [Award(lot, best, -0.1 * bids[lot.task, best], 0.3 * bids[lot.task, best], {"lot_drawn": drawn})]
'''


def test_a_mechanism_from_a_file_sees_bidders_pays_them_draws_and_remembers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LOTTERY)
    spec = f"{tmp_path}/mine.py:Lottery:unsold=0.3"
    for scenario, more in (("grid", {}), ("rush_hour", {"stations.bidding": "shade:0.8"})):
        planned = plan(scenario, mechanism=spec, seed=1, duration=500, **fields(more))
        simulation = planned.simulation()
        drive(simulation, planned.new_policy())
        mechanism: Any = simulation.mechanism
        result = simulate(scenario, mechanism=spec, seed=1, duration=500, **fields(more))
        check_laws(result)
        auctions = result.auctions
        invited = auctions["task"].isin(result.bids["task"])
        assert mechanism.cleared == invited.sum() == len(mechanism.seen) > 50
        for task, provider, bid in result.bids[["task", "provider", "bid"]].to_numpy().tolist():
            assert mechanism.seen[int(task)][int(provider)] == bid
        drawn = auctions["lot_drawn"]
        assert drawn.notna().equals(invited)
        assert drawn.nunique() == invited.sum()
        assert ((drawn[invited] < 0.3) == (auctions["winner"][invited] == -1)).all()
        assert (result.tasks.loc[invited & (drawn < 0.3), "status"] == "unserved").all()
        won = auctions[auctions["winner"] >= 0]
        top = result.bids.groupby("task")["bid"].max().loc[won["task"]].to_numpy()
        assert np.allclose(won["paid_by_provider"], -0.1 * top)
        assert np.allclose(won["paid_by_vehicle"], 0.3 * top)
        assert result.summary["payments"] == pytest.approx(0.2 * top.sum())
        assert (auctions.loc[invited, "messages"] == 2 * result.bids.groupby("task").size().to_numpy()).all()
        # Its draws are its own: the world does not change with them, and its seed gives them again.
        assert drawn.equals(
            simulate(scenario, mechanism=spec, seed=1, duration=500, **fields(more)).auctions["lot_drawn"]
        )
        assert auctions["demand"].equals(simulate(scenario, "random", seed=1, duration=500).auctions["demand"])
        assert list(result.run["code_sha256"]) == [f"{tmp_path}/mine.py"]


class Counts(Mechanism):
    """Gives each lot to the invited provider with the highest id, and counts."""

    def __init__(self) -> None:
        self.cleared: list[int] = []

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        self.cleared += [one.task for one in lots]
        yield from ()
        return [Award(one, one.invited[-1]) for one in lots]


@pytest.mark.parametrize("more", [{}, {"uavs.count": 0}, {"stations.count": 1, "uavs.count": 1}])
@pytest.mark.parametrize("scenario", ["paper", "four_way", "t_junction"])
def test_every_request_with_an_invited_provider_reaches_the_mechanism(scenario: str, more: dict[str, Any]) -> None:
    if more and scenario == "t_junction":
        pytest.skip("its providers are placed one by one")
    planned = plan(scenario, duration=300, mechanism=Counts(), **fields(more))
    simulation = planned.simulation()
    drive(simulation, planned.new_policy())
    tables = simulation.tables()
    counted: Any = simulation.mechanism
    assert counted.cleared == sorted(set(tables.bids()["task"]))
    assert len(counted.cleared) > 5
    auctions = tables.auctions()
    assert (auctions["winner"] >= 0).sum() == len(counted.cleared)
    assert auctions["top_bid"].isna().all(), "nobody has asked for a bid"
    assert (auctions["messages"] == 0.0).all()
    assert not auctions["asked"].any()


def test_every_shipped_scenario_is_named_here() -> None:
    assert {"paper", "four_way", "t_junction", "grid", "rush_hour"} <= set(shipped_scenarios())


class OnlyStation(Mechanism):
    """Asks one station only, and gives it the task."""

    def reset(self, platform: Any, rng: Any) -> None:
        self.station = platform.uavs

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        (lot,) = lots
        bids = yield Ask("bid", lots, [self.station])
        assert list(bids) == [(lot.task, self.station)]
        return [Award(lot, self.station, bids[lot.task, self.station])]


def test_who_is_not_asked_has_not_bid() -> None:
    told: list[int] = []

    class Learns:
        def bid(self, view: Any) -> float:
            told.append(view.provider)
            return float(view.value)

        def learn(self, settlement: Any) -> None:
            told.append(-settlement.provider)

        def __deepcopy__(self, memo: object) -> Learns:
            return self

    result = simulate("paper", duration=4, mechanism=OnlyStation(), bidders=Learns())
    assert told == [1, -1] * 4
    bids = result.bids
    assert bids["bid"].notna().tolist() == (bids["provider"] == 1).tolist()
    assert (result.auctions["messages"] == 2).all()
    assert (result.auctions["invited"] == 5).all()
    assert result.auctions["top_bid"].notna().all()
    assert result.auctions[["second_bid", "uav_bid"]].isna().all(axis=None)
    check_laws(result)


def broken(clear: Callable[[Any, Any], Any], **attributes: Any) -> Mechanism:
    """A mechanism called Broken with this `clear`."""
    made: Mechanism = type("Broken", (), {"clear": clear, **attributes})()
    return made


def returns(make: Callable[[Lot, Any], Any]) -> Mechanism:
    """A mechanism that asks for bids and returns what `make` makes of its lot."""

    def clear(self: Any, lots: Any) -> Any:
        bids = yield Ask("bid", lots)
        return make(lots[0], bids)

    return broken(clear)


def yields(make: Callable[[Any], Any], **attributes: Any) -> Mechanism:
    """A mechanism that yields what `make` makes of its lots."""

    def clear(self: Any, lots: Any) -> Any:
        yield make(lots)
        return []

    return broken(clear, **attributes)


def raises(error: BaseException) -> Mechanism:
    def clear(self: Any, lots: Any) -> Any:
        yield Ask("bid", lots)
        raise error

    return broken(clear)


SEATS = {"seats": {"chooser": Seat(Choice(3))}}
AT = "mechanism Broken, auction of task 0: "
WRONG: dict[str, tuple[Mechanism, str]] = {
    "no generator": (broken(lambda _, lots: [Award(lots[0], 0)]), r"clear\(\) returned .*; it must be a generator"),
    "no generator, and raises": (broken(lambda _, lots: lots[5]), r"clear\(\) raised IndexError"),
    "no award at all": (returns(lambda lot, bids: None), r"clear\(\) returned None; it must return a list of Award"),
    "a winner alone": (returns(lambda lot, bids: [1]), r"clear\(\) returned \[1\]; it must return a list of Award"),
    "an award of nothing": (returns(lambda lot, bids: [Award(lot.task, 1)]), "an Award is for 0; it must be"),  # type: ignore[arg-type]
    "awarded twice": (returns(lambda lot, bids: [Award(lot, 1), Award(lot, 2)]), "it has two awards"),
    "a stranger": (returns(lambda lot, bids: [Award(lot, 99)]), r"it went to 99; it must go to None or one of \[0, 1"),
    "a name": (returns(lambda lot, bids: [Award(lot, "s1")]), "it went to 's1'; it must go to None or one of"),  # type: ignore[arg-type]
    "half a provider": (returns(lambda lot, bids: [Award(lot, 1.0)]), r"it went to 1\.0; it must go to"),  # type: ignore[arg-type]
    "true": (returns(lambda lot, bids: [Award(lot, True)]), "it went to True; it must go to"),
    "nan": (returns(lambda lot, bids: [Award(lot, 1, math.nan)]), "paid_by_provider is nan; it must be a number"),
    "infinity": (returns(lambda lot, bids: [Award(lot, 1, 0.0, math.inf)]), "paid_by_vehicle is inf; it must be"),
    "text": (returns(lambda lot, bids: [Award(lot, 1, "much")]), "paid_by_provider is 'much'; it must be"),  # type: ignore[arg-type]
    "a bid of nobody": (returns(lambda lot, bids: bids[lot.task, 99]), r"clear\(\) raised KeyError"),
    "nonsense": (yields(lambda lots: 5), r"clear\(\) yielded 5; it must yield Ask or Decide"),
    "another question": (yields(lambda lots: Ask("price", lots)), r"asked 'providers' for 'price' about lots; it can"),  # type: ignore[arg-type]
    "a quote of vehicles": (
        yields(lambda lots: Ask("quote", lots, side="vehicles")), "asked 'vehicles' for 'quote' about lots; it can"),
    "vehicles about nothing": (
        yields(lambda lots: Ask("bid", side="vehicles")), "asked 'vehicles' for 'bid' about no lot; it can"),
    "no price": (yields(lambda lots: Ask("accept")), "asked to accept nan; it must be a finite number"),
    "about another task": (
        yields(lambda lots: Ask("bid", [lots[0]._replace(task=7)])), "asked about task 7, which is not cleared now"),
    "about nothing": (yields(lambda lots: Ask("bid", 3)), "Ask is about 3; give it a list of Lot"),  # type: ignore[arg-type]
    "a seat that is not there": (yields(lambda lots: Decide("chair", lots)), "no seat 'chair'; it declares none"),
    "a seat by another name": (
        yields(lambda lots: Decide("choser", lots), **SEATS), "no seat 'choser'; did you mean 'chooser'"),
    "a state that is not declared": (
        yields(lambda lots: Decide("chooser", lots, {"x": 1}), **SEATS), "seat chooser has not declared the state 'x'"),
    "a short mask": (
        yields(lambda lots: Decide("chooser", lots, {}, [True]), **SEATS), "the mask has 1 flags; it must have"),
    "a decision about nothing": (
        yields(lambda lots: Decide("chooser", []), **SEATS), "a decision must be about lots that are cleared now"),
    "raises": (raises(ZeroDivisionError("on purpose")), r"clear\(\) raised ZeroDivisionError: on purpose"),
    "exits": (raises(SystemExit(0)), r"clear\(\) raised SystemExit: 0"),
    "runs out of memory": (raises(MemoryError()), r"clear\(\) raised MemoryError"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_one_sentence_names_the_mechanism_and_the_task(case: str) -> None:
    mechanism, message = WRONG[case]

    class Chooses:
        def act(self, observation: object, space: object) -> int:
            return 0

    policy = Chooses() if seats_of(mechanism) else None
    with pytest.raises(RunError, match=AT + ".*" + message) as caught:
        simulate("paper", policy, duration=3, mechanism=mechanism)
    assert "\n" not in str(caught.value)


def test_ctrl_c_in_a_mechanism_is_the_users() -> None:
    with pytest.raises(KeyboardInterrupt):
        simulate("paper", duration=3, mechanism=raises(KeyboardInterrupt()))


class BadColumn(Mechanism):
    def __init__(self, value: Any) -> None:
        from simulator.market.contracts import Column

        self.columns, self.value = (Column("mine", "float", "", "a number of mine"),), value

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        yield Ask("bid", lots)
        return [Award(lots[0], 1, columns={"mine": self.value})]


def test_columns_are_numbers() -> None:
    assert (simulate("paper", duration=3, mechanism=BadColumn(np.float32(2))).auctions["mine"] == 2.0).all()
    with pytest.raises(RunError, match=r"auction of task 0: columns are \{'mine': 'high'.*\}; they must be"):
        simulate("paper", duration=3, mechanism=BadColumn("high"))


class Two(Mechanism):
    """Wants two decisions about each lot."""

    seats = {"price": Seat(PriceScale()), "who": Seat(Choice(6))}  # noqa: RUF012 (read only)

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        (lot,) = lots
        rho = yield Decide("price", lots)
        who = yield Decide("who", lots)
        return [Award(lot, who, 0.0, rho)]


def test_a_mechanism_may_have_several_seats() -> None:
    class Both:
        def price(self, observation: object) -> float:
            return 1.5

        def act(self, observation: object, space: object) -> int:
            return 2

    result = simulate("paper", Both(), duration=5, mechanism=Two())
    assert result.decisions["seat"].tolist() == ["price", "who"] * 5
    assert result.decisions["action"].tolist() == [1.5, 2.0] * 5
    assert result.auctions[["winner", "paid_by_vehicle"]].to_numpy().tolist() == [[2, 1.5]] * 5
    check_laws(result)


def test_a_mechanism_that_exits_while_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(0)\n")
    assert sys.modules.get("exits") is None
    with pytest.raises(Exception, match=r"exits\.py cannot be imported: SystemExit"):
        simulate("paper", duration=3, mechanism=f"{tmp_path}/exits.py:Mine")
