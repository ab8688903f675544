"""What a mechanism claims, held to its rounds; and those who try to deceive the audit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from simulator.market.auction import Auction
from simulator.market.contracts import Ask, Award, Clearing, Information, Lot, Mechanism, Observation, Space
from simulator.market.entry_points import known_mechanisms
from simulator.market.mechanisms.sealed_bid import Offer, SealedBid
from simulator.market.plugins import find_mechanism
from simulator.market.rehearsal import Played, Rehearsal
from simulator.run import plan
from simulator.study import audit as audit_module
from simulator.study.audit import Audit, audit
from simulator.study.finding import Finding
from simulator.world.driving import drive
from tests.fields import fields
from tests.quick import quick

FAST = fields({"market.contract_rounds": 1000})


@pytest.fixture(autouse=True)
def few_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of independence have enough of 600 rounds here."""
    monkeypatch.setattr(audit_module, "WATCHED", 600)


def line(found: Audit, name: str) -> Finding:
    (finding,) = [finding for finding in found.findings if finding.property == name]
    return finding


CASES = [
    ("msb", "conditional"), ("msb", "myopic"), ("second-price", None), ("first-price", None),
    ("first-price:reserve=0.5", None), ("vickrey", None), ("vickrey:reserve=0.5", None), ("vcg-assignment", None),
    ("direct", "nearest"), ("direct", "least-loaded"), ("myerson", None), ("second-score", None),
    ("double-dutch", "gap-step"), ("madda", "gap-step"), ("mcafee", None),
    ("myerson-net", None), ("regret-net", None), ("trade-reduction", None), ("efficient", None),
]  # fmt: skip


def test_every_shipped_mechanism_is_audited_here() -> None:
    assert {spec.partition(":")[0] for spec, _ in CASES} == set(known_mechanisms()) - {"myopic-msb"}


# The others are a rule of the first with another parameter, or take many quotes.
AUDITED = [
    (*one, "paper")
    for one in CASES
    if one[0] not in ("madda", "regret-net", "trade-reduction", "efficient", "vickrey:reserve=0.5")
]


@pytest.mark.parametrize(
    ("mechanism", "policy", "scenario"),
    quick(AUDITED, [(*one, scenario) for one in CASES for scenario in ("paper", "four_way")]),
)
def test_what_a_shipped_mechanism_claims_holds(mechanism: str, policy: str | None, scenario: str) -> None:
    brought = policy in ("myopic", "nearest", "least-loaded")
    rounds = 40 if scenario == "paper" else 20
    found = audit(scenario, policy, rounds=rounds, mechanism=None if brought else mechanism, **FAST)
    information: Information = "masked" if policy == "myopic" else "public"
    rule: Any = find_mechanism(mechanism)
    # In a double auction a claim is held to each side by itself.
    claimed = {finding.property.partition(", ")[0] for finding in found.findings if finding.claimed}
    assert claimed == rule.claims(information) >= {"budget balance"}
    assert "individually rational" in claimed or mechanism == "efficient"
    wrong = [finding for finding in found.findings if finding.claimed and finding.verdict == "fails"]
    assert wrong == []
    held = [finding for finding in found.findings if finding.claimed and finding.verdict == "holds"]
    assert len(held) >= min(3, len(claimed))
    # A window holds several tasks, so there are fewer of them.
    assert found.rounds == rounds or (rule.every_s > 0.0 and found.rounds > rounds / 3)


def test_what_is_not_claimed_may_fail() -> None:
    first = audit("paper", rounds=40, mechanism="first-price", **FAST)
    assert line(first, "truthful").verdict == "fails"
    assert not line(first, "truthful").claimed
    assert "bidding 0.75 times" in line(first, "truthful").example or "bidding" in line(first, "truthful").example
    spa = audit("paper", rounds=40, mechanism="second-price", **FAST)
    assert line(spa, "free of adverse selection").verdict == "fails"
    assert not line(spa, "free of adverse selection").claimed


