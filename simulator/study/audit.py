"""Is this auction safe? Every priced round of a run is played again with other bids, the price asked anew each time."""

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

MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""What a bidder multiplies its value with instead of telling it; 0 is a bid of nothing."""

SHILLS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.0)
"""What a bidder's second, false identity bids, as multiples of the bidder's value."""

WATCHED = 4_000
"""Rounds that are watched for who wins and what the UAV earns: a test of independence needs many."""

GAIN = 1e-9
"""A gain counts above this share of the bidder's value: less is rounding."""

SIGNIFICANT = 0.001
"""Independence fails below this p-value."""


class Finding(NamedTuple):
    """One property of an auction.

    Attributes:
        property: its name.
        verdict: `holds`, `fails`, or `untested` where the rounds were too few to tell; `measured` for a mere figure.
        number: the measure of it.
        meaning: what the number is.
        example: a round in which it fails, in words; empty if there is none.
    """

    property: str
    verdict: str
    number: float
    meaning: str
    example: str = ""


class Audit(NamedTuple):
    """What `audit` finds: the properties in order, how many rounds were played again, and how many were watched."""

    findings: list[Finding]
    rounds: int
    watched: int

    @property
    def table(self) -> pd.DataFrame:
        """A row per property."""
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
    """Hold an auction to Theorem 1 and to what else one would want of it.

    In every priced round each ground bidder in turn misreports (`MULTIPLIERS`), or enters a false identity beside its
    own (`SHILLS`), all others bidding as they do; the policy is asked for the price of those bids with the state and
    the noise that it has in that round, and the mechanism decides. Identities are permuted as well.

    Args:
        scenario: a shipped name, a path, or a `Scenario`.
        policy: as in `simulate`.
        seed: of the world.
        rounds: priced rounds that are played again; fewer if the run has fewer. `WATCHED` are watched.
        mechanism: as in `simulate`.
        overrides: scenario fields by dotted key.

    Raises:
        InputError: something of this is wrong, or scipy is not installed.
        RunError: policy or mechanism failed, or the run asks for no price.

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
        if tally.played < rounds:
            played = _Round(simulation.auctioneer, auction, found, names)
            tally.misreports(played)
            tally.shills(played)
            tally.identities(played)
            tally.played += 1
        simulation.settle(ask_price(found, auction.observation, auction.task.id))
        scale = 1.0 if reference_mb is None else reference_mb / auction.task.size_mb
        tally.settled(auction, auction.task.demand * scale, simulation.auctioneer.uav_weight)
        if len(tally.common) == watched:
            break
    if not tally.played:
        raise RunError(f"scenario {scenario.name}: no auction asks for a price, so there is nothing to audit")
    return Audit(tally.findings(), tally.played, len(tally.common))


class _Round:
    """A priced auction that can be played again with other bids; stations are counted by their rank."""

    def __init__(self, auctioneer: Auctioneer, auction: Auction, policy: PricingPolicy, names: Sequence[str]) -> None:
        self._auctioneer, self._auction, self._policy = auctioneer, auction, policy
        self.task = auction.task.id
        self.names = [names[station] for station in auction.ranking]
        self.worth = [float(auction.value[station]) for station in auction.ranking]
        self.bids = list(auction.bids)

    def with_truth(self, place: int) -> list[float]:
        """The bids, but that of one bidder its true value."""
        return [*self.bids[:place], self.worth[place], *self.bids[place + 1 :]]

    def play(self, bids: Sequence[float]) -> tuple[int, float, float]:
        """Winner (by place in ``bids``, or `UAV`), payment and rho if these had been the bids."""
        order = sorted(range(len(bids)), key=lambda place: (-bids[place], place))
        descending = [bids[place] for place in order]
        with _same_noise(self._policy):
            rho = ask_price(self._policy, self._auctioneer.observe(self._auction, descending), self.task)
        position, payment = self._auctioneer.decide(self._auction, descending, rho)
        return (UAV if position == UAV else order[position]), payment, rho

    def utility(self, place: int, bids: Sequence[float], owned: Sequence[int]) -> tuple[float, float, float]:
        """What a bidder gains if these are the bids, of which it owns some; and the payment and rho."""
        winner, payment, rho = self.play(bids)
        return (self.worth[place] - payment if winner in owned else 0.0), payment, rho


@contextmanager
def _same_noise(policy: object) -> Iterator[None]:
    """Give a policy's generators back the state that they had: a price that might have been draws nothing."""
    generators = [value for value in getattr(policy, "__dict__", {}).values() if isinstance(value, np.random.Generator)]
    states = [one.bit_generator.state for one in generators]
    try:
        yield
    finally:
        for one, state in zip(generators, states, strict=True):
            one.bit_generator.state = state


