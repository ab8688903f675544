"""A Gymnasium environment over the same world: one step an auction that asks for a price.

``gymnasium.make("simulator.environment:dmsb/Intersection-v0", scenario="four_way")`` imports this file, which registers
the ids ``dmsb/Intersection-v0`` and ``dmsb/Paper-v0``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from simulator.draws import Draws
from simulator.errors import RunError
from simulator.market.auction import Auction
from simulator.market.contracts import MARKET_CONDITIONS, VECTOR_BIDS, Information
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import recording_of
from simulator.world.simulation import Simulation

LARGEST = 1e9
"""Observations are clipped to 0..1e9, so that their space is bounded."""

Features = npt.NDArray[np.float32]


class Intersection(gymnasium.Env[Features, np.int64]):
    """The auctioneer's side of a scenario.

    An observation is `Observation.vector()`: the public market conditions, then the first three bids that
    ``information`` allows, zero-padded; shape (16,), float32. An action is an index into the price grid. The reward is
    the surplus of the round. An episode is a run that is cut off by its duration, so it ends truncated, with the last
    observation once more.

    ``info`` has ``task``; after a step also ``rho``, ``surplus``, ``best_surplus``, ``top_bid``, ``scaled_bid`` (what
    rho scales: the second bid), and, if the UAV won, ``uav_value`` (weighted with zeta), all of the round that the step
    has settled.

    Args:
        scenario: a shipped name, a path, or a `Scenario`.
        duration: length of an episode, s; that of the scenario if None.
        information: what an observation holds; that of the scenario, else ``public``, if None.
        overrides: scenario fields by dotted key.
        render_mode: None; a run is looked at afterwards.

    Raises:
        InputError: the scenario is wrong.

    Example:
        >>> env = gymnasium.make("simulator.environment:dmsb/Paper-v0", duration=50)
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(4)
        >>> observation.shape, terminated, round(info["rho"], 3)
        ((16,), False, 1.585)
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        scenario: str | Path | Scenario = "four_way",
        duration: float | None = None,
        information: Information | None = None,
        overrides: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.scenario = Scenario.load(scenario, **(overrides or {}))
        self.duration = self.scenario.duration_s if duration is None else duration
        self.information: Information = information or self.scenario.market.information or "public"
        self.render_mode = render_mode
        self.grid: list[float] = self.scenario.market.prices()
        self.action_space = gymnasium.spaces.Discrete(len(self.grid))
        size = len(MARKET_CONDITIONS) + VECTOR_BIDS
        self.observation_space = gymnasium.spaces.Box(0.0, LARGEST, (size,), np.float32)
        traffic = self.scenario.traffic
        # Every world of a recording drives the same vehicles: the file is read once, not once per episode.
        self._recording = recording_of(traffic) if traffic.kind == "recorded" else None
        self._simulation: Simulation | None = None
        self._auction: Auction | None = None
        self._last = np.zeros(size, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Begin another world: that of ``seed``, or the next one that the last seed leads to.

        Raises:
            RunError: the world asks for no price at all.
        """
        super().reset(seed=seed)
        world = int(self.np_random.integers(2**31))
        self._simulation = Simulation(
            self.scenario, Draws(world), self.duration, information=self.information, recording=self._recording
        )
        self._auction = next(self._simulation, None)
        if self._auction is None:
            raise RunError(f"scenario {self.scenario.name}, world {world}: no auction asks for a price")
        return self._observe(self._auction), {"task": self._auction.task.id, "world": world}

    def step(self, action: np.int64 | int) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Settle the pending auction at an action of the price grid and go on to the next one."""
        simulation, auction = self._simulation, self._auction
        if simulation is None or auction is None:
            raise RuntimeError("the episode is over or has not begun: call reset()")
        rho = self.grid[int(action)]
        simulation.settle(rho)
        info = {
            "task": auction.task.id,
            "rho": rho,
            "surplus": auction.surplus,
            "best_surplus": auction.best_surplus,
            "top_bid": auction.bids[0],
            "scaled_bid": simulation.auctioneer.scaled_bid(auction),
        }
        if auction.winner == auction.uav:
            info["uav_value"] = auction.surplus
        self._auction = next(simulation, None)
        ended = self._auction is None
        observation = self._last if self._auction is None else self._observe(self._auction)
        return observation, auction.surplus, False, ended, info

    def _observe(self, auction: Auction) -> Features:
        self._last = np.clip(auction.observation.vector(), 0.0, LARGEST).astype(np.float32)
        return self._last


gymnasium.register("dmsb/Intersection-v0", entry_point="simulator.environment:Intersection")
gymnasium.register(
    "dmsb/Paper-v0", entry_point="simulator.environment:Intersection", kwargs={"scenario": "paper", "duration": 5000.0}
)
