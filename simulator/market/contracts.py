"""The contracts between the market and what users write.

A `PricingPolicy` receives an `Observation`, returns a price scaling factor and is told the `Outcome`. A `Mechanism`
decides who wins and what the winner pays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from simulator.errors import nearest
from simulator.model import FloatArray

if TYPE_CHECKING:
    # Policies annotate `reset` with this type. They may import it from here but not from `simulator.scenario`.
    from simulator.scenario.scenario import Scenario as Scenario

Information: TypeAlias = Literal["public", "masked", "all-bids", "clairvoyant"]
"""What a policy may see.

- `public`: the market conditions.
- `masked`: the market conditions, and all ground bids except the highest.
- `all-bids`: the market conditions, and all ground bids.
- `clairvoyant`: the market conditions, all ground bids, and the true values of the UAV and of the top bidder.
"""

INFORMATION: tuple[Information, ...] = get_args(Information)
"""All values of `Information`."""

# No condition depends on a bid of the round: a bidder could then move the price that it pays, against Theorem 1.
# No condition depends on the size or the demand of the task: they are not public.
MARKET_CONDITIONS: dict[str, tuple[str, str]] = {
    "uav_seconds": ("s", "predicted latency of the UAV for a task of 30 MB, backlog included"),
    "best_seconds": (
        "s",
        "shortest predicted latency for a task of 30 MB, backlog included, of the stations covering the vehicle",
    ),
    "second_seconds": (
        "s",
        "second-shortest predicted latency for a task of 30 MB, backlog included, of the stations covering the vehicle",
    ),
    "covering": ("stations", "number of ground stations that cover the vehicle"),
    "load": ("1/s", "requests per second in the load window before this request"),
    "uav_match": ("", "mean audited match value of the UAV"),
    "best_match": ("", "mean audited match value of the covering station with the shortest predicted latency"),
    "second_match": ("", "mean audited match value of the covering station with the second-shortest predicted latency"),
    "ground_match": ("", "mean audited match value of all ground stations; in `rounds` equal to second_match"),
    "uav_bid": ("", "bid of the UAV as of its last report"),
    "ar_navigation": ("0/1", "1 if the task is AR navigation, else 0"),
    "pedestrian_detection": ("0/1", "1 if the task is pedestrian detection, else 0"),
    "entertainment_3d": ("0/1", "1 if the task is 3D entertainment, else 0"),
}
"""Unit and meaning of each public market condition m^k, in the order of `Observation.market`."""

MARKET_INDEX = {name: index for index, name in enumerate(MARKET_CONDITIONS)}
"""Index of each market condition in `Observation.market`, by name."""

VECTOR_BIDS = 3
"""Number of bids in `Observation.vector()`."""

UAV = -1
"""Position that a mechanism returns when the UAV wins."""

UavBid: TypeAlias = Literal["contract", "reported"]
"""Which bid a mechanism uses for the UAV.

