"""A Gymnasium environment over one seat of a mechanism. One step is one decision of the seat."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from simulator.draws import Draws
from simulator.environment.worlds import Features, WorldEnvironment
from simulator.errors import InputError, PolicyError, nearest
from simulator.market.conditions import LARGEST
from simulator.market.contracts import Information, Mechanism, Numbers, Outcome, Policy, Seat
from simulator.market.decisions import Decision
from simulator.market.guard import ask_action, policy_label, reset_policy, seats_of
from simulator.market.plugins import default_policy, find_mechanism, find_policy
from simulator.record.declarations import check_names
from simulator.scenario.scenario import Scenario
from simulator.world.simulation import Simulation


class SeatEnvironment(WorldEnvironment):
    """A scenario as a seat that sets a number sees it, such as the steps of the clocks of `double-dutch`.

    - Observation: the seat's state, float32, one number per declared column.
    - Action: an index into the seat's grid.
    - Reward: the surplus of the tasks that are awarded before the next decision of the seat, and what the mechanism
      adds to it (`Decide.reward`): in `double-dutch` the cost of messages.
    - End: an episode is truncated at its duration. Its last observation is that of the step before.

    After a `reset`, ``info`` has:

    - ``task``: the id of the task that is decided on, -1 for several.
    - ``world``: the seed of the world.
    - ``empty_worlds``: the number of worlds without a decision that were passed over.

    After a `step` it has ``time``, the time of the decision, s, and ``seconds_to_next``, the time from it to the next
    decision or to the end, s.

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
        super().__init__(scenario, duration, overrides, render_mode)
        self.information: Information = "public"
        self.reward = "surplus"
        # An object keeps what it has learned; each world has a copy of it as it was given.
        self._mechanism = mechanism if isinstance(mechanism, str) else copy.deepcopy(mechanism)
        self._name, self.seat = seat_of(find_mechanism(mechanism), seat)
        self.asks_for = f"seat {self._name} decides nothing"
        assert isinstance(self.seat.space, Numbers)
        self.grid: list[float] = list(self.seat.space.grid)
        self._columns = [column.name for column in self.seat.state if not column.per_provider]
        self.action_space = gymnasium.spaces.Discrete(len(self.grid))
        size = (len(self._columns),)
        self.observation_space = gymnasium.spaces.Box(-LARGEST, LARGEST, size, dtype=np.float32)
        self._others: Policy | None = None
        self._earned = 0.0
        self._last = np.zeros(size, dtype=np.float32)

    def _begin(self, world: int) -> None:
        """Make the simulation of a world, and go to the first decision of the seat."""
        draws, mechanism = Draws(world), copy.deepcopy(find_mechanism(self._mechanism))
        self._simulation = Simulation(self.scenario, draws, self.duration, mechanism, self.information, self._recording)
        if len(mechanism.seats) > 1:
            self._others = find_policy(default_policy(self.scenario, self._mechanism))
            reset_policy(self._others, self.scenario, draws.generator("policy"))
        self._simulation.auctioneer.telling.feedback = self._note
        self._next()

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
        simulation, decision = self._pending()
        number = self._action(action)
        # The answer may settle the window, so what it earns counts from here on.
        self._earned = 0.0
        simulation.answer(number)
        self._next()
        info = {"time": float(decision.time), "seconds_to_next": simulation.now - decision.time}
        return self._next_observation(), self._earned, False, self._decision is None, info

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

    def _vector(self, decision: Decision) -> Features:
        """Return the observation of a decision as a new array."""
        state = decision.observation.state
        return np.array([state[name] for name in self._columns], dtype=np.float32).clip(-LARGEST, LARGEST)


def seat_of(mechanism: Mechanism, name: str | None) -> tuple[str, Seat]:
    """Return the name of a seat that sets a number, and the seat.

    Args:
        mechanism: the mechanism.
        name: name of the seat; None for the only one.

    Raises:
        PolicyError: a declaration of the mechanism is wrong, there is no such seat, or it sets no number.
    """
    check_names(mechanism)
    seats, label = seats_of(mechanism), policy_label(mechanism)
    if not seats:
        raise PolicyError(f"mechanism {label} has no seat, so there is nothing to decide")
    if name is None and len(seats) > 1:
        raise InputError(f"seat: mechanism {label} has several; name one of {', '.join(seats)}")
    chosen = next(iter(seats)) if name is None else name
    if chosen not in seats:
        raise InputError(f"seat: mechanism {label} has no seat '{chosen}'; {nearest(chosen, seats)}")
    if not isinstance(seats[chosen].space, Numbers):
        raise PolicyError(f"mechanism {label}: the seat '{chosen}' sets no number; dmsb/Intersection-v0 is for prices")
    return chosen, seats[chosen]
