"""Training of a mechanism: auctions of training worlds, and evaluations by the platform's revenue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulator.market.mechanisms.profiles import Collector, Profile
from simulator.providers.fleet import Fleet
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.seat_training import ratios_to

REFERENCE = "myerson"
"""Mechanism with whose revenue an evaluation compares."""

COLLECTED_S = 1_800.0
"""Longest run in which the auctions of a training world are collected, s."""

FIRST_TRAINING_WORLD = 500_000_000
"""Seed of the first training world, far from those of studies and of held-out worlds."""


def profile_maker(scenarios: list[Scenario], seed: int) -> Callable[[int], Sequence[Profile]]:
    """Return the function that runs a training world by its number, and returns the bids of its auctions.

    Args:
        scenarios: what is trained on. They take turns.
        seed: seed of the training.
    """

    def make(world: int) -> Sequence[Profile]:
        scenario = scenarios[world % len(scenarios)]
        seed_of_world = FIRST_TRAINING_WORLD + 10_000 * seed + world
        # What is learned from has to be the values, whatever the bidders of the scenario would say.
        truthful = dict.fromkeys(Fleet(scenario).names, "truthful")
        planned = plan(scenario, mechanism=Collector(), seed=seed_of_world, bidders=truthful).at_most(COLLECTED_S)
        simulation = planned.simulation()
        for _ in simulation:
            raise AssertionError("the second-price auction has no seat")
        assert isinstance(simulation.mechanism, Collector)
        return simulation.mechanism.profiles

    return make


def revenue_evaluator(
    mechanism: Any, scenarios: list[Scenario], worlds: range, longest_s: float
) -> Callable[[Path], dict[str, float]]:
    """Return what evaluates weights: their revenue divided by that of `myerson`, in held-out worlds.

    Args:
        mechanism: the mechanism that is trained.
        scenarios: what is trained on.
        worlds: seeds of the held-out worlds.
        longest_s: longest run, s.
    """
    reference: list[float] = []

    def revenue(rule: Any, scenario: Scenario) -> float:
        runs = (plan(scenario, mechanism=rule, seed=seed).at_most(longest_s).run() for seed in worlds)
        return sum(float(run.summary["welfare_platform"]) for run in runs)

    def evaluate(weights: Path) -> dict[str, float]:
        if not reference:
            reference.extend(revenue(REFERENCE, scenario) for scenario in scenarios)
        trained = type(mechanism)(weights=str(weights))
        return ratios_to([revenue(trained, scenario) for scenario in scenarios], reference)

    return evaluate
