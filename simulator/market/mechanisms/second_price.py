"""The second-price auction among the stations and one UAV."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from simulator.market.contracts import Ask, Award, Column, Decide, Information, UavBid
from simulator.market.mechanisms.ground_or_uav import Contest, GroundOrUav
from simulator.model.mechanism import station_wins


@dataclass
class SecondPrice(GroundOrUav):
    """The second-price auction with the UAV's bid in it, the paper's SPA.

    The highest bid wins and pays the second-highest bid. If a station ties with the UAV, the UAV wins. If two stations
    tie, the first of them wins and pays its own bid. A UAV for which the contract bid stands pays what `uav_payment` of
    the market says.

    Attributes:
        uav_bid: which bid stands for the UAV.
    """

    uav_bid: UavBid = "reported"

    columns = (Column("contract_bid", "float", "", "contract bid of (13); NaN without an invited UAV", packed="f4"),)

    def claims(self, information: Information) -> frozenset[str]:
        """Return what a second price has: truth pays for the stations, but the UAV's bid follows no common value."""
        return frozenset({"truthful", "individually rational", "anonymous", "budget balance"})

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        """Settle at the second-highest bid."""
        yield from ()  # nothing more is asked, and nobody decides
        bids, uav_side = contest.bids, self.platform.uav_weight * contest.uav_bid
        columns = {"contract_bid": contest.contract_bid}
        if station_wins(bids[0], uav_side):
            return Award(contest.lot, contest.stations[0], max(bids[1], uav_side), columns=columns)
        if self.uav_bid == "contract":
            return self.uav_wins(contest.lot, contest.uav, contest.contract_bid, columns)
        # The contest compares zeta b_0 with ground bids, so the payment is divided by zeta.
        paid = min(bids[0] / self.platform.uav_weight, contest.own_bid)
        return Award(contest.lot, contest.uav, paid, columns=columns)
