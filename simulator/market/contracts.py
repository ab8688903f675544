"""The contracts between the market and what users write.

A `Mechanism` says who serves a task and who pays. It asks the participants (`Ask`), lets a policy decide (`Decide`) and
returns its awards (`Award`). A `Policy` sits in a seat of the mechanism: it receives an `Observation`, returns a price
or a choice, and is told the `Outcome`. A `Bidder` answers for a provider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from simulator.errors import nearest
from simulator.market.conditions import (
    INFORMATION as INFORMATION,
    LARGEST as LARGEST,
    MARKET_CONDITIONS as MARKET_CONDITIONS,
    MARKET_INDEX as MARKET_INDEX,
    MOST_PAID as MOST_PAID,
    VECTOR_BIDS as VECTOR_BIDS,
    Column as Column,
    Information as Information,
)
from simulator.market.questions import (
    NO_TASK as NO_TASK,
    VEHICLE as VEHICLE,
    Ask as Ask,
    Award as Award,
    Bids as Bids,
    Choice as Choice,
    Clearing as Clearing,
    Decide as Decide,
    Lot as Lot,
    Numbers as Numbers,
    PriceScale as PriceScale,
    Quote as Quote,
    Seat as Seat,
    Space as Space,
    UavBid as UavBid,
)
from simulator.model import FloatArray

if TYPE_CHECKING:
    # Policies annotate `reset` with these types. They may import them from here but not from their own homes.
    from simulator.market.platform import Platform as Platform
    from simulator.scenario.scenario import Scenario as Scenario


class Mechanism(Protocol):
    """A rule that says who serves a task and who pays.

    Only `clear` is required. The attributes have the defaults that stand here. ``dmsb train --mechanism`` trains a
    mechanism that has a method ``train(profiles, steps, seed, out, resume, report)``, such as `MyersonNet`.

    Attributes:
        every_s: length of a window, s. 0 clears each request at once. Otherwise all requests that wait are cleared
            together at the end of each window.
        most_lots: a window is cleared before its end when this many requests wait; 0 for no limit.
        seats: seats for policies, by name; empty if nobody decides.
        columns: what the mechanism adds to the table `auctions`.
        value_of: whose utility the value of a served task is.
        policy: name of the policy that decides if nobody is named; empty for `random`.
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

        A lot without an award is unserved if `every_s` is 0. Otherwise it waits for the next window, at most
        ``market.patience_s``, and is unserved after that.

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

        Missing bids and conditions are 0, and all numbers are clipped to 0..`LARGEST`. The shape is
        (len(MARKET_CONDITIONS) + most_bids,).
        """
        # A condition is missing in a contest only if a station bids under a second, false name: in an audit.
        # A learner's network needs one fixed length for any number of bidders.
        vector = np.zeros(len(MARKET_CONDITIONS) + self.most_bids)
        vector[: len(MARKET_CONDITIONS)] = self.market
        shown = self.bids[: self.most_bids]
        vector[len(MARKET_CONDITIONS) : len(MARKET_CONDITIONS) + len(shown)] = shown
        vector[np.isnan(vector)] = 0.0
        return np.minimum(np.maximum(vector, 0.0, out=vector), LARGEST, out=vector).astype(np.float32)

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
        realised_surplus: surplus at the actual latency and accuracy; minus the cost if the task was lost, 0 if it is
            unserved, NaN while it is open.
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
    """Any object with a method ``price``, ``act`` or ``number``, or with a mechanism that has no seat.

    A policy with ``price(observation)`` sits in seats that set a price scaling factor. A policy with
    ``act(observation, space)`` sits in seats with a `Choice`, one with ``number(observation, space)`` in seats with
    `Numbers`. One with several methods sits in any of these.

    Other attributes and methods are optional and looked up by name:

    - ``information``: what the policy may see, ``"public"`` by default.
    - ``mechanism``: a name or a `Mechanism`, ``"msb"`` by default.
    - ``sit(seat)``: called when a run is planned, once per seat of the mechanism. Learned policies load weights here.
    - ``reset(scenario, rng)``: called before a run. Draw random numbers only from this generator.
    - ``memory``: the only attribute besides generators that a decision may change, such as the steps of a window.
      The same decision, asked for twice, has the same answer.
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
