"""What rounds that are cleared again show: who gains by other bids, by a second identity, or together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.errors import InputError, shown
from simulator.market.auction import Auction
from simulator.market.contracts import Bids
from simulator.market.rehearsal import Played, Rehearsal, changed

MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""Factors on the truth that a participant tries. 0 is a bid of nothing."""

GRID_ENDS = 0.0, 3.0
"""Ends of a dense grid of multipliers."""

SHILLS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.0)
"""Bids of a second, false identity that a station tries, as multiples of its value."""

GAIN = 1e-9
"""A gain counts above this share of the value. What is below may be rounding."""


def grid_of_multipliers(count: int) -> tuple[float, ...]:
    """Return evenly spaced factors from 0 to 3 on the truth: the regret of an audit then comes close to the exact one.

    Args:
        count: number of factors, >= 2.

    Raises:
        InputError: there are fewer than two.
    """
    if count < 2:
        raise InputError(f"multipliers: must be at least 2 factors, not {shown(count)}")
    low, high = GRID_ENDS
    return tuple(low + (high - low) * place / (count - 1) for place in range(count))


@dataclass
class Incentives:
    """Counts over all rounds that were cleared again.

    Args:
        names: names of the providers, by id.
        uavs: number of UAVs, which have the first ids.
        multipliers: factors on the truth that a participant tries.
    """

    names: Sequence[str]
    uavs: int
    multipliers: Sequence[float] = MULTIPLIERS
    rounds: int = 0
    without_decision: int = 0
    truthful: float = 0.0
    by_multiplier: dict[float, float] = field(init=False)
    misreported: int = 0
    anybody_misreported: int = 0
    misreported_without_decision: int = 0
    regret: float = 0.0
    regret_share: float = 0.0
    shilled: int = 0
    at_a_loss: int = 0
    by_name: int = 0
    uav_misreported: int = 0
    uav_asked: int = 0
    uav_at_a_loss: int = 0
    deficit: int = 0
    ring_rounds: int = 0
    ring_alone: float = 0.0
    ring_together: float = 0.0
    ring_surplus_before: float = 0.0
    ring_surplus: float = 0.0
    examples: dict[str, tuple[float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_multiplier = dict.fromkeys(self.multipliers, 0.0)

    def take(self, rehearsal: Rehearsal, auctions: Sequence[Auction]) -> None:
        """Clear a round again in every way that is tried.

        Args:
            rehearsal: the round.
            auctions: its auctions.
        """
        truth = rehearsal.bids()
        before = rehearsal.clear(truth)
        self.rounds += 1
        decided = not all(math.isnan(end.action) for end in before.values())
        self.without_decision += not decided
        self.deficit += sum(end.paid + end.from_vehicle for end in before.values()) < -GAIN
        values = {(auction.task.id, one): auction.worth_to(one) for auction in auctions for one in auction.lot.invited}
        stations = sorted({one for _, one in truth if one >= self.uavs})
        gained = shilled = False
        regret_before = self.regret
        for one in stations:
            # A participant's own truth, whatever it bids in this run: the others bid as they do.
            honest = {**truth, **{key: values[key] for key in truth if key[1] == one}}
            base = _utility(values, rehearsal.clear(honest), (one,), one)
            worth = _scale(values, one)
            self.truthful += base
            if base < -GAIN * worth:
                self.at_a_loss += 1
                self._example("loss", -base, f"{self._who(auctions, one, worth)} pays more than its value if truthful")
            gained |= self._misreports(rehearsal, auctions, honest, values, one, base, worth)
            shilled |= self._shills(rehearsal, auctions, honest, values, one, base, worth)
        self.regret_share += (self.regret - regret_before) / max([GAIN, *map(abs, values.values())])
        self.misreported += gained
        self.misreported_without_decision += gained and not decided
        self.shilled += shilled
        self._names_exchanged(rehearsal, truth, before, stations)
        self.anybody_misreported += self._uav(rehearsal, auctions, truth, values) or gained
        self._ring(rehearsal, truth, values, stations, auctions)

    def _misreports(
        self, rehearsal: Rehearsal, auctions: Sequence[Auction], honest: Bids, values: Bids, one: int, base: float,
        worth: float,
    ) -> bool:  # fmt: skip
        """Let a station multiply its bids."""
        best = 0.0
        for multiplier in self.multipliers:
            end = rehearsal.clear(changed(honest, one, multiplier))
            utility = _utility(values, end, (one,), one)
            self.by_multiplier[multiplier] += utility
            if utility - base > max(best, GAIN * worth):
                best = utility - base
                said = f"{self._who(auctions, one, worth)} has {base:.4g} if truthful; bidding {multiplier:g} times"
                self._example("misreport", best / worth, f"{said} its value it has {utility:.4g}")
        self.regret += best
        return best > 0.0

    def _shills(
        self, rehearsal: Rehearsal, auctions: Sequence[Auction], honest: Bids, values: Bids, one: int, base: float,
        worth: float,
    ) -> bool:  # fmt: skip
        """Let a station enter a second bid under a false name; what that wins, the station gets and pays."""
        best, alias = 0.0, rehearsal.alias
        own = {key: value for key, value in values.items() if key[1] == one}
        both = {**values, **{(task, alias): value for (task, _), value in own.items()}}
        for share in SHILLS:
            bids = {**honest, **{(task, alias): share * value for (task, _), value in own.items()}}
            utility = _utility(both, rehearsal.clear(bids, second_identity_of=one), (one, alias), one)
            if utility - base > max(best, GAIN * worth):
                best = utility - base
                said = f"{self._who(auctions, one, worth)} has {base:.4g} if truthful; with a second bid of {share:g}"
                self._example("shill", best / worth, f"{said} times its value it has {utility:.4g}")
        return best > 0.0

    def _names_exchanged(
        self, rehearsal: Rehearsal, truth: Bids, before: dict[int, Played], stations: list[int]
    ) -> None:
        """Give the same bids to other stations: the bid must win, not the name."""
        if len(before) > 1 or len(stations) < 2:
            return  # stations of a window may be invited to different lots
        ((task, end),) = before.items()
        turned = dict(zip(stations, [*stations[1:], stations[0]], strict=True))
        bids = {key: truth[task, turned[key[1]]] if key[1] in turned else bid for key, bid in truth.items()}
        other = rehearsal.clear(bids)[task]
        if _by_bid(end, truth, task) != _by_bid(other, bids, task):
            self.by_name += 1
            said = f"task {task}: the same bids under other names settle at {other.paid:.4g}, not at {end.paid:.4g}"
            self._example("name", 1.0, said)

    def _uav(self, rehearsal: Rehearsal, auctions: Sequence[Auction], truth: Bids, values: Bids) -> bool:
        """Let each UAV multiply what it says.

        Returns:
            Whether one of them gains.
        """
        gained = False
        for one in sorted({one for _, one in truth if one < self.uavs}):
            self.uav_asked += 1
            base = _utility(values, rehearsal.clear(truth), (one,), one)
            worth = _scale(values, one)
            if base < -GAIN * worth:
                self.uav_at_a_loss += 1
                self._example("uav loss", -base / worth, f"{self._who(auctions, one, worth)} has {base:.4g}")
            best = 0.0
            for multiplier in self.multipliers:
                utility = _utility(values, rehearsal.clear(changed(truth, one, multiplier)), (one,), one)
                if utility - base > max(best, GAIN * worth):
                    best = utility - base
                    said = (
                        f"{self._who(auctions, one, worth)} has {base:.4g} with its report; saying {multiplier:g} times"
                    )
                    self._example("uav", best / worth, f"{said} as much it has {utility:.4g}")
            self.uav_misreported += best > 0.0
            gained |= best > 0.0
        return gained

    def _ring(
        self, rehearsal: Rehearsal, truth: Bids, values: Bids, stations: list[int], auctions: Sequence[Auction]
    ) -> None:
        """Let the two best stations act as one: the lower bid of the two is not made."""
        if len(auctions) > 1 or len(stations) < 2:
            return
        task = auctions[0].task.id
        first, second = sorted(stations, key=lambda one: -truth[task, one])[:2]
        before, after = rehearsal.clear(truth)[task], rehearsal.clear(changed(truth, second, 0.0))[task]
        self.ring_rounds += 1
        for end, together in ((before, False), (after, True)):
            gain = sum(end.gain(values[task, one], (one,)) for one in (first, second))
            surplus = sum(
                chance * values[task, one] * rehearsal.weight_of(one) for one, (chance, _) in end.chances.items()
            )
            if together:
                self.ring_together, self.ring_surplus = self.ring_together + gain, self.ring_surplus + surplus
            else:
                self.ring_alone, self.ring_surplus_before = self.ring_alone + gain, self.ring_surplus_before + surplus

    def _who(self, auctions: Sequence[Auction], one: int, worth: float) -> str:
        return f"task {auctions[0].task.id}: {self.names[one]}, to whom it is worth {worth:.4g},"

    def _example(self, kind: str, size: float, said: str) -> None:
        """Keep the clearest round of its kind."""
        if size > self.examples.get(kind, (0.0, ""))[0]:
            self.examples[kind] = size, said


def _by_bid(end: Played, bids: Bids, task: int) -> list[tuple[float, float, float]]:
    """Return bid, probability and payment of who may win a lot, in order; rounded where the winner was drawn."""
    drawn = len(end.chances) > 1
    found = [(bids[task, one], chance, paid) for one, (chance, paid) in end.chances.items()]
    return sorted((bid, round(chance, 9), round(paid, 9)) for bid, chance, paid in found) if drawn else found


def _scale(values: Bids, one: int) -> float:
    """Return what a round is worth to a participant at most, as the measure of a gain; above 0 in any case.

    Beyond its deadline a task is worth nothing, and with costs less than that. A UAV has to take it all the same.
    """
    return max(GAIN, *(abs(value) for key, value in values.items() if key[1] == one))


def _utility(values: Bids, ends: dict[int, Played], identities: Sequence[int], one: int) -> float:
    """Return what the identities of one participant gain: the values that they win less what they pay."""
    # A lot to which the participant is not invited has no value for it, and no chance of it either.
    return sum(end.gain(values.get((task, one), 0.0), identities) for task, end in ends.items() if end.chances)
