"""The auction of one task, from its request to its settlement."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulator.market.contracts import Observation
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.task import Task

BID_FIELDS = ("bid", "value", "common_value", "match_value", "predicted_latency")
"""Rows of `Auction.book`."""

TERMS = slice(BID_FIELDS.index("common_value"), BID_FIELDS.index("match_value") + 1)
"""Rows of `Auction.book` that hold the means of (9) and (10)."""

GROUND, UAV_WON, NOBODY = range(3)
WINNER_KINDS = ("ground", "uav", "none")
"""Names of the kinds of winner, by code."""


# eq=False: a generated comparison would compare arrays, which have no single truth value.
@dataclass(slots=True, eq=False)
class Auction:
    """The auction of one task.

    Attributes:
        task: the task on offer.
        situation: stage times, accuracies and coverage of the task at every provider.
        finish: times at which each stage of each provider would finish a task, s, shape (4, 2, providers). Index 0 of
            the second axis is the task on offer, index 1 the public task of 30 MB.
        public: public prediction of the latency of a task of 30 MB, s, shape (providers,).
        book: rows in the order of `BID_FIELDS`, shape (5, providers): bid; true value v_n of (11); common value c_n of
            (9), 1/s; match value m_n of (10); the provider's own prediction of the latency, s.
        bid: bids, the first row of `book`, shape (providers,).
        value: true values v_n, the second row of `book`, shape (providers,).
        invited: which providers are invited, shape (providers,).
        ranking: ids of the invited stations by descending bid; of equal bids the lower id comes first.
        bids: bids of the invited stations in the order of `ranking`.
        ground_bidders: number of invited stations.
        top_bid: highest ground bid; NaN without one.
        second_bid: second-highest ground bid; NaN without one.
        uav: id of the UAV that gets the task if no station wins; -1 for none.
        uav_bid: bid of that UAV; NaN without one.
        uav_value: true value v_0 of that UAV, without zeta; NaN without one.
        top_value: highest true value of the invited stations; NaN without one.
        contract: contract bid of (13); the UAV's own bid while there are too few rounds for (13).
        contract_bid: equal to `contract` where a UAV is invited; NaN without one.
        market: public market conditions, shape (len(MARKET_CONDITIONS),).
        observation: observation for the policy; unset where no price is asked for.
        asked: whether a price is asked for: two or more ground bidders and a UAV.
        rho: price scaling factor; NaN where none is asked for.
        winner: id of the winner; -1 for nobody.
        winner_kind: code of the kind of winner, an index into `WINNER_KINDS`.
        payment: payment of the winner.
        surplus: value of the winner: v_n of a station, zeta v_0 of a UAV; 0 for nobody.
        best_surplus: highest surplus that any invited provider would have had; 0 if nobody was invited.
    """

    task: Task
    situation: Situation
    finish: FloatArray
    public: FloatArray
    book: FloatArray
    invited: BoolArray
    bid: FloatArray = field(init=False)
    value: FloatArray = field(init=False)
    ranking: list[int] = field(init=False)
    bids: list[float] = field(init=False)
    ground_bidders: int = 0
    top_bid: float = math.nan
    second_bid: float = math.nan
    uav: int = -1
    uav_bid: float = math.nan
    uav_value: float = math.nan
    top_value: float = math.nan
    contract: float = math.nan
    contract_bid: float = math.nan
    market: FloatArray = field(init=False)
    observation: Observation = field(init=False)
    asked: bool = False
    rho: float = math.nan
    winner: int = -1
    winner_kind: int = NOBODY
    payment: float = math.nan
    surplus: float = 0.0
    best_surplus: float = 0.0

    def __post_init__(self) -> None:
        # Views, not copies: the auctioneer fills the book after the auction has been made.
        self.bid, self.value = self.book[0], self.book[1]
