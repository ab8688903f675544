"""Verdicts that theory gives: what Theorem 1 covers holds, what lies outside it fails, and a round shows how."""

from __future__ import annotations

import math
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import stats

from simulator import InputError, RunError, Scenario, simulate
from simulator.market.contracts import Ask, Award, Decide, Information, Lot, Observation
from simulator.market.mechanisms.ground_or_uav import Contest
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.market.mechanisms.sealed_bid import Offer, SealedBid
from simulator.study.audit import Audit, audit
from simulator.study.incentives import grid_of_multipliers
from simulator.study.statistics import chi_square
from simulator.study.train import train
from simulator.study.truth_cost import truth_cost
from tests.fields import fields
from tests.quick import quick

THEOREM = (
    "truthful", "no regret", "no constant multiplier pays", "false-name-proof", "anonymous",
    "individually rational", "budget balance", "free of adverse selection",
)  # fmt: skip


def verdicts(found: Audit) -> dict[str, str]:
    return {finding.property: finding.verdict for finding in found.findings}


PUBLIC = [("conditional", 600), ("constant:1.3", 600), ("diffusion", 120), ("dqn", 120), ("sac", 120), ("ppo", 120)]


@pytest.mark.parametrize(("policy", "rounds"), quick(PUBLIC[:2], PUBLIC))
def test_all_of_theorem_1_holds_where_the_price_looks_at_public_conditions(policy: str, rounds: int) -> None:
    found = verdicts(audit("paper", policy, rounds=rounds))
    assert {name: found[name] for name in THEOREM} == dict.fromkeys(THEOREM, "holds")


def test_it_holds_at_a_junction_too() -> None:
    found = verdicts(audit("four_way", "conditional", rounds=300))
    assert {name: found[name] for name in THEOREM} == dict.fromkeys(THEOREM, "holds")


class BestForTheseBids:
    """The paper's letter: the price that is best for the bids at hand, which is rho = 1 where the top bid is good."""

    information: ClassVar[Information] = "all-bids"

    def price(self, observation: Observation) -> float:
        return 1.0 if observation.bids[0] >= observation.contract_bid else math.inf


def test_a_price_that_looks_at_all_bids_is_not_truthful_and_a_round_shows_how() -> None:
    found = audit("paper", BestForTheseBids(), rounds=400)
    verdict = verdicts(found)
    assert verdict["truthful"] == verdict["no regret"] == "fails"
    assert verdict["free of adverse selection"] == "fails"
    assert verdict["anonymous"] == "holds"
    misreport = found.table.loc["truthful"]
    assert misreport["number"] > 0.1
    assert re.search(
        r"task \d+: s\d, to whom it is worth [\d.]+, has 0 if truthful; bidding [\d.]+ times its value it has [\d.]+$",
        str(misreport["example"]),
    )


class LowWhereTheSecondBidIsGood:
    """Masked: a top bidder's threshold does not hang on its own bid, but a false bid of its own can lower it."""

    information: ClassVar[Information] = "masked"

    def price(self, observation: Observation) -> float:
        return 1.0 if observation.bids[0] > 0.5 * observation.contract_bid else 3.0


def test_a_masked_price_is_truthful_but_not_proof_against_shills() -> None:
    found = verdicts(audit("paper", LowWhereTheSecondBidIsGood(), rounds=400))
    assert found["truthful"] == "holds"
    assert found["false-name-proof"] == "fails"


def test_the_second_price_auction_has_adverse_selection_and_nothing_else() -> None:
    found = verdicts(audit("paper", "spa", rounds=300))
    assert found["free of adverse selection"] == found["free of adverse selection, not given m"] == "fails"
    assert found["truthful"] == found["false-name-proof"] == found["anonymous"] == "holds"


class Overcharging(SealedBid):
    """The highest bid wins and pays half as much again."""

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        return Award(lot, offers[0].provider, 1.5 * offers[0].bid)


def test_other_mechanisms_fail_where_they_must() -> None:
    first = audit("paper", rounds=200, mechanism="first-price")
    assert verdicts(first)["truthful"] == "fails"
    assert verdicts(first)["individually rational"] == "holds"
    multiplier = first.table.loc["no constant multiplier pays"]
    assert multiplier["verdict"] == "fails"
    assert multiplier["number"] == math.inf, "the truth earns nothing at one's own price"
    over = verdicts(audit("paper", rounds=50, mechanism=Overcharging()))
    assert over["individually rational"] == over["no constant multiplier pays"] == "fails"


