"""Why this rho: what a policy says of its decision is recorded beside it, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import Observation, PolicyError, Result, RunError, check_policy, simulate


def without_wall(result: Result) -> dict[str, bytes]:
    return {name: getattr(result, name).to_csv().encode() for name in ("auctions", "tasks", "bids", "events")}


@pytest.mark.parametrize("scenario", ["paper", "four_way"])
def test_conditional_explains_its_price_by_two_expectations(scenario: str) -> None:
    told = simulate(scenario, "conditional:scale=0.9", duration=120, explain=True)
    rows = told.decisions
    ratio = rows["why_uav_value"] / rows["why_second_bid"]
    assert len(rows) > 10
    assert rows["action"].to_numpy() == pytest.approx(np.maximum(1.0, ratio.to_numpy()), rel=1e-12)
    silent = simulate(scenario, "conditional:scale=0.9", duration=120)
    assert [name for name in silent.decisions if str(name).startswith("why_")] == []
    assert without_wall(silent) == without_wall(told), "an explanation changes nothing"


@pytest.mark.parametrize("policy", ["diffusion", "sac", "ppo"])
def test_a_learned_policy_plays_the_price_with_the_largest_probability(policy: str) -> None:
    told = simulate("four_way", policy, duration=120, explain=True)
    odds = told.decisions.filter(regex="^why_p_").to_numpy()
    prices = np.array(told.scenario.market.prices())
    assert odds.shape == (len(told.decisions), len(prices))
    assert odds.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert prices[odds.argmax(axis=1)].tolist() == told.decisions["action"].tolist()


def test_explanations_are_saved_with_their_meanings(tmp_path: Path) -> None:
    told = simulate("paper", "conditional", duration=30, explain=True)
    told.save(tmp_path / "run")
    loaded = Result.load(tmp_path / "run")
    loaded.check()
    pd.testing.assert_frame_equal(loaded.decisions, told.decisions)
    meanings = {name: meaning for name, _, _, meaning in loaded.run["columns"]["decisions"]}
    assert "E[v_0 | m]" in meanings["why_uav_value"]


class Explains:
    """A user's policy whose explanation is given."""

    def __init__(self, found: Any, reasons: Any = None) -> None:
        self.found, self.reasons = found, {"speed": "how fast"} if reasons is None else reasons

    def price(self, observation: Observation) -> float:
        return 2.0

    def explain(self, observation: Observation) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_what_a_policy_leaves_out_is_no_number() -> None:
    assert simulate("paper", Explains({}), duration=3, explain=True).decisions["why_speed"].isna().all()
    assert simulate("paper", Explains({"speed": 2}), duration=3, explain=True).decisions["why_speed"].eq(2.0).all()


@pytest.mark.parametrize(
    ("found", "reasons", "message"),
    [
        ({"sped": 1.0}, None, r"explain\(\): 'sped' is not in reasons; did you mean 'speed'\?"),
        ({"speed": "fast"}, None, r"explain\(\): speed must be a number, not 'fast'"),
        ([1.0], None, r"explain\(\) must return numbers by name, not \[1\.0\]"),
        (ValueError("no idea"), None, r"explain\(\).*no idea"),
        ({}, ["speed"], r"reasons must be a dict .* explain\(\), not \['speed'\]"),
        ({}, {"two words": "x"}, r"reasons must be a dict from identifiers"),
    ],
)
def test_an_explanation_that_cannot_be_is_one_sentence(found: Any, reasons: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        simulate("paper", Explains(found, reasons), duration=3, explain=True)
    simulate("paper", Explains(found, reasons), duration=3)


class Counts(Explains):
    """Its explanation changes it."""

    def explain(self, observation: Observation) -> Any:
        self.count = getattr(self, "count", 0) + 1
        return {"speed": 1.0}


def test_check_policy_tries_the_explanation_too() -> None:
    check_policy(Explains({"speed": 1.0}))
    check_policy("conditional")
    with pytest.raises(PolicyError, match=r"explain\(\): 'sped' is not in reasons"):
        check_policy(Explains({"sped": 1.0}))
    with pytest.raises(PolicyError, match=r"explain\(\) changes the attribute 'count'"):
        check_policy(Counts({}))
