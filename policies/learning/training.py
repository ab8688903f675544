"""The loop that trains a learner: worlds side by side, an episode each, then a checkpoint."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from simulator.errors import InputError, nearest
from simulator.model import FloatArray, IntArray

from . import checkpoint

LAST, DEPLOYED = "last", "deployed"
"""Folders in a training's folder: the complete state, from which it goes on; and the frozen weights of a policy."""

Report = Callable[[dict[str, float]], None]
"""Called with metrics by name, `steps` among them, every few steps and at every checkpoint (`checkpoint` = 1)."""

REPORT_EVERY = 500

DEPLOYED_META = ("kind", "settings", "grid", "steps", "information")


class Learner(Protocol):
    """What the loop asks of an algorithm."""

    kind: ClassVar[str]
    steps: int
    cycle: int

    def act(self, vectors: FloatArray) -> IntArray:
        """Actions for several worlds."""
        ...

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Take in one step of one world."""
        ...

    def learn(self) -> dict[str, float]:
        """Update as often as the steps so far allow."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Everything, for a checkpoint."""
        ...

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Take over the state of a checkpoint."""
        ...

    def weights(self) -> dict[str, Any]:
        """What a deployed policy needs."""
        ...


def train(
    learner: Learner, make_env: Callable[[int], Any], worlds: int, steps: int, seed: int, out: Path, report: Report
) -> None:
    """Train until ``steps`` environment steps have been taken in all, and leave the checkpoint ``out/last``.

    A checkpoint is written when every world has ended its episode, for a world cannot be saved half-way. A run that is
    killed and resumed from there takes the same steps, and reports the same, as one that was not.

    Args:
        learner: the algorithm, new or restored.
        make_env: makes the environment of a world by its number; its ``information`` says what an observation holds.
        worlds: how many run side by side.
        steps: environment steps, all worlds together, those before a restored checkpoint included.
        seed: with the number of the cycle and of the world it fixes the worlds.
        out: where checkpoints go.
        report: takes metrics.
    """
    envs = [make_env(world) for world in range(worlds)]
    while learner.steps < steps:
        # Nothing of a report reaches into the next cycle, for it would be missing after a resumption.
        told = learner.steps
        earned = best = 0.0
        seeds = np.random.SeedSequence([seed, learner.cycle]).generate_state(worlds)
        states = [env.reset(seed=int(own))[0] for env, own in zip(envs, seeds, strict=True)]
        running = list(range(worlds))
        metrics: dict[str, float] = {}
        while running and learner.steps < steps:
            running = running[: steps - learner.steps]
            actions = learner.act(np.array([states[world] for world in running], dtype=np.float64))
            still = []
            for world, action in zip(running, actions.tolist(), strict=True):
                following, reward, _, ended, info = envs[world].step(action)
                learner.remember(world, states[world], action, reward, ended, following, info)
                states[world] = following
                earned, best = earned + reward, best + info["oracle_surplus"]
                if not ended:
                    still.append(world)
            running = still
            metrics = learner.learn() or metrics
            if learner.steps - told >= REPORT_EVERY or not running or learner.steps == steps:
                count, told = learner.steps - told, learner.steps
                report(
                    {
                        "steps": learner.steps,
                        "train/surplus": earned / count,
                        "train/oracle_share": earned / best if best > 0.0 else math.nan,
                        **metrics,
                    }
                )
                earned = best = 0.0
        learner.cycle += 1
        arrays, meta = learner.state()
        meta["information"] = envs[0].information
        checkpoint.save(out / DEPLOYED, learner.weights(), {name: meta[name] for name in DEPLOYED_META})
        report({"steps": learner.steps, "checkpoint": 1.0})
        # Last of all: once it is there, nothing that comes before it is missing. Until then the cycle is run again.
        checkpoint.save(out / LAST, arrays, meta)
    for env in envs:
        env.close()


def train_policy(
    kind: str,
    make_env: Callable[[int], Any],
    steps: int,
    seed: int,
    out: Path,
    resume: bool,
    report: Report,
    settings: dict[str, Any],
) -> None:
    """Train a policy of a kind, from the beginning or from its last checkpoint.

    Args:
        kind: `diffusion`, `sac` or `ppo`.
        make_env: makes the environment of a world by its number.
        steps: environment steps in all.
        seed: fixes everything.
        out: the training's folder.
        resume: go on from ``out/last``.
        report: takes metrics.
        settings: hyperparameters that differ from their defaults.

    Raises:
        InputError: a hyperparameter does not exist, or the checkpoint does not fit.
    """
    import torch

    torch.set_num_threads(1)
    maker, known = _algorithm(kind)
    fields = {field.name: field for field in dataclasses.fields(known)}
    for name, value in settings.items():
        if name not in fields:
            raise InputError(f"{kind} has no hyperparameter '{name}'; {nearest(name, fields)}")
        default = fields[name].default
        if isinstance(default, bool) != isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"hyperparameter {name} must be {type(default).__name__}, not {value!r}")
        if isinstance(value, bool):
            continue
        low, high = _range(name, isinstance(default, int))
        if not low <= value <= high:
            raise InputError(f"hyperparameter {name} must be from {low:g} to {high:g}, not {value!r}")
    chosen = known(**settings)
    grid: list[float] = make_env(0).get_wrapper_attr("grid")
    learner: Learner = maker(chosen, grid, seed, steps)
    if resume:
        arrays, meta = checkpoint.load(out / LAST, kind, grid)
        if meta["settings"] != dataclasses.asdict(chosen) or meta["total_steps"] != steps:
            raise InputError(
                f"{out / LAST}: was trained with {meta['settings']} for {meta['total_steps']} steps in all; "
                "give the same to go on with it"
            )
        try:
            learner.restore(arrays, meta)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"{out / LAST}: does not fit its own description ({error})") from None
    train(learner, make_env, chosen.worlds, steps, seed, out, report)


def _algorithm(kind: str) -> tuple[Any, Any]:
    """The learner's class and that of its settings."""
    if kind == "ppo":
        from ..ppo import ProximalPolicyOptimisation
        from ..ppo import Settings as PpoSettings

        return ProximalPolicyOptimisation, PpoSettings
    from ..diffusion import Settings, SoftActorCritic
    from ..sac import SoftmaxActorCritic

    return {"diffusion": SoftActorCritic, "sac": SoftmaxActorCritic}[kind], Settings


def _range(name: str, is_whole: bool) -> tuple[float, float]:
    """What a hyperparameter may be: counts 1 or more, shares at most 1, rates and weights above 0."""
    if name in ("gamma", "gae_lambda"):
        return 0.0, 1.0
    if is_whole:
        return (0.0 if name in ("warmup", "critics_alone") else 1.0), 1e9
    return 1e-12, (1.0 if name == "soft_update" else 1e3)
