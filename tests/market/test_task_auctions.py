"""Myerson's auction and the second-score auction in the world: their payments, what they claim, and every law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from simulator import simulate
from simulator.market.contracts import Ask, Award, Lot, Quote
from simulator.market.mechanisms.myerson import FIRST_BIDS, Myerson
from simulator.market.mechanisms.second_score import SecondScore
from simulator.study.audit import audit
from tests.clearing import lot, platform
from tests.laws import check_laws

NUMBER = st.floats(0.0, 10.0)


def second_score(weight: float, bids: list[float], quotes: list[Quote]) -> Award:
    """Clear one task with these bids and promises, by provider."""
    mechanism, one = SecondScore(weight), lot(range(len(bids)))
    mechanism.reset(platform(len(bids) - 1), np.random.default_rng(0))
    steps, reply = mechanism.clear([one]), None
    while True:
        try:
            step: Any = steps.send(reply)
        except StopIteration as done:
            awards: list[Award] = done.value
            return awards[0]
        reply = {(0, who): (bids if step.what == "bid" else quotes)[who] for who in one.invited}
        assert isinstance(step, Ask)


def quality(quote: Quote, one: Lot) -> float:
    """The formula of the docstring, with the weights of `paper`: omega_1 = 1, omega_2 = .1, beta = 2."""
    assert one.limit_s == np.inf
    return 1.0 / quote.latency_s * 0.1 / (1.0 - quote.accuracy) ** 2


def test_a_second_score_is_paid_in_the_winners_own_quality() -> None:
    good, poor = Quote(1.0, 0.9, 0.0), Quote(2.0, 0.5, 0.0)
    award = second_score(1.0, [3.0, 5.0], [good, poor])
    g_good, g_poor = quality(good, lot((0, 1))), quality(poor, lot((0, 1)))
    assert (g_good, g_poor) == pytest.approx((10.0, 0.2))
    assert award.provider == 0
    assert award.paid_by_provider == 0.0, "5 + .2 - 10 is below 0"
    award = second_score(0.1, [3.0, 5.0], [good, poor])
    assert award.provider == 1
    assert award.paid_by_provider == pytest.approx(3.0 + 1.0 - 0.02)


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBER, min_size=2, max_size=5), st.data(), st.floats(0.0, 3.0), st.integers(0, 4), NUMBER)
def test_no_lie_about_the_bid_pays_in_a_second_score_auction(
    bids: list[float], data: st.DataObject, weight: float, who: int, said: float
) -> None:
    quotes = [Quote(data.draw(st.floats(0.1, 5.0)), data.draw(st.floats(0.0, 0.95)), 0.0) for _ in bids]
    who %= len(bids)

    def utility(stated: list[float]) -> float:
        award = second_score(weight, stated, quotes)
        assert award.provider is not None
        assert 0.0 <= award.paid_by_provider <= stated[award.provider]
        return bids[who] - award.paid_by_provider if award.provider == who else 0.0

    lie = [*bids]
    lie[who] = said
    assert utility(lie) <= utility(bids) + 1e-9


@pytest.mark.parametrize("scenario", ["four_way", "after_the_match", "paper"])
@pytest.mark.parametrize("mechanism", ["myerson", "second-score", "second-score:4"])
def test_runs_keep_every_law(scenario: str, mechanism: str) -> None:
    result = simulate(scenario, mechanism=mechanism, duration=300)
    check_laws(result)
    won = result.auctions[result.auctions["winner"] >= 0]
    assert len(won) > 50
    assert (won["paid_by_provider"] >= 0.0).all()
    if mechanism == "myerson":
        assert (won["virtual_value"] >= 0.0).all()
    if mechanism == "myerson" and scenario == "paper":
        assert (result.auctions["unserved_reason"] == "unsold").any(), "it keeps tasks from everybody"


@pytest.mark.parametrize("mechanism", ["myerson", "second-score"])
def test_the_audit_finds_what_they_claim_and_no_more(mechanism: str) -> None:
    found = {one.property: one for one in audit("paper", mechanism=mechanism, rounds=100, watched=300).findings}
    for name, one in found.items():
        assert not (one.claimed and one.verdict == "fails"), (name, one)
    assert found["truthful"].claimed
    assert found["truthful"].verdict == "holds"
    assert not found["free of adverse selection"].claimed


def test_without_a_sample_myerson_is_the_second_price_auction() -> None:
    result = simulate("paper", mechanism="myerson", duration=FIRST_BIDS // 10)
    auctions = result.auctions.dropna(subset=["second_bid"])
    bids = result.bids.pivot_table(index="task", columns="provider", values="bid").to_numpy()
    ranked = np.sort(bids, axis=1)
    assert len(auctions) == 10
    assert np.allclose(auctions["paid_by_provider"], ranked[:, -2])


def test_a_memory_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="memory must be a whole number from 100 to 1,000,000, not 3"):
        Myerson(3)
    with pytest.raises(ValueError, match="weight must be a number from 0 to 1e6, not -1"):
        SecondScore(-1)
