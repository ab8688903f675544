"""One task's auction, from its request to its settlement."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulator.market.contracts import Observation
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.task import Task

BID_FIELDS = ("bid", "value", "common_value", "match_value", "predicted_latency")
"""Rows of an auction's book."""

TERMS = slice(BID_FIELDS.index("common_value"), BID_FIELDS.index("match_value") + 1)
"""The rows of an auction's book that (9) and (10) average."""

GROUND, UAV_WON, NOBODY = range(3)
WINNER_KINDS = ("ground", "uav", "none")
"""Kinds of winner, by code."""


@dataclass(slots=True, eq=False)
class Auction:
    """One task's auction.

    Attributes:
        task: the task.
        situation: what the task meets at every provider.
        finish: when each stage of each provider would be done with it, s, shape (4, 2, providers).
        public: what everybody can predict for a task of 30 MB, s, shape (providers,).
        book: the rows of `BID_FIELDS`: bid, true value, common value c_n of (9), match value m_n of (10), and the
            provider's own prediction of the latency, s; shape (5, providers).
        bid: bids, the row of the book; a UAV bids what its last report says, shape (providers,).
        value: true values v_n of (11), the row of the book, shape (providers,).
        invited: who was invited, shape (providers,).
        ranking: invited stations by descending bid; among equal bids the lower id goes first.
        bids: their bids, in the order of `ranking`.
        ground_bidders: the number of invited stations.
        top_bid: the highest ground bid, NaN without one.
        second_bid: the second-highest ground bid, NaN without one.
        uav: id of the UAV that takes the task if no station wins, -1 for none.
        uav_bid: the bid of that UAV, NaN without one.
        uav_value: the true value of that UAV, NaN without one.
        top_value: highest true value among the invited stations, NaN without one.
        contract: the contract bid of (13); the UAV's own bid while there is none.
        contract_bid: `contract` where a UAV was invited, else NaN.
        market: public market conditions, shape (len(MARKET_CONDITIONS),).
        observation: what the policy may see.
        asked: whether a price is wanted.
        rho: the price scaling factor, NaN where none was asked for.
        winner: id of the winner, -1 for nobody.
        winner_kind: code of the kind of winner, an index into `WINNER_KINDS`.
        payment: what the winner pays.
        surplus: the winner's value, a UAV's weighted with zeta.
        best_surplus: the highest surplus that any invited provider would have had; 0 if nobody was invited.
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
        self.bid, self.value = self.book[0], self.book[1]