def test_two_identities_may_win_two_lots_of_a_window() -> None:
    """Five tasks per window and three providers: with a second name a station can take two of them."""
    few = fields({"stations.count": 2, "market.contract_rounds": 1000, "uavs.count": 1})
    found = audit("paper", rounds=30, mechanism="vcg-assignment:every_s=5", **few)
    finding = line(found, "false-name-proof")
    assert finding.verdict == "fails"
    assert not finding.claimed
    assert "with a second bid of" in finding.example
    assert line(found, "truthful").verdict == "holds"


class CachesByMarket:
    """Keeps a price for each market, computed from the bids of the round in which the market is first seen."""

    information: ClassVar[Information] = "all-bids"

    def __init__(self) -> None:
        self.prices: dict[bytes, float] = {}

    def price(self, observation: Observation) -> float:
        key = observation.market.tobytes()
        if key not in self.prices:
            self.prices[key] = 1.0 if observation.bids[0] >= observation.contract_bid else math.inf
        return self.prices[key]


def test_a_price_that_is_cached_by_market_is_caught() -> None:
    found = audit("paper", CachesByMarket(), rounds=60, **FAST)
    finding = line(found, "truthful")
    assert finding.verdict == "fails"
    assert finding.number > 0.05
    assert "has 0 if truthful; bidding" in finding.example


class CachesInMechanism(SealedBid):
    """A mechanism that fixes its reserve at the first clearing that it sees of a task."""

    def __init__(self) -> None:
        self.reserves: dict[int, float] = {}

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        reserve = self.reserves.setdefault(lot.task, 0.9 * offers[0].bid)
        return Award(lot, offers[0].provider if offers[0].score >= reserve else None, reserve)


def test_a_reserve_that_is_cached_by_task_is_caught() -> None:
    finding = line(audit("paper", rounds=40, mechanism=CachesInMechanism(), **FAST), "truthful")
    assert finding.verdict == "fails"


class GeneratorInAList:
    """A safe price, drawn from a generator that is kept where no attribute is a generator."""

    def reset(self, scenario: object, rng: np.random.Generator) -> None:
        self.kept = [{"rng": rng}]

    def price(self, observation: Observation) -> float:
        return float(1.0 + self.kept[0]["rng"].random())


def test_a_safe_price_whose_generator_is_in_a_list_passes() -> None:
    found = audit("paper", GeneratorInAList(), rounds=60, **FAST)
    assert [finding.property for finding in found.findings if finding.claimed and finding.verdict == "fails"] == []
    assert line(found, "truthful").verdict == line(found, "false-name-proof").verdict == "holds"


class DrawsTheWinner(Mechanism):
    """A lottery without payments, with its generator in a dictionary: nobody can move it by a bid."""

    def reset(self, platform: Any, rng: np.random.Generator) -> None:
        self.kept = {"rng": rng}

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        yield Ask("bid", lots)
        return [Award(lot, lot.invited[int(self.kept["rng"].integers(len(lot.invited)))]) for lot in lots]


def test_a_lottery_is_truthful_but_two_names_have_two_chances() -> None:
    found = audit("paper", rounds=60, mechanism=DrawsTheWinner(), **FAST)
    assert line(found, "truthful").verdict == "holds"
    assert line(found, "individually rational").verdict == "holds"
    assert line(found, "false-name-proof").verdict == "fails"


class PaysOut(Mechanism):
    """The first station gets the task and half its bid back."""

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        bids = yield Ask("bid", lots)
        return [Award(lot, lot.invited[-1], -0.5 * bids[lot.task, lot.invited[-1]], 0.1) for lot in lots]

    def claims(self, information: Information) -> frozenset[str]:
        return frozenset({"budget balance"})