- `contract`: the contract bid that the auctioneer computes by (13).
- `reported`: the UAV's own bid as of its last report.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    A column is declared once. Recorder, schema, report and documentation follow from the declaration.

    Attributes:
        name: name of the column.
        type: type of the values.
        unit: unit of the values; empty for a plain number.
        meaning: what a value means.
        categories: categories of a categorical column, by code.
        source: dotted path of the value in the recorded object, such as ``task.size_mb``; empty if derived later.
        packed: numpy type of the column in the report; empty if the report leaves the column out.
    """

    name: str
    type: Literal["float", "int", "bool", "category", "text"]
    unit: str
    meaning: str
    categories: tuple[str, ...] = ()
    source: str = ""
    packed: str = ""


class Truth(NamedTuple):
    """The true values that only a clairvoyant policy sees.

    Attributes:
        uav_value: true value v_0 of the UAV, without the weight zeta.
        top_value: true value of the station with the highest bid.
    """

    uav_value: float
    top_value: float


class Observation:
    """The part of a pending auction that a policy may see under its `information`.

    Attributes:
        market: public market conditions in the order of `MARKET_CONDITIONS`, read-only.
        bids: ground bids in descending order; without the highest under `masked`, empty under `public`.
        uav_bid: bid of the UAV as of its last report.
        contract_bid: contract bid of (13) from past rounds; the UAV's own bid while they are too few.
        truth: true values under `clairvoyant`; None otherwise.
    """

    __slots__ = ("bids", "contract_bid", "market", "truth", "uav_bid")

    def __init__(
        self,
        market: FloatArray,
        bids: tuple[float, ...] = (),
        uav_bid: float = 0.0,
        contract_bid: float = 0.0,
        truth: Truth | None = None,
    ) -> None:
        self.market = market
        self.bids = bids
        self.uav_bid = uav_bid
        self.contract_bid = contract_bid
        self.truth = truth

    def __getitem__(self, name: str) -> float:
        """Return one market condition by name, such as ``observation["uav_seconds"]``.

        Raises:
            KeyError: no condition has this name.
        """
        if name not in MARKET_INDEX:
            raise KeyError(f"there is no market condition '{name}'; {nearest(name, MARKET_CONDITIONS)}")
        return float(self.market[MARKET_INDEX[name]])

    def vector(self) -> FloatArray:
        """Return the market conditions and the first three visible bids as one array.

        Missing bids are 0. The shape is (len(MARKET_CONDITIONS) + VECTOR_BIDS,).
        """
        # A learner's network needs one fixed length for any number of bidders and any `information`.
        vector = np.zeros(len(MARKET_CONDITIONS) + VECTOR_BIDS)
        vector[: len(MARKET_CONDITIONS)] = self.market
        shown = self.bids[:VECTOR_BIDS]
        vector[len(MARKET_CONDITIONS) : len(MARKET_CONDITIONS) + len(shown)] = shown
        return vector

    def __repr__(self) -> str:
        market = ", ".join(f"{name}={value:.4g}" for name, value in zip(MARKET_CONDITIONS, self.market, strict=True))
        return f"Observation({market}, bids={self.bids}, contract_bid={self.contract_bid:.4g}, truth={self.truth})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a settled auction, as told to the policy that priced it.

    Attributes:
        task: id of the task.
        rho: price scaling factor that the policy returned.
        winner_kind: kind of the winner.
        surplus: reward of the round: v_n of a station, zeta v_0 of the UAV.
        observation: observation that the policy received.
        bids: ground bids in descending order, as far as `information` allows.
        uav_value: true value v_0 of the UAV if the UAV won; None otherwise.
    """

    # A value that loses stays private, so the policy learns the UAV's value only from rounds that the UAV won.

    task: int
    rho: float
    winner_kind: Literal["ground", "uav"]
    surplus: float
    observation: Observation
    bids: tuple[float, ...]
    uav_value: float | None


@runtime_checkable
class PricingPolicy(Protocol):
    """Any object with a method ``price``.

    Other attributes and methods are optional and looked up by name:

    - ``information``: what the policy may see, ``"public"`` by default.
    - ``mechanism``: a name or a `Mechanism`, ``"msb"`` by default.
    - ``reset(scenario, rng)``: called before a run. Draw random numbers only from this generator.
    - ``feedback(outcome)``: called when an auction that the policy priced has settled.
    """

    def price(self, observation: Observation) -> float:
        """Return the price scaling factor rho >= 1 of an auction.

        Args:
            observation: the part of the auction that the policy may see.

        Returns:
            rho. The value ``inf`` gives the task to the UAV.
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


@runtime_checkable
class Mechanism(Protocol):
    """A rule that decides who wins an auction and what the winner pays.

    It decides rounds with two or more ground bids and a UAV. The auctioneer settles all other rounds itself.
    """

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """Decide one auction.

        Args:
            bids: two or more ground bids in descending order.
            uav_bid: bid of the UAV times zeta, so that it compares with ground bids.
            rho: price scaling factor.

        Returns:
            Position of the winner in ``bids`` or `UAV`, and the payment of the winner on the scale of ground bids.
        """
        ...
