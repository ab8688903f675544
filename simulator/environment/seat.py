"""A Gymnasium environment over one seat of a mechanism. One step is one decision of the seat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from simulator.draws import Draws
from simulator.environment.intersection import MOST_EMPTY_WORLDS, Features, index_of
from simulator.errors import InputError, PolicyError, RunError, nearest
from simulator.market.conditions import LARGEST
from simulator.market.contracts import Information, Mechanism, Numbers, Outcome, Policy, Seat
from simulator.market.decisions import Decision
from simulator.market.guard import ask_action, policy_label, reset_policy
from simulator.market.plugins import default_policy, find_mechanism, find_policy
from simulator.scenario.scenario import Scenario
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.simulation import Simulation


class SeatEnvironment(gymnasium.Env[Features, np.int64]):
    """A scenario as a seat that sets a number sees it, such as the steps of the clocks of `double-dutch`.

    - Observation: the seat's state, float32, one number per declared column.
    - Action: an index into the seat's grid.
    - Reward: the surplus of the tasks that are awarded before the next decision of the seat, and what the mechanism
      adds to it (`Decide.reward`): in `double-dutch` the cost of messages.
    - End: an episode is truncated at its duration. Its last observation is that of the step before.

    After a `reset`, ``info`` has ``world``, the seed of the world. After a `step` it has ``time``, the time of the
    decision, s, and ``seconds_to_next``, the time from it to the next decision or to the end, s.

    Args:
        scenario: name of a shipped scenario, path of a file, or a `Scenario`.
        mechanism: mechanism by name or as an object.
        seat: name of the seat; None for the only one. The usual policy of the mechanism sits in the others.
        duration: length of an episode, s; None for the duration of the scenario.
        overrides: fields of the scenario by dotted key.
        render_mode: only None is possible.

    Attributes:
        scenario: complete scenario.
        duration: length of an episode, s.
        information: what an observation shows of bids; `public`.
        reward: ``"surplus"``.
        grid: numbers of the actions.
        seat: the seat.

    Raises:
        InputError: the scenario is wrong, or the mechanism has no such seat.

    Example:
        >>> env = SeatEnvironment("four_way", "double-dutch", duration=60)
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(5)
        >>> observation.shape, len(env.grid), terminated
        ((9,), 10, False)
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    bids_are_rewards = False
    rewards_are_of_their_rounds = True

    def __init__(
        self,
        scenario: str | Path | Scenario = "four_way",
        mechanism: str | Mechanism = "double-dutch",
        seat: str | None = None,
        duration: float | None = None,
        overrides: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.scenario = Scenario.load(scenario, **(overrides or {}))
        self.information: Information = "public"
        self.reward = "surplus"
        self.render_mode = render_mode
        self._mechanism = mechanism
        self._name, self.seat = seat_of(find_mechanism(mechanism), seat)
        assert isinstance(self.seat.space, Numbers)
        self.grid: list[float] = list(self.seat.space.grid)
        self._columns = [column.name for column in self.seat.state if not column.per_provider]
        self.action_space = gymnasium.spaces.Discrete(len(self.grid))
        size = (len(self._columns),)
        self.observation_space = gymnasium.spaces.Box(-LARGEST, LARGEST, size, dtype=np.float32)
        traffic = self.scenario.traffic
        # All worlds of a recording have the same vehicles, so the file is read once and not once per episode.
        self._recording = recording_of(traffic) if traffic.kind == "recorded" else None
        self.duration = run_length(self.scenario, self._recording) if duration is None else duration
        self._simulation: Simulation | None = None
        self._decision: Decision | None = None
        self._others: Policy | None = None
        self._earned = 0.0
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
            RunError: the seat decides nothing, in many worlds.
        """
        super().reset(seed=seed)
        for _ in range(MOST_EMPTY_WORLDS):
            world = int(self.np_random.integers(2**31))
            draws, mechanism = Draws(world), find_mechanism(self._mechanism)
            self._simulation = Simulation(
                self.scenario, draws, self.duration, mechanism, self.information, self._recording
            )
            if len(mechanism.seats) > 1:
                self._others = find_policy(default_policy(self.scenario, self._mechanism))
                reset_policy(self._others, self.scenario, draws.generator("policy"))
            self._simulation.auctioneer.feedback = self._note
            self._next()
            if self._decision is not None:
                return self._observe(self._decision), {"world": world}
        raise RunError(
            f"scenario {self.scenario.name}: seat {self._name} decides nothing in {MOST_EMPTY_WORLDS} worlds of "
            f"{self.duration:g} s; make the episodes longer or the traffic denser"
        )

    def step(self, action: np.int64 | int) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Decide, and go on to the next decision of the seat.

        Args:
            action: index into the grid.

        Returns:
            Observation, reward, False, whether the episode is over, and ``info``.

        Raises:
            RuntimeError: the episode is over or has not begun.
            InputError: the action is not an index into the grid.
        """
        simulation, decision = self._simulation, self._decision
        if simulation is None or decision is None:
            raise RuntimeError("the episode is over or has not begun; call reset()")
        number = self.grid[index_of(action, len(self.grid))]
        # The answer may settle the window, so what it earns counts from here on.
        self._earned = 0.0
        simulation.answer(number)
        self._next()
        info = {"time": float(decision.time), "seconds_to_next": simulation.now - decision.time}
        ended = self._decision is None
        observation = self._last.copy() if self._decision is None else self._observe(self._decision)
        return observation, self._earned, False, ended, info

    def _next(self) -> None:
        """Go on to the next decision of the seat, and answer those of other seats on the way."""
        assert self._simulation is not None
        self._decision = None
        for decision in self._simulation:
            if decision.seat == self._name:
                self._decision = decision
                self._earned += decision.reward
                return
            assert self._others is not None
            self._simulation.answer(ask_action(self._others, decision.observation, decision.place.space, decision.task))

    def _note(self, outcome: Outcome) -> None:
        """Count the surplus of an auction that has settled."""
        self._earned += outcome.surplus

    def _observe(self, decision: Decision) -> Features:
        """Return the observation of a decision."""
        state = decision.observation.state
        self._last = np.array([state[name] for name in self._columns], dtype=np.float32).clip(-LARGEST, LARGEST)
        return self._last.copy()


def seat_of(mechanism: Mechanism, name: str | None) -> tuple[str, Seat]:
    """Return the name of a seat that sets a number, and the seat.

    Args:
        mechanism: the mechanism.
        name: name of the seat; None for the only one.

    Raises:
        PolicyError: there is no such seat, or it sets no number.
    """
    seats, label = getattr(mechanism, "seats", {}), policy_label(mechanism)
    if not seats:
        raise PolicyError(f"mechanism {label} has no seat, so there is nothing to decide")
    if name is None and len(seats) > 1:
        raise InputError(f"seat: mechanism {label} has several; name one of {', '.join(seats)}")
    chosen = next(iter(seats)) if name is None else name
    if chosen not in seats:
        raise InputError(f"seat: mechanism {label} has no seat '{chosen}'; {nearest(chosen, seats)}")
    if not isinstance(seats[chosen].space, Numbers):
        raise PolicyError(f"mechanism {label}: the seat '{chosen}' sets no number; Intersection is for prices")
    return chosen, seats[chosen]
