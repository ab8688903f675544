"""A Gymnasium environment over the prices of `msb`. One step is one auction that needs a price."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt

from simulator.draws import Draws
from simulator.errors import InputError, RunError, shown
from simulator.market.auction import UAV, Auction
from simulator.market.conditions import bids_shown
from simulator.market.contracts import LARGEST, MARKET_CONDITIONS, Information, Outcome, PriceScale, Seat
from simulator.market.decisions import Decision
from simulator.scenario.scenario import Scenario
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.simulation import Simulation

MOST_EMPTY_WORLDS = 100
"""Number of worlds without a decision after which an environment gives up."""

Features = npt.NDArray[np.float32]

Reward: TypeAlias = Literal["surplus", "own", "realised"] | Callable[[dict[str, Any]], float]
"""What a step earns, see `Intersection`: the name of a reward, or a function of the ``info`` of the settled round."""

REWARDS = ("surplus", "own", "realised")
"""Names of the rewards."""


class Intersection(gymnasium.Env[Features, np.int64]):
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

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        scenario: str | Path | Scenario = "four_way",
        duration: float | None = None,
        information: Information | None = None,
        reward: Reward = "surplus",
        overrides: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.scenario = Scenario.load(scenario, **(overrides or {}))
        self.information: Information = information or self.scenario.market.information or "public"
        self.render_mode = render_mode
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
        traffic = self.scenario.traffic
        # All worlds of a recording have the same vehicles, so the file is read once and not once per episode.
        self._recording = recording_of(traffic) if traffic.kind == "recorded" else None
        self.duration = run_length(self.scenario, self._recording) if duration is None else duration
        self._simulation: Simulation | None = None
        self._decision: Decision | None = None
        self._last = np.zeros(size, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Begin an episode in a new world.

        Args:
            seed: seed of a generator from which the seed of the world is drawn. With None the generator continues, so
                that one seed fixes a sequence of episodes.
            options: not used.

        Returns:
            The first observation, and ``info``.

        Raises:
            RunError: no auction asks for a price, in many worlds.
        """
        super().reset(seed=seed)
        # With sparse traffic a world may ask for no price at all. One in sixty must not end a training.
        for passed in range(MOST_EMPTY_WORLDS):
            world = int(self.np_random.integers(2**31))
            self._simulation = Simulation(
                self.scenario, Draws(world), self.duration, information=self.information, recording=self._recording
            )
            self._simulation.auctioneer.served = self._note_end
            self._ended, self._owed = [], set()
            self._decision = next(self._simulation, None)
            if self._decision is not None:
                info = {"task": self._decision.task, "world": world, "empty_worlds": passed}
                return self._observe(self._decision), info
        raise RunError(
            f"scenario {self.scenario.name}: no auction asks for a price in {MOST_EMPTY_WORLDS} worlds of "
            f"{self.duration:g} s; make the episodes longer or the traffic denser"
        )

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
        simulation, decision = self._simulation, self._decision
        if simulation is None or decision is None:
            raise RuntimeError("the episode is over or has not begun; call reset()")
        rho = self.grid[index_of(action, len(self.grid))]
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
        # Always an array of its own: a wrapper may change the one that it was given.
        observation = self._last.copy() if self._decision is None else self._observe(self._decision)
        return observation, self._earned(auction, info), False, ended, info

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

    def _observe(self, decision: Decision) -> Features:
        """Return the observation of a decision."""
        self._last = decision.observation.vector()
        return self._last.copy()


def index_of(action: Any, count: int) -> int:
    """Return an action as an index.

    Raises:
        InputError: it is not a whole number from 0 to below ``count``.
    """
    try:
        index = -1 if isinstance(action, bool) else operator.index(action)
    except TypeError:
        index = -1
    if not 0 <= index < count:
        raise InputError(f"action: must be a whole number from 0 to {count - 1}, not {shown(action)}")
    return index