class OwnPrice(ModifiedSecondBid):
    """MSB's allocation, with the winner's own bid as its payment."""

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        rho = yield Decide("auctioneer", (contest.lot,))
        if contest.bids[0] > rho * contest.bids[1]:
            return Award(contest.lot, contest.stations[0], contest.bids[0], columns={"rho": rho})
        return Award(contest.lot, contest.uav)


def test_what_misreports_gain_at_ones_own_price_is_the_figure_by_hand() -> None:
    """First price: a winner gains where .95 of its value, the next multiplier below 1, beats rho times the second bid.

    Nobody else gains: who wins by bidding more than its value pays that, and less wins nothing.
    """
    rho, rounds = 1.3, 300
    found = audit("paper", f"constant:{rho}", rounds=rounds, mechanism=OwnPrice())
    auctions = simulate("paper", f"constant:{rho}", duration=rounds).auctions  # the same world
    top, threshold = auctions["top_value"].to_numpy(), rho * auctions["second_bid"].to_numpy()
    share = found.table.loc["truthful"]["number"]
    assert share == pytest.approx((0.95 * top > threshold).mean())
    assert 0.1 < share < 0.9
    assert found.table.loc["individually rational"]["number"] == 0.0


class Noisy:
    """Draws its price: a counterfactual must not move the noise of the rounds that follow."""

    def reset(self, scenario: object, rng: np.random.Generator) -> None:
        self.rng = rng
        self.prices: list[float] = []

    def price(self, observation: Observation) -> float:
        return float(1.0 + self.rng.random())


def test_a_random_price_is_the_same_in_every_counterfactual() -> None:
    found = verdicts(audit("paper", Noisy(), rounds=200))
    assert found["truthful"] == found["false-name-proof"] == found["anonymous"] == "holds"


def test_what_truth_costs_is_what_the_bids_tell_beyond_public_conditions() -> None:
    rng, rounds = np.random.default_rng(0), 4_000
    factor = np.exp(rng.normal(0.0, 1.0, rounds))
    bids = -np.sort(-np.exp(rng.normal(0.0, 0.3, (rounds, 3)))) * factor[:, None]
    uav, blind = np.full(rounds, 1.2), np.exp(rng.normal(0.0, 1.0, (rounds, 2)))
    # All stations' values scale with a factor and the UAV's does not: the second bid tells what m does not say.
    hidden = truth_cost(blind, bids, uav, bids[:, 0])
    assert hidden.masked > 3 * hidden.masked_ci > 0.0
    assert hidden.all_bids == pytest.approx(hidden.masked, abs=2 * hidden.masked_ci)
    # Where m says what the best rho is, bids tell nothing more.
    told = truth_cost(np.column_stack([blind, uav / bids[:, 1] - 1.0]), bids, uav, bids[:, 0])
    assert abs(told.all_bids) < 0.01 * hidden.all_bids
    assert told.own < 0.0
    assert math.isnan(truth_cost(blind[:100], bids[:100], uav[:100], uav[:100]).own)


def test_masking_is_all_but_free_in_paper_and_publicity_nearly_so() -> None:
    """model.md section 5: the best public price has .996 of the bound, and the best masked one all of it."""
    found = audit("paper", "conditional", rounds=1).table.loc["what truth costs"]
    assert found["verdict"] == "measured"
    assert 0.0 < found["number"] < 0.012


