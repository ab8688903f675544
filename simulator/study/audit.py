"""Is this mechanism safe? Rounds of a run are cleared again with other bids, and what it claims is held to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.errors import InputError, PolicyError, RunError, nearest, need, shown
from simulator.files.reading import is_number
from simulator.market.auction import WAITING, Auction
from simulator.market.contracts import Bidder, Mechanism, Policy
from simulator.market.guard import ask_action, blamed, policy_label
from simulator.market.rehearsal import Rehearsal
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.finding import CLAIMABLE, Finding, gain_over
from simulator.study.incentives import GAIN, MULTIPLIERS, Incentives
from simulator.study.long_run import in_the_long_run
from simulator.study.slowdown import slowdown
from simulator.study.two_sided import TwoSided
from simulator.study.watched import Watched
from simulator.world.driving import listen
from simulator.world.plan import Plan
from simulator.world.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

WATCHED = 4_000
"""Usual number of priced rounds for the tests of independence and for the UAV's profit."""


LOOK_S = 30.0
"""Simulated time between two looks at whether there are enough rounds, s."""


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
    policy: str | Policy | None = None,
    seed: int = 0,
    rounds: int = 1_000,
    mechanism: str | Mechanism | None = None,
    seeds: int = 1,
    long_run: int = 0,
    bidders: str | Bidder | Mapping[str, str | Bidder] | None = None,
    watched: int | None = None,
    warmup: float = 0.0,
    spread: bool = False,
    multipliers: Sequence[float] = MULTIPLIERS,
    **overrides: Any,
) -> Audit:
    """Test what a mechanism claims, and more, by clearing rounds again.

    Each round is cleared again on deep copies of mechanism and policy as they were before it. One participant at a time
    multiplies its bids (``multipliers``), or enters a second bid under a false name (`SHILLS`). All other bids stay as
    they were. The stations exchange their bids. The two best stations act as one. In a double auction, each vehicle
    and each provider in turn multiplies the limit that it says or acts on.

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policy: policy, as text or as an object; None for nobody, or for ``random`` if the mechanism has a seat.
        seed: seed of the world.
        rounds: number of rounds to clear again; all if the runs have fewer.
        mechanism: name of a mechanism or an object; if None, that of the scenario or of the policy, else ``msb``.
        seeds: number of worlds, by seeds from ``seed`` on; the rounds are spread over them.
        long_run: number of worlds in which one station bids otherwise for a complete run; 0 leaves this out, and a
            double auction has none.
        bidders: bidder of all stations, or bidders by name of the provider.
        watched: least number of priced rounds for the tests of independence and for the UAV's profit; None for
            `WATCHED`.
        warmup: time before which no round counts, s.
        spread: whether the rounds that are cleared again are spread evenly over the rest of each run. Otherwise they
            are the first ones.
        multipliers: factors on the truth that a participant tries, each >= 0. `grid_of_multipliers` makes a dense grid.
        overrides: scenario fields by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        The verdict on each property, and the numbers of rounds.

    Raises:
        InputError: an argument is wrong, or scipy is not installed.
        RunError: the policy or the mechanism failed, or no auction of the run asks for a price.

    Example:
        >>> audit("paper", "conditional", rounds=200).table.loc["truthful", "verdict"]
        'holds'
    """
    need("scipy")
    # A round is cleared again at one moment: how long its messages take plays no part.
    scenario = Scenario.load(scenario, **{**overrides, "market.message_s": 0.0})
    watched = WATCHED if watched is None else watched
    for name, count, least in (
        ("rounds", rounds, 1), ("seeds", seeds, 1), ("long_run", long_run, 0), ("watched", watched, 1)
    ):  # fmt: skip
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise InputError(f"{name}: must be a whole number >= {least}, not {shown(count)}")
    if not (is_number(warmup) and 0.0 <= warmup < math.inf):
        raise InputError(f"warmup: must be a number of seconds >= 0, not {shown(warmup)}")
    # An array of numpy is a sequence too, but has no truth value.
    tried = tuple(multipliers) if isinstance(multipliers, Iterable) else ()
    if not tried or not all(is_number(one) and one >= 0.0 for one in tried):
        raise InputError(f"multipliers: must be at least one finite number >= 0, not {shown(multipliers)}")
    watched = max(rounds, watched)
    duration = reference_mb = None
    needed_s = scenario.traffic.rounds_to_seconds(math.ceil(watched / seeds) + 1)
    if needed_s is not None:
        # In rounds a value scales with the task's size; at junctions the queues price it.
        duration, reference_mb = needed_s + warmup, scenario.tasks.predicted_mb
    planned = plan(scenario, policy, seed, duration, mechanism=mechanism, bidders=bidders)
    claims = claims_of(planned)
    if warmup >= planned.duration:
        raise InputError(f"warmup: must be below the duration {planned.duration:g}, not {warmup:g}")
    apart_s = (planned.duration - warmup) / math.ceil(rounds / seeds) if spread else 0.0
    names = [*scenario.uav_names(), *scenario.station_names()]
    two_sided = getattr(planned.mechanism, "value_of", "provider") == "vehicle"
    seen = TwoSided(names, tried) if two_sided else Incentives(names, scenario.uavs.total(), tried)
    market = Watched(scenario.market.uav_weight, reference_mb)
    for number in range(seeds):
        simulation = planned.with_seed(seed + number).simulation()
        found = planned.with_seed(seed + number).new_policy() if simulation.has_seats else None
        _watch(
            simulation, found, seen, market, rounds * (number + 1) // seeds, watched * (number + 1) // seeds,
            warmup, apart_s,
        )  # fmt: skip
    if not seen.rounds:
        raise RunError(f"scenario {scenario.name}: no auction has an invited provider, so there is nothing to audit")
    if isinstance(seen, TwoSided):
        findings = [*seen.findings(claims), *market.dependence(claims)]
    else:
        findings = [*_of_rounds(seen, claims), *market.findings(claims)]
    if long_run and not two_sided:
        findings += [*in_the_long_run(planned, long_run), *slowdown(planned, long_run)]
    tested = {finding.property.partition(", ")[0] for finding in findings}
    kind = "a double auction" if two_sided else "an auction"
    findings += [
        Finding(name, "untested", True, math.nan, f"the audit of {kind} does not test this")
        for name in sorted(claims - tested)
    ]
    return Audit(findings, seen.rounds, len(market.common))