def test_a_mechanism_that_pays_out_fails_budget_balance() -> None:
    found = audit("paper", rounds=40, mechanism=PaysOut(), **FAST)
    finding = line(found, "budget balance")
    assert finding.verdict == "fails"
    assert finding.claimed
    assert finding.number > 0.2
    assert "share of rounds in which the platform pays more than it receives" in finding.meaning
    assert line(found, "truthful").verdict == "fails", "a higher bid gets more back"


class Biased(SealedBid):
    """The first station wins whenever it bids at all."""

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        first = min(offer.provider for offer in offers if offer.provider >= 1)
        return Award(lot, first)


def test_a_mechanism_that_looks_at_names_is_not_anonymous() -> None:
    found = audit("paper", rounds=30, mechanism=Biased(), **FAST)
    finding = line(found, "anonymous")
    assert finding.verdict == "fails"
    assert "the same bids under other names settle" in finding.example or finding.number == 1.0
    assert line(found, "truthful").verdict == "holds"


def test_a_ring_gains_under_conditional_and_the_surplus_falls() -> None:
    finding = line(audit("four_way", "conditional", rounds=100), "a ring of two")
    assert finding.verdict == "measured"
    assert not finding.claimed
    assert finding.number > 1.0
    assert float(finding.meaning.rpartition("changes by ")[2].rstrip("%")) < 0.0


def test_rounds_without_a_decision_are_audited() -> None:
    # With a small radius many rounds have a lone station, or no UAV.
    found = audit("four_way", "conditional", rounds=40, **fields({"uavs.radius_m": 60.0}))
    finding = line(found, "truthful without a decision")
    assert finding.verdict == "holds"
    counted = int(finding.meaning.partition(" rounds in which")[0].rpartition(" ")[2].replace(",", ""))
    assert 5 < counted <= 40
    none = line(audit("paper", "conditional", rounds=10, **FAST), "truthful without a decision")
    assert none.verdict == "untested"
    assert math.isnan(none.number)
    alone = audit("paper", "conditional", rounds=10, **fields({"uavs.count": 0, "market.contract_rounds": 1000}))
    assert line(alone, "truthful without a decision").number == 0.0
    assert line(alone, "no UAV misreport pays").verdict == "untested"
    assert line(alone, "the UAV does not lose").verdict == "untested"


def test_how_rare_a_failure_can_still_be_is_said() -> None:
    found = audit("paper", "conditional", rounds=30, **FAST)
    for name in ("truthful", "false-name-proof", "budget balance"):
        assert line(found, name).meaning.endswith("; if 0, it is below 0.1 at 95 %"), "3 / 30"


def test_a_uav_that_gains_by_its_report_is_counted() -> None:
    """A UAV knows its last report only, so another one may win it more; who knows its value has no gain."""
    found = line(audit("paper", rounds=40, mechanism="second-price", **FAST), "no UAV misreport pays")
    assert found.verdict == "fails"
    assert not found.claimed
    assert "with its report; saying" in found.example
    knows = fields({"uavs.bids_on": "value", "market.contract_rounds": 1000})
    assert line(audit("paper", rounds=40, mechanism="vickrey", **knows), "no UAV misreport pays").verdict == "holds"


def test_several_seeds_share_the_rounds() -> None:
    one = audit("paper", "conditional", rounds=20, **FAST)
    again = audit("paper", "conditional", rounds=20, seeds=1, **FAST)
    two = audit("paper", "conditional", rounds=20, seeds=2, **FAST)
    assert one.rounds == two.rounds == 20
    assert str(one.findings) == str(again.findings)
    assert line(one, "a ring of two").number != line(two, "a ring of two").number


def test_the_long_run_has_an_interval_and_is_no_verdict() -> None:
    short = fields({"duration_s": 300})
    found = audit("four_way", "conditional", rounds=5, long_run=3, **short)
    lines = [finding for finding in found.findings if finding.property == "in the long run"]
    assert len(lines) == 2
    assert {finding.verdict for finding in lines} == {"measured"}
    assert "as `patient` does" in lines[1].meaning
    for finding in lines:
        assert math.isfinite(finding.number)
        assert float(finding.meaning.partition("± ")[2].partition(";")[0]) >= 0.0
        assert finding.meaning.endswith("3 stations, one at a time, in 3 worlds")
    assert len(audit("four_way", "conditional", rounds=5, **short).findings) == len(found.findings) - 3


