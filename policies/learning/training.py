"""The training loop: one episode in each of several worlds side by side, then a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, SupportsFloat

import numpy as np

from simulator.errors import InputError, nearest, shown
from simulator.files.checkpoint import save as save_checkpoint
from simulator.model import FloatArray, IntArray

from . import checkpoint
from .features import PRICE_INPUTS, Inputs, inputs_of
from .layout import MOST

LAST, DEPLOYED = "last", "deployed"
"""Folders in the folder of a training: the complete state for resuming, and the frozen weights of the policy."""

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda", "auto")
"""Where a training can be."""

Report = Callable[[dict[str, float]], None]
"""Function that receives metrics by name, always with `steps`. At a checkpoint, `checkpoint` is 1."""

REPORT_EVERY = 500
"""Number of environment steps between two reports."""

DEPLOYED_META = ("features", "kind", "settings", "grid", "steps", "information", "reward")
"""Values of the state that the frozen weights keep."""


class Learner(Protocol):
    """An algorithm as the training loop uses it."""

    kind: ClassVar[str]
    inputs: Inputs
    steps: int
    cycle: int

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        """Choose one action for each of several worlds, given by their numbers."""
        ...

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Store one step of one world."""
        ...

    def learn(self) -> Mapping[str, SupportsFloat]:
        """Make as many updates as the number of steps allows, and return the last metrics."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the complete state for a checkpoint: arrays, and values for JSON."""
        ...

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        ...

    def weights(self) -> dict[str, Any]:
        """Return the arrays that a deployed policy needs."""
        ...


class Algorithm(NamedTuple):
    """What is trained.

    Attributes:
        learner: the class of the learner, made from (settings, grid of actions, seed, environment steps in all), with
            ``device`` and ``inputs``, and with ``bids_are_rewards`` if it takes that.
        settings: the dataclass of its hyperparameters.
    """

    learner: Any
    settings: Any


def train(learner: Learner, envs: Sequence[Any], steps: int, seed: int, out: Path, report: Report) -> None:
    """Train a learner up to a number of environment steps, and write checkpoints.

    Args:
        learner: the algorithm, new or restored.
        envs: environments of the worlds side by side. They are closed at the end.
        steps: environment steps in all worlds together, including those before a restored checkpoint.
        seed: seed of the worlds.
        out: folder of the checkpoints.
        report: function that receives the metrics.
    """
    # A running world cannot be saved, so the complete state is written when all worlds have ended their episodes. The
    # seeds of the next episodes depend on the cycle only. A resumed training therefore takes the same steps as one that
    # was never stopped. Weights to evaluate are written more often: what a kill leaves of them is written again.
    worlds, size = len(envs), len(learner.inputs)
    _, meta = learner.state()
    about = {"information": envs[0].get_wrapper_attr("information"), "reward": reward_of(envs[0])}
    deployed = {name: meta[name] for name in DEPLOYED_META if name in meta} | about

    def show() -> None:
        save_checkpoint(out / DEPLOYED, learner.weights(), deployed | {"steps": learner.steps})
        report({"steps": learner.steps, "checkpoint": 1.0})

    def save() -> None:
        show()
        arrays, meta = learner.state()
        # Last of all: once it is there, nothing that comes before it is missing. Until then the cycle is run again.
        save_checkpoint(out / LAST, arrays, meta | about)

    # Before the first update, so that a curve shows where learning starts.
    if not learner.steps:
        save()
    while learner.steps < steps:
        # Nothing of a report reaches into the next cycle, for it would be missing after a resumption.
        told = learner.steps
        earned = best = 0.0
        seeds = np.random.SeedSequence([seed, learner.cycle]).generate_state(worlds)
        states = [env.reset(seed=int(own))[0][:size] for env, own in zip(envs, seeds, strict=True)]
        running = list(range(worlds))
        metrics: Mapping[str, SupportsFloat] = {}
        while running and learner.steps < steps:
            # At the end there may be fewer steps left than worlds.
            running = running[: steps - learner.steps]
            actions = learner.act(np.array([states[world] for world in running], dtype=np.float64), running)
            still = []
            for world, action in zip(running, actions.tolist(), strict=True):
                following, reward, _, ended, info = envs[world].step(action)
                following = following[:size]
                learner.remember(world, states[world], action, reward, ended, following, info)
                states[world] = following
                earned, best = earned + reward, best + info.get("best_surplus", 0.0)
                if not ended:
                    still.append(world)
            running = still
            metrics = learner.learn() or metrics
            if learner.steps - told >= REPORT_EVERY or not running or learner.steps == steps:
                count, told = learner.steps - told, learner.steps
                told_now = {"steps": learner.steps, "train/reward": earned / count}
                if best > 0.0:
                    told_now["train/best_share"] = earned / best
                # On a GPU, only here the loop waits for the updates.
                report(told_now | {name: float(value) for name, value in metrics.items()})
                earned = best = 0.0
                if running and learner.steps < steps:
                    show()
        learner.cycle += 1
        save()
    for env in envs:
        env.close()