def claims_of(planned: Plan) -> frozenset[str]:
    """Return the names of the findings that the mechanism of a plan claims to hold.

    Raises:
        PolicyError: `claims` raised an exception, or there is no finding with such a name.
    """
    label = f"mechanism {policy_label(planned.mechanism)}: claims()"
    with blamed(label, PolicyError):
        method = getattr(planned.mechanism, "claims", None)
        claimed = frozenset() if method is None else method(planned.information)
    if not isinstance(claimed, Set) or not all(isinstance(name, str) for name in claimed):
        raise PolicyError(f"{label} returned {shown(claimed)}; it must be a set of names of findings")
    for name in sorted(claimed - CLAIMABLE):
        raise PolicyError(f"{label} has '{name}'; {nearest(name, CLAIMABLE)}")
    return frozenset(claimed)


def _watch(
    simulation: Simulation,
    policy: Policy | None,
    seen: Incentives | TwoSided,
    market: Watched,
    rounds: int,
    watched: int,
    warmup: float,
    apart_s: float,
) -> None:
    """Run a world, clear its rounds again and watch how they settle, up to these numbers of rounds.

    Args:
        simulation: the world.
        policy: the policy; None if the mechanism has no seat.
        seen: what rounds that are cleared again show.
        market: what settled rounds show.
        rounds: number of rounds to clear again, those of the worlds before included.
        watched: number of settled rounds, those of the worlds before included.
        warmup: time before which no round counts, s.
        apart_s: least time between two rounds that are cleared again, s.
    """
    before: list[Auction] = []
    next_s = warmup

    def before_clearing(auctions: list[Auction]) -> None:
        nonlocal next_s
        now = simulation.now
        if now < warmup:
            return
        # What was cleared last has settled by now or waits, and what is about to be cleared has not changed anything.
        market.settled([one for one in before if one.unserved_reason != WAITING])
        before[:] = [*(one for one in before if one.unserved_reason == WAITING and one not in auctions), *auctions]
        if seen.rounds < rounds and now >= next_s:
            next_s += apart_s
            seen.take(Rehearsal(simulation.auctioneer, auctions, simulation.platform, policy), auctions)

    simulation.auctioneer.before_clearing = before_clearing
    if policy is not None:
        listen(simulation, policy)
    # Where nobody decides, there is no decision at which to stop: a look at the counts now and then.
    until_s = 0.0
    while until_s < simulation.duration and not (len(market.common) >= watched and seen.rounds >= rounds):
        until_s += LOOK_S
        for decision in simulation.until(until_s):
            assert policy is not None
            action = ask_action(policy, decision.observation, decision.place.space, decision.task)
            simulation.auctioneer.answer(action)
            if len(market.common) >= watched and seen.rounds >= rounds:
                break
    market.settled([one for one in before if one.unserved_reason != WAITING])