@pytest.mark.slow
def test_a_learned_price_that_sees_all_bids_is_not_truthful_and_the_round_says_how(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")
    scenario = Scenario.load("paper", **fields({"market.information": "all-bids", "duration_s": 200}))
    small = {"warmup": 200, "critics_alone": 100, "worlds": 2, "width": 32, "batch": 64, "update_every": 4}
    weights = train([scenario], "diffusion", 8_000, out=tmp_path / "t", held_out=1, hyper=small)
    found = audit("paper", f"diffusion:weights={weights}", rounds=40)
    assert verdicts(found)["truthful"] == verdicts(found)["no regret"] == "fails"
    assert "if truthful; bidding" in str(found.table.loc["truthful"]["example"])
    assert verdicts(found)["anonymous"] == "holds"


def test_chi_square_is_the_librarys_and_adds_up_over_strata() -> None:
    rng = np.random.default_rng(0)
    event, value = rng.random(4_000) < 0.3, rng.normal(size=4_000)
    cut = np.searchsorted(np.quantile(value, np.arange(1, 5) / 5), value)
    counts = np.array([[np.sum(event[cut == number] == side) for number in range(5)] for side in (True, False)])
    expected = stats.chi2_contingency(counts, correction=False)
    found = chi_square(event, value, 5)
    assert (found.statistic, found.freedom) == pytest.approx((expected.statistic, 4))
    assert found.p_value == pytest.approx(expected.pvalue)
    strata = np.repeat([0, 1], 2_000)
    parts = [chi_square(event[strata == number], value[strata == number], 5) for number in (0, 1)]
    both = chi_square(event, value, 5, strata)
    assert both.statistic == pytest.approx(parts[0].statistic + parts[1].statistic)
    assert both.freedom == 8
    # Within strata that move both, there is independence; over all there is none.
    shift = 2.0 * strata
    event = rng.random(4_000) < 0.2 + 0.3 * strata
    assert chi_square(event, value + shift, 5, strata).p_value > 0.01
    assert chi_square(event, value + shift, 5).p_value < 1e-6
    assert math.isnan(chi_square(event[:10], value[:10], 5).p_value)


def test_what_cannot_be_audited_is_said() -> None:
    wrong: Any
    for wrong in (0, True, 2.5, "many"):
        with pytest.raises(InputError, match="rounds: must be a whole number >= 1"):
            audit("paper", "conditional", rounds=wrong)
    for name, count in (("seeds", 0), ("long_run", -1), ("seeds", True)):
        with pytest.raises(InputError, match=f"{name}: must be a whole number >= {'0' if name == 'long_run' else '1'}"):
            audit("paper", "conditional", rounds=5, **fields({name: count}))
    with pytest.raises(RunError, match="no auction has an invited provider, so there is nothing to audit"):
        audit("four_way", "conditional", rounds=5, **fields({"stations.radius_m": 2000.0, "duration_s": 60}))
    few = verdicts(audit("four_way", "conditional", rounds=5, **fields({"duration_s": 300})))
    assert few["free of adverse selection"] == "untested"


@pytest.mark.parametrize("policy", ["diffusion", "sac", "ppo", "dqn", "foresight", "conditional"])
def test_a_false_name_beside_a_lone_station_is_audited_with_every_price(policy: str) -> None:
    """The second name makes a contest in which there is no second station: its condition is missing."""
    found = {one.property: one for one in audit("after_the_match", policy, rounds=8, watched=8).findings}
    assert found["false-name-proof"].verdict == "holds"


def test_a_uav_to_which_a_task_is_worth_nothing_is_audited_too() -> None:
    """It cannot refuse a task that will be late. A gain is then divided by a worth of 0."""
    found = {one.property: one for one in audit("after_the_match", "spa", rounds=60, watched=60).findings}
    assert found["no UAV misreport pays"].verdict == "fails"


def test_the_regret_of_a_first_price_auction_is_the_lead_of_its_winner() -> None:
    """Truth earns nothing. The best misreport of a station that wins is just above the next bid."""
    rounds = 30
    grid = grid_of_multipliers(300)
    found = audit("four_way", mechanism="first-price", rounds=rounds, watched=rounds, multipliers=grid).table
    bids = simulate("four_way", mechanism="first-price", duration=1800).bids
    leads = []
    for _, part in bids[bids["bid"].notna()].groupby("task"):
        ranked = part.sort_values("bid", ascending=False)
        best, second = [*ranked["bid"].fillna(0.0).to_list(), 0.0][:2]
        # To a UAV the task has another value than its bid, which is a mean of past tasks.
        leads.append((best - second) / part["value"].max() if ranked["provider"].iloc[0] >= 1 else 0.0)
    measured = found.loc["regret per round", "number"]
    # Of two neighbours of the grid it takes the upper one, at most one step of .01 above the next bid.
    assert np.mean(leads[:rounds]) - grid[1] <= measured <= np.mean(leads[:rounds])
    assert found.loc["regret per round", "verdict"] == "measured"


@pytest.mark.parametrize("multipliers", [(), (-1.0,), (math.nan,), (math.inf,), ("x",), 3.0, np.zeros(0)])
def test_multipliers_that_are_none_are_refused(multipliers: Any) -> None:
    with pytest.raises(InputError, match="multipliers: must be at least one finite number >= 0"):
        audit("paper", "conditional", rounds=5, multipliers=multipliers)
    with pytest.raises(InputError, match="multipliers: must be at least 2 factors, not 1"):
        grid_of_multipliers(1)
