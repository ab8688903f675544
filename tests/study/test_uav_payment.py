"""What a UAV pays, and why: rules under which lies or bad service pay, beside those under which they do not."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from simulator import plan
from simulator.market.contracts import Ask, Award, Decide
from simulator.market.mechanisms.ground_or_uav import Contest
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.market.platform import Platform
from simulator.study.audit import audit
from simulator.study.finding import Finding
from simulator.study.slowdown import slowdown
from tests.fields import fields
from tests.quick import quick


@dataclass
class SmallerOfTwo(ModifiedSecondBid):
    """The rule of before: the UAV pays the contract bid, but never more than its own word."""

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        award = yield from super().contest(contest)
        if award.provider != contest.uav:
            return award
        return award._replace(royalty=0.0, paid_by_provider=min(contest.contract_bid, contest.own_bid))


@dataclass
class PaysItsAverage(ModifiedSecondBid):
    """The UAV pays the audited average of its last tasks, as of the last multiple of ten seconds."""

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        super().reset(platform, rng)
        self.period, self.average = -1, math.nan

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        if math.floor(contest.lot.now / 10.0) != self.period:
            self.period, self.average = math.floor(contest.lot.now / 10.0), self.platform.uav_report(contest.uav)
        award = yield from super().contest(contest)
        if award.provider != contest.uav:
            return award
        return award._replace(royalty=0.0, paid_by_provider=self.average)


def line(found: list[Finding], name: str) -> Finding:
    (one,) = [finding for finding in found if finding.property == name]
    return one


MISREPORT = "no UAV misreport pays"


def test_under_the_smaller_of_two_bidding_nothing_pays() -> None:
    found = line(audit("braunschweig", "conditional", mechanism=SmallerOfTwo(), rounds=150).findings, MISREPORT)
    assert found.verdict == "fails"
    assert found.number > 0.2
    assert "saying 0 times as much" in found.example


PAYMENTS = [
    (scenario, payment) for scenario in ("braunschweig", "paper") for payment in ("royalty", "posted", "contract")
]


@pytest.mark.parametrize(("scenario", "payment"), quick(PAYMENTS[:4], PAYMENTS))
def test_no_misreport_of_the_uav_pays_under_a_public_price(scenario: str, payment: str) -> None:
    found = audit(scenario, "conditional", rounds=150, **fields({"market.uav_payment": payment})).findings
    assert line(found, MISREPORT).verdict == "holds"


def test_where_its_own_word_decides_the_uav_pays_a_critical_price() -> None:
    """A UAV that knew its value would say it. By its last report alone it is sometimes better off with another word."""
    for policy in ("spa", "myopic:uav_bid=reported"):
        for knows, verdict in (("value", "holds"), ("report", "fails")):
            found = audit("paper", policy, rounds=150, **fields({"uavs.bids_on": knows})).findings
            assert line(found, MISREPORT).verdict == verdict


def test_slowing_down_pays_under_an_average_and_loses_under_a_royalty() -> None:
    more, worlds = fields({"uavs.report_tasks": 1}), 4
    (royalty,) = slowdown(plan("braunschweig", "conditional", duration=1800, **more), worlds)
    assert royalty.property == "no UAV gains by slowing down"
    assert royalty.verdict == "holds"
    assert royalty.number < -20.0
    paying = plan("braunschweig", "conditional", duration=1800, mechanism=PaysItsAverage(), **more)
    (average,) = slowdown(paying, worlds)
    assert average.verdict == "fails"
    assert average.number > 20.0


def test_the_line_is_left_out_where_nobody_reports() -> None:
    assert slowdown(plan("paper", "conditional", duration=100), 2) == []
    assert slowdown(plan("four_way", "conditional", duration=100, **fields({"uavs.count": 0})), 2) == []
