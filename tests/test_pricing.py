from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from simulator import Observation, Outcome, PolicyError, RunError, Scenario, check_policy, plan, simulate
from simulator.market.contracts import (
    INFORMATION,
    MARKET_CONDITIONS,
    Ask,
    Award,
    Clearing,
    Decide,
    Information,
    Lot,
    Mechanism,
    PriceScale,
    Seat,
)
from simulator.market.entry_points import known_mechanisms, known_policies
from simulator.market.plugins import find_mechanism, find_policy
from simulator.world.driving import drive
from tests.fields import fields

SIZE = len(MARKET_CONDITIONS)


class Spy:
    """Remembers what it sees and is told."""

    def __init__(self, information: Information | None = None) -> None:
        if information is not None:
            self.information = information
        self.seen: list[Observation] = []
        self.told: list[Outcome] = []

    def price(self, observation: Observation) -> float:
        SEEN.append(observation)
        return 1.3

    def feedback(self, outcome: Outcome) -> None:
        TOLD.append(outcome)


SEEN: list[Observation] = []
TOLD: list[Outcome] = []


@pytest.mark.parametrize("information", [None, *INFORMATION])
def test_a_policy_sees_and_is_told_what_its_information_allows(information: Information | None) -> None:
    SEEN.clear()
    TOLD.clear()
    result = simulate("paper", Spy(information), seed=2, duration=30)
    assert len(SEEN) == len(TOLD) == 30
    offers = (
        result.bids[result.bids["provider"] > 0]
        .groupby("task")["bid"]
        .apply(lambda bids: tuple(sorted(bids, reverse=True)))
    )
    uav_values = result.auctions["uav_value"]
    for task, (seen, told) in enumerate(zip(SEEN, TOLD, strict=True)):
        allowed = {"masked": offers[task][1:], "all-bids": offers[task], "clairvoyant": offers[task]}
        assert seen.bids == told.bids == allowed.get(str(information), ())
        assert (seen.truth is not None) == (information == "clairvoyant")
        if seen.truth is not None:
            assert seen.truth == (uav_values[task], offers[task][0])
        assert told.observation is seen
        assert told.task == task
        assert told.surplus == result.auctions["surplus"][task]
        assert told.winner_kind == result.auctions["winner_kind"][task]
        assert told.uav_value == (uav_values[task] if told.winner_kind == "uav" else None)
        assert seen.uav_bid == pytest.approx(
            result.auctions["uav_bid"][task] if information not in (None, "public") else math.nan, nan_ok=True
        )
    assert {told.winner_kind for told in TOLD} == {"ground", "uav"}


def test_no_market_condition_moves_with_a_bid_of_the_round() -> None:
    honest = simulate("paper", "constant:1.3", duration=40)
    conditions = [f"m_{name}" for name in MARKET_CONDITIONS]
    for liars in ({"all": "shade:3.0"}, {"s1": "shade:0.1"}):
        lied = simulate("paper", "constant:1.3", duration=40, **fields({"stations.bidding": liars}))
        assert honest.auctions[conditions].equals(lied.auctions[conditions])
        assert not honest.auctions["top_bid"].equals(lied.auctions["top_bid"])
    for scenario in ("paper", "braunschweig"):
        first = simulate(scenario, "constant:1.3", duration=300).auctions
        # At a junction a lie moves who wins, and so later backlogs; up to the first different winner, nothing else.
        lied = simulate(scenario, "constant:1.3", duration=300, **fields({"stations.bidding": "shade:2.0"}))
        changed = (first["winner"] != lied.auctions["winner"]).to_numpy()
        upto = int(changed.argmax()) + 1 if changed.any() else len(first)
        assert upto > 1
        assert first[conditions].iloc[:upto].equals(lied.auctions[conditions].iloc[:upto])


def test_market_conditions_cannot_be_written_to() -> None:
    SEEN.clear()
    simulate("paper", Spy(), duration=2)
    with pytest.raises(ValueError, match="read-only"):
        SEEN[0].market[0] = 1.0


@pytest.mark.parametrize("bids", [(), (3.0,), (4.0, 3.0, 2.0), (5.0, 4.0, 3.0, 2.0)])
def test_the_vector_has_a_fixed_length(bids: tuple[float, ...]) -> None:
    vector = Observation(np.arange(SIZE, dtype=float), bids).vector()
    assert vector.shape == (SIZE + 3,)
    assert vector[:SIZE].tolist() == list(range(SIZE))
    assert vector[SIZE:].tolist() == [*bids[:3], 0.0, 0.0, 0.0][:3]


def test_a_policy_object_is_run_as_a_copy() -> None:
    class Counts:
        def __init__(self) -> None:
            self.rounds = 0

        def price(self, observation: Observation) -> float:
            return 1.0 + self.rounds

        def feedback(self, outcome: Outcome) -> None:
            self.rounds += 1

    policy = Counts()
    one, two = (simulate("paper", policy, duration=5) for _ in range(2))
    assert policy.rounds == 0
    assert one.auctions["rho"].tolist() == two.auctions["rho"].tolist() == [1, 2, 3, 4, 5]


