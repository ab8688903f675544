"""Audit of an auction: each priced round is played again with other bids, at the price of those bids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError, RunError, need, shown
from simulator.market.auction import Auction
from simulator.market.auctioneer import Auctioneer
from simulator.market.contracts import UAV, Mechanism, PricingPolicy
from simulator.market.guard import ask_price
from simulator.market.lots import REFERENCE_MB
from simulator.model import FloatArray
from simulator.run import listen, plan
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import TASK_KINDS
from simulator.study.statistics import Dependence, chi_square
from simulator.study.truth_cost import truth_cost

if TYPE_CHECKING:
    import pandas as pd

# Factors near 1 find a price that moves a little with a bid. Large factors find a price that jumps:
# under `all-bids` a station that bids 4 times its value can get the task cheaply.
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""Factors by which a bidder that misreports multiplies its true value."""

# Factors above 1 belong here too: then the false bid itself can win, and its owner gets the task and pays.
SHILLS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.0)
"""Second bids of a bidder under a false name, as multiples of the bidder's true value."""

# The test given m has up to 15 strata: five speeds, three kinds of task. Each has 2 x 3 cells with 5 expected rounds.
# It can afford many rounds: each costs one decision, where playing a round again costs 24 per bidder.
WATCHED = 4_000
"""Least number of priced rounds for the tests of independence and for the UAV's profit."""

GAIN = 1e-9
"""Least gain that counts, as a share of the bidder's true value. A smaller gain is a rounding error."""

# An audit makes two tests. So an auction without adverse selection fails one of them in at most 1 of 500 audits.
SIGNIFICANT = 0.001
"""p-value below which a test of independence fails."""


class Finding(NamedTuple):
    """Verdict on one property of an auction.

    Attributes:
        property: name of the property.
        verdict: `holds` or `fails`; `untested` if there were too few rounds; `measured` for a figure without a verdict.
        number: figure on which the verdict rests.
        meaning: what the figure is.
        example: a round in which the property fails, in words; empty if there is none.
    """

    property: str
    verdict: str
    number: float
    meaning: str
    example: str = ""


class Audit(NamedTuple):
    """Result of `audit`.

    Attributes:
        findings: verdicts, in the order in which the command prints them.
        rounds: number of rounds that were played again.
        watched: number of rounds that the tests of independence used.
    """

    findings: list[Finding]
    rounds: int
    watched: int

    @property
    def table(self) -> pd.DataFrame:
        """The findings as a table with one row per property."""
        import pandas as pd

        return pd.DataFrame(self.findings).set_index("property")


def audit(
    scenario: str | Scenario,
    policy: str | PricingPolicy,
    seed: int = 0,
    rounds: int = 1_000,
    mechanism: str | Mechanism | None = None,
    **overrides: Any,
) -> Audit:
    """Test whether an auction has the properties of Theorem 1, and further ones.

    The audit plays each priced round again. One ground bidder at a time misreports its value (`MULTIPLIERS`), or
    enters a second bid under a false name (`SHILLS`). All other bids stay as they were. The policy is asked for the
    price of the changed bids, in the state that it had in that round. Then the mechanism decides. In a last replay the
    stations exchange their bids.

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policy: pricing policy, as text or as an object with ``price``.
        seed: seed of the world.
        rounds: number of priced rounds to play again; all of the run's if it has fewer.
        mechanism: name of a mechanism or an object; if None, that of the scenario or of the policy, else ``msb``.
        overrides: scenario fields by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        The verdict on each property, and the numbers of rounds.

    Raises:
        InputError: an argument is wrong, or scipy is not installed.
        RunError: the policy or the mechanism failed, or no auction of the run asks for a price.

    Example:
        >>> audit("paper", "conditional", rounds=200).table["verdict"].unique().tolist()
        ['holds', 'measured']
    """
    need("scipy", "study")
    scenario = Scenario.load(scenario, **overrides)
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise InputError(f"rounds: must be a whole number >= 1, not {shown(rounds)}")
    duration, watched = scenario.duration_s, max(rounds, WATCHED)
    reference_mb = None
    needed_s = scenario.traffic.rounds_to_seconds(watched + 1)
    if needed_s is not None:
        # In rounds a value scales with the task's size; at junctions the queues price it.
        duration, reference_mb = needed_s, REFERENCE_MB
    planned = plan(scenario, policy, seed, duration, mechanism=mechanism)
    simulation, found = planned.simulation(), planned.new_policy()
    listen(simulation, found)
    names = [*scenario.uav_names(), *scenario.station_names()]
    tally = _Tally()
    for auction in simulation:
        # A round is played again before it settles: settling changes queues, past values and the policy's state.
        if tally.played < rounds:
            played = _Round(simulation.auctioneer, auction, found, names)
            tally.misreports(played)
            tally.shills(played)
            tally.identities(played)
            tally.played += 1
        simulation.settle(ask_price(found, auction.observation, auction.task.id))
        # The common value: demand / size without queues, but demand alone with queues, as waits do not scale with size.
        scale = 1.0 if reference_mb is None else reference_mb / auction.task.size_mb
        tally.settled(auction, auction.task.demand * scale, simulation.auctioneer.uav_weight)
        if len(tally.common) == watched:
            break
    if not tally.played:
        raise RunError(f"scenario {scenario.name}: no auction asks for a price, so there is nothing to audit")
    return Audit(tally.findings(), tally.played, len(tally.common))


