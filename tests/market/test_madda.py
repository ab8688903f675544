"""MADDA: who is matched by attributes, who may trade then, and the reputation of providers."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from policies.steps import GapStep
from simulator import InputError, simulate
from simulator.market.contracts import Quote
from simulator.market.mechanisms.madda import Madda
from simulator.model.reputation import FRESHNESS, FRESHNESS_S, PRIOR, Reputations
from simulator.run import plan
from simulator.study.audit import audit
from tests.clearing import lot
from tests.fields import fields
from tests.market.uniform_market import Unit, trade


class Known(Unit):
    """A platform with the same reputation for all but one provider."""

    def __init__(self, poor: int = -1) -> None:
        self.poor = poor

    def reputation(self, provider: int, now: float) -> float:
        return 0.1 if provider == self.poor else 0.8


def matched(rule: Madda, quotes: dict[tuple[int, int], Quote], poor: int = -1) -> dict[int, int]:
    rule.platform = Known(poor)  # type: ignore[assignment]
    tasks = sorted({task for task, _ in quotes})
    lots = [lot([one for own, one in quotes if own == task], task) for task in tasks]
    return rule.matched(lots, dict.fromkeys(sorted({one for _, one in quotes}), 1), quotes)


def test_the_weight_of_a_pair_is_the_formula() -> None:
    rule = Madda(dwell_weight=0.5, reputation_weight=0.3, accuracy_weight=0.2, required_accuracy=0.7)
    assert rule.weight(Quote(2.0, 0.7, 1.0, 6.0), 0.9) == pytest.approx(0.5 * 6 / 8 + 0.3 * 0.9 + 0.2)
    assert rule.weight(Quote(2.0, 0.69, 1.0, 6.0), 0.9) == pytest.approx(0.5 * 6 / 8 + 0.3 * 0.9)
    assert rule.weight(Quote(2.0, 0.69, 1.0), 0.0) == 0.5, "who covers the vehicle forever stays"


def test_a_provider_of_poor_reputation_is_left_out() -> None:
    quotes = {(0, one): Quote(1.0, 0.9, 1.0, 10.0) for one in range(3)}
    assert matched(Madda(), quotes, poor=0)[0] in (1, 2)
    assert matched(Madda(dwell_weight=0.0, accuracy_weight=0.0), quotes, poor=1)[0] in (0, 2)


def test_a_vehicle_goes_to_who_covers_it_longest() -> None:
    quotes = {(0, 0): Quote(1.0, 0.9, 1.0, 2.0), (0, 1): Quote(1.0, 0.9, 1.0, 9.0)}
    assert matched(Madda(), quotes) == {0: 1}


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_the_matching_has_the_largest_weight(seed: int, tasks: int, providers: int) -> None:
    rng = np.random.default_rng(seed)
    quotes = {
        (task, one): Quote(float(rng.uniform(0.5, 3.0)), float(rng.random()), 1.0, float(rng.uniform(0.0, 20.0)))
        for task in range(tasks)
        for one in range(providers)
    }
    rule = Madda()
    found = matched(rule, quotes)
    weight = {key: rule.weight(quote, 0.8) for key, quote in quotes.items()}
    most = max(tasks, providers)
    best = max(
        sum(weight.get((task, one), 0.0) for task, one in enumerate(order[:tasks]))
        for order in permutations(range(most))
    )
    assert sum(weight[key] for key in found.items()) == pytest.approx(best)


def test_matched_pairs_trade_only_with_each_other() -> None:
    rng = np.random.default_rng(4)
    free = paired = 0.0
    for values, costs in rng.random((60, 2, 5)):
        pairs = values[:, None] * rng.uniform(0.5, 1.5, (5, 5))
        for among in ("pool", "pairs"):

            class Here(Madda):
                def reset(self, platform, rng):  # type: ignore[no-untyped-def]
                    super().reset(Known(), rng)  # type: ignore[arg-type]

                def clear(self, lots):  # type: ignore[no-untyped-def]
                    self.lots = lots
                    return (yield from super().clear(lots))

                def matched(self, lots, units, quotes):  # type: ignore[no-untyped-def]
                    self.found = super().matched(lots, units, quotes)
                    return self.found

            rule = Here(among=among, units=1)
            traded = trade(rule, values, costs, GapStep(), pairs=pairs)
            if among == "pairs":
                assert all(rule.found[award.lot.task] == award.provider for award in traded.awards)
                paired += traded.welfare
            else:
                free += traded.welfare
    assert free >= paired, "a choice among more pairs is worth no less"


@pytest.mark.parametrize("wrong", ["among=all", "dwell_weight=2", "required_accuracy=-1", "accuracy_weight=x"])
def test_wrong_settings_are_one_sentence(wrong: str) -> None:
    with pytest.raises(InputError, match=wrong.partition("=")[0]):
        simulate("four_way", mechanism=f"madda:{wrong}", duration=10)


def test_a_reputation_is_that_of_subjective_logic() -> None:
    known = Reputations(2)
    assert known.of(0, 5.0) == 0.5
    for now, in_time in ((0.0, True), (30.0, True), (60.0, False)):
        known.note(0, in_time, now)
    fresh = [FRESHNESS ** ((90.0 - at) / FRESHNESS_S) for at in (0.0, 30.0, 60.0)]
    good, bad = fresh[0] + fresh[1], fresh[2]
    belief, unknown = good / (good + bad + PRIOR), PRIOR / (good + bad + PRIOR)
    assert known.of(0, 90.0) == pytest.approx(belief + 0.5 * unknown)
    assert known.of(1, 90.0) == 0.5


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.booleans()), max_size=30))
def test_a_reputation_is_a_share_and_is_forgotten(ends: list[tuple[float, bool]]) -> None:
    known, now = Reputations(1), 0.0
    for later, in_time in ends:
        now += later
        before = known.of(0, now)
        known.note(0, in_time, now)
        assert (known.of(0, now) >= before) if in_time else (known.of(0, now) <= before)
        assert 0.0 <= known.of(0, now) <= 1.0
    assert known.of(0, now + 1e6) == pytest.approx(0.5, abs=1e-6)


def test_a_provider_that_goes_out_loses_its_reputation() -> None:
    """Its tasks are lost, and the platform remembers that."""
    windows = [{"provider": "u1", "from_s": 290.0, "to_s": 310.0}]
    planned = plan("after_the_match", "always-uav", duration=300.0, **fields({"outages.windows": windows}))
    simulation, policy = planned.simulation(), planned.new_policy()
    before: list[float] = []
    for decision in simulation:
        if simulation.now < 290.0:
            before = [simulation.platform.reputation(0, simulation.now)]
        simulation.answer(policy.price(decision.observation))  # type: ignore[attr-defined]
    assert before[0] > 0.5
    assert simulation.platform.reputation(0, simulation.now) < before[0]


def test_an_unknown_dwell_counts_as_for_ever() -> None:
    assert Quote(1.0, 0.5, 1.0).dwell_s == math.inf


def test_a_provider_whose_limit_is_0_says_other_limits_too() -> None:
    """A multiple of 0 is 0, and most providers have no delay that a limit would hold."""
    found = {
        one.property: one for one in audit("four_way", mechanism="madda:among=pairs", rounds=5, watched=10).findings
    }
    providers = found["truthful, providers"]
    assert providers.number > 0.5
    assert "whose limit is 0, has" in providers.example
    assert found["nobody gains"].number >= max(providers.number, found["truthful, vehicles"].number)
