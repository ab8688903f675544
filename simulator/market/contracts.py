"""The contracts: what a pricing policy may see, returns and learns; what a mechanism decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from simulator.errors import nearest
from simulator.model import FloatArray

if TYPE_CHECKING:
    # Policies take the type from here: of `simulator` they import contracts, equations and errors only.
    from simulator.scenario.scenario import Scenario as Scenario

Information: TypeAlias = Literal["public", "masked", "all-bids", "clairvoyant"]
"""What a policy may look at: market conditions; also the bids but the highest; all bids; also the true values."""

INFORMATION: tuple[Information, ...] = get_args(Information)

MARKET_CONDITIONS: dict[str, tuple[str, str]] = {
    "uav_seconds": ("s", "predicted seconds of the UAV for a task of 30 MB, backlog included"),
    "best_seconds": ("s", "the same of the best station that covers the vehicle"),
    "second_seconds": ("s", "the same of the second-best station that covers the vehicle"),
    "covering": ("stations", "ground stations that cover the vehicle"),
    "load": ("1/s", "requests a second over the load window"),
    "uav_match": ("", "mean audited match value of the UAV"),
    "best_match": ("", "mean audited match value of the best station that covers the vehicle"),
    "second_match": ("", "mean audited match value of the second-best station that covers the vehicle"),
    "ground_match": (
        "",
        "mean audited match value of all ground stations; in `rounds` what the second bid has over its public seconds",
    ),
    "uav_bid": ("", "what the UAV bids since its last report"),
    "ar_navigation": ("0/1", "the task is of this kind"),
    "pedestrian_detection": ("0/1", "the task is of this kind"),
    "entertainment_3d": ("0/1", "the task is of this kind"),
}
"""Public market conditions m^k, in the order of `Observation.market`: unit and meaning; no bid moves one."""

MARKET_INDEX = {name: index for index, name in enumerate(MARKET_CONDITIONS)}

VECTOR_BIDS = 3
"""How many of the bids it may see stand in `Observation.vector()`."""

UAV = -1
"""The winner when the task goes to the UAV."""

UavBid: TypeAlias = Literal["contract", "reported"]
"""Which bid stands for the UAV: the contract bid that the auctioneer computes by (13), or the UAV's own last one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, declared once: recorder, schema, report and documentation follow from it.

    Attributes:
        name: its name.
        type: the type of its values.
        unit: their unit, empty for a plain number.
        meaning: what a value says.
        categories: the categories of a categorical column, by code.
        source: dotted path of the value in what is recorded, such as ``task.size_mb``; empty if it is derived later.
        packed: numpy type with which the report carries it; empty if the report does not.
    """

    name: str
    type: Literal["float", "int", "bool", "category", "text"]
    unit: str
    meaning: str
    categories: tuple[str, ...] = ()
    source: str = ""
    packed: str = ""


class Truth(NamedTuple):
    """What only a clairvoyant sees: true values of the UAV, not yet weighted with zeta, and of the top bidder."""

    uav_value: float
    top_value: float


class Observation:
    """What a policy sees of a pending auction; the world leaves out what its `information` does not allow.

    Attributes:
        market: the public market conditions, in the order of `MARKET_CONDITIONS`; read-only.
        bids: ground bids in descending order; without the highest under `masked`, empty under `public`.
        uav_bid: what the UAV bids since its last report.
        contract_bid: the contract bid of (13), from past rounds.
        truth: the true values, for `clairvoyant`, else None.
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
        """One market condition by name, such as ``observation["uav_seconds"]``."""
        if name not in MARKET_INDEX:
            raise KeyError(f"there is no market condition '{name}'; {nearest(name, MARKET_CONDITIONS)}")
        return float(self.market[MARKET_INDEX[name]])

    def vector(self) -> FloatArray:
        """Market conditions and the first three bids allowed, zero-padded: shape (len(MARKET_CONDITIONS) + 3,)."""
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
    """What a policy is told when an auction that it priced has settled.

    Attributes:
        task: id of the task.
        rho: the price scaling factor it gave.
        winner_kind: who got the task.
        surplus: value of the winner, the UAV's weighted with zeta: the reward.
        observation: what it saw.
        bids: the bids that its `information` allows, descending.
        uav_value: true value of the UAV, only if the UAV won.
    """

    task: int
    rho: float
    winner_kind: Literal["ground", "uav"]
    surplus: float
    observation: Observation
    bids: tuple[float, ...]
    uav_value: float | None


@runtime_checkable
class PricingPolicy(Protocol):
    """Any object with ``price``; the rest is optional and looked up by name.

    Optional attributes and methods: ``information`` (default ``"public"``), ``mechanism`` (a name or a `Mechanism`;
    default ``"msb"``), ``reset(scenario, rng)`` before a run, ``feedback(outcome)`` at each settlement.
    """

    def price(self, observation: Observation) -> float:
        """The price scaling factor rho >= 1 of this auction; ``inf`` gives the task to the UAV."""
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
        """Train for a number of environment steps in all.

        Args:
            make_env: makes the Gymnasium environment of a world by its number, 0, 1, ...
            steps: environment steps, those before a checkpoint included.
            seed: fixes everything.
            out: folder for the checkpoints `last`, the whole state with a ``meta.json`` that says ``steps``, and
                `deployed`, from which ``type(self)(weights=...)`` makes the policy that is evaluated.
            resume: go on from `last`.
            report: takes metrics by name; ``steps`` is one, ``checkpoint`` = 1 says that one has been written.
            hyper: hyperparameters that differ from their defaults.
        """
        ...


@runtime_checkable
class Mechanism(Protocol):
    """Who wins and what is paid, given two or more ground bids, the UAV's bid and the price scaling factor."""

    def settle(self, bids: Sequence[float], uav_bid: float, rho: float) -> tuple[int, float]:
        """Decide one auction.

        Args:
            bids: ground bids in descending order, two or more.
            uav_bid: the UAV's bid, weighted with zeta so that it compares with ground bids.
            rho: the price scaling factor.

        Returns:
            The winner's position in ``bids`` or `UAV`, and its payment on the scale of ground bids.
        """
        ...