def _of_rounds(seen: Incentives, claims: frozenset[str]) -> list[Finding]:
    """Return what the rounds that were cleared again have shown."""
    best = max(seen.by_multiplier, key=seen.by_multiplier.__getitem__)
    constant = gain_over(seen.by_multiplier[best] - seen.truthful, seen.truthful)
    rare = f"; if 0, it is below {3 / seen.rounds:.2g} at 95 %" if seen.rounds else ""
    ring = gain_over(seen.ring_together - seen.ring_alone, seen.ring_alone) if seen.ring_rounds else math.nan
    lost = 1.0 - seen.ring_surplus / seen.ring_surplus_before if seen.ring_surplus_before > 0.0 else math.nan
    uav = seen.uav_misreported / seen.uav_asked if seen.uav_asked else math.nan
    uav_loses = seen.uav_at_a_loss / seen.uav_asked if seen.uav_asked else math.nan

    def finding(name: str, holds: bool, number: float, meaning: str, example: str = "") -> Finding:
        _, said = seen.examples.get(example, (0.0, ""))
        verdict = "untested" if math.isnan(number) else "holds" if holds else "fails"
        return Finding(name, verdict, name in claims, number, meaning, said)

    return [
        finding("truthful", not seen.misreported, seen.misreported / seen.rounds,
                f"share of rounds in which a station gains by a misreport{rare}", "misreport"),
        finding("no regret", not seen.misreported, gain_over(seen.regret, seen.truthful),
                "what the best misreports gain, divided by what the truth earns", "misreport"),
        Finding("regret per round", "measured", False, seen.regret_share / seen.rounds,
                "what the best misreports of all stations gain, divided by the largest value of the round"),
        finding("no constant multiplier pays", constant <= GAIN, constant,
                f"gain of the best multiplier of all bids, {best:g}, divided by what the truth earns"),
        finding("truthful without a decision", not seen.misreported_without_decision,
                seen.misreported_without_decision / seen.without_decision if seen.without_decision else math.nan,
                f"share in which a station gains, of {seen.without_decision:,} rounds in which no policy decides"),
        finding("false-name-proof", not seen.shilled, seen.shilled / seen.rounds,
                f"share of rounds in which a station gains by a second, false bid{rare}", "shill"),
        finding("anonymous", not seen.by_name, seen.by_name / seen.rounds,
                "share of rounds in which the same bids under other names settle otherwise", "name"),
        finding("individually rational", not seen.at_a_loss, seen.at_a_loss / seen.rounds,
                "truthful stations per round that pay more than their value", "loss"),
        finding("budget balance", not seen.deficit, seen.deficit / seen.rounds,
                f"share of rounds in which the platform pays more than it receives{rare}"),
        finding("no UAV misreport pays", not seen.uav_misreported, uav,
                "share of a UAV's rounds in which it gains by saying something else", "uav"),
        finding("no UAV loses", not seen.uav_at_a_loss, uav_loses,
                "share of a UAV's rounds in which its report earns it less than 0", "uav loss"),
        finding("nobody gains", not seen.anybody_misreported, seen.anybody_misreported / seen.rounds,
                "share of rounds in which a station or a UAV gains by a misreport"),
        finding("nobody loses", not seen.at_a_loss + seen.uav_at_a_loss,
                (seen.at_a_loss + seen.uav_at_a_loss) / seen.rounds,
                "stations and UAVs per round that lose if they report the truth"),
        Finding("a ring of two", "measured" if not math.isnan(ring) else "untested", False, ring,
                "gain of the two best stations that act as one, divided by what they have alone; "
                f"the surplus changes by {-lost:+.1%}"),
    ]  # fmt: skip
