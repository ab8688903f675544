"""What the learners reach: trainings by several seeds, evaluated in worlds that no training has seen.

``python -m tests.studies.learning [--only NAME ...] [--jobs N]`` trains under ``outputs/learning/``, runs the weights
and their rivals, and writes the tables of ``docs/learning/``. Journals and finished weights are kept there too: they
took hours, and another clone continues with them. An interrupted training continues from ``outputs/learning/``.
The studies are in `tests.studies.learners`, the tables in `tests.studies.learning_tables`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from simulator.environment import Intersection
from simulator.files.reading import file_hash
from simulator.run import plan
from simulator.study.cells import run_cells
from simulator.study.code import results_code
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.train import train
from simulator.study.worlds import KeptWorlds
from tests.studies.learners import FEW_WORLDS, MIX, MIX_WORLD, PAPER_POINTS, SCALES, STUDIES, TUNING_WORLDS, scene_of

ROOT = Path(__file__).parents[2]
TRAININGS = ROOT / "outputs" / "learning"
"""Folder of the trainings, with their checkpoints and curves."""

KEPT = ROOT / "docs" / "learning"
"""Folder of the journals and of the weights of finished trainings."""


class Training(NamedTuple):
    """A training by its study and its seed.

    Attributes:
        study: name of the study.
        seed: seed of the training.
        settings: hash of the settings of the study and of its scenarios.
    """

    study: str
    seed: int
    settings: str

    @property
    def folder(self) -> Path:
        """Folder of the training. A training with other settings refuses to go on with it."""
        return TRAININGS / self._name

    def weights(self, which: str) -> Path:
        """Return the folder of its weights once it is finished.

        Args:
            which: one of those that its study keeps.
        """
        return KEPT / "weights" / which / self._name

    @property
    def _name(self) -> str:
        return f"{self.study}-s{self.seed}"


def trainings_of(name: str) -> list[Training]:
    """Return the trainings of a study."""
    study = STUDIES[name]
    # Without defaults: a new field of scenarios does not change what was trained.
    scenes = [scene_of(scene, study.overrides).model_dump_json(exclude_defaults=True) for scene in study.scenes]
    about = repr([study.policy, study.steps, sorted(study.hyper.items()), study.reward, *scenes])
    digest = hashlib.sha256(about.encode()).hexdigest()[:12]
    return [Training(name, seed, digest) for seed in range(study.trainings)]


class Run(NamedTuple):
    """A run of one policy in one world.

    Attributes:
        scene: name of the scenario.
        policy: the policy, as text.
        world: seed of the world.
        weights: hash of its weights, empty for a rule.
    """

    scene: str
    policy: str
    world: int
    weights: str = ""


def do_training(training: Training) -> Figures:
    """Train, or go on with a training that was cut off.

    Returns:
        ``cpu_s``, the processor time of this process, s. What an interrupted process has used is not in it.
    """
    study = STUDIES[training.study]
    os.environ["OMP_NUM_THREADS"] = "1"
    begin = time.process_time()
    train(
        [scene_of(name, study.overrides) for name in study.scenes],
        study.policy,
        study.steps,
        training.seed,
        training.folder,
        resume=training.folder.exists(),
        evaluate_every=study.evaluate_every,
        held_out=1,
        hyper={"worlds": len(study.scenes), **study.hyper},
        reward=study.reward,
    )
    for which in study.kept:
        shutil.copytree(training.folder / which, training.weights(which), dirs_exist_ok=True)
    return {"cpu_s": time.process_time() - begin}


def do_run(worlds: KeptWorlds, run: Run) -> Figures:
    """Run a policy in a world.

    Returns:
        ``surplus`` and ``realised``, the sums over all tasks, and ``tasks``.
    """
    name, _, part = run.scene.partition("|")
    scenario = scene_of(name, dict(STUDIES[part].overrides) if part else {})
    market = scenario.market.model_copy(update={"information": None})
    scenario = scenario.model_copy(update={"market": market})
    # An hour; in `paper` 10,000 rounds.
    duration = scenario.traffic.rounds_to_seconds(10_000)
    figures = figures_of(worlds.run(plan(scenario, run.policy, seed=run.world, duration=duration)))
    return {
        "surplus": figures["surplus_total"],
        "realised": figures["realised_mean"] * figures["tasks"],
        "tasks": figures["tasks"],
    }


def weights_of(training: Training, which: str) -> tuple[str, str]:
    """Return a policy with the weights of a training, as text, and their hash.

    Args:
        training: the training.
        which: one of those that its study keeps.
    """
    folder = training.weights(which)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".safetensors"))
    digest = hashlib.sha256("".join(file_hash(path) for path in files).encode()).hexdigest()[:12]
    return f"{STUDIES[training.study].policy}:weights={folder.relative_to(ROOT)}", digest


def training_worlds(name: str, overrides: dict[str, Any]) -> list[int]:
    """Return the seeds of the first worlds that the trainings of seed 0 on the mix meet in a scenario."""
    env, place = Intersection(scene_of(name, overrides)), MIX.index(name)
    # The seeds of the episodes of cycle c are those of `policies.learning.training.train`.
    seeds = [np.random.SeedSequence([0, cycle]).generate_state(len(MIX))[place] for cycle in range(TUNING_WORLDS)]
    return [int(env.reset(seed=int(seed))[1]["world"]) for seed in seeds]


def scene_name(name: str, study: str) -> str:
    """Return the name of a scenario in a study, with the study if that changes it."""
    return f"{name}|{study}" if STUDIES[study].overrides else name


def tune_scales(scenes: list[str], jobs: int, said: Any) -> dict[str, float]:
    """Return the factor k of `conditional:scale=k` with the highest realised surplus in training worlds, by scene."""
    cells = [
        Run(scene, f"conditional:scale={k:g}", world)
        for scene in scenes
        for world in training_worlds(scene.partition("|")[0], _overrides(scene))
        for k in SCALES
    ]
    done = run_all(cells, jobs, partial(said, "runs that tune the scale"))
    sums: dict[tuple[str, float], float] = {}
    for cell in cells:
        key = cell.scene, float(cell.policy.rpartition("=")[2])
        sums[key] = sums.get(key, 0.0) + done[cell]["realised"]
    return {scene: max(SCALES, key=lambda k: sums[scene, k]) for scene in scenes}


def _overrides(scene: str) -> dict[str, Any]:
    study = scene.partition("|")[2]
    return dict(STUDIES[study].overrides) if study else {}


def run_all(cells: list[Run], jobs: int, told: Any) -> dict[Run, Figures]:
    """Do runs that are not in the journal, the first worlds of all scenarios first."""
    # A study that is cut off then has a table of fewer worlds, not of fewer scenarios.
    first = sorted(dict.fromkeys(cells), key=lambda cell: cell.world >= MIX_WORLD + FEW_WORLDS)
    return run_cells(
        partial(do_run, KeptWorlds()), first, jobs, told, KEPT / "runs.jsonl", results_code(training=False),
        world=lambda cell: (cell.scene, cell.world),
    )  # fmt: skip


def runs_of(study: str, which: str = "deployed") -> dict[tuple[str, int], list[Run]]:
    """Return the runs of the trainings of a study, by scene and seed of the training."""
    found: dict[tuple[str, int], list[Run]] = {}
    about = STUDIES[study]
    for training in trainings_of(study):
        policy, digest = weights_of(training, which)
        for name in about.evaluated:
            if name in PAPER_POINTS and about.points is not None and training.seed >= about.points:
                continue
            scene = scene_name(name, study)
            found[scene, training.seed] = [Run(scene, policy, world, digest) for world in about.worlds(name)]
    return found


def main(
    only: Annotated[list[str] | None, typer.Option(help="Study; all if none is given.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes side by side.")] = 2,
    worlds: Annotated[int, typer.Option(help="Evaluation worlds at a junction; those of each study if 0.")] = 0,
    stage: Annotated[str, typer.Option(help="trainings, runs or tables; all three if none is given.")] = "",
) -> None:
    """Train and run what is missing, and write the tables."""
    TRAININGS.mkdir(parents=True, exist_ok=True)
    names = only or list(STUDIES)
    for name in names if worlds else []:
        STUDIES[name] = STUDIES[name]._replace(junction_worlds=min(worlds, STUDIES[name].junction_worlds))

    def said(what: str, done: int, count: int) -> None:
        typer.echo(f"{what}: {done} of {count}", err=True)

    if stage in ("", "trainings"):
        cells = [training for name in names for training in trainings_of(name)]
        # A change of the learners' code does not void hours of trainings: the page names the commit of the trainings.
        run_cells(do_training, cells, jobs, partial(said, "trainings"), KEPT / "trainings.jsonl", "learning")
    if stage in ("", "runs", "tables"):
        from tests.studies.learning_tables import write

        write(names, jobs, said)


if __name__ == "__main__":
    typer.run(main)