def train_policy(
    algorithm: Algorithm,
    make_env: Callable[[int], Any],
    steps: int,
    seed: int,
    out: Path,
    resume: bool,
    report: Report,
    device: str,
    settings: dict[str, Any],
) -> None:
    """Train a policy, from the beginning or from its last checkpoint.

    Args:
        algorithm: the learner and its settings.
        make_env: function that makes the environment of a world from its number.
        steps: environment steps in total.
        seed: seed of all randomness of the training.
        out: folder of the training.
        resume: whether to continue from ``out/last``.
        report: function that receives the metrics.
        device: where to train, `cpu`, `cuda` or `auto`.
        settings: hyperparameters that differ from their defaults.

    Raises:
        InputError: a hyperparameter does not exist or is out of range, there is no such device, the reward does not fit
            the scenario, or the checkpoint does not fit.
    """
    import torch

    # With networks of this size, one thread is faster than two on a busy machine.
    torch.set_num_threads(1)
    kind = algorithm.learner.kind
    # A learner that shares the settings of another one may leave some of them unused.
    unused: tuple[str, ...] = getattr(algorithm.learner, "unused", ())
    fields = {field.name: field for field in dataclasses.fields(algorithm.settings) if field.name not in unused}
    for name, value in settings.items():
        if name not in fields:
            raise InputError(f"{kind} has no hyperparameter '{name}'; {nearest(name, fields)}")
        default = fields[name].default
        if isinstance(default, bool) != isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"hyperparameter {name} must be {type(default).__name__}, not {value!r}")
        if isinstance(default, int) and not isinstance(value, int):
            raise InputError(f"hyperparameter {name} must be a whole number, not {value!r}")
        # A switch has no range.
        if isinstance(value, bool):
            continue
        low, high = _range(name, isinstance(default, int))
        if not low <= value <= high:
            raise InputError(f"hyperparameter {name} must be from {low:g} to {high:g}, not {value!r}")
    place = device_of(device)
    envs = [make_env(world) for world in range(algorithm.settings(**settings).worlds)]
    inputs: Inputs = inputs_of(envs[0].get_wrapper_attr("seat"))
    if inputs != PRICE_INPUTS:
        settings = without_rounds(settings, list(fields))
    chosen = algorithm.settings(**settings)
    own: dict[str, Any] = {"device": place, "inputs": inputs}
    if "hindsight" in fields:
        own["bids_are_rewards"] = all(env.get_wrapper_attr("bids_are_rewards") for env in envs)
    check_rewards(envs, *(bool(getattr(chosen, name, False)) for name in ("hindsight", "without_demand")))
    grid: list[float] = envs[0].get_wrapper_attr("grid")
    learner: Learner = algorithm.learner(chosen, grid, seed, steps, **own)
    if resume:
        checkpoint.restore(out / LAST, learner)
    # As a policy becomes sure of its prices, gradients and the moments of Adam fall below the smallest normal number.
    # Arithmetic with such numbers takes many times as long: after 50,000 steps an update took twice its time.
    torch.set_flush_denormal(True)
    try:
        train(learner, envs, steps, seed, out, report)
    finally:
        torch.set_flush_denormal(False)


def without_rounds(settings: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the hyperparameters for a seat whose decisions are not one per auction.

    Args:
        settings: hyperparameters that differ from their defaults.
        names: names of all hyperparameters.

    Raises:
        InputError: one of them needs the bids or the demand of a single auction.
    """
    off = [name for name in ("hindsight", "without_demand") if name in names]
    for name in off:
        if settings.get(name):
            raise InputError(f"hyperparameter {name}: needs one auction per decision; leave it out for this seat")
    return settings | dict.fromkeys(off, False)


def device_of(name: str) -> torch.device:
    """Return a device by its name.

    Args:
        name: `cpu`, `cuda`, or `auto` for the GPU if there is one.

    Raises:
        InputError: there is no such device.
    """
    import torch

    if name not in DEVICES:
        raise InputError(f"device: must be one of {', '.join(DEVICES)}, not {shown(name)}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("device: there is no CUDA GPU that PyTorch can use here; give cpu or auto")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def reward_of(env: Any) -> str:
    """Return the name of what the steps of an environment earn; `function` for a function."""
    reward = env.get_wrapper_attr("reward")
    return reward if isinstance(reward, str) else "function"


def check_rewards(envs: Sequence[Any], hindsight: bool, without_demand: bool) -> None:
    """Refuse environments whose rewards come later than a learner needs them.

    Args:
        envs: the environments.
        hindsight: whether the learner needs the reward of a round at once.
        without_demand: whether it divides a reward by the demand of the round in which the reward comes.

    Raises:
        InputError: in one of them, what comes of a task is known only when it ends.
    """
    needs = {
        "hindsight": (hindsight, "hindsight needs it at once"),
        "without_demand": (without_demand, "its reward would be divided by the demand of another task"),
    }
    for env in envs:
        late = not env.get_wrapper_attr("rewards_are_of_their_rounds")
        for setting, (chosen, why) in needs.items():
            if late and chosen:
                raise InputError(
                    f"reward: with the outages of scenario {env.get_wrapper_attr('scenario').name}, what comes of a "
                    f"task is known only when it ends, and {why}; give --hyper {setting}=false, or another reward"
                )


def _range(name: str, is_whole: bool) -> tuple[float, float]:
    """Return the smallest and the largest value of a hyperparameter.

    Args:
        name: name of the hyperparameter.
        is_whole: whether its value is an integer.
    """
    # Counts are 1 or more, shares at most 1, and rates and weights above 0.
    if name in ("gamma", "gae_lambda", "recorded_share", "quantile"):
        return 0.0, 1.0
    if is_whole:
        return (0.0 if name in ("warmup", "critics_alone") else 1.0), MOST.get(name, 1e9)
    return 1e-12, (1.0 if name == "soft_update" else 1e3)
