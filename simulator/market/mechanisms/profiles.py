"""The auctions that mechanisms are trained on: truthful bids, kept from runs of the second-price auction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError
from simulator.market.contracts import Award, Lot
from simulator.market.mechanisms.sealed_bid import Offer
from simulator.market.mechanisms.vickrey import Vickrey

if TYPE_CHECKING:
    from simulator.market.contracts import Platform


class Profile(NamedTuple):
    """One auction as a mechanism is trained on it: the truthful bids, in order of the providers' ids.

    Attributes:
        bids: the bids.
        expected: value that the public conditions let expect of each bidder, at the mean demand.
        uav: whether each bidder is a UAV.
        who: ids of the bidders.
    """

    bids: tuple[float, ...]
    expected: tuple[float, ...]
    uav: tuple[bool, ...]
    who: tuple[int, ...] = ()


def profile_of(platform: Platform, lot: Lot, bids: dict[int, float]) -> Profile:
    """Return an auction as a mechanism is trained on it.

    Args:
        platform: what the platform knows.
        lot: the lot.
        bids: bids by provider. Who is expected to deliver nothing of worth is left out.
    """
    expected = {one: platform.expected_value(one, lot.predicted_s[one], lot.limit_s, lot.grace_s) for one in bids}
    who = tuple(one for one in sorted(bids) if expected[one] > 0.0)
    own, values = tuple(bids[one] for one in who), tuple(expected[one] for one in who)
    return Profile(own, values, tuple(one < platform.uavs for one in who), who)


@dataclass
class Collector(Vickrey):
    """The second-price auction, which keeps the bids of all auctions to train a mechanism on.

    Attributes:
        profiles: the auctions so far.
    """

    profiles: list[Profile] = field(default_factory=list)

    def award(self, lot: Lot, offers: list[Offer]) -> Award:
        """Keep the bids, and return the award of the second-price auction."""
        self.profiles.append(profile_of(self.platform, lot, {offer.provider: offer.bid for offer in offers}))
        return super().award(lot, offers)


class Course(NamedTuple):
    """What a training of a mechanism is given.

    Attributes:
        profiles: function that returns the auctions of a training world by its number.
        steps: number of updates in all.
        seed: seed of the first weights and of the batches.
        out: folder of the training.
        resume: whether to continue from ``out/last``.
        report: function that receives the metrics.
    """

    profiles: Callable[[int], Sequence[Profile]]
    steps: int
    seed: int
    out: Path
    resume: bool
    report: Callable[[dict[str, float]], None]

    def rounds(self, worlds: int) -> list[Profile]:
        """Return the auctions of the first training worlds.

        Args:
            worlds: number of worlds.

        Raises:
            InputError: none of them has a bid.
        """
        found = [one for world in range(worlds) for one in self.profiles(world) if one.bids]
        if not found:
            raise InputError("scenarios: no auction of the training worlds has a bid")
        return found


def padded(
    profiles: Sequence[Profile],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return auctions as arrays with one column per bidder, in float32.

    Args:
        profiles: auctions, each with one or more bidders.

    Returns:
        Bids divided by the expected values, and expected values divided by the largest of the auction, 0 where there is
        no bidder; whether each is a UAV; whether there is a bidder. The shape is (auctions, bidders).
    """
    shape = len(profiles), max(len(one.bids) for one in profiles)
    ratios, scales = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    uav, there = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for row, one in enumerate(profiles):
        count, largest = len(one.bids), max(one.expected)
        ratios[row, :count] = np.array(one.bids) / np.array(one.expected)
        scales[row, :count] = np.array(one.expected) / largest
        uav[row, :count], there[row, :count] = one.uav, True
    return ratios, scales, uav, there
