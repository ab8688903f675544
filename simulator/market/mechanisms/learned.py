"""What learned mechanisms share: the auctions that they are trained on, and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError
from simulator.files import folder as folder_at
from simulator.files.checkpoint import (
    ARRAYS,
    HEADER_BYTES,
    META,
    Layout,
    check_finite,
    check_layout,
    check_seal,
    read_arrays,
    read_meta,
    size_of,
)
from simulator.files.reading import is_whole
from simulator.market.contracts import Award, Lot
from simulator.market.mechanisms.sealed_bid import Offer
from simulator.market.mechanisms.vickrey import Vickrey

if TYPE_CHECKING:
    from simulator.market.contracts import Platform

SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the project, with one folder per mechanism."""

LARGEST = 1e4
"""Largest weight. Those of trained networks stay below 100."""


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


def load_weights(
    kind: str, weights: str | None, layout: Layout
) -> tuple[dict[str, np.ndarray[Any, Any]] | None, str | None]:
    """Return the arrays of weights and their hash; None for both if none are shipped.

    Args:
        kind: name of the mechanism.
        weights: folder of a training or of weights; None for the shipped weights.
        layout: type and shape of each array.

    Raises:
        InputError: they are not there, damaged, or of something else.
    """
    folder = SHIPPED / kind if weights is None else folder_at(weights)
    if weights is None and not folder.exists():
        return None, None
    folder = folder / "best" if (folder / "best").exists() else folder
    meta = read_meta(folder, kind)
    if not is_whole(meta.get("steps")):
        raise InputError(f"{folder / META}: 'steps' must be a whole number")
    data, arrays = read_arrays(folder, size_of(layout) + HEADER_BYTES)
    check_layout(folder / ARRAYS, arrays, layout)
    check_finite(folder / ARRAYS, arrays, LARGEST)
    check_seal(folder, meta, data)
    return arrays, str(meta["sha256"])


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
