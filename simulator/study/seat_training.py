"""Training of a policy for a seat that sets a number: environments, and evaluations against the usual policy."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.draws import Draws
from simulator.market.contracts import Mechanism, Policy
from simulator.market.guard import ask_action, reset_policy
from simulator.market.plugins import default_policy
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.world.driving import listen
from simulator.world.plan import Plan

if TYPE_CHECKING:
    import gymnasium

GAMMA = 0.99
"""Usual discount factor: a window earns at its last step what all of its steps have brought about."""


EVALUATED_S = 1_800.0
"""Longest run of an evaluation, s. A clock asks many times for each task."""


def seat_maker(
    scenarios: list[Scenario], mechanism: str | Mechanism, seat: str | None, rounds: float
) -> Callable[[int], gymnasium.Env[Any, Any]]:
    """Return the function that makes the environment of a world by its number.

    Args:
        scenarios: what is trained on. They take turns.
        mechanism: the mechanism.
        seat: name of the seat; None for the only one.
        rounds: number of rounds of an episode in a scenario of rounds.
    """

    def make(world: int) -> gymnasium.Env[Any, Any]:
        from simulator.environment import SeatEnvironment

        scenario = scenarios[world % len(scenarios)]
        return SeatEnvironment(scenario, mechanism, seat, scenario.traffic.rounds_to_seconds(rounds))

    return make


def seat_evaluator(
    policy: Any,
    scenarios: list[Scenario],
    mechanism: str | Mechanism,
    seat: str | None,
    worlds: range,
) -> Callable[[Path], dict[str, float]]:
    """Return what evaluates weights: what they earn divided by what the usual policy of the mechanism earns.

    Args:
        policy: the policy that is trained.
        scenarios: what is trained on.
        mechanism: the mechanism.
        seat: name of the seat; None for the only one.
        worlds: seeds of the held-out worlds.
    """
    from simulator.environment import seat_of
    from simulator.market.plugins import find_mechanism

    name, place = seat_of(find_mechanism(mechanism), seat)
    reference: list[float] = []

    def earned_by(who: Policy | None, scenario: Scenario) -> float:
        usual = default_policy(scenario, mechanism)
        return math.fsum(
            earned(plan(scenario, usual, seed=seed, mechanism=mechanism).at_most(EVALUATED_S), name, who)
            for seed in worlds
        )

    def evaluate(weights: Path) -> dict[str, float]:
        if not reference:
            reference.extend(earned_by(None, scenario) for scenario in scenarios)
        trained = type(policy)(weights=str(weights))
        trained.sit(place)
        return ratios_to([earned_by(trained, scenario) for scenario in scenarios], reference)

    return evaluate


def ratios_to(earned: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Return the figures of an evaluation: what was earned divided by what a reference earns.

    Args:
        earned: what was earned, per scenario.
        reference: what the reference earns, per scenario. A ratio to 0 or less says nothing, so it is NaN.
    """
    base = np.array(reference)
    ratios = np.array(earned) / np.where(base > 0.0, base, math.nan)
    return {"evaluation/ratio": float(ratios.mean()), "evaluation/ratio_worst": float(ratios.min())}


def earned(planned: Plan, seat: str, who: Policy | None = None) -> float:
    """Return what a seat earns in a run: the surplus of all tasks, and what its mechanism adds.

    Args:
        planned: the run, with the policy of all seats.
        seat: name of the seat.
        who: policy of this seat, ready for it; None for that of the others.
    """
    simulation, others = planned.simulation(), planned.new_policy()
    own = others if who is None else copy.deepcopy(who)
    if who is not None:
        reset_policy(own, planned.scenario, Draws(planned.seed).generator("policy"))
    listen(simulation, others)
    told = []
    for decision in simulation:
        if decision.seat == seat:
            told.append(decision.reward)
        policy = own if decision.seat == seat else others
        simulation.auctioneer.answer(ask_action(policy, decision.observation, decision.place.space, decision.task))
    surplus = simulation.tables().auctions()["surplus"]
    return math.fsum([*told, *surplus.dropna()])
