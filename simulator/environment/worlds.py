"""What environments share: a scenario, and episodes in new worlds."""

from __future__ import annotations

import operator
from abc import abstractmethod
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, RunError, shown
from simulator.market.decisions import Decision
from simulator.scenario.scenario import Scenario
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.simulation import Simulation

MOST_EMPTY_WORLDS = 100
"""Number of worlds without a decision after which an environment gives up."""

Features = npt.NDArray[np.float32]


class WorldEnvironment(gymnasium.Env[Features, np.int64]):
    """Base of environments whose episodes are worlds of one scenario.

    Args:
        scenario: name of a shipped scenario, path of a file, or a `Scenario`.
        duration: length of an episode, s; None for the duration of the scenario.
        overrides: fields of the scenario by dotted key.
        render_mode: only None is possible.

    Raises:
        InputError: the scenario is wrong, or its recording cannot be read.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    grid: list[float]
    asks_for = "asks for a decision"

    def __init__(
        self,
        scenario: str | Path | Scenario,
        duration: float | None,
        overrides: dict[str, Any] | None,
        render_mode: str | None,
    ) -> None:
        self.scenario = Scenario.load(scenario, **(overrides or {}))
        self.render_mode = render_mode
        traffic = self.scenario.traffic
        # All worlds of a recording have the same vehicles, so the file is read once and not once per episode.
        self._recording = recording_of(traffic) if traffic.kind == "recorded" else None
        self.duration = run_length(self.scenario, self._recording) if duration is None else duration
        self._simulation: Simulation | None = None
        self._decision: Decision | None = None
        self._last = np.zeros(0, dtype=np.float32)

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
            RunError: nothing is to be decided, in many worlds.
        """
        super().reset(seed=seed)
        # With sparse traffic a world may ask for no decision at all. One in sixty must not end a training.
        for passed in range(MOST_EMPTY_WORLDS):
            world = int(self.np_random.integers(2**31))
            self._begin(world)
            if self._decision is not None:
                info = {"task": self._decision.task, "world": world, "empty_worlds": passed}
                return self._observe(self._decision), info
        raise RunError(
            f"scenario {self.scenario.name}: {self.asks_for} in {MOST_EMPTY_WORLDS} worlds of "
            f"{self.duration:g} s; make the episodes longer or the traffic denser"
        )

    def _pending(self) -> tuple[Simulation, Decision]:
        """Return the simulation and the decision that waits.

        Raises:
            RuntimeError: the episode is over or has not begun.
        """
        if self._simulation is None or self._decision is None:
            raise RuntimeError("the episode is over or has not begun; call reset()")
        return self._simulation, self._decision

    def _action(self, action: Any) -> float:
        """Return the number of an action.

        Raises:
            InputError: it is not a whole number from 0 to below the number of actions.
        """
        count = len(self.grid)
        try:
            index = -1 if isinstance(action, bool) else operator.index(action)
        except TypeError:
            index = -1
        if not 0 <= index < count:
            raise InputError(f"action: must be a whole number from 0 to {count - 1}, not {shown(action)}")
        return self.grid[index]

    def _next_observation(self) -> Features:
        """Return the observation of the pending decision, or the last one if there is none."""
        # Always an array of its own: a wrapper may change the one that it was given.
        return self._last.copy() if self._decision is None else self._observe(self._decision)

    def _observe(self, decision: Decision) -> Features:
        """Return the observation of a decision."""
        self._last = self._vector(decision)
        return self._last.copy()

    @abstractmethod
    def _begin(self, world: int) -> None:
        """Make the simulation of a world, and go to its first decision if there is one."""

    @abstractmethod
    def _vector(self, decision: Decision) -> Features:
        """Return the observation of a decision as a new array."""
