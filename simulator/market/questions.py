"""What a mechanism yields and returns: lots, questions, decisions in seats, and awards."""

from __future__ import annotations

import copyreg
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from simulator.market.conditions import Column
from simulator.model import FloatArray

# Lots hold read-only mappings. The audit copies mechanisms, and what they keep, in depth.
copyreg.pickle(MappingProxyType, lambda proxy: (MappingProxyType, (dict(proxy),)))

UavBid: TypeAlias = Literal["contract", "reported"]
"""Which bid a mechanism uses for the UAV.

- `contract`: the contract bid that the platform computes by (13).
- `reported`: the UAV's own bid as of its last report.
"""


class PriceScale(NamedTuple):
    """The space of a seat that sets a price scaling factor: a number >= 1, or ``inf``."""


class Choice(NamedTuple):
    """The space of a seat that chooses one of a fixed number of things, by index.

    Attributes:
        n: number of things. A mask says at each decision which of them may be chosen.
    """

    n: int


class Numbers(NamedTuple):
    """The space of a seat that sets a number in a range.

    Attributes:
        low: least number.
        high: largest number.
        grid: numbers of a learner's actions, in increasing order.
    """

    low: float
    high: float
    grid: tuple[float, ...]


Space: TypeAlias = PriceScale | Choice | Numbers


@dataclass(frozen=True, slots=True)
class Seat:
    """A place for a policy in a mechanism.

    Attributes:
        space: what the policy returns.
        state: columns of what the mechanism shows the policy besides the market conditions and the bids.
            A value is a number, or an array with one number per provider.
    """

    space: Space
    state: tuple[Column, ...] = ()


class Lot(NamedTuple):
    """One task on offer, as everybody may see it.

    Attributes:
        task: id of the task.
        now: time of this clearing, s.
        requested: time of the request, s.
        invited: ids of the providers that are invited, cover the vehicle now and are not out, ascending.
        predicted_s: predicted latency of a task of the reference size at each invited provider, backlog included, s, by
            id of the provider.
        free_at: time at which each invited provider will have served what it has accepted, s, by id of the provider.
        place: place of the vehicle, (m east, m north); None where nothing has a place.
        market: public market conditions in the order of `MARKET_CONDITIONS`, read-only.
        buyer: id of the participant that resells the task; None if its vehicle asks.
        limit_s: time from the request to the deadline of this kind of task, s; `inf` without a deadline.
        grace_s: time after the deadline over which the worth of the result falls to 0, s.
    """

    task: int
    now: float
    requested: float
    invited: tuple[int, ...]
    predicted_s: Mapping[int, float]
    free_at: Mapping[int, float]
    place: tuple[float, float] | None
    market: FloatArray
    buyer: int | None = None
    limit_s: float = math.inf
    grace_s: float = 0.0


VEHICLE = -1
"""Stands in a reply for the vehicle that asks for the task."""

NO_TASK = -1
"""Stands in a reply for no task in particular: one of the reference size."""


class Ask(NamedTuple):
    """A round of messages: a question to participants, about lots or about no task in particular.

    The reply is a mapping from (task, participant) to the answer.

    - ``Ask("bid", lots)`` asks providers for the most that each would pay for each lot. A station to which a task is
      worth nothing makes no bid and is not in the reply. A UAV cannot refuse: it always bids.
    - ``Ask("bid", lots, side="vehicles")`` asks the vehicles for the most that each would pay for service. The
      participant in the reply is `VEHICLE`.
    - ``Ask("bid")`` asks providers for the least payment for which each would serve one task of the reference size. The
      task in the reply is `NO_TASK`.
    - ``Ask("accept", lots, side="vehicles", price=p)`` and ``Ask("accept", price=p)`` ask the same participants
      whether they trade at a price. Those who do are in the reply, with the answer True.
    - ``Ask("quote", lots)`` asks providers for the `Quote` of each lot. With ``places=k`` it says too what a lot would
      get behind up to k - 1 other lots of this clearing at the same provider.

    Attributes:
        what: `bid`, `accept` or `quote`.
        lots: the lots in question; none to ask about one task of the reference size.
        to: ids of the providers that are asked; all invited ones if None.
        side: who is asked, the providers or the vehicles of the lots.
        price: the price that is to be accepted.
        places: number of places in a provider's queue for which it quotes.
    """

    what: Literal["bid", "accept", "quote"]
    lots: Sequence[Lot] = ()
    to: Sequence[int] | None = None
    side: Literal["providers", "vehicles"] = "providers"
    price: float = math.nan
    places: int = 1


class Quote(NamedTuple):
    """What a provider promises for a task. It can be verified when the task has ended.

    Attributes:
        latency_s: latency, s.
        accuracy: accuracy R of the result.
        value: value v_n of (11) of a result with that latency and accuracy.
        dwell_s: time for which the provider expects to cover the vehicle, s.
        extra_cost: what the task costs the provider beyond a task of the reference size; 0 where tasks cost nothing.
        later: the quotes behind 1, 2, ... other lots that are awarded before, each as long as this one.
    """

    latency_s: float
    accuracy: float
    value: float
    dwell_s: float = math.inf
    extra_cost: float = 0.0
    later: tuple[Quote, ...] = ()

    def at(self, place: int) -> Quote:
        """Return the quote for a place in the queue of what a provider wins in this clearing.

        Args:
            place: number of lots that it serves before, of this clearing. The last place that was asked about stands
                for those behind it.
        """
        return self.later[min(place, len(self.later)) - 1] if place and self.later else self


class Decide(NamedTuple):
    """A decision that a policy makes. The reply is its action.

    Attributes:
        seat: name of the seat.
        lots: the lots that are decided on.
        state: values of the columns that the seat declares, by name. They must not depend on sealed bids of this round.
        mask: which choices are allowed, one flag per choice; None where all are.
        reward: what a learner in the seat has earned since its last decision, besides the surplus of the tasks that
            were awarded since.
    """

    seat: str
    lots: Sequence[Lot]
    state: Mapping[str, Any] = {}
    mask: Sequence[bool] | None = None
    reward: float = 0.0


class Award(NamedTuple):
    """The end of a lot: who serves it and who pays.

    Attributes:
        lot: the lot.
        provider: id of the provider that serves it; None if it is unsold.
        paid_by_provider: what the provider pays to the platform; negative if the platform pays.
        paid_by_vehicle: what the vehicle pays to the platform; negative if the platform pays.
        columns: values of the columns that the mechanism declares, by name; NaN where one is left out.
        royalty: share of the audited worth of the task, its value less its cost, that the provider pays besides when
            the task has ended.
        chances: probability to win and payment then, by participant, where the winner was drawn. The audit takes the
            expectation over them.
    """

    lot: Lot
    provider: int | None
    paid_by_provider: float = 0.0
    paid_by_vehicle: float = 0.0
    columns: Mapping[str, float] = {}
    royalty: float = 0.0
    chances: Mapping[int, tuple[float, float]] = {}


Bids: TypeAlias = dict[tuple[int, int], float]
"""The reply to ``Ask("bid")``: bids by (task, participant), of those who bid."""

Clearing: TypeAlias = Generator[Ask | Decide, Any, Sequence[Award]]
"""What `Mechanism.clear` returns: it yields questions and decisions, and returns the awards."""