class Good:
    def price(self, observation: Observation) -> float:
        return 1.2


class Learns(Good):
    def price(self, observation: Observation) -> float:
        self.count = getattr(self, "count", 0) + 1
        return 1.2


class Global(Good):
    def price(self, observation: Observation) -> float:
        return 1.0 + random.random()


class Half(Good):
    def price(self, observation: Observation) -> float:
        return 0.5


class Late(Good):
    def reset(self, scenario: Scenario) -> None:
        """Lacks the generator."""


class Stuck(Good):
    def __init__(self) -> None:
        self.lock = (value for value in range(3))


class Field(Good):
    feedback = 3


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (Learns, r"price\(\) changes the attribute 'count'"),
        (Global, "two copies in the same state give different prices"),
        (Half, r"price\(\) returned 0\.5"),
        (Late, r"the signature must be reset\(scenario, rng\): too many positional arguments"),
        (Stuck, "a deep copy raised TypeError"),
        (Field, "feedback must be a method"),
    ],
)
def test_the_checker_tells_what_is_wrong(policy: type[Any], problem: str) -> None:
    check_policy(Good())
    with pytest.raises(PolicyError, match=problem):
        check_policy(policy())


def test_objects_that_are_no_policy() -> None:
    with pytest.raises(PolicyError, match=r"is a class; give an instance, Good\(\)"):
        find_policy(Good)
    with pytest.raises(PolicyError, match="has no method price"):
        find_policy(3)
    with pytest.raises(PolicyError, match="has no method clear"):
        find_mechanism(Good())  # type: ignore[arg-type]


def test_everything_installed_is_found_by_name() -> None:
    assert {"random", "greedy", "constant", "spa", "myopic", "optimal", "conditional", "oracle"} <= set(
        known_policies()
    )
    assert {"msb", "second-price"} <= set(known_mechanisms())
    assert vars(find_policy("spa:uav_bid=contract"))["mechanism"] == "second-price:uav_bid=contract"


def test_arguments_of_a_policy_are_numbers_words_or_infinity(tmp_path: Path) -> None:
    assert find_policy("constant:inf").price(None) == float("inf")  # type: ignore[attr-defined]
    assert find_policy("greedy:epsilon=0.5:decay=1").epsilon == 0.5  # type: ignore[attr-defined]
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    def __init__(self, level=1.0, mode='a'):\n        self.level, self.mode = level, mode\n"
        "    def price(self, observation):\n        return self.level\n"
    )
    mine = find_policy(f"{tmp_path}/mine.py:Mine:level=2:mode=b")
    assert (mine.level, mine.mode) == (2, "b")  # type: ignore[attr-defined]


class Takes(Mechanism):
    """A mechanism that always gives the task to the UAV for a tenth of its bid, whatever the price is."""

    seats = {"auctioneer": Seat(PriceScale())}  # noqa: RUF012 (read only)

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        (lot,) = lots
        bids = yield Ask("bid", lots)
        yield Decide("auctioneer", lots)
        return [Award(lot, 0, 0.1 * bids[lot.task, 0])]


class Brings:
    mechanism: ClassVar[Any] = Takes()

    def price(self, observation: Observation) -> float:
        return 1.0


def test_a_policy_may_bring_its_mechanism_and_a_caller_may_choose_one() -> None:
    for result in (simulate("paper", Brings(), duration=9), simulate("paper", "random", duration=9, mechanism=Takes())):
        auctions = result.auctions
        assert (auctions["winner"] == 0).all()
        assert np.allclose(auctions["paid_by_provider"], 0.1 * auctions["uav_bid"])
        assert result.run["mechanism"] == "Takes"
    with pytest.raises(PolicyError, match="brings its own mechanism"):
        simulate("paper", Brings(), duration=9, mechanism="msb")
    second = simulate("paper", duration=50, mechanism="second-price").auctions
    assert second.equals(simulate("paper", "spa", duration=50).auctions)


def test_the_literal_reference_reaches_the_auction() -> None:
    plain = simulate("paper", "constant:1.3", duration=300)
    literal = simulate("paper", "constant:1.3", duration=300, **fields({"market.reference": "all"}))
    a, b = plain.auctions, literal.auctions
    threshold = 1.3 * np.maximum(b["second_bid"], b["contract_bid"])
    assert ((b["winner_kind"] == "ground") == (b["top_bid"] > threshold)).all()
    assert ((a["winner_kind"] == "ground") == (a["top_bid"] > 1.3 * a["second_bid"])).all()
    assert (a["winner_kind"] != b["winner_kind"]).any()


