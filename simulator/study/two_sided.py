"""What windows of a double auction that are cleared again show: who gains by another limit, and who loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.market.auction import Auction
from simulator.market.contracts import NO_TASK, VEHICLE
from simulator.market.rehearsal import Played, Rehearsal
from simulator.study.finding import Finding, gain_over
from simulator.study.incentives import GAIN, MULTIPLIERS

SMALL = 0.05
"""Below this share of the largest limit of a window, multiples of a participant's own limit are too close to it."""

SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.5)
"""Shares of the largest limit of the window that such a participant tries, too."""


@dataclass
class TwoSided:
    """Counts over all windows that were cleared again.

    Args:
        names: names of the providers, by id.
        multipliers: factors on the truth that a participant tries.
    """

    names: Sequence[str]
    multipliers: Sequence[float] = MULTIPLIERS
    rounds: int = 0
    deficit: int = 0
    surplus_kept: float = 0.0
    paid: float = 0.0
    # By side: 0 the vehicles, 1 the providers.
    gained: list[int] = field(default_factory=lambda: [0, 0])
    anybody_gained: int = 0
    at_a_loss: list[int] = field(default_factory=lambda: [0, 0])
    truthful: list[float] = field(default_factory=lambda: [0.0, 0.0])
    regret: list[float] = field(default_factory=lambda: [0.0, 0.0])
    by_multiplier: list[dict[float, float]] = field(init=False)
    examples: dict[str, tuple[float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_multiplier = [dict.fromkeys(self.multipliers, 0.0) for _ in range(2)]

    def take(self, rehearsal: Rehearsal, auctions: Sequence[Auction]) -> None:
        """Clear a window again, each participant in turn with other limits.

        Args:
            rehearsal: the window.
            auctions: its auctions.
        """
        truth, said = rehearsal.limits(honest=True), rehearsal.limits()
        before = rehearsal.clear(said)
        self.rounds += 1
        money = sum(end.paid + end.from_vehicle for end in before.values())
        self.deficit += money < -GAIN
        self.surplus_kept += money
        self.paid += sum(end.from_vehicle for end in before.values())
        gained = [False, False]
        # What a false limit could be worth: that of a participant may be 0.
        most = max([GAIN, *(abs(limit) for limit in truth.values())])
        for key, limit in truth.items():
            side = 0 if key[1] == VEHICLE else 1
            honest = before if said[key] == limit else rehearsal.clear({**said, key: limit})
            base = _utility(key, limit, honest)
            self.truthful[side] += base
            if base < -GAIN * most:
                self.at_a_loss[side] += 1
                self._example(f"loss {side}", -base / most, f"{self._who(key, limit)} loses {-base:.4g} if truthful")
            # A multiple of nothing is nothing.
            tried = {multiplier: multiplier * limit for multiplier in self.multipliers} if limit else {}
            utilities = {
                multiplier: _utility(key, limit, rehearsal.clear({**said, key: other}))
                for multiplier, other in tried.items()
            }
            for multiplier in self.multipliers:
                self.by_multiplier[side][multiplier] += utilities.get(multiplier, base)
            found = {tried[multiplier]: utility for multiplier, utility in utilities.items()}
            if abs(limit) < SMALL * most:
                others = (share * most for share in SHARES)
                found |= {other: _utility(key, limit, rehearsal.clear({**said, key: other})) for other in others}
            best = 0.0
            for other, utility in found.items():
                if utility - base > max(best, GAIN * most):
                    best = utility - base
                    example = (
                        f"{self._who(key, limit)} has {base:.4g} if truthful; saying {other:.4g} it has {utility:.4g}"
                    )
                    self._example(f"misreport {side}", best / most, example)
            self.regret[side] += best
            gained[side] |= best > 0.0
        for side in (0, 1):
            self.gained[side] += gained[side]
        self.anybody_gained += any(gained)

    def findings(self, claims: frozenset[str]) -> list[Finding]:
        """Return the verdicts.

        Args:
            claims: names of the findings that the mechanism claims.
        """
        rounds, rare = self.rounds, f"; if 0, it is below {3 / self.rounds:.2g} at 95 %"
        found = []
        for side, who in ((0, "vehicle"), (1, "provider")):
            best = max(self.by_multiplier[side], key=self.by_multiplier[side].__getitem__)
            constant = gain_over(self.by_multiplier[side][best] - self.truthful[side], self.truthful[side])
            _, example = self.examples.get(f"misreport {side}", (0.0, ""))
            _, loss = self.examples.get(f"loss {side}", (0.0, ""))
            found += [
                Finding(f"truthful, {who}s", _verdict(not self.gained[side]), "truthful" in claims,
                        self.gained[side] / rounds, f"share of windows in which a {who} gains by a misreport{rare}",
                        example),
                Finding(f"no regret, {who}s", _verdict(not self.gained[side]), "no regret" in claims,
                        gain_over(self.regret[side], self.truthful[side]),
                        "what the best misreports gain, divided by what the truth earns", example),
                Finding(f"no constant multiplier pays, {who}s", _verdict(constant <= GAIN),
                        "no constant multiplier pays" in claims, constant,
                        f"gain of a {who} that multiplies each limit by {best:g}, divided by what the truth earns"),
                Finding(f"individually rational, {who}s", _verdict(not self.at_a_loss[side]),
                        "individually rational" in claims, self.at_a_loss[side] / rounds,
                        f"truthful {who}s per window that trade at a loss", loss),
            ]  # fmt: skip
        lost = sum(self.at_a_loss)
        return [
            *found,
            Finding("nobody gains", _verdict(not self.anybody_gained), "nobody gains" in claims,
                    self.anybody_gained / rounds,
                    "share of windows in which a vehicle or a provider gains by a misreport"),
            Finding("nobody loses", _verdict(not lost), "nobody loses" in claims, lost / rounds,
                    "vehicles and providers per window that lose if they tell the truth"),
            Finding("budget balance", _verdict(not self.deficit), "budget balance" in claims, self.deficit / rounds,
                    f"share of windows in which the platform pays more than it receives{rare}"),
            Finding("what the platform keeps", "measured", False, gain_over(self.surplus_kept, self.paid),
                    "share of the vehicles' payments that the platform keeps"),
        ]  # fmt: skip

    def _who(self, key: tuple[int, int], limit: float) -> str:
        task, one = key
        who = f"task {task}: its vehicle" if one == VEHICLE else self.names[one]
        return f"{who}, whose limit is {limit:.4g},"

    def _example(self, kind: str, size: float, said: str) -> None:
        """Keep the clearest window of its kind."""
        if size > self.examples.get(kind, (0.0, ""))[0]:
            self.examples[kind] = size, said


def _utility(key: tuple[int, int], limit: float, ends: Mapping[int, Played]) -> float:
    """Return what a participant gains: a vehicle the value less its payment, a provider what it gets less its cost.

    Args:
        key: the participant, as in `Bids`.
        limit: its true limit.
        ends: how the lots end.
    """
    task, one = key
    if one == VEHICLE:
        end = ends[task]
        return 0.0 if end.winner is None else end.value - end.from_vehicle
    assert task == NO_TASK
    # The limit of a provider is that of a task of the reference size.
    return sum(-end.paid - limit - end.extra_cost for end in ends.values() if end.winner == one)


def _verdict(holds: bool) -> str:
    return "holds" if holds else "fails"