@dataclass
class _Tally:
    """What all rounds have shown."""

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
        """Let each bidder tell something else than its value."""
        gained = False
        for place, value in enumerate(played.worth):
            truth = played.with_truth(place)
            honest, paid, rho = played.utility(place, truth, (place,))
            self.truthful += honest
            if honest < -GAIN * value:
                self.at_a_loss += 1
                self._example("loss", -honest, f"{_who(played, place)} wins with its true value and pays {paid:.4g}")
            best = 0.0
            for multiplier in MULTIPLIERS:
                lie = [*truth]
                lie[place] = multiplier * value
                utility, payment, other = played.utility(place, lie, (place,))
                self.by_multiplier[multiplier] += utility
                said = f"bidding {multiplier:g} times that it wins at rho {other:.4g} for {payment:.4g}"
                best = self._gain("misreport", played, place, honest, rho, utility, best, said)
            self.regret += best
            gained |= best > 0.0
        self.misreported += gained

    def shills(self, played: _Round) -> None:
        """Let each bidder enter a second bid under a false name; what that wins, its owner gets and pays."""
        gained = False
        for place, value in enumerate(played.worth):
            truth = played.with_truth(place)
            honest, _, rho = played.utility(place, truth, (place,))
            best = 0.0
            for share in SHILLS:
                utility, payment, other = played.utility(place, [*truth, share * value], (place, len(truth)))
                said = f"with a false bid of {share:g} times that it wins at rho {other:.4g} for {payment:.4g}"
                best = self._gain("shill", played, place, honest, rho, utility, best, said)
            gained |= best > 0.0
        self.shilled += gained

    def _gain(
        self, kind: str, played: _Round, place: int, honest: float, rho: float, utility: float, best: float, said: str
    ) -> float:  # fmt: skip
        """The best gain over the truth so far; a round in which it grows is kept as an example."""
        value = played.worth[place]
        if utility - honest <= max(best, GAIN * value):
            return best
        told = f"{_who(played, place)} has {honest:.4g} of it if truthful (rho {rho:.4g}); {said} and has {utility:.4g}"
        self._example(kind, (utility - honest) / value, told)
        return utility - honest

    def identities(self, played: _Round) -> None:
        """Give the same bids to other stations: the bid must win, not the name."""
        winner, payment, rho = played.play(played.bids)
        turned = [*played.bids[1:], played.bids[0]]
        other, other_payment, other_rho = played.play(turned)
        bid = math.nan if winner == UAV else played.bids[winner]
        other_bid = math.nan if other == UAV else turned[other]
        if not np.array_equal((bid, payment, rho), (other_bid, other_payment, other_rho), equal_nan=True):
            self.by_name += 1
            said = (
                f"task {played.task}: the same bids under other names settle at {other_payment:.4g}, not {payment:.4g}"
            )
            self._example("name", 1.0, said)

    def settled(self, auction: Auction, common: float, uav_weight: float) -> None:
        """Take in a round as it has settled."""
        self.markets.append(auction.market)
        third = auction.bids[min(2, len(auction.bids) - 1)]
        self.values.append((*auction.bids[:2], third, uav_weight * auction.uav_value, auction.surplus))
        by_uav = auction.winner == auction.uav
        self.uav_wins.append(by_uav)
        self.common.append(common)
        self.strata.append((auction.task.kind, float(auction.public[auction.ranking[1]] / auction.public[auction.uav])))
        if by_uav:
            self.uav_profits.append(auction.uav_value - auction.payment)

    def findings(self) -> list[Finding]:
        """The verdicts."""
        best = max(self.by_multiplier, key=self.by_multiplier.__getitem__)
        constant = _over(self.by_multiplier[best] - self.truthful, self.truthful)
        unconditional, given = self._dependence()
        profits = np.array(self.uav_profits)
        profit = float(profits.mean()) if len(profits) else math.nan
        spread = 1.96 * float(profits.std()) / math.sqrt(len(profits)) if len(profits) else math.nan
        return [
            self._finding("no misreport pays", self.misreported == 0, self.misreported / self.played,
                          "share of rounds in which some bidder gains by misreporting", "misreport"),
            self._finding("no regret", self.misreported == 0, _over(self.regret, self.truthful),
                          "what the best misreports gain, over what the truth earns", "misreport"),
            self._finding("no constant multiplier pays", constant <= GAIN, constant,
                          f"gain over the truth of the best multiplier of all bids, {best:g}", ""),
            self._finding("no shill pays", self.shilled == 0, self.shilled / self.played,
                          "share of rounds in which some bidder gains by a second, false bid", "shill"),
            self._finding("anonymous", self.by_name == 0, self.by_name / self.played,
                          "share of rounds in which the same bids under other names settle otherwise", "name"),
            self._finding("individually rational", self.at_a_loss == 0, self.at_a_loss / self.played,
                          "truthful winners a round that pay more than their value", "loss"),
            self._finding("the UAV does not lose", not profit + spread < 0.0, profit,
                          f"mean of the UAV's value less its payment where it wins, ± {spread:.2g}", ""),
            self._finding("no adverse selection, given m", given.p_value >= SIGNIFICANT, given.p_value,
                          f"p of {{UAV wins}} against the common value, by kind and public conditions ({given})", ""),
            self._finding("no adverse selection at all", unconditional.p_value >= SIGNIFICANT, unconditional.p_value,
                          f"p of {{UAV wins}} against the common value ({unconditional})", ""),
            self._truth_cost(),
        ]  # fmt: skip

    def _truth_cost(self) -> Finding:
        values = np.array(self.values)
        cost = truth_cost(np.array(self.markets), values[:, :3], values[:, 3], values[:, 4])
        meaning = (
            f"surplus in the same rounds of a price fitted to all bids over that of one fitted to m, less 1, "
            f"± {cost.all_bids_ci:.2g}; masked {cost.masked:+.2g} ± {cost.masked_ci:.2g}, "
            f"this policy {cost.own:+.2g} ± {cost.own_ci:.2g}"
        )
        return Finding("what truth costs", "untested" if math.isnan(cost.own) else "measured", cost.all_bids, meaning)

    def _dependence(self) -> tuple[Dependence, Dependence]:
        """Chi-square of who wins against deciles of the common value; and within kind and fifths of public speed."""
        wins, common = np.array(self.uav_wins), np.array(self.common)
        kind, speed = np.array([row[0] for row in self.strata]), np.array([row[1] for row in self.strata])
        fifth = np.searchsorted(np.quantile(speed, (0.2, 0.4, 0.6, 0.8)), speed)
        return chi_square(wins, common, 10), chi_square(wins, common, 3, fifth * len(TASK_KINDS) + kind)

    def _finding(self, name: str, holds: bool, number: float, meaning: str, example: str) -> Finding:
        _, said = self.examples.get(example, (0.0, ""))
        verdict = "untested" if math.isnan(number) else "holds" if holds else "fails"
        return Finding(name, verdict, number, meaning, said)

    def _example(self, kind: str, size: float, said: str) -> None:
        """Keep the clearest round of its kind."""
        if size > self.examples.get(kind, (0.0, ""))[0]:
            self.examples[kind] = size, said


def _over(gain: float, truthful: float) -> float:
    """A gain as a share of what the truth earns; without bound where that is nothing."""
    return gain / truthful if truthful else math.inf if gain > 0.0 else 0.0


def _who(played: _Round, place: int) -> str:
    return f"task {played.task}: {played.names[place]}, to whom it is worth {played.worth[place]:.4g},"
