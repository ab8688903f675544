"""The contracts between the market and what users write.

A `Mechanism` says who serves a task and who pays. It asks the participants (`Ask`), lets a policy decide (`Decide`) and
returns its awards (`Award`). A `Policy` sits in a seat of the mechanism: it receives an `Observation`, returns a price
or a choice, and is told the `Outcome`. A `Bidder` answers for a provider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from simulator.errors import nearest
from simulator.market.conditions import (
    INFORMATION as INFORMATION,
)
from simulator.market.conditions import (
    LARGEST as LARGEST,
)
from simulator.market.conditions import (
    MARKET_CONDITIONS as MARKET_CONDITIONS,
)
from simulator.market.conditions import (
    MARKET_INDEX as MARKET_INDEX,
)
from simulator.market.conditions import (
    VECTOR_BIDS as VECTOR_BIDS,
)
from simulator.market.conditions import (
    Column as Column,
)
from simulator.market.conditions import (
    Information as Information,
)
from simulator.model import FloatArray

if TYPE_CHECKING:
    # Policies annotate `reset` with these types. They may import them from here but not from their own homes.
    from simulator.market.platform import Platform as Platform
    from simulator.scenario.scenario import Scenario as Scenario

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
    - ``Ask("quote", lots)`` asks providers for the `Quote` of each lot.

    Attributes:
        what: `bid`, `accept` or `quote`.
        lots: the lots in question; none to ask about one task of the reference size.
        to: ids of the providers that are asked; all invited ones if None.
        side: who is asked, the providers or the vehicles of the lots.
        price: the price that is to be accepted.
    """

    what: Literal["bid", "accept", "quote"]
    lots: Sequence[Lot] = ()
    to: Sequence[int] | None = None
    side: Literal["providers", "vehicles"] = "providers"
    price: float = math.nan


class Quote(NamedTuple):
    """What a provider promises for a task. It can be verified when the task has ended.

    Attributes:
        latency_s: latency, s.
        accuracy: accuracy R of the result.
        value: value v_n of (11) of a result with that latency and accuracy.
    """

    latency_s: float
    accuracy: float
    value: float


