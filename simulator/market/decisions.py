"""Decisions that wait for a policy, clearings that are under way, and who writes both down."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.market.auction import Auction
from simulator.market.contracts import Ask, Award, Decide, Observation, Seat


@dataclass(slots=True, eq=False)
class Decision:
    """A decision that waits for a policy.

    Attributes:
        seat: name of the seat.
        place: the seat: its space, and the columns of its state.
        time: simulated time, s.
        task: id of the task; -1 if the decision is about several.
        auctions: the auctions of the lots that are decided on.
        observation: what the policy may see.
        clearance: the clearing that waits for the answer.
        reward: what a learner in the seat has earned since its last decision, besides the surplus of tasks.
        why: numbers by which the policy explains its answer, in the order of its ``reasons``; empty without them.
    """

    seat: str
    place: Seat
    time: float
    task: int
    auctions: list[Auction]
    observation: Observation
    clearance: Clearance
    reward: float = 0.0
    why: Sequence[float] = ()


@dataclass(slots=True, eq=False)
class Clearance:
    """A call of `Mechanism.clear` that is under way.

    Attributes:
        auctions: the auctions that are cleared, by task.
        steps: the generator that `clear` returned.
        messages: number of messages so far.
        rounds: number of rounds of messages so far.
        limits: limits of participants that are known, at the time `limits_at`, s. A clock asks for them at each step.
    """

    auctions: dict[int, Auction]
    steps: Generator[Ask | Decide, Any, Sequence[Award]]
    messages: int = 0
    rounds: int = 0
    limits: dict[tuple[int, int], float] = field(default_factory=dict)
    limits_at: float = math.nan


class MarketLog(Protocol):
    """Who writes down what happens in the market."""

    def auction(self, auction: Auction) -> None:
        """Write down an auction that has settled, or that is open at the end of the run."""
        ...

    def decision(self, decision: Decision, action: Any) -> None:
        """Write down a decision and its answer."""
        ...