@pytest.mark.parametrize("scenario", quick({"paper"}, ["paper", "four_way"]))
@pytest.mark.parametrize(("mechanism", "policy"), [*CASES, ("msb", "oracle"), ("msb", "random"), ("msb", "optimal")])
def test_a_round_that_is_cleared_again_with_its_own_bids_ends_as_it_did(
    mechanism: str, policy: str | None, scenario: str
) -> None:
    brought = policy in ("myopic", "nearest", "least-loaded")
    planned = plan(
        scenario, policy, duration=150, mechanism=None if brought else mechanism, bidders="shade:0.9", **FAST
    )
    simulation = planned.simulation()
    found = planned.new_policy() if simulation.has_seats else None
    ends: dict[int, Played] = {}

    def rehearse(auctions: list[Auction]) -> None:
        rehearsal = Rehearsal(simulation.auctioneer, auctions, simulation.platform, found)
        ends.update(rehearsal.clear(rehearsal.bids()))

    simulation.auctioneer.before_clearing = rehearse
    drive(simulation, planned.new_policy() if found is None else found)
    tables = simulation.tables()
    auctions = tables.auctions().set_index("task")
    last = tables.decisions().set_index("task")["action"]
    assert len(ends) > 10
    for task, end in ends.items():
        row = auctions.loc[task]
        if not row["time"] >= 0.0:
            continue  # it waits still
        assert (-1 if end.winner is None else end.winner) == row["winner"]
        # A royalty is due when the task has ended; when the round is cleared again, it is that of the value.
        if row["winner"] >= 0 and simulation.auctioneer.mechanism.value_of == "vehicle":
            assert end.value == pytest.approx(row["surplus"] + row["cost"], abs=1e-12), "zeta is 1"
        fixed = row["paid_by_provider"] - row["royalty"] * np.nan_to_num(row["realised_surplus"])
        royalty = row["royalty"] * row["uav_value"] if row["royalty"] > 0.0 else 0.0
        assert end.paid == pytest.approx(fixed + royalty, abs=1e-12)
        if mechanism not in ("double-dutch", "madda"):  # a clock has many decisions, and most are about several tasks
            assert end.action == last[task] if task in last else math.isnan(end.action)


class ChoosesTheLast:
    """A policy that chooses the last that is allowed, a second identity if there is one."""

    def act(self, observation: Observation, space: Space) -> int:
        assert observation.mask is not None
        return int(np.flatnonzero(observation.mask)[-1])


def test_a_second_identity_can_be_chosen() -> None:
    found = audit("paper", ChoosesTheLast(), rounds=10, mechanism="direct", **FAST)
    assert line(found, "truthful").verdict == "holds"
    assert line(found, "false-name-proof").verdict == "fails", "who comes last is chosen, and the second name does"


def test_audits_leave_the_run_as_it_is() -> None:
    """The rounds that are cleared again have no effect on the rounds that follow."""
    with_rounds = audit("paper", GeneratorInAList(), rounds=30, **FAST)
    without = audit("paper", GeneratorInAList(), rounds=1, **FAST)
    for name in ("the UAV does not lose", "free of adverse selection", "what truth costs"):
        assert str(line(with_rounds, name)) == str(line(without, name))


def test_faults_while_rounds_are_cleared_again_are_one_sentence() -> None:
    from simulator import RunError

    class Exits(SealedBid):
        def award(self, lot: Lot, offers: list[Offer]) -> Award:
            raise SystemExit(0)

    with pytest.raises(RunError, match=r"Exits\(\), auction of task 0: clear\(\) raised SystemExit"):
        audit("paper", rounds=3, mechanism=Exits(), **FAST)
