"""The auction of one task, from its request to its settlement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from simulator.market.contracts import Lot
from simulator.market.lots import Situation
from simulator.model import BoolArray, FloatArray
from simulator.providers.task import Task

BID_FIELDS = ("bid", "value", "cost", "common_value", "match_value", "timeliness", "predicted_latency")
"""Rows of an auction's book."""

VALUE, COST = BID_FIELDS.index("value"), BID_FIELDS.index("cost")

TERMS = slice(BID_FIELDS.index("common_value"), BID_FIELDS.index("match_value") + 1)
"""Rows of an auction's book that (9) and (10) average."""

GROUND, UAV, NOBODY = range(3)
WINNER_KINDS: tuple[Literal["ground", "uav", "none"], ...] = ("ground", "uav", "none")
"""Kinds of winner, by code."""


NOT_UNSERVED, NOT_COVERED, NOT_INVITED, NO_BID, UNSOLD, WAITING = range(6)
UNSERVED_REASONS = ("served", "not_covered", "not_invited", "no_bid", "unsold", "waiting")
"""Why a task has no provider, by code: `served` if it has one, and `waiting` if its auction has not ended."""


class Auction:
    """The auction of one task.

    Attributes:
        task: the task.
        situation: the providers that cover the vehicle, with stage times and accuracies of the task. All arrays of
            shape (providers,) have the order of ``situation.providers``.
        columns: index in these arrays of each provider, by id.
        invited: which providers are invited, shape (providers,).
        uavs: number of UAVs, which have the first ids.
        public: predicted latency of a task of the reference size at each provider, s, shape (providers,).
        book: rows of `BID_FIELDS`: bid, true value v_n of (11), cost, c_n of (9), m_n of (10), g_n, and predicted
            latency, s; shape (7, providers). A bid is NaN until it is asked for.
        bid: bids, the row of the book, shape (providers,).
        worth: true values v_n less costs, shape (providers,).
        market: public market conditions m^k, shape (len(MARKET_CONDITIONS),).
        lot: the task on offer, as everybody may see it.
        says: what each provider takes the task to be worth: its true value less its cost, but of a UAV what it knows;
            shape (providers,).
        invited_stations: number of invited stations.
        ground_bidders: number of invited stations to which the task is worth something.
        asked: whether a policy has decided on the task.
        decided: the last decision on the task and its answer, until it is settled; None without one.
        bids: ground bids in descending order, empty until bids are asked for.
        top_bid: highest ground bid; NaN without one.
        second_bid: second-highest ground bid; NaN without one.
        uav: id of the invited UAV with the best public prediction; -1 for none.
        uav_bid: highest bid of an invited UAV; NaN without one.
        uav_value: worth to the UAV that won, else to `uav`, without zeta; NaN without one.
        top_value: highest worth to an invited station; NaN without one.
        messages: number of messages of its clearings, shared equally among their tasks.
        rounds: number of rounds of messages of its clearings.
        winner: id of the winner; -1 for nobody.
        winner_kind: index of the kind of the winner in `WINNER_KINDS`.
        paid_by_provider: payment of the winner to the platform.
        paid_by_vehicle: payment of the vehicle to the platform.
        royalty: share of the audited worth of the task that the winner pays besides when the task has ended.
        surplus: worth to the winner, times zeta for a UAV.
        realised_surplus: surplus at the actual latency, without a value if the task is lost or unserved; NaN while it
            is not known.
        unserved_reason: index into `UNSERVED_REASONS`.
        best_surplus: highest surplus that any invited provider would have had; 0 if nobody was invited.
        extra: values of the columns that the mechanism declares, in their order.
    """

    public: FloatArray
    book: FloatArray
    bid: FloatArray
    worth: FloatArray
    market: FloatArray
    lot: Lot
    says: FloatArray
    # Defaults of the class: setting all of them in each auction would take as long as valuing the task.
    invited_stations: int = 0
    ground_bidders: int = 0
    asked: bool = False
    decided: tuple[Any, Any] | None = None
    bids: Sequence[float] = ()
    top_bid: float = math.nan
    second_bid: float = math.nan
    uav: int = -1
    uav_bid: float = math.nan
    uav_value: float = math.nan
    top_value: float = math.nan
    messages: float = 0.0
    rounds: int = 0
    winner: int = -1
    winner_kind: int = NOBODY
    paid_by_provider: float = 0.0
    paid_by_vehicle: float = 0.0
    royalty: float = 0.0
    surplus: float = 0.0
    realised_surplus: float = math.nan
    unserved_reason: int = WAITING
    best_surplus: float = 0.0
    extra: tuple[float, ...] = ()

    def __init__(self, task: Task, situation: Situation, invited: BoolArray, uavs: int) -> None:
        self.task, self.situation, self.invited, self.uavs = task, situation, invited, uavs
        self.columns = {one: column for column, one in enumerate(situation.providers.tolist())}

    def bid_of(self, provider: int) -> float:
        """Return the bid of a provider; NaN if it has made none.

        Args:
            provider: id of a provider that covers the vehicle.
        """
        return float(self.bid[self.columns[provider]])

    def worth_to(self, provider: int) -> float:
        """Return what the task is worth to a provider: its true value less its cost.

        Args:
            provider: id of a provider that covers the vehicle.
        """
        return float(self.worth[self.columns[provider]])

    def value_to(self, provider: int) -> float:
        """Return the true value v_n of (11) of the task at a provider, its cost not subtracted.

        Args:
            provider: id of a provider that covers the vehicle.
        """
        return float(self.book[VALUE, self.columns[provider]])

    def said_by(self, provider: int) -> float:
        """Return what a provider takes the task to be worth.

        Args:
            provider: id of a provider that covers the vehicle.
        """
        return float(self.says[self.columns[provider]])

    @property
    def bid_by_nobody(self) -> bool:
        """Whether no provider has bid for the task."""
        return not self.bids and not self.uav_bid >= 0.0

    @property
    def top_station(self) -> int:
        """Id of the station with the highest bid; -1 without one."""
        stations = [one for one in self.lot.invited if one >= self.uavs and self.bid_of(one) >= 0.0]
        # Among equal bids the lower id goes first, as in every mechanism here.
        return max(stations, key=lambda one: (self.bid_of(one), -one), default=-1)

    @property
    def worth_to_top(self) -> float:
        """Worth to the station with the highest bid; NaN without one."""
        top = self.top_station
        return math.nan if top < 0 else self.worth_to(top)

    def own_term(self, provider: int, latency_weight: float) -> float:
        """Return the worth to a provider by the task's own terms alone, ``c m g - C / demand`` at T = 1.

        Args:
            provider: id of an invited provider.
            latency_weight: weight omega_1, s.
        """
        column = self.columns[provider]
        _, _, cost, *_, timely, latency_s = self.book[:, column].tolist()
        own = float(latency_weight / latency_s * timely) * float(self.situation.match[column])
        return own - cost / self.task.demand if cost else own
