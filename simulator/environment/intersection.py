"""A Gymnasium environment over the prices of `msb`. One step is one auction that needs a price."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import gymnasium
import numpy as np

from simulator.draws import Draws
from simulator.environment.worlds import Features, WorldEnvironment
from simulator.errors import InputError, shown
from simulator.market.auction import UAV, Auction
from simulator.market.conditions import bids_shown
from simulator.market.contracts import LARGEST, MARKET_CONDITIONS, Information, Outcome, PriceScale, Seat
from simulator.market.decisions import Decision
from simulator.scenario.scenario import Scenario
from simulator.world.simulation import Simulation

Reward: TypeAlias = Literal["surplus", "own", "realised"] | Callable[[dict[str, Any]], float]
"""What a step earns, see `Intersection`: the name of a reward, or a function of the ``info`` of the settled round."""

REWARDS = ("surplus", "own", "realised")
"""Names of the rewards."""


class Intersection(WorldEnvironment):
    """A scenario as the auctioneer sees it, for learners.

    - Observation: `Observation.vector()`, float32. It has the 14 public market conditions, then the highest bids that
      ``information`` allows: three, or one per station under ``masked`` and ``all-bids``. Missing bids are 0.
    - Action: an index into the price grid.
    - Reward: the surplus of the round. With ``"own"`` it is the surplus by the own terms of the task alone: at T = 1
      that is the surplus, and at T >= 2 no past task is in it. With ``"realised"`` it is the surplus at the actual
      latency, 0 for a lost task. Where that is known only when the task has ended, it is part of the reward of the step
      in which the task ends.
    - End: an episode is truncated at its duration. Its last observation is that of the step before.

    After `reset`, ``info`` has ``task``, the id of the pending task, ``world``, the seed of the world, and
    ``empty_worlds``, the number of worlds without a decision that were passed over. After a `step` it describes the
    round that the step has settled:

    - ``task``, ``rho``, ``surplus``, ``best_surplus`` and ``top_bid``: the columns of the table `auctions`.
    - ``scaled_bid``: the bid that rho scales, which is the second bid by default.
    - ``uav_value``: zeta v_0, only if the UAV won.
    - ``realised_surplus``: surplus at the actual latency; NaN where it is known only when the task has ended.
    - ``demand``: factor of the values that is common to all providers. No price may see it.
    - ``own_uav``, ``own_top``: what the task is worth to the UAV and to the top station by its own terms alone, without
      demand, whoever won. Only a simulator knows that. It is for policies that are fitted in training worlds.
    - ``lead``: the highest ground bid divided by the second-highest.
    - ``time``: time of the decision, s; ``seconds_to_next``: time from it to the next decision or to the end, s.
    - ``paid_by_provider``, ``paid_by_vehicle``: payments of the round, without a royalty.
    - ``ended``: tasks that have ended since the step before, each with ``task``, ``time``, ``status``, ``latency_s``
      and ``realised_surplus``.

    Args:
        scenario: name of a shipped scenario, path of a file, or a `Scenario`.
        duration: length of an episode, s; None for the duration of the scenario.
        information: what an observation shows; None for that of the scenario, else ``public``.
        reward: ``"surplus"``, ``"own"``, ``"realised"``, or a function of the ``info`` of the settled round that
            returns the reward.
        overrides: fields of the scenario by dotted key.
        render_mode: only None is possible.

    Attributes:
        scenario: complete scenario.
        duration: length of an episode, s.
        information: what an observation shows.
        reward: what a step earns, as given.
        grid: price scaling factors of the actions.
        seat: the seat of the auctioneer.

    Raises:
        InputError: the scenario is wrong, or its recording cannot be read.

    Example:
        >>> import dmsb
        >>> env = gymnasium.make("dmsb/Paper-v0", duration=50)
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(4)
        >>> observation.shape, terminated, round(info["rho"], 3)
        ((17,), False, 1.585)
    """

    asks_for = "no auction asks for a price"

    def __init__(
        self,
        scenario: str | Path | Scenario = "four_way",
        duration: float | None = None,
        information: Information | None = None,
        reward: Reward = "surplus",
        overrides: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(scenario, duration, overrides, render_mode)
        self.information: Information = information or self.scenario.market.information or "public"
        if not (isinstance(reward, str) and reward in REWARDS) and not callable(reward):
            names = ", ".join(map(repr, REWARDS))
            raise InputError(f"reward: must be {names} or a function of info, not {shown(reward)}")
        self.reward = reward
        self.seat = Seat(PriceScale())
        self._ended: list[dict[str, Any]] = []
        self._owed: set[int] = set()
        self.grid: list[float] = self.scenario.market.prices()
        self.action_space = gymnasium.spaces.Discrete(len(self.grid))
        size = len(MARKET_CONDITIONS) + bids_shown(self.scenario, self.information)
        highest = np.full(size, LARGEST, dtype=np.float32)
        for number, (unit, _) in enumerate(MARKET_CONDITIONS.values()):
            highest[number] = {"0/1": 1.0, "stations": len(self.scenario.station_names())}.get(unit, LARGEST)
        self.observation_space = gymnasium.spaces.Box(np.zeros(size, dtype=np.float32), highest, dtype=np.float32)
        self._last = np.zeros(size, dtype=np.float32)

    def _begin(self, world: int) -> None:
        """Make the simulation of a world, and go to its first auction that asks for a price."""
        self._simulation = Simulation(
            self.scenario, Draws(world), self.duration, information=self.information, recording=self._recording
        )
        self._simulation.auctioneer.telling.served = self._note_end
        self._ended, self._owed = [], set()
        self._decision = next(self._simulation, None)

    def step(self, action: np.int64 | int) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Settle the pending auction, and go on to the next one that needs a price.

        Args:
            action: index into the price grid.

        Returns:
            Observation, reward, False, whether the episode is over, and ``info``.

        Raises:
            RuntimeError: the episode is over or has not begun.
            InputError: the action is not an index into the price grid.
        """
        simulation, decision = self._pending()
        rho = self._action(action)
        simulation.answer(rho)
        (auction,) = decision.auctions
        weight = self.scenario.market.latency_weight
        info: dict[str, Any] = {
            "task": auction.task.id,
            "rho": rho,
            "surplus": auction.surplus,
            "best_surplus": auction.best_surplus,
            "top_bid": auction.top_bid,
            "scaled_bid": simulation.columns_of(auction)["scaled_bid"],
            "time": float(decision.time),
            "paid_by_provider": auction.paid_by_provider,
            "paid_by_vehicle": auction.paid_by_vehicle,
            "realised_surplus": auction.realised_surplus,
            "demand": auction.task.demand,
            "own_uav": auction.own_term(auction.uav, weight),
            "own_top": auction.own_term(auction.top_station, weight),
            "lead": auction.top_bid / auction.second_bid if auction.second_bid > 0.0 else math.inf,
        }
        if auction.winner == auction.uav:
            info["uav_value"] = auction.surplus
        self._decision = next(simulation, None)
        info["seconds_to_next"] = simulation.now - decision.time
        info["ended"], self._ended = self._ended, []
        # A run has no terminal state: its duration cuts it off, which Gymnasium calls truncated.
        ended = self._decision is None
        return self._next_observation(), self._earned(auction, info), False, ended, info

    def _earned(self, auction: Auction, info: dict[str, Any]) -> float:
        """Return the reward of a step."""
        if callable(self.reward):
            return float(self.reward(info))
        if self.reward == "surplus" or (self.reward == "own" and self.scenario.market.history == 1):
            return auction.surplus
        if self.reward == "own":
            if auction.winner < 0:
                return 0.0
            own = auction.own_term(auction.winner, self.scenario.market.latency_weight)
            weight = self.scenario.market.uav_weight if auction.winner_kind == UAV else 1.0
            return weight * auction.task.demand * own
        now = auction.realised_surplus
        if math.isnan(now):
            self._owed.add(auction.task.id)
            now = 0.0
        # What was not known when a task was awarded comes with the step in which the task ends.
        late = [end for end in info["ended"] if end["task"] in self._owed]
        self._owed.difference_update([end["task"] for end in late])
        return now + math.fsum(end["realised_surplus"] for end in late)

    @property
    def bids_are_rewards(self) -> bool:
        """Whether a round that the top station wins earns its bid, as it does for truthful bidders and the surplus."""
        if not set(self.scenario.stations.bidding.values()) <= {"truthful"}:
            return False
        return self.reward == "surplus" or (self.reward == "own" and self.scenario.market.history == 1)

    @property
    def rewards_are_of_their_rounds(self) -> bool:
        """Whether the reward of a step is all that its own round earns, not what becomes known of earlier ones."""
        return not (self.reward == "realised" and self.scenario.outages.possible)

    def _note_end(self, outcome: Outcome) -> None:
        """Remember a task that has ended, for the ``info`` of the next step."""
        self._ended.append(
            {
                "task": outcome.task,
                "time": outcome.time,
                "status": outcome.status,
                "latency_s": outcome.latency_s,
                "realised_surplus": outcome.realised_surplus,
            }
        )

    def _vector(self, decision: Decision) -> Features:
        """Return the observation of a decision as a new array."""
        return decision.observation.vector()