@pytest.mark.parametrize("payment", ["royalty", "posted", "contract"])
def test_what_the_uav_pays_does_not_depend_on_what_it_says(payment: str) -> None:
    paid = []
    for shade in ("shade:0.01", "truthful", "shade:5"):
        more = {"uavs.bidding": shade, "market.uav_payment": payment, "market.uav_share": 0.4}
        auctions = simulate("paper", "always-uav", duration=50, **fields(more)).auctions
        done = auctions["realised_surplus"].notna()
        assert done.sum() > 30
        match payment:
            case "royalty":
                expected = 0.4 * auctions["realised_surplus"]
                assert (auctions.loc[~done, "paid_by_provider"] == 0.0).all(), "due when the task has ended"
            case "posted":
                # E[v_0 | m]: omega_1 over the seconds, times the match, times E[30 MB / D] for D in U[20, 40].
                expected = 0.4 * auctions["m_uav_match"] / auctions["m_uav_seconds"] * 1.5 * math.log(2.0)
            case _:
                expected = auctions["contract_bid"]
        assert np.allclose(auctions.loc[done, "paid_by_provider"], expected[done])
        paid.append(auctions["paid_by_provider"].tolist())
    assert paid[0] == paid[1] == paid[2]


def test_zeta_weighs_the_uav_in_every_rule() -> None:
    """Twice the weight and half the UAV's accuracy value are the same market, payments of the UAV apart."""
    # omega_2 scales all values alike, so halving the UAV's match is done through its error: (1-R) times sqrt(2).
    heavier = {"market.uav_weight": 2.0, "uavs.accuracy.median_error": 0.34 * 2**0.5, "uavs.accuracy.log_sd": 0.0}
    plain = {"uavs.accuracy.median_error": 0.34, "uavs.accuracy.log_sd": 0.0}
    for policy in ("spa", "myopic", "optimal", "conditional", "oracle", "constant:1.4"):
        one = simulate("paper", policy, duration=400, **fields(heavier))
        two = simulate("paper", policy, duration=400, **fields(plain))
        assert (one.auctions["winner"] == two.auctions["winner"]).all(), policy
        assert np.allclose(one.auctions["surplus"], two.auctions["surplus"]), policy


def test_faults_while_running_are_run_errors() -> None:
    with pytest.raises(RunError, match=r"policy Half, auction of task 0: price\(\) returned 0\.5"):
        simulate("paper", Half(), duration=3)


class Remembers:
    """Remembers what it is told of every task."""

    def reset(self, scenario: object, rng: object) -> None:
        self.settled: list[Outcome] = []
        self.ended: list[Outcome] = []

    def price(self, observation: Observation) -> float:
        return 1.2

    def feedback(self, outcome: Outcome) -> None:
        self.settled.append(outcome)

    def served(self, outcome: Outcome) -> None:
        self.ended.append(outcome)


@pytest.mark.parametrize("mode", ["lost", "wait"])
def test_a_policy_is_told_what_became_of_its_tasks(mode: str) -> None:
    """As the tables have it, at the time of the event; with outages that drop tasks, and deadlines that lose them."""
    planned = plan(
        "four_way", Remembers(), seed=2, duration=600,
        **fields({
            "outages.mode": mode,
            "outages.failures": [{"provider": "stations", "mean_between_s": 60, "mean_repair_s": 20}],
            "tasks.kinds.entertainment_3d.deadline_s": 3.0,
        }),
    )  # fmt: skip
    simulation, policy = planned.simulation(), planned.new_policy()
    drive(simulation, policy)
    assert isinstance(policy, Remembers)
    tables = simulation.tables()
    tasks, auctions = tables.tasks().set_index("task"), tables.auctions().set_index("task")
    assert [one.task for one in policy.settled] == auctions.index[auctions["asked"]].tolist()
    for one in policy.settled:
        assert one.status == "open"
        assert np.isnan(one.realised_surplus), "what comes of a task is told when it has come"
        assert one.time == auctions.loc[one.task, "time"]
    assert {one.status for one in policy.ended} == {"completed", "lost"}
    times = [one.time for one in policy.ended]
    assert times == sorted(times)
    for one in policy.ended:
        row = tasks.loc[one.task]
        assert one.status == row["status"]
        assert one.realised_surplus == pytest.approx(row["realised_surplus"])
        if one.status == "completed":
            assert one.latency_s == pytest.approx(row["latency"])
            assert one.time == pytest.approx(row["finished"])
        else:
            assert np.isnan(one.latency_s)
    completed = tasks.index[(tasks["status"] == "completed") & auctions["asked"]]
    assert set(completed) <= {one.task for one in policy.ended}


class Module:
    """Has the flag that a torch module flips between training and evaluation."""

    def __init__(self) -> None:
        self.training = True

    def named_parameters(self) -> list[object]:
        return []


class Switches:
    def __init__(self) -> None:
        self.net = Module()

    def price(self, observation: Observation) -> float:
        self.net.training = not self.net.training
        return 1.5


def test_a_switch_of_torch_is_no_change_of_state() -> None:
    check_policy(Switches())
