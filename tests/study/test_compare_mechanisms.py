"""Comparisons of mechanisms: pairs in the same worlds, what is left out, and a trial before anything long begins."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from simulator import InputError, PolicyError, RunError
from simulator.errors import SkippedWarning
from simulator.run import plan
from simulator.study.compare import compare
from simulator.study.contenders import contenders, try_out
from simulator.study.statistics import half_width
from tests.fields import fields

FAST = fields({"market.contract_rounds": 1000})


def test_policies_are_paired_with_mechanisms_in_the_same_worlds() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table, runs = compare(
            "paper",
            ["conditional", "random"],
            seeds=3,
            duration=60,
            mechanisms=["msb", "vickrey", "first-price"],
            **FAST,
        )
    assert [str(one.message) for one in caught if one.category is SkippedWarning] == []
    assert table.index.tolist() == ["conditional @ msb", "random @ msb", "vickrey", "first-price"]
    assert len(runs) == 12
    tasks = runs["tasks"].unstack("policy")
    assert (tasks.nunique(axis=1) == 1).all(), "the same worlds"
    alone, runs_alone = compare("paper", ["conditional", "random"], seeds=3, duration=60, **FAST)
    for policy in ("conditional", "random"):
        assert table["surplus_mean"].loc[f"{policy} @ msb"] == alone["surplus_mean"].loc[policy]
    assert (runs_alone["tasks"].loc["conditional"] == runs["tasks"].loc["vickrey"]).all()
    # Revenue has an interval: that of Student over the worlds.
    for label in table.index:
        revenue = runs["payments"].loc[label].to_numpy()
        assert table["payments"].loc[label] == pytest.approx(revenue.mean())
        assert table["payments_ci"].loc[label] == pytest.approx(half_width(revenue))
        assert np.isfinite(table["payments_ci"].loc[label])
    assert table["payments"].loc["first-price"] > table["payments"].loc["vickrey"]
    difference = (runs["surplus_mean"].loc["vickrey"] - runs["surplus_mean"].loc["conditional @ msb"]).to_numpy()
    assert table["difference"].loc["vickrey"] == pytest.approx(difference.mean())
    assert table["difference_ci"].loc["vickrey"] == pytest.approx(half_width(difference))


def test_pairs_that_cannot_be_are_left_out_with_a_warning() -> None:
    with pytest.warns(SkippedWarning) as caught:
        found = contenders(["conditional", "nearest", "myopic", "spa"], ["msb", "direct", "vickrey"])
    assert [one.label for one in found] == ["conditional @ msb", "nearest", "vickrey"]
    said = [str(one.message) for one in caught]
    assert len(said) == 6
    assert "nearest @ msb is left out: policy nearest brings its own mechanism, direct" in said[0]
    assert any(one.startswith("myopic @ msb is left out: policy myopic brings its own") for one in said)
    assert any(one.startswith("conditional @ direct is left out: ") for one in said)
    with pytest.raises(PolicyError, match="no policy fits a seat"), pytest.warns(SkippedWarning):
        contenders(["conditional"], ["direct"])


def test_a_mechanism_without_seats_is_run_once() -> None:
    found = contenders(["conditional", "random", "greedy"], ["vickrey"])
    assert [one.label for one in found] == ["vickrey"]
    table, runs = compare("paper", ["conditional", "random"], seeds=2, duration=30, mechanisms=["vickrey"], **FAST)
    assert table.index.tolist() == ["vickrey"]
    assert len(runs) == 2


def test_choosing_policies_are_compared_with_prices() -> None:
    with pytest.warns(SkippedWarning):
        table, runs = compare(
            "four_way", ["conditional", "least-loaded"], seeds=2, duration=120, mechanisms=["msb", "direct"]
        )
    assert table.index.tolist() == ["conditional @ msb", "least-loaded"]
    assert (runs["payments"].loc["least-loaded"] == 0.0).all()
    assert (runs["tasks"].loc["least-loaded"] == runs["tasks"].loc["conditional @ msb"]).all()


@pytest.mark.parametrize("wrong", ["msb", [], ["msb", "msb"]])
def test_what_is_no_list_of_mechanisms(wrong: list[str]) -> None:
    with pytest.raises(InputError, match="mechanisms: must be a list of one or more different mechanisms"):
        compare("paper", ["random"], mechanisms=wrong, **FAST)
    with pytest.raises(PolicyError, match=r"there is no mechanism 'vickry' .*; did you mean 'vickrey'"):
        compare("paper", ["random"], mechanisms=["vickry"], duration=1e9, **FAST)


FAILING = """
from simulator.market.contracts import Ask, Award

