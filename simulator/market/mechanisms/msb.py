"""The Modified Second-Bid auction."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.market.contracts import Ask, Award, Column, Decide, Information, PriceScale, Seat
from simulator.market.mechanisms.ground_or_uav import Contest, GroundOrUav
from simulator.model.mechanism import critical_payment, station_wins

if TYPE_CHECKING:
    from simulator.market.contracts import Platform

WITHIN_A_ROUND = frozenset({"truthful", "individually rational", "anonymous", "budget balance"})
"""What holds for a price that the round's top bid cannot move."""


@dataclass
class ModifiedSecondBid(GroundOrUav):
    """The paper's auction, equations (14) and (15).

    The top station wins if ``b_(1) > rho b_(2)``, and then pays ``rho b_(2)``. Otherwise the UAV wins and pays what
    `uav_payment` of the market says. The policy in the seat `auctioneer` sets rho.
    """

    seats = {"auctioneer": Seat(PriceScale())}  # noqa: RUF012 (read only, as the contract has it)
    columns = (
        Column("rho", "float", "", "price scaling factor; NaN where none was asked for", packed="f4"),
        Column("contract_bid", "float", "", "contract bid of (13); NaN without an invited UAV", packed="f4"),
        Column("scaled_bid", "float", "", "bid that rho scales, the max of (14); NaN where rho is NaN"),
    )

    def claims(self, information: Information) -> frozenset[str]:
        """Return what Theorem 1 says under an `information` (Arnosti, Beck and Milgrom 2016)."""
        if information == "public":
            return WITHIN_A_ROUND | {"false-name-proof", "free of adverse selection"}
        return WITHIN_A_ROUND if information == "masked" else frozenset({"individually rational", "budget balance"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform and its reference."""
        super().reset(platform, rng)
        self.reference = platform.reference

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        """Let the policy set rho, and settle by (14) and (15)."""
        rho = yield Decide("auctioneer", (contest.lot,))
        scaled = self.scaled_bid(contest)
        threshold = critical_payment(scaled, rho)
        columns = {"rho": rho, "contract_bid": contest.contract_bid, "scaled_bid": scaled}
        if station_wins(contest.bids[0], threshold):
            return Award(contest.lot, contest.stations[0], threshold, columns=columns)
        return self.uav_wins(contest.lot, contest.uav, contest.contract_bid, columns)

    def scaled_bid(self, contest: Contest) -> float:
        """Return the bid that rho scales, the max of (14), over the bids that the market's `reference` names."""
        if self.reference == "stations":
            return contest.bids[1]
        if self.reference == "all":
            # With the UAV's bid inside the max, the auction is not free of adverse selection: unlike ground bids, the
            # UAV's bid does not scale with the common value.
            return max(contest.bids[1], self.platform.uav_weight * contest.uav_bid)
        # The best bid of another owner: an owner cannot lower the price by what its other stations bid.
        owners = self.platform.owners
        own = owners[contest.stations[0]]
        others = zip(contest.stations[1:], contest.bids[1:], strict=True)
        return next((bid for station, bid in others if owners[station] != own), 0.0)


@dataclass
class MyopicSecondBid(ModifiedSecondBid):
    """The auction with the threshold ``max(u_0, b_(2))`` itself, for the policy Myopic.

    Computed as ``rho b_(2)`` with ``rho = u_0 / b_(2)``, the threshold would be rounded.

    Attributes:
        highest: whether u_0 is the highest of all bids instead of the UAV's, as in the paper's text.
    """

    highest: bool = False

    def contest(self, contest: Contest) -> Generator[Ask | Decide, Any, Award]:
        """Let the policy state rho, and settle at the threshold that it stands for."""
        rho = yield Decide("auctioneer", (contest.lot,))
        uav_side = self.platform.uav_weight * contest.uav_bid
        threshold = max(uav_side, contest.bids[0 if self.highest else 1])
        columns = {"rho": rho, "contract_bid": contest.contract_bid, "scaled_bid": contest.bids[1]}
        if station_wins(contest.bids[0], threshold):
            return Award(contest.lot, contest.stations[0], threshold, columns=columns)
        if self.uav_bid == "contract" or self.highest:
            return self.uav_wins(contest.lot, contest.uav, contest.contract_bid, columns)
        # Its own word decides whether it wins, so it pays the least word with which it would have won.
        least = contest.bids[0] if uav_side >= contest.bids[0] else 0.0
        return Award(contest.lot, contest.uav, least / self.platform.uav_weight, columns=columns)
