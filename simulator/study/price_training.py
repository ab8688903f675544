"""Training of a price: environments of `msb`, and evaluations against `conditional` in held-out worlds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.worlds import KeptWorlds

if TYPE_CHECKING:
    import gymnasium

REFERENCE = "conditional"
"""Policy with which an evaluation compares."""

# Training worlds are drawn from all seeds below 2^31, so a training hardly ever meets one of the few held-out worlds.
HELD_OUT = 1_000_000_000
"""Seed of the first held-out world; the others have the seeds that follow."""

ROUNDS_PER_EPISODE = 1_250.0
"""Number of rounds of an episode in a scenario of rounds."""

EVALUATED_S = 5_000.0
"""Longest run of an evaluation, s."""


def price_evaluator(
    policy: Any, scenarios: list[Scenario], held_out: int, realised: bool
) -> Callable[[Path], dict[str, float]]:
    """Return what evaluates weights: their surplus divided by that of `conditional`, by mean and worst scenario."""
    cells = [(scenario, HELD_OUT + world) for scenario in scenarios for world in range(held_out)]
    reference: list[float] = []
    # Every evaluation meets the same worlds.
    worlds = KeptWorlds()

    def earned_in(figures: Figures) -> float:
        return figures["realised_mean"] * figures["tasks"] if realised else figures["surplus_total"]

    def evaluate(weights: Path) -> dict[str, float]:
        if not reference:
            reference.extend(earned_in(evaluated(scenario, REFERENCE, seed, worlds)) for scenario, seed in cells)
        trained = type(policy)(weights=str(weights))
        found = [evaluated(scenario, trained, seed, worlds) for scenario, seed in cells]
        shape = (len(scenarios), held_out)
        earned = np.reshape([earned_in(figures) for figures in found], shape).sum(axis=1)
        ratios = earned / np.reshape(reference, shape).sum(axis=1)
        parts = ("surplus_mean", "surplus_ground", "surplus_uav")
        return {
            "evaluation/ratio": float(ratios.mean()),
            "evaluation/ratio_worst": float(ratios.min()),
            **{f"evaluation/{part}": float(np.mean([figures[part] for figures in found])) for part in parts},
        }

    return evaluate


def price_maker(scenarios: list[Scenario], reward: Any) -> Callable[[int], gymnasium.Env[Any, Any]]:
    """Return the function that makes the environment of a world by its number."""

    def make(world: int) -> gymnasium.Env[Any, Any]:
        from simulator.environment import Intersection

        # The scenarios take turns, so that a learner with several worlds sees all of them at the same time.
        scenario = scenarios[world % len(scenarios)]
        duration = scenario.traffic.rounds_to_seconds(ROUNDS_PER_EPISODE)
        return Intersection(scenario, duration, reward=reward)

    return make


def evaluated(scenario: Scenario, policy: Any, seed: int, worlds: KeptWorlds) -> Figures:
    """Run a policy for at most `EVALUATED_S` in a held-out world and return the figures.

    Args:
        scenario: the scenario.
        policy: pricing policy, as text or as an object.
        seed: seed of the world.
        worlds: worlds that are kept for several evaluations.
    """
    # The policy's own declaration decides what it sees; weights know what they were trained to see.
    # The scenario's `market.information` would refuse a policy that declares something else, such as `oracle`.
    market = scenario.market.model_copy(update={"information": None})
    scenario = scenario.model_copy(update={"market": market})
    return figures_of(worlds.run(plan(scenario, policy, seed=seed).at_most(EVALUATED_S)))
