"""Myerson's auction: the largest expected revenue of the platform, by values that past rounds have shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import need
from simulator.market.contracts import Ask, Award, Bids, Column, Information, Lot, Mechanism
from simulator.model.myerson import EmpiricalValues, PlainValues, Virtual, optimal_auction

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform

FIRST_BIDS = 100
"""Bids of a kind of provider that are needed. Until then its virtual values are its values, without a reserve."""

RENEWAL = 0.05
"""Share of new bids at which virtual values are computed again."""


class VirtualValueAuction(Mechanism):
    """Base of auctions by virtual values: the highest of at least 0 wins, and pays the least bid that would have won.

    A bid is divided by the value that the public conditions let expect of its provider. The virtual value is that of
    the ratio, times the expected value. `virtual` is one for stations and one for UAVs.
    """

    virtual: list[Virtual]
    platform: Platform

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds for any virtual values that rise with the bid."""
        return frozenset({"truthful", "individually rational", "budget balance"})

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for bids, and sell each lot by itself."""
        bids = yield Ask("bid", lots)
        return [self._award(lot, bids) for lot in lots]

    def remember(self, kind: int, ratio: float) -> None:
        """Hear of a bid when its lot is settled.

        Args:
            kind: 0 for a station, 1 for a UAV.
            ratio: the bid divided by the expected value.
        """

    def _award(self, lot: Lot, bids: Bids) -> Award:
        who = [one for one in lot.invited if (lot.task, one) in bids]
        said = [bids[lot.task, one] for one in who]
        platform = self.platform
        expected = [platform.expected_value(one, lot.predicted_s[one], lot.limit_s, lot.grace_s) for one in who]
        kinds = [int(one < platform.uavs) for one in who]
        sale = None
        # Who is expected to deliver nothing of worth has no scale, and is not sold anything.
        some = [place for place, scale in enumerate(expected) if scale > 0.0]
        if some:
            own = [self.virtual[kinds[place]] for place in some]
            sale = optimal_auction([said[place] for place in some], own, [expected[place] for place in some])
        for place in some:
            self.remember(kinds[place], said[place] / expected[place])
        if sale is None:
            return Award(lot, None)
        place = some[sale.winner]
        virtual = own[sale.winner].phi(said[place], expected[place])
        return Award(lot, who[place], sale.paid, columns={"virtual_value": virtual})


VIRTUAL_VALUE = Column("virtual_value", "float", "", "virtual value of the winner; NaN if nobody won")


@dataclass
class Myerson(VirtualValueAuction):
    """The auction with the largest expected revenue, which may keep a task from everybody.

    A bid is compared with the value that the public conditions let expect. The ratios of past rounds, of stations and
    of UAVs, are the sample of which the virtual values are computed and ironed. The highest virtual value of at least 0
    wins and pays the least bid with which it would have won.

    Within a round it is truthful, whatever the sample. A bid also becomes part of the sample of later rounds.

    Source: Myerson 1981. That the task auction is its item, and the sample, are ours; reference [28] of the paper
    auctions the energy of UAVs.

    Attributes:
        memory: number of bids of each kind of provider that the sample has.
    """

    memory: int = 2_000

    def __post_init__(self) -> None:
        need("scipy")
        if isinstance(self.memory, bool) or not isinstance(self.memory, int) or not FIRST_BIDS <= self.memory <= 10**6:
            raise ValueError(f"memory must be a whole number from {FIRST_BIDS} to 1,000,000, not {self.memory!r}")
        self.columns = (VIRTUAL_VALUE,)

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Forget all bids."""
        self.platform = platform
        self._ratios = tuple(deque[float](maxlen=self.memory) for _ in range(2))
        self._seen, self._renew_at = [0, 0], [FIRST_BIDS, FIRST_BIDS]
        self.virtual: list[Virtual] = [PlainValues(), PlainValues()]

    def bids_seen(self, kind: int) -> list[float]:
        """Return the sample of a kind of provider: bids divided by expected values, in order.

        Args:
            kind: 0 for stations, 1 for UAVs.
        """
        return list(self._ratios[kind])

    def remember(self, kind: int, ratio: float) -> None:
        """Add a bid to the sample of its kind, and compute the virtual values again when that is due."""
        self._ratios[kind].append(ratio)
        self._seen[kind] += 1
        if self._seen[kind] >= self._renew_at[kind]:
            self.virtual[kind] = EmpiricalValues(list(self._ratios[kind]))
            self._renew_at[kind] = self._seen[kind] + max(1, int(RENEWAL * len(self._ratios[kind])))
