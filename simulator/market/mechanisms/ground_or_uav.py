"""The form of the paper's auctions: stations compete, one UAV stands behind them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.market.contracts import Ask, Award, Decide, Lot, Mechanism, UavBid

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


class Contest(NamedTuple):
    """A round in which two or more stations bid and a UAV stands behind them.

    Attributes:
        lot: the lot.
        stations: ids of the stations by descending bid; among equal bids the lower id goes first.
        bids: their bids, in the same order.
        uav: id of the invited UAV with the best public prediction.
        uav_bid: the bid that stands for it, on its own scale.
        own_bid: its own bid.
        contract_bid: the contract bid of (13); the mean audited worth of its tasks while there is none.
    """

    lot: Lot
    stations: list[int]
    bids: list[float]
    uav: int
    uav_bid: float
    own_bid: float
    contract_bid: float


@dataclass
class GroundOrUav(Mechanism):
    """Base of mechanisms that rank the stations and let one UAV stand behind them.

    Rounds without a contest settle by three rules. Without a UAV the top station wins at b_(2). A lone station wins
    at 0. Without a station the UAV wins and pays what `uav_payment` of the market says. Only stations that bid count.

    Attributes:
        uav_bid: which bid stands for the UAV.
    """

    uav_bid: UavBid = "contract"

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Clear each lot by itself."""
        awards: list[Award] = []
        for lot in lots:
            award = yield from self._clear(lot)
            awards.append(award)
        return awards

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        """Settle a round with a contest."""
        raise NotImplementedError

    def _clear(self, lot: Lot) -> Generator[Ask | Decide, Any, Award]:
        bids = yield Ask("bid", (lot,))
        task, uavs, predicted = lot.task, self.platform.uavs, lot.predicted_s
        ranked, uav = list[tuple[float, int]](), -1
        for one in lot.invited:
            if one >= uavs:
                if (task, one) in bids:
                    ranked.append((-bids[task, one], one))
            # The choice is public, so no UAV can become the fallback or avoid it by its bid.
            elif uav < 0 or predicted[one] < predicted[uav]:
                uav = one
        ranked.sort()
        if uav < 0:
            # A lone station pays 0. Only this price keeps truth dominant, a second identity useless, and the winner
            # independent of the common value.
            if not ranked:
                return Award(lot, None)
            return Award(lot, ranked[0][1], -ranked[1][0] if len(ranked) > 1 else 0.0)
        own = bids[task, uav]
        contract = self.platform.contract_bid()
        contract = self.platform.uav_report(uav) if contract is None else contract
        if not ranked:
            return self.uav_wins(lot, uav, contract, {"contract_bid": contract})
        if len(ranked) == 1:
            return Award(lot, ranked[0][1], 0.0, columns={"contract_bid": contract})
        stands = contract if self.uav_bid == "contract" else own
        ground, stations = list[float](), list[int]()
        for bid, station in ranked:
            ground.append(-bid)
            stations.append(station)
        return (yield from self.contest(Contest(lot, stations, ground, uav, stands, own, contract)))

    def uav_wins(self, lot: Lot, uav: int, contract_bid: float, columns: dict[str, float]) -> Award:
        """Return the award of a UAV at the payment that the market's `uav_payment` says.

        Args:
            lot: the lot.
            uav: id of the UAV.
            contract_bid: the contract bid of (13).
            columns: values of the mechanism's columns.
        """
        # No payment depends on what the UAV says: if whether it wins does not either, it has no reason to lie.
        platform = self.platform
        if platform.uav_payment == "royalty":
            return Award(lot, uav, 0.0, columns=columns, royalty=platform.uav_share)
        if platform.uav_payment == "posted":
            expected = platform.expected_value(uav, lot.predicted_s[uav], lot.limit_s, lot.grace_s)
            return Award(lot, uav, platform.uav_share * expected, columns=columns)
        return Award(lot, uav, contract_bid, columns=columns)
