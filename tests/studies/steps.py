"""Whether a learned clock is better than a simple one: ``python -m tests.studies.steps [--jobs N]``.

Five learners are trained by three seeds each for the steps of `double-dutch`, with their default hyperparameters and
the same budget. Their last weights and their rivals run in worlds that no training has seen. Trainings are under
``outputs/steps/``. Their weights and the journal of the runs are kept in ``docs/learning/steps/``. A study that was
cut off goes on.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from simulator.model import FloatArray
from simulator.run import plan
from simulator.study.cells import run_cells
from simulator.study.code import results_code
from simulator.study.journal import Figures
from simulator.study.statistics import corrected, crossed, crossed_ratio
from simulator.study.trainings import train_seeds, training_folder
from simulator.study.worlds import KeptWorlds

ROOT = Path(__file__).parents[2]
TRAININGS = ROOT / "outputs" / "steps"
KEPT = ROOT / "docs" / "learning" / "steps"

LEARNERS = ("ppo", "sac", "diffusion", "dqn", "gpt")
STEPS = 200_000
"""Environment steps of each training: the same budget for all."""

SEEDS = 3
SCENES: dict[str, tuple[int, float]] = {"four_way": (24, 1200.0), "after_the_match": (6, 1800.0)}
"""What is trained on, with the number of evaluation worlds and the length of a run, s."""

FIRST_WORLD = 3_000
"""Seed of the first evaluation world. The trainings draw their worlds from all seeds below 2^31."""

MESSAGE = 0.0005
"""What a message costs, in the unit of values: that of the reward."""

BASE = "gap-step:4"
RIVALS = {
    "gap / 2": ("gap-step:2", "double-dutch"),
    "gap / 8": ("gap-step:8", "double-dutch"),
    "gap / 16": ("gap-step:16", "double-dutch"),
    "steps of 1 %": ("fixed-step:0.01", "double-dutch"),
    "steps of 5 %": ("fixed-step:0.05", "double-dutch"),
    "steps of 10 %": ("fixed-step:0.1", "double-dutch"),
    "random steps": ("random", "double-dutch"),
    "McAfee, sealed": ("none", "mcafee"),
    "efficient assignment": ("none", "efficient"),
}


class Run(NamedTuple):
    """A run of one policy in one world.

    Attributes:
        scene: name of the scenario.
        policy: the policy, as text.
        mechanism: name of the mechanism.
        world: seed of the world.
        weights: hash of its weights, empty for a rule.
    """

    scene: str
    policy: str
    mechanism: str
    world: int
    weights: str = ""


def kept_weights(kind: str, seed: int) -> Path:
    """Return the folder of the last weights of a training."""
    return KEPT / f"{kind}-s{seed}"


def learned(kind: str, seed: int) -> tuple[str, str]:
    """Return a policy with the weights of a training, as text, and their hash."""
    from simulator.market.plugins import find_policy

    policy = f"{kind}:weights={kept_weights(kind, seed).relative_to(ROOT)}"
    found: Any = find_policy(policy)
    return policy, found.weights_sha256[:12]


def train(jobs: int) -> None:
    """Train what is missing, and keep the last weights."""
    for kind in LEARNERS:
        if all(kept_weights(kind, seed).exists() for seed in range(SEEDS)):
            continue
        out = TRAININGS / kind
        train_seeds(
            list(SCENES), kind, STEPS, SEEDS, out, jobs, resume=out.exists(), mechanism="double-dutch", seat=None,
            evaluate_every=STEPS, held_out=1, hyper={}, tensorboard=False, reward="own", device="cpu",
        )  # fmt: skip
        for seed in range(SEEDS):
            shutil.copytree(training_folder(out, seed) / "deployed", kept_weights(kind, seed))


def do_run(worlds: KeptWorlds, run: Run) -> Figures:
    """Run a policy in a world.

    Returns:
        ``welfare``, ``tasks``, and ``messages`` and ``served`` per task.
    """
    about = plan(run.scene, None if run.policy == "none" else run.policy, seed=run.world, mechanism=run.mechanism)
    summary = worlds.run(about.at_most(SCENES[run.scene][1])).summary
    tasks = float(summary["tasks"])
    return {
        "welfare": float(summary["welfare"]),
        "messages": float(summary["messages"]),
        "tasks": tasks,
        "served": float(summary["completed"]) / tasks,
    }


def columns_of(scene: str) -> dict[str, list[list[Run]]]:
    """Return the runs of each policy in a scenario, one list per training; a rule has one."""
    seen = range(FIRST_WORLD, FIRST_WORLD + SCENES[scene][0])
    rules = {"gap / 4": (BASE, "double-dutch"), **RIVALS}
    found = {name: [[Run(scene, *rule, world) for world in seen]] for name, rule in rules.items()}
    for kind in LEARNERS:
        trained = [learned(kind, seed) for seed in range(SEEDS)]
        found[kind] = [[Run(scene, who, "double-dutch", world, digest) for world in seen] for who, digest in trained]
    return found


def table(scene: str, columns: dict[str, list[list[Run]]], done: dict[Run, Figures]) -> str:
    """Return the table of a scenario as Markdown."""

    def of(name: str, figure: str) -> FloatArray:
        return np.array([[done[run][figure] for run in runs] for runs in columns[name]]).T

    net = {name: of(name, "welfare") - MESSAGE * of(name, "messages") * of(name, "tasks") for name in columns}
    base, welfare = net["gap / 4"][:, 0], of("gap / 4", "welfare")[:, 0]

    def chances(rival: str) -> dict[str, str]:
        """Return the p-values of what others have more or less than a rival, welfare less messages."""
        others = [name for name in columns if name != rival]
        alone = np.array([crossed(net[one] - net[rival]).p_value for one in others])
        found = zip(others, corrected(alone), strict=True)
        return {name: "< 1e-4" if p < 1e-4 else f"{p:.2g}" for name, p in found}

    p = {rival: chances(rival) for rival in ("gap / 4", "gap / 2", "McAfee, sealed")}
    rows = [["steps", "welfare", "welfare less messages", *(f"p: {rival}" for rival in p), "messages", "served"]]
    for name in columns:
        both = [crossed_ratio(of(name, "welfare"), welfare), crossed_ratio(net[name], base)]
        shown = [f"{one.mean:.3f} ± {one.half_width:.3f}" for one in both]
        chance = [p[rival].get(name, "") for rival in p]
        rows.append([name, *shown, *chance, f"{of(name, 'messages').mean():.1f}", f"{of(name, 'served').mean():.3f}"])
    count, length = SCENES[scene]
    head = f"### `{scene}`, {count} worlds of {length:g} s, {SEEDS} trainings of each learner; divided by gap / 4\n"
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return head + "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(jobs: Annotated[int, typer.Option(help="Processes side by side.")] = 2) -> None:
    """Train and run what is missing, and print the tables."""
    KEPT.mkdir(parents=True, exist_ok=True)
    train(jobs)
    columns = {scene: columns_of(scene) for scene in SCENES}
    cells: list[Run] = [one for each in columns.values() for runs in each.values() for run in runs for one in run]

    def said(done: int, count: int) -> None:
        typer.echo(f"runs: {done} of {count}", err=True)

    def world(run: Run) -> Any:
        return run.scene, run.world

    code = results_code(training=False)
    done = run_cells(partial(do_run, KeptWorlds()), cells, jobs, said, KEPT / "runs.jsonl", code, world=world)
    for scene, each in columns.items():
        typer.echo(table(scene, each, done))


if __name__ == "__main__":
    typer.run(main)
