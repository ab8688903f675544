"""Training of a policy: training worlds, evaluation in held-out worlds, metrics, and the best weights."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.clock import LONGEST_S, check_times
from simulator.errors import InputError, OutputError, PolicyError, PolicyFailedError, nearest, shown
from simulator.market.contracts import Trainable
from simulator.market.guard import blamed
from simulator.market.plugins import find_policy
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.seat_training import GAMMA, seat_evaluator, seat_maker
from simulator.study.training_folder import BEST, DEPLOYED, Progress, TrainingFolder
from simulator.study.worlds import KeptWorlds

if TYPE_CHECKING:
    import gymnasium

# Training worlds are drawn from all seeds below 2^31, so a training hardly ever meets one of the few held-out worlds.
HELD_OUT = 1_000_000_000
"""Seed of the first held-out world; the others have the seeds that follow."""

ROUNDS_PER_EPISODE = 1_250.0
"""Number of rounds of an episode in a scenario of rounds."""

EVALUATED_S = 5_000.0
"""Longest run of an evaluation, s."""

COMMON = (*inspect.signature(Trainable.train).parameters, "device")
"""Arguments of a method ``train`` that are no hyperparameters."""


def train(
    scenarios: Sequence[str | Scenario],
    policy: str,
    steps: int,
    seed: int = 0,
    out: Path = Path("outputs/training"),
    resume: bool = False,
    evaluate_every: int | Sequence[int] = 20_000,
    held_out: int = 2,
    hyper: Mapping[str, Any] | None = None,
    tensorboard: bool = False,
    report: Progress | None = None,
    reward: str = "own",
    device: str = "cpu",
    mechanism: str | None = None,
    seat: str | None = None,
) -> Path:
    """Train a policy on one scenario, or on several scenarios at the same time.

    An evaluation runs the policy in held-out worlds. Its result is the surplus of the policy divided by the surplus of
    `conditional` in the same worlds. With the reward ``realised`` it is the realised surplus of both. For a seat that
    sets no price it is what the seat earns, divided by what the usual policy of the mechanism earns.

    Args:
        scenarios: names of shipped scenarios, paths of scenario files, or `Scenario` objects.
        policy: name of a policy that has a method ``train``. At a checkpoint it writes its weights to ``out/deployed``,
            calls ``report({"steps": n, "checkpoint": 1})``, and then writes its state to ``out/last``, with
            ``{"steps": n}`` in its ``meta.json``.
        steps: number of environment steps, those of an interrupted training included.
        seed: seed of all random numbers of the training.
        out: folder for metrics.csv, training.json and three checkpoints. `last` holds the complete state, `deployed`
            the latest weights, and `best` the weights with the best evaluation.
        resume: continue from `last`, or begin again if the training was killed before there was one. The files become
            those of a training without interruption, except for the column ``seconds`` of metrics.csv.
        evaluate_every: number of steps between two evaluations, or the steps of the evaluations in ascending order. An
            evaluation comes at the first report of weights from there on, in the learners here within 500 steps. There
            is one before the first step, and one after the last.
        held_out: number of held-out worlds per scenario.
        hyper: hyperparameters that differ from their defaults. If a scenario has traffic, the default of gamma is 0.95.
        tensorboard: whether to write the metrics for TensorBoard too.
        report: function that is called with new metrics by name, always with ``steps``.
        reward: what a step earns, ``own``, ``surplus`` or ``realised``, see `Intersection`. At T = 1 the first two are
            the same.
        device: where a policy of PyTorch is trained, ``cpu``, ``cuda`` or ``auto``.
        mechanism: mechanism in whose seat the policy is trained, as text; None for the price of ``msb``.
        seat: name of the seat; None for the only one.

    Returns:
        The folder of the best weights.

    Raises:
        InputError: an argument is wrong, or torch is not installed.
        OutputError: the folder exists, holds another training, or cannot be written.
    """
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    found = find_policy(policy)
    if not hasattr(found, "train"):
        raise PolicyError(
            f"policy {policy} cannot be trained: it has no method train(make_env, steps, seed, out, resume, report)"
        )
    if not loaded:
        raise InputError("scenarios: must name one or more scenarios, such as paper,four_way")
    names = [one.name for one in loaded]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise InputError(f"scenarios: two are named '{again[0]}'; give each a name of its own")
    points = [evaluate_every] if isinstance(evaluate_every, int) else evaluate_every
    for name, number in (("steps", steps), ("evaluate_every", min(points, default=0)), ("held_out", held_out)):
        if number < 1:
            raise InputError(f"{name}: must be 1 or more, not {number}")
    check_times(seed, LONGEST_S, 0.0)
    from simulator.environment import REWARDS

    price = mechanism is None or mechanism == "msb"
    if seat is not None and (mechanism is None or (price and seat != "auctioneer")):
        raise InputError(f"seat: must be one of a mechanism that is named too, not {shown(seat)}")
    if not price and reward != "own":
        raise InputError(f"reward: a step in mechanism {mechanism} earns the surplus of what is awarded; leave it out")
    if reward not in REWARDS:
        raise InputError(f"reward: must be one of {', '.join(REWARDS)}, not {shown(reward)}")
    places = {"device": device} if "device" in inspect.signature(found.train).parameters else {}
    if not places and device != "cpu":
        raise InputError(f"device: policy {policy} trains on the cpu only, not on {shown(device)}")
    chosen = dict(hyper or {})
    # At a junction the winner of today is the queue of tomorrow, so future rewards count. Rounds are independent.
    if _takes(found, "gamma") and (not price or any(scenario.traffic.has_places for scenario in loaded)):
        chosen = {"gamma": 0.95 if price else GAMMA, **chosen}
    if resume and (out / BEST).exists():
        # Weights that were damaged since are refused before they count as the best.
        type(found)(weights=str(out / BEST))  # type: ignore[call-arg]
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(f"hyper: must be finite numbers and text by name, not {shown(chosen)}") from None
    about = {
        "policy": policy,
        "seed": seed,
        "scenarios": {one.name: _hash(one) for one in loaded},
        "evaluate_every": evaluate_every if isinstance(evaluate_every, int) else list(evaluate_every),
        "held_out": held_out,
        "steps": steps,
        "hyper": chosen,
        "reward": reward,
        "device": device,
    }
    if mechanism is None or price:
        make, evaluate = _maker(loaded, reward), _evaluator(found, loaded, held_out, reward == "realised")
    else:
        about |= {"mechanism": mechanism, "seat": seat}
        make = seat_maker(loaded, mechanism, seat, ROUNDS_PER_EPISODE)
        worlds = range(HELD_OUT, HELD_OUT + held_out)
        evaluate = seat_evaluator(found, loaded, mechanism, seat, worlds)
    record = TrainingFolder(out, about, evaluate, evaluate_every, tensorboard, report)
    with record.opened(resume) as goes_on:
        for name in chosen:
            if name in COMMON or not _takes(found, name):
                raise InputError(f"policy {policy} has no hyperparameter '{name}'{_known(found, name)}")
        with blamed(f"policy {policy}: train()", PolicyFailedError):
            found.train(make, steps, seed, out, goes_on, record.report, **places, **chosen)
        record.end()
    if not (out / BEST).exists():
        raise OutputError(f"{out}: its best weights are gone; {out / DEPLOYED} has the latest ones")
    return out / BEST


def _takes(policy: Any, name: str) -> bool:
    """Return whether the method ``train`` of a policy takes an argument of this name."""
    parameters = inspect.signature(policy.train).parameters
    return name in parameters or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())


def _known(policy: Any, name: str) -> str:
    """Return the end of a message about a wrong hyperparameter: what there is."""
    own = [name for name in inspect.signature(policy.train).parameters if name not in COMMON]
    return f"; {nearest(name, own)}" if own else ": its method train takes none"


def _hash(scenario: Scenario) -> str:
    """Return the SHA-256 of a scenario and of the data that it names."""
    data = scenario.data_hashes()
    text = scenario.model_dump_json() + (json.dumps(data, sort_keys=True, allow_nan=False) if data else "")
    return hashlib.sha256(text.encode()).hexdigest()


def _evaluator(
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
            reference.extend(earned_in(evaluated(scenario, "conditional", seed, worlds)) for scenario, seed in cells)
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


def _maker(scenarios: list[Scenario], reward: Any) -> Callable[[int], gymnasium.Env[Any, Any]]:
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