class Decide(NamedTuple):
    """A decision that a policy makes. The reply is its action.

    Attributes:
        seat: name of the seat.
        lots: the lots that are decided on.
        state: values of the columns that the seat declares, by name. They must not depend on sealed bids of this round.
        mask: which choices are allowed, one flag per choice; None where all are.
    """

    seat: str
    lots: Sequence[Lot]
    state: Mapping[str, Any] = {}
    mask: Sequence[bool] | None = None


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
    """

    lot: Lot
    provider: int | None
    paid_by_provider: float = 0.0
    paid_by_vehicle: float = 0.0
    columns: Mapping[str, float] = {}
    royalty: float = 0.0


Bids: TypeAlias = dict[tuple[int, int], float]
"""The reply to ``Ask("bid")``: bids by (task, participant), of those who bid."""

Clearing: TypeAlias = Generator[Ask | Decide, Any, Sequence[Award]]
"""What `Mechanism.clear` returns: it yields questions and decisions, and returns the awards."""


class Mechanism(Protocol):
    """A rule that says who serves a task and who pays.

    Only `clear` is required. The attributes have the defaults that stand here.

    Attributes:
        every_s: length of a window, s. 0 clears each request at once. Otherwise all requests that wait are cleared
            together at the end of each window.
        most_lots: number of requests that wait at which a window is cleared before its end; 0 for no limit.
        seats: seats for policies, by name; empty if nobody decides.
        columns: what the mechanism adds to the table `auctions`.
        value_of: whose utility the value of a served task is.
        policy: name of the policy that decides if nobody is named; empty for a usual one.
    """

    every_s: float = 0.0
    most_lots: int = 0
    seats: Mapping[str, Seat] = {}
    columns: tuple[Column, ...] = ()
    value_of: Literal["provider", "vehicle"] = "provider"
    policy: str = ""

    def claims(self, information: Information) -> frozenset[str]:
        """Return the names of the audit's findings that the mechanism claims to hold.

        Args:
            information: what the policy in its seat may see.
        """
        return frozenset()

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Begin a run.

        Args:
            platform: what the mechanism may know of providers and of the past.
            rng: the only source of random numbers of the mechanism.
        """
        return

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Clear the lots of one request or of one window.

        A lot without an award waits for the next window, at most ``market.patience_s``. Then it is unserved.

        Args:
            lots: the lots on offer. Each has at least one invited provider.
        """
        ...


class View(NamedTuple):
    """What a bidder knows when it answers a question about a lot.

    Attributes:
        provider: id of the provider for which it answers.
        task: id of the task.
        now: time, s.
        value: what the task is worth to the provider, its cost subtracted. A UAV knows it as of its last report only.
        cost: what the task would cost the provider.
        service_s: seconds of the task in each stage at the provider, shape (5,).
        predicted_s: latency of the task at the provider, backlog included, s.
        market: public market conditions in the order of `MARKET_CONDITIONS`.
    """

    provider: int
    task: int
    now: float
    value: float
    cost: float
    service_s: FloatArray
    predicted_s: float
    market: FloatArray


class Settlement(NamedTuple):
    """What a bidder is told when an auction in which it bid has settled.

    Attributes:
        provider: id of the provider for which it bid.
        task: id of the task.
        now: time, s.
        value: what the task is worth to the provider, its cost subtracted.
        bid: its bid.
        won: whether the provider won.
        paid: what the provider pays, 0 if it lost; a royalty as if the result were worth the value.
    """

    provider: int
    task: int
    now: float
    value: float
    bid: float
    won: bool
    paid: float


class Bidder(Protocol):
    """A strategy of an owner of providers. One object answers for all providers of one owner that name it.

    Other methods are optional and looked up by name:

    - ``reset(scenario, rng)``: called before a run. Draw random numbers only from this generator.
    - ``learn(settlement)``: called when an auction in which the bidder has bid has settled.
    """

    def bid(self, view: View) -> float:
        """Return a bid >= 0 for a task."""
        ...


class Truth(NamedTuple):
    """The true values that only a clairvoyant policy sees.

    Attributes:
        uav_value: true value v_0 of the UAV less its cost, without the weight zeta.
        top_value: true value of the station with the highest bid, less its cost.
    """

    uav_value: float
    top_value: float


class Observation:
    """The part of a pending auction that a policy may see under its `information`.

    Attributes:
        market: public market conditions in the order of `MARKET_CONDITIONS`, read-only.
        bids: ground bids in descending order; without the highest under `masked`, empty under `public`.
        uav_bid: bid of the UAV as of its last report; NaN under `public`.
        contract_bid: contract bid of (13) from past rounds; the mean audited worth of the UAV while they are too few.
        truth: true values under `clairvoyant`; None otherwise.
        state: what the mechanism shows the seat besides, by name of the declared column.
        mask: which choices are allowed, one flag per choice; None where all are, and for a price.
        grid: price scaling factors of a learner's actions, in increasing order.
        most_bids: number of bids in `vector`.
    """

    __slots__ = ("bids", "contract_bid", "grid", "market", "mask", "most_bids", "state", "truth", "uav_bid")

    def __init__(
        self,
        market: FloatArray,
        bids: tuple[float, ...] = (),
        uav_bid: float = math.nan,
        contract_bid: float = 0.0,
        truth: Truth | None = None,
        state: Mapping[str, Any] | None = None,
        mask: Sequence[bool] | None = None,
        grid: tuple[float, ...] = (),
        most_bids: int = VECTOR_BIDS,
    ) -> None:
        self.market = market
        self.bids = bids
        self.uav_bid = uav_bid
        self.contract_bid = contract_bid
        self.truth = truth
        self.state = {} if state is None else state
        self.mask = mask
        self.grid = grid
        self.most_bids = most_bids

    def __getitem__(self, name: str) -> float:
        """Return one market condition by name, such as ``observation["uav_seconds"]``.

        Raises:
            KeyError: no condition has this name.
        """
        if name not in MARKET_INDEX:
            raise KeyError(f"no market condition {name!r}; {nearest(str(name), MARKET_CONDITIONS)}")
        return float(self.market[MARKET_INDEX[name]])

    def vector(self) -> npt.NDArray[np.float32]:
        """Return the market conditions and the highest visible bids as one array, as an environment shows it.

        Missing bids are 0, and all numbers are clipped to 0..`LARGEST`. The shape is
        (len(MARKET_CONDITIONS) + most_bids,).
        """
        # A learner's network needs one fixed length for any number of bidders.
        vector = np.zeros(len(MARKET_CONDITIONS) + self.most_bids)
        vector[: len(MARKET_CONDITIONS)] = self.market
        shown = self.bids[: self.most_bids]
        vector[len(MARKET_CONDITIONS) : len(MARKET_CONDITIONS) + len(shown)] = shown
        return vector.clip(0.0, LARGEST).astype(np.float32)

    def __repr__(self) -> str:
        market = ", ".join(f"{name}={value:.4g}" for name, value in zip(MARKET_CONDITIONS, self.market, strict=True))
        return f"Observation({market}, bids={self.bids}, contract_bid={self.contract_bid:.4g}, truth={self.truth})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a settled auction, as told to the policy that decided on it.

    Attributes:
        task: id of the task.
        action: what the policy returned: a price scaling factor, or the index of a choice.
        winner_kind: kind of the winner.
        surplus: reward of the round: v_n of a station, zeta v_0 of a UAV, its cost subtracted; 0 if the task is unsold.
        observation: observation that the policy received.
        bids: ground bids in descending order, as far as `information` allows.
        uav_value: true value v_0 of the UAV less its cost if a UAV won; None otherwise.
        time: time of the settlement, s; in ``served`` the time at which the task ended.
        status: `open` at the settlement of a sold task; in ``served`` what became of it.
        latency_s: time from the request to the result, s; NaN unless the task is completed.
        realised_surplus: surplus at the actual latency and accuracy, without a value if the task was lost, 0 if it is
            unserved; NaN while it is open.
    """

    # A value that loses stays private, so the policy learns the UAV's value only from rounds that the UAV won.

    task: int
    action: float
    winner_kind: Literal["ground", "uav", "none"]
    surplus: float
    observation: Observation
    bids: tuple[float, ...]
    uav_value: float | None
    time: float = math.nan
    status: Literal["open", "completed", "lost", "unserved"] = "open"
    latency_s: float = math.nan
    realised_surplus: float = math.nan


