"""One task's auction, from its request to its settlement."""

from __future__ import annotations

from simulator.market.contracts import (
    Observation,
)
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.task import Task

BID_FIELDS = ("bid", "value", "common_value", "match_value", "predicted_latency")
"""Rows of an auction's book."""

TERMS = slice(BID_FIELDS.index("common_value"), BID_FIELDS.index("match_value") + 1)
"""The rows of an auction's book that (9) and (10) average."""


class Auction:
    """One task's auction, from its request to its settlement.

    Attributes:
        task: the task.
        situation: what the task meets at every provider.
        finish: when each stage of each provider would be done with it, s, shape (4, 2, providers).
        public: what everybody can predict for a task of 30 MB, s, shape (providers,).
        book: rows of `BID_FIELDS`: bid, true value, common value c_n of (9), match value m_n of (10), and the
            provider's own estimate of the latency, s; shape (5, providers).
        bid: bids, a UAV's as of its last report: a row of the book, shape (providers,).
        value: true values v_n of (11): a row of the book, shape (providers,).
        invited: who was invited, shape (providers,).
        ranking: invited stations by descending bid; the lower id goes first among equals.
        bids: their bids, in that order.
        uav: id of the UAV that takes the task if no station wins, -1 for none.
        uav_bid: its bid, NaN without one.
        uav_value: its true value, NaN without one.
        top_value: highest true value among the invited stations, NaN without one.
        contract: the contract bid of (13); the UAV's own bid while there is none.
        market: public market conditions, shape (len(MARKET_CONDITIONS),).
        observation: what the policy may see.
        asked: whether a price is wanted.
        rho: the price scaling factor, NaN where none was asked for.
        winner: id of the winner, -1 for nobody.
        payment: what the winner pays.
        surplus: the winner's value, the UAV's weighted with zeta.
        oracle_surplus: the highest surplus that any winner would have had; `surplus` where no price was asked for.
    """

    __slots__ = (
        "asked",
        "bid",
        "bids",
        "book",
        "contract",
        "finish",
        "invited",
        "market",
        "observation",
        "oracle_surplus",
        "payment",
        "public",
        "ranking",
        "rho",
        "situation",
        "surplus",
        "task",
        "top_value",
        "uav",
        "uav_bid",
        "uav_value",
        "value",
        "winner",
    )

    task: Task
    situation: Situation
    finish: FloatArray
    public: FloatArray
    book: FloatArray
    bid: FloatArray
    value: FloatArray
    invited: BoolArray
    ranking: list[int]
    bids: list[float]
    uav: int
    uav_bid: float
    uav_value: float
    top_value: float
    contract: float
    market: FloatArray
    observation: Observation
    asked: bool
    rho: float
    winner: int
    payment: float
    surplus: float
    oracle_surplus: float
