"""Training of a policy: training worlds, evaluation in held-out worlds, metrics, and the best weights."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from simulator.clock import LONGEST_S, check_times
from simulator.errors import InputError, OutputError, PolicyError, PolicyFailedError, nearest, shown
from simulator.market.contracts import Trainable
from simulator.market.guard import blamed
from simulator.scenario.scenario import Scenario
from simulator.study.training_folder import BEST, DEPLOYED, Progress, TrainingFolder
from simulator.study.training_tasks import task_of

COMMON = (*inspect.signature(Trainable.train).parameters, "device")
"""Arguments of a method ``train`` that are no hyperparameters."""


def train(
    scenarios: Sequence[str | Scenario],
    policy: str | None,
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
    sets no price it is what the seat earns, divided by what the usual policy of the mechanism earns. For a mechanism it
    is the platform's revenue divided by that of `myerson`.

    Args:
        scenarios: names of shipped scenarios, paths of scenario files, or `Scenario` objects.
        policy: name of a policy that has a method ``train``; None to train the mechanism. At a checkpoint it writes its
            weights to ``out/deployed``, calls ``report({"steps": n, "checkpoint": 1})``, and then writes its state to
            ``out/last``, with ``{"steps": n}`` in its ``meta.json``.
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
        mechanism: mechanism in whose seat the policy is trained, as text; None for the price of ``msb``. Without a
            policy it is what is trained.
        seat: name of the seat; None for the only one.

    Returns:
        The folder of the best weights.

    Raises:
        InputError: an argument is wrong, or torch is not installed.
        OutputError: the folder exists, holds another training, or cannot be written.
    """
    if isinstance(scenarios, str) or not isinstance(scenarios, Sequence):
        raise InputError(
            f"scenarios: must be a list of scenarios, such as ['paper', 'four_way'], not {shown(scenarios)}"
        )
    if not isinstance(hyper or {}, Mapping) or not all(isinstance(name, str) for name in hyper or {}):
        raise InputError(f"hyper: must be a mapping from names to values, not {shown(hyper)}")
    out = Path(out)
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    if not loaded:
        raise InputError("scenarios: must name one or more scenarios, such as paper,four_way")
    names = [one.name for one in loaded]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise InputError(f"scenarios: two are named '{again[0]}'; give each a name of its own")
    points = list(evaluate_every) if isinstance(evaluate_every, Sequence | np.ndarray) else [evaluate_every]
    for name, numbers in (("steps", [steps]), ("evaluate_every", points), ("held_out", [held_out])):
        for number in numbers or [0]:
            if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
                raise InputError(f"{name}: must be a whole number, 1 or more, not {shown(number)}")
    check_times(seed, LONGEST_S, 0.0)
    seed, steps, held_out = int(seed), int(steps), int(held_out)
    every = list(map(int, points)) if isinstance(evaluate_every, Sequence | np.ndarray) else int(evaluate_every)
    # A learner reads numbers by their place: what a place holds follows from the information.
    shows = {one.name: one.market.information or "public" for one in loaded}
    other = next((name for name in names if shows[name] != shows[names[0]]), None)
    if other is not None:
        both = f"{names[0]} has {shows[names[0]]}, {other} has {shows[other]}"
        raise InputError(f"market.information: must be the same in all scenarios of a training ({both})")
    from simulator.environment import REWARDS

    task = task_of(loaded, policy, mechanism, seat, reward, seed, held_out)
    found = task.found
    if reward not in REWARDS:
        raise InputError(f"reward: must be one of {', '.join(REWARDS)}, not {shown(reward)}")
    if not _has(type(found), "weights"):
        raise PolicyError(f"{task.label} cannot be trained: its class takes no argument weights, a folder")
    places = {"device": device} if "device" in inspect.signature(found.train).parameters else {}
    if not places and device != "cpu":
        raise InputError(f"device: {task.label} trains on the cpu only, not on {shown(device)}")
    chosen = dict(hyper or {})
    if task.gamma is not None and _takes(found, "gamma"):
        chosen = {"gamma": task.gamma, **chosen}
    if resume and (out / BEST).exists():
        # Weights that were damaged since are refused before they count as the best.
        type(found)(weights=str(out / BEST))
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(f"hyper: must be finite numbers and text by name, not {shown(chosen)}") from None
    about = {
        **task.about,
        "seed": seed,
        "scenarios": {one.name: _hash(one) for one in loaded},
        "evaluate_every": every,
        "held_out": held_out,
        "steps": steps,
        "hyper": chosen,
        "reward": reward,
        "device": device,
    }
    last = getattr(found, "last_is_best", False)
    record = TrainingFolder(out, about, task.evaluate, every, tensorboard, report, last)
    with record.opened(resume) as goes_on:
        for name in chosen:
            if name in COMMON or not _takes(found, name):
                raise InputError(f"{task.label} has no hyperparameter '{name}'{_known(found, name)}")
        made = set[str]()

        def make(world: int) -> Any:
            # The scenarios take turns.
            made.add(names[world % len(names)])
            return task.make(world)

        def told(metrics: dict[str, float]) -> None:
            left = [name for name in names if name not in made]
            # Before its first step a policy may report, and be evaluated, without a world.
            if left and (made or metrics["steps"] > 0):
                more = f"--hyper worlds={len(names)}" if _takes(found, "worlds") else f"worlds 0 to {len(names) - 1}"
                raise InputError(
                    f"{task.label} would not learn from {', '.join(left)}: its worlds take the scenarios in turn; give "
                    f"it a world for each, with {more}"
                )
            record.report(metrics)

        with blamed(f"{task.label}: train()", PolicyFailedError):
            found.train(make, steps, seed, out, goes_on, told, **places, **chosen)
        with blamed(f"{task.label}: its weights", PolicyFailedError):
            record.end()
    if not (out / BEST).exists():
        raise OutputError(f"{out}: its best weights are gone; {out / DEPLOYED} has the latest ones")
    return out / BEST


def _takes(policy: Any, name: str) -> bool:
    """Return whether the method ``train`` of a policy takes an argument of this name."""
    return _has(policy.train, name)


def _has(function: Any, name: str) -> bool:
    """Return whether a function or a class takes an argument of this name."""
    parameters = inspect.signature(function).parameters
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