class Policy(Protocol):
    """Any object with a method ``price``, or ``act``, or with a mechanism that has no seat.

    A policy with ``price(observation)`` sits in seats that set a price scaling factor. A policy with
    ``act(observation, space)`` sits in seats with a `Choice`. One with both sits in either.

    Other attributes and methods are optional and looked up by name:

    - ``information``: what the policy may see, ``"public"`` by default.
    - ``mechanism``: a name or a `Mechanism`, ``"msb"`` by default.
    - ``reset(scenario, rng)``: called before a run. Draw random numbers only from this generator.
    - ``feedback(outcome)``: called when an auction that the policy decided on has settled.
    - ``served(outcome)``: called when a task that the policy decided on has ended, with its status, latency and
      realised surplus. A task that is open at the end of a run is not told.
    - ``explain(observation)``: called before a decision if a run records explanations. It returns numbers by name.
      ``reasons``, a mapping, says what each of them means.
    """


@runtime_checkable
class PricingPolicy(Policy, Protocol):
    """A policy that sets the price scaling factor."""

    def price(self, observation: Observation) -> float:
        """Return the price scaling factor rho >= 1 of an auction.

        Args:
            observation: the part of the auction that the policy may see.

        Returns:
            rho. The value ``inf`` gives the task to the UAV.
        """
        ...


@runtime_checkable
class ChoosingPolicy(Policy, Protocol):
    """A policy that chooses one of several things."""

    def act(self, observation: Observation, space: Space) -> int:
        """Return the index of the choice.

        Args:
            observation: the part of the auction that the policy may see. Its mask says what is allowed.
            space: what can be chosen.
        """
        ...


@runtime_checkable
class Trainable(Protocol):
    """A policy that learns from an environment."""

    def train(
        self,
        make_env: Callable[[int], Any],
        steps: int,
        seed: int,
        out: Path,
        resume: bool,
        report: Callable[[dict[str, float]], None],
        **hyper: Any,
    ) -> None:
        """Train until a total number of environment steps is reached.

        Args:
            make_env: function that makes the Gymnasium environment of world number 0, 1, ...
            steps: total number of environment steps. With `resume` it includes the steps before the checkpoint.
            seed: seed of all randomness of the training.
            out: folder for two checkpoints. `last` holds the complete state and a ``meta.json`` with ``steps``.
                `deployed` holds the weights from which ``type(self)(weights=...)`` makes the policy to evaluate.
            resume: whether to continue from `last`.
            report: function that receives metrics by name. One of them is ``steps``.
                ``checkpoint`` = 1 says that a checkpoint has been written.
            hyper: hyperparameters that differ from their defaults.
        """
        ...