class Raises:
    def price(self, observation):
        raise ZeroDivisionError("at once")

class Late:
    def __init__(self, after: int = 10):
        self.after, self.count = after, 0

    def price(self, observation):
        self.count += 1
        if self.count > self.after:
            raise ZeroDivisionError("later")
        return 1.3

class Feeds:
    def price(self, observation):
        return 1.3

    def feedback(self, outcome):
        raise KeyError("told")

class Broken:
    def clear(self, lots):
        yield Ask("bid", lots)
        return [Award(lots[0], 99)]

class Bids:
    def bid(self, view):
        return -1.0
"""


@pytest.mark.parametrize(
    ("policies", "mechanisms", "bidder", "message"),
    [
        (["random", "Raises"], None, None, r"Raises, auction of task 0: price\(\) raised ZeroDivisionError: at once"),
        (["random", "Late:after=10"], None, None, r"price\(\) raised ZeroDivisionError: later"),
        (["random", "Feeds"], None, None, r"feedback\(\) raised KeyError: 'told'"),
        (["random"], ["msb", "Broken"], None, "Broken, auction of task 0: it went to 99"),
        (["random"], None, "Bids", r"Bids, provider 1, task 0: bid\(\) returned -1\.0"),
    ],
)
def test_what_fails_at_once_is_found_before_the_first_run(
    tmp_path: Path, policies: list[str], mechanisms: list[str] | None, bidder: str | None, message: str
) -> None:
    (tmp_path / "mine.py").write_text(FAILING)

    def named(specs: list[str] | None) -> list[str] | None:
        own = ("Raises", "Late", "Feeds", "Broken")
        return specs and [f"{tmp_path}/mine.py:{one}" if one.startswith(own) else one for one in specs]

    finished: list[int] = []
    journal = tmp_path / "journal"
    with pytest.raises(RunError, match=message):
        compare(
            "paper", named(policies) or [], seeds=2, duration=100_000, journal=journal, mechanisms=named(mechanisms),
            bidders=bidder and f"{tmp_path}/mine.py:{bidder}", progress=lambda done, _: finished.append(done), **FAST,
        )  # fmt: skip
    assert finished == []
    assert not journal.exists()


def test_a_trial_is_short_and_leaves_the_plan_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILING)
    for scenario in ("paper", "four_way"):
        planned = plan(scenario, f"{tmp_path}/mine.py:Late:after=25", duration=200, **FAST)
        try_out(planned)
        with pytest.raises(RunError, match="later"):
            planned.run()
    assert planned.policy.count == 0  # type: ignore[attr-defined]


def test_bidders_of_a_comparison_reach_its_runs() -> None:
    truthful, _ = compare("paper", ["spa"], seeds=2, duration=60, **FAST)
    shaded, _ = compare("paper", ["spa"], seeds=2, duration=60, bidders="shade:0.5", **FAST)
    by_name, _ = compare("paper", ["spa"], seeds=2, duration=60, bidders={"stations": "shade:0.5"}, **FAST)
    assert shaded["payments"].loc["spa"] < truthful["payments"].loc["spa"]
    assert by_name["payments"].loc["spa"] == shaded["payments"].loc["spa"]


def test_mechanisms_without_seats_need_no_policy() -> None:
    table, _ = compare("paper", [], seeds=2, duration=20, mechanisms=["vickrey", "first-price"])
    assert list(table.index) == ["vickrey", "first-price"]
    with pytest.raises(PolicyError, match="policies: mechanism msb has a seat, so name one or more policies"):
        compare("paper", [], seeds=2, duration=20, mechanisms=["vickrey", "msb"])
