"""Training a policy on scenarios: worlds, evaluation on held-out ones, metrics, the best weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.clock import check_times
from simulator.errors import InputError, PolicyError, need, shown
from simulator.market.plugins import find_policy
from simulator.run import simulate
from simulator.scenario.scenario import Scenario
from simulator.scenario.traffic import Rounds
from simulator.study.cells import figures_of
from simulator.study.journal import Figures
from simulator.study.training_folder import BEST, Progress, TrainingFolder

if TYPE_CHECKING:
    import gymnasium

HELD_OUT = 1_000_000_000
"""Evaluation worlds have the seeds from here on; training worlds are drawn from all 32-bit seeds, so hardly these."""

ROUNDS_AN_EPISODE = 1_250.0
CALIBRATION_ROUNDS = 10_000
"""Of a training world in `rounds`; ten times as many, as in a run, would take longer than the episode."""


def train(
    scenarios: Sequence[str | Scenario],
    policy: str,
    steps: int,
    seed: int = 0,
    out: Path = Path("outputs/training"),
    resume: bool = False,
    evaluate_every: int = 20_000,
    held_out: int = 2,
    hyper: Mapping[str, Any] | None = None,
    tensorboard: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a policy, on several scenarios side by side if more than one is given.

    Args:
        scenarios: shipped names, paths, or scenarios.
        policy: a policy by name that has ``train(make_env, steps, seed, out, resume, report, **hyper)``. At checkpoints
            it writes its weights to ``out/deployed``, calls ``report({"steps": n, "checkpoint": 1})``, and then writes
            what it goes on from to ``out/last``, with ``{"steps": n}`` in its ``meta.json``.
        steps: environment steps in all.
        seed: fixes everything.
        out: folder for metrics.csv, training.json and the checkpoints `last` (the complete state), `deployed` (the last
            weights) and `best` (those with the best evaluation).
        resume: go on from `last`, or begin again if the training was killed before there was one. The files are those
            of a training that was not killed, except for the column ``seconds`` of metrics.csv.
        evaluate_every: steps between evaluations: the policy's surplus over that of `conditional` on held-out worlds.
        held_out: held-out worlds a scenario.
        hyper: hyperparameters that differ from their defaults; gamma is .95 unless all scenarios are of rounds.
        tensorboard: write the metrics for TensorBoard too.
        progress: called with the metrics.

    Returns:
        The folder of the best weights.

    Raises:
        InputError: something of this is wrong, or torch is not installed.
        OutputError: the folder exists, holds another training, or cannot be written.
    """
    need("torch", "learn")
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    found = find_policy(policy)
    if not hasattr(found, "train"):
        raise PolicyError(
            f"policy {policy} learns nothing: it has no train(make_env, steps, seed, out, resume, report)"
        )
    if not loaded:
        raise InputError("scenarios: name one or more, such as paper,four_way")
    for name, number in (("steps", steps), ("evaluate_every", evaluate_every), ("held_out", held_out)):
        if number < 1:
            raise InputError(f"{name}: must be 1 or more, not {number}")
    check_times(seed, loaded[0].duration_s, 0.0)
    chosen = dict(hyper or {})
    if not all(isinstance(scenario.traffic, Rounds) for scenario in loaded):
        chosen = {"gamma": 0.95, **chosen}
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(f"hyper: must be finite numbers and text by name, not {shown(chosen)}") from None
    about = {
        "policy": policy,
        "seed": seed,
        "scenarios": {one.name: hashlib.sha256(one.model_dump_json().encode()).hexdigest() for one in loaded},
        "evaluate_every": evaluate_every,
        "held_out": held_out,
        "steps": steps,
        "hyper": chosen,
    }
    evaluate = _evaluator(found, loaded, held_out)
    record = TrainingFolder(out, about, evaluate, evaluate_every, tensorboard, progress)
    with record.opened(resume) as goes_on:
        found.train(_maker(loaded), steps, seed, out, goes_on, record.report, **chosen)
        record.end()
    return out / BEST


def _evaluator(policy: Any, scenarios: list[Scenario], held_out: int) -> Callable[[Path], dict[str, float]]:
    """Return what evaluates weights: their surplus divided by that of `conditional`, by mean and worst scenario."""
    cells = [(scenario, HELD_OUT + world) for scenario in scenarios for world in range(held_out)]
    reference: list[float] = []

    def evaluate(weights: Path) -> dict[str, float]:
        if not reference:
            reference.extend(evaluated(scenario, "conditional", seed)["surplus_total"] for scenario, seed in cells)
        trained = type(policy)(weights=str(weights))
        found = [evaluated(scenario, trained, seed) for scenario, seed in cells]
        shape = (len(scenarios), held_out)
        earned = np.reshape([figures["surplus_total"] for figures in found], shape).sum(axis=1)
        ratios = earned / np.reshape(reference, shape).sum(axis=1)
        parts = ("surplus_mean", "surplus_ground", "surplus_uav")
        return {
            "evaluation/ratio": float(ratios.mean()),
            "evaluation/ratio_worst": float(ratios.min()),
            **{f"evaluation/{part}": float(np.mean([figures[part] for figures in found])) for part in parts},
        }

    return evaluate


def _maker(scenarios: list[Scenario]) -> Callable[[int], gymnasium.Env[Any, Any]]:
    def make(world: int) -> gymnasium.Env[Any, Any]:
        from simulator.environment import Intersection

        scenario = scenarios[world % len(scenarios)]
        if not isinstance(scenario.traffic, Rounds):
            return Intersection(scenario)
        duration = ROUNDS_AN_EPISODE * scenario.traffic.every_s
        rounds = min(scenario.market.contract_rounds, CALIBRATION_ROUNDS)
        return Intersection(scenario, duration, overrides={"market.contract_rounds": rounds})

    return make


def evaluated(scenario: Scenario, policy: Any, seed: int) -> Figures:
    """Figures of a run of 5,000 s or less in a held-out world.

    The policy declares itself what it sees: a rule, or one that knows what it was trained with.
    """
    duration = min(scenario.duration_s, 5_000.0)
    market = scenario.market.model_copy(update={"information": None})
    scenario = scenario.model_copy(update={"market": market})
    return figures_of(simulate(scenario, policy, seed=seed, duration=duration))