class _Round:
    """Priced auction that can be played again with other bids.

    A station's place is its rank among the bids that were made, from 0.
    """

    def __init__(self, auctioneer: Auctioneer, auction: Auction, policy: PricingPolicy, names: Sequence[str]) -> None:
        self._auctioneer, self._auction, self._policy = auctioneer, auction, policy
        self.task = auction.task.id
        self.names = [names[station] for station in auction.ranking]
        self.worth = [float(auction.value[station]) for station in auction.ranking]
        self.bids = list(auction.bids)

    def with_truth(self, place: int) -> list[float]:
        """Return the bids of the round, with the true value in place of one bidder's bid."""
        # A bid need not be the true value: a scenario can give a station a bid factor.
        return [*self.bids[:place], self.worth[place], *self.bids[place + 1 :]]

    def play(self, bids: Sequence[float]) -> tuple[int, float, float]:
        """Return the winner's place or `UAV`, the payment and rho for other bids, one per place."""
        # The market sees bids in descending order and without names. Equal bids keep the order of their places.
        order = sorted(range(len(bids)), key=lambda place: (-bids[place], place))
        descending = [bids[place] for place in order]
        with _same_noise(self._policy):
            rho = ask_price(self._policy, self._auctioneer.observe(self._auction, descending), self.task)
        position, payment = self._auctioneer.decide(self._auction, descending, rho)
        return (UAV if position == UAV else order[position]), payment, rho

    def utility(self, place: int, bids: Sequence[float], owned: Sequence[int]) -> tuple[float, float, float]:
        """Return a bidder's utility (value minus payment if an owned place wins, else 0), the payment, and rho."""
        winner, payment, rho = self.play(bids)
        return (self.worth[place] - payment if winner in owned else 0.0), payment, rho


@contextmanager
def _same_noise(policy: object) -> Iterator[None]:
    """Restore the state of a policy's random generators when the block ends."""
    # Each replay of a round must see the noise of that round. Otherwise a gain could be a lucky draw.
    # The rounds that follow must also see the noise that they would have without the audit.
    generators = [value for value in getattr(policy, "__dict__", {}).values() if isinstance(value, np.random.Generator)]
    states = [one.bit_generator.state for one in generators]
    try:
        yield
    finally:
        for one, state in zip(generators, states, strict=True):
            one.bit_generator.state = state


