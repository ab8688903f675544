"""What a policy is told of the auctions that it decided on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from simulator.market.appraisal import Appraiser
from simulator.market.auction import UAV, WINNER_KINDS, Auction
from simulator.market.contracts import Outcome
from simulator.providers.task import COMPLETED, Task


class Telling:
    """Who tells a policy how auctions settle, and what becomes of their tasks.

    Args:
        appraiser: computes what a task that has ended is worth.
        allowed: function that returns the ground bids that a policy may see.

    Attributes:
        feedback: function that is called with the outcome of each auction that a policy decided on; None for nothing.
        served: function that is called with the outcome of each such auction when its task has ended; None for nothing.
    """

    def __init__(self, appraiser: Appraiser, allowed: Callable[[Sequence[float]], tuple[float, ...]]) -> None:
        self.feedback: Callable[[Outcome], None] | None = None
        self.served: Callable[[Outcome], None] | None = None
        self._appraiser, self._allowed = appraiser, allowed
        self._under_way: dict[int, Outcome] = {}

    def settled(self, auction: Auction, now: float) -> None:
        """Tell how an auction has settled.

        Args:
            auction: an auction that is sold or given up.
            now: time, s.
        """
        decided, auction.decided = auction.decided, None  # a decision names its auctions: no cycle stays in memory
        if decided is None or (self.feedback is None and self.served is None):
            return
        decision, action = decided
        outcome = Outcome(
            auction.task.id,
            action,
            WINNER_KINDS[auction.winner_kind],
            auction.surplus,
            decision.observation,
            self._allowed(auction.bids),
            auction.uav_value if auction.winner_kind == UAV else None,
            now,
        )
        if auction.winner < 0:
            outcome = dataclasses.replace(outcome, status="unserved", realised_surplus=0.0)
        if self.feedback is not None:
            self.feedback(outcome)
        if self.served is not None:
            if auction.winner < 0:
                self.served(outcome)
            else:
                self._under_way[auction.task.id] = outcome

    def ended(self, task: Task, now: float) -> None:
        """Tell what became of a task.

        Args:
            task: a task that is completed or lost.
            now: time, s.
        """
        if self.served is None:
            return
        outcome = self._under_way.pop(task.id, None)
        if outcome is None:
            return
        completed = task.status == COMPLETED
        self.served(
            dataclasses.replace(
                outcome,
                time=now,
                status="completed" if completed else "lost",
                latency_s=task.latency if completed else math.nan,
                realised_surplus=self._appraiser.realised_surplus(task, completed),
            )
        )