@dataclass
class _Tally:
    """Sums and counts over all rounds of an audit.

    Attributes:
        played: number of rounds that were played again.
        truthful: sum of the utilities of truthful bidders.
        by_multiplier: sum of the utilities under each multiplier, with one misreporting bidder at a time.
        misreported: number of rounds in which a bidder gains by a misreport.
        regret: sum of each bidder's gain by its best misreport.
        shilled: number of rounds in which a bidder gains by a false name.
        at_a_loss: number of truthful winners that pay more than their value.
        by_name: number of rounds that settle differently if stations exchange their bids.
        uav_profits: the UAV's value minus its payment, in each watched round that it wins.
        uav_wins: whether the UAV wins, in each watched round.
        common: common value of the task, in each watched round.
        strata: kind of task, and tau_(2) / tau_0 in predicted public seconds, in each watched round.
        markets: public market conditions m, in each watched round.
        values: three highest bids, weighted value of the UAV, and surplus, in each watched round.
        examples: size and description of the clearest example, by kind of failure.
    """

    played: int = 0
    truthful: float = 0.0
    by_multiplier: dict[float, float] = field(default_factory=lambda: dict.fromkeys(MULTIPLIERS, 0.0))
    misreported: int = 0
    regret: float = 0.0
    shilled: int = 0
    at_a_loss: int = 0
    by_name: int = 0
    uav_profits: list[float] = field(default_factory=list)
    uav_wins: list[bool] = field(default_factory=list)
    common: list[float] = field(default_factory=list)
    strata: list[tuple[int, float]] = field(default_factory=list)
    markets: list[FloatArray] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)
    examples: dict[str, tuple[float, str]] = field(default_factory=dict)

    def misreports(self, played: _Round) -> None:
        """Let one bidder at a time misreport its value, the others bidding as they did."""
        gained = False
        for place, value in enumerate(played.worth):
            truth = played.with_truth(place)
            honest, paid, rho = played.utility(place, truth, (place,))
            self.truthful += honest
            if honest < -GAIN * value:
                self.at_a_loss += 1
                self._example("loss", -honest, f"{_who(played, place)} bids its true value, wins and pays {paid:.4g}")
            best = 0.0
            for multiplier in MULTIPLIERS:
                lie = [*truth]
                lie[place] = multiplier * value
                utility, payment, other = played.utility(place, lie, (place,))
                self.by_multiplier[multiplier] += utility
                said = f"By a bid of {multiplier:g} times its value it wins at rho {other:.4g} and pays {payment:.4g}"
                best = self._gain("misreport", played, place, honest, rho, utility, best, said)
            # Regret is the gain of a bidder's best misreport, in hindsight ("ex-post regret").
            self.regret += best
            gained |= best > 0.0
        self.misreported += gained

    def shills(self, played: _Round) -> None:
        """Let one bidder at a time enter a second bid under a false name; it pays if either bid wins."""
        gained = False
        for place, value in enumerate(played.worth):
            truth = played.with_truth(place)
            honest, _, rho = played.utility(place, truth, (place,))
            best = 0.0
            for share in SHILLS:
                utility, payment, other = played.utility(place, [*truth, share * value], (place, len(truth)))
                said = f"By a false bid of {share:g} times its value it wins at rho {other:.4g} and pays {payment:.4g}"
                best = self._gain("shill", played, place, honest, rho, utility, best, said)
            gained |= best > 0.0
        self.shilled += gained

    def _gain(
        self, kind: str, played: _Round, place: int, honest: float, rho: float, utility: float, best: float, said: str
    ) -> float:  # fmt: skip
        """Return a bidder's best gain so far, and keep this replay as an example if it gains more."""
        value = played.worth[place]
        if utility - honest <= max(best, GAIN * value):
            return best
        truth = f"{_who(played, place)} earns {honest:.4g} with the truth (rho {rho:.4g})"
        told = f"{truth}. {said}: it earns {utility:.4g}"
        # Relative to the value: a large gain on a task of little value is the clearer example.
        self._example(kind, (utility - honest) / value, told)
        return utility - honest

    def identities(self, played: _Round) -> None:
        """Let the stations exchange their bids."""
        # In an anonymous auction the winning bid, the payment and the price stay, whoever made which bid.
        winner, payment, rho = played.play(played.bids)
        turned = [*played.bids[1:], played.bids[0]]
        other, other_payment, other_rho = played.play(turned)
        bid = math.nan if winner == UAV else played.bids[winner]
        other_bid = math.nan if other == UAV else turned[other]
        if not np.array_equal((bid, payment, rho), (other_bid, other_payment, other_rho), equal_nan=True):
            self.by_name += 1
            said = (
                f"task {played.task}: if stations exchange bids, the payment is {other_payment:.4g}, not {payment:.4g}"
            )
            self._example("name", 1.0, said)

    def settled(self, auction: Auction, common: float, uav_weight: float) -> None:
        """Record a round that has settled."""
        self.markets.append(auction.market)
        # With two bids the second stands for the third, because `truth_cost` takes three columns.
        third = auction.bids[min(2, len(auction.bids) - 1)]
        self.values.append((*auction.bids[:2], third, uav_weight * auction.uav_value, auction.surplus))
        by_uav = auction.winner == auction.uav
        self.uav_wins.append(by_uav)
        self.common.append(common)
        # tau_(2) / tau_0: predicted public seconds of the second bidder over the UAV's, which decide the best price.
        self.strata.append((auction.task.kind, float(auction.public[auction.ranking[1]] / auction.public[auction.uav])))
        if by_uav:
            self.uav_profits.append(auction.uav_value - auction.payment)

    def findings(self) -> list[Finding]:
        """Return the verdict on each property."""
        best = max(self.by_multiplier, key=self.by_multiplier.__getitem__)
        constant = _over(self.by_multiplier[best] - self.truthful, self.truthful)
        unconditional, given = self._dependence()
        profits = np.array(self.uav_profits)
        profit = float(profits.mean()) if len(profits) else math.nan
        # Half the 95 % interval of the mean; 1.96 is the normal quantile, for thousands of rounds.
        spread = 1.96 * float(profits.std()) / math.sqrt(len(profits)) if len(profits) else math.nan
        return [
            self._finding("no misreport pays", self.misreported == 0, self.misreported / self.played,
                          "share of rounds in which a bidder gains by a misreport", "misreport"),
            self._finding("no regret", self.misreported == 0, _over(self.regret, self.truthful),
                          "gain of each bidder's best misreport, as a share of what truthful bids earn", "misreport"),
            self._finding("no constant multiplier pays", constant <= GAIN, constant,
                          f"gain of always bidding {best:g} times the value (the best multiplier), "
                          "as a share of what truthful bids earn", ""),
            self._finding("no shill pays", self.shilled == 0, self.shilled / self.played,
                          "share of rounds in which a bidder gains by a second bid under a false name", "shill"),
            self._finding("anonymous", self.by_name == 0, self.by_name / self.played,
                          "share of rounds that settle differently if stations exchange their bids", "name"),
            self._finding("individually rational", self.at_a_loss == 0, self.at_a_loss / self.played,
                          "number per round of truthful winners that pay more than their value", "loss"),
            # The verdict is `fails` only where the loss is significant: the entire interval lies below 0.
            self._finding("the UAV does not lose", not profit + spread < 0.0, profit,
                          f"mean of the UAV's value minus its payment, if it wins, ± {spread:.2g}", ""),
            self._finding("no adverse selection, given m", given.p_value >= SIGNIFICANT, given.p_value,
                          "p-value of the test that the UAV's winning is independent of the common value, "
                          f"given the kind of task and the public conditions ({given})", ""),
            self._finding("no adverse selection at all", unconditional.p_value >= SIGNIFICANT, unconditional.p_value,
                          "p-value of the test that the UAV's winning is independent of the common value "
                          f"({unconditional})", ""),
            self._truth_cost(),
        ]  # fmt: skip

    def _truth_cost(self) -> Finding:
        values = np.array(self.values)
        cost = truth_cost(np.array(self.markets), values[:, :3], values[:, 3], values[:, 4])
        meaning = (
            f"surplus of a price fitted to all bids, divided by the surplus of a price fitted to m, minus 1, "
            f"± {cost.all_bids_ci:.2g}. A price fitted to all bids but the highest: {cost.masked:+.2g} "
            f"± {cost.masked_ci:.2g}. This policy: {cost.own:+.2g} ± {cost.own_ci:.2g}"
        )
        return Finding("what truth costs", "untested" if math.isnan(cost.own) else "measured", cost.all_bids, meaning)

    def _dependence(self) -> tuple[Dependence, Dependence]:
        """Test whether the UAV's winning is independent of the common value: over all rounds, and given m."""
        wins, common = np.array(self.uav_wins), np.array(self.common)
        kind, speed = np.array([row[0] for row in self.strata]), np.array([row[1] for row in self.strata])
        fifth = np.searchsorted(np.quantile(speed, (0.2, 0.4, 0.6, 0.8)), speed)
        # Deciles over all rounds. Given m (kind of task, fifth of tau_(2) / tau_0) only thirds, for 5 rounds per cell.
        return chi_square(wins, common, 10), chi_square(wins, common, 3, fifth * len(TASK_KINDS) + kind)

    def _finding(self, name: str, holds: bool, number: float, meaning: str, example: str) -> Finding:
        """Return a verdict with the example of its kind of failure."""
        _, said = self.examples.get(example, (0.0, ""))
        verdict = "untested" if math.isnan(number) else "holds" if holds else "fails"
        return Finding(name, verdict, number, meaning, said)

    def _example(self, kind: str, size: float, said: str) -> None:
        """Keep the description of the clearest example of a kind."""
        if size > self.examples.get(kind, (0.0, ""))[0]:
            self.examples[kind] = size, said


def _over(gain: float, truthful: float) -> float:
    """Return a gain divided by what the truth earns; infinity for a gain where the truth earns nothing."""
    return gain / truthful if truthful else math.inf if gain > 0.0 else 0.0


def _who(played: _Round, place: int) -> str:
    return f"task {played.task}: {played.names[place]} (true value {played.worth[place]:.4g})"
