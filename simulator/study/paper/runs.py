"""Trainings and runs behind the figures: in parallel processes, each done once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.files import clear, discard, not_ours
from simulator.files.reading import file_hash, number
from simulator.run import plan, simulate
from simulator.scenario.scenario import Scenario
from simulator.study.cells import figures_of, run_cells
from simulator.study.journal import Figures
from simulator.study.paper.plan import (
    AXES,
    BASE,
    BEST_CONSTANT,
    CONSTANT_ROUNDS,
    CONSTANT_WORLD,
    FIRST_WORLD,
    LEARNERS,
    RULES,
    Point,
    Scale,
)
from simulator.study.train import HELD_OUT, evaluated, train
from simulator.study.training_files import RATIO, read_metrics
from simulator.study.training_folder import BEST, COLUMNS, LAST, METRICS
from simulator.study.worlds import KeptWorlds

if TYPE_CHECKING:
    import pandas as pd

KEPT = {"total": "surplus_mean", "uav": "surplus_uav", "ground": "surplus_ground", "delay": "latency_mean"}
"""Figures of a run by column of the tables: surplus per task in total, of the UAV and of the stations; latency, s."""

Progress = Callable[[str, int, int], None]
"""Function that is called with the kind of work, the number of finished pieces, and the number of all pieces."""


class Training(NamedTuple):
    """Training of one learner with one seed.

    Attributes:
        learner: short name of the learner, a key of `LEARNERS`.
        place: name of the set of points.
        points: points whose scenarios the learner is trained on, all at the same time.
        seed: seed of the training.
        steps: number of environment steps.
        evaluations: number of evaluations during the training.
        held_out: number of held-out worlds per scenario in each evaluation.
    """

    learner: str
    place: str
    points: tuple[Point, ...]
    seed: int
    steps: int
    evaluations: int
    held_out: int

    @property
    def name(self) -> str:
        """Name of the folder of this training."""
        return f"{self.learner}-{self.place}-{self.steps}-s{self.seed}"


class Run(NamedTuple):
    """Run of one policy in one world.

    Attributes:
        point: point of the axis, which sets the scenario.
        label: name of the policy in figures.
        policy: the policy, as text with its parameters.
        training: seed of the training of the policy, -1 for a rule.
        world: seed of the world.
        rounds: number of rounds; 0 for an evaluation like those of a training curve.
        weights: hash of the weights of the policy. New weights in the same folder make another run.
    """

    point: Point
    label: str
    policy: str
    training: int
    world: int
    rounds: int
    weights: str = ""


def scenario_at(point: Point) -> Scenario:
    """Return the scenario `paper` at a point of an axis, named after the point."""
    # Trainings on several points tell their scenarios apart by name.
    name = "paper" if point == BASE else f"paper, {point.axis} {point.value:g}"
    return Scenario.load("paper", **{"name": name, **dict(point.overrides)})


class Workshop:
    """Trainings and runs, kept in a folder so that nothing is done twice.

    Args:
        folder: folder for trainings, checkpoints and journals.
        scale: sizes of trainings and runs.
        jobs: number of parallel processes.
        progress: function that is called when a piece of work is finished.
    """

    def __init__(self, folder: Path, scale: Scale, jobs: int, progress: Progress) -> None:
        self._folder, self.scale, self._jobs, self._progress = folder, scale, jobs, progress
        folder.mkdir(parents=True, exist_ok=True)

    def training(
        self, learner: str, place: str, points: Sequence[Point], steps: int, seeds: int, curve: bool = False
    ) -> list[Training]:
        """Return the trainings of a learner on some points, one per seed.

        Args:
            learner: short name of the learner.
            place: name of the set of points.
            points: points whose scenarios the learner is trained on.
            steps: number of environment steps.
            seeds: number of seeds.
            curve: whether a figure shows the training curve.
        """
        # Evaluations take time. Without a curve, one at the end is enough.
        evaluations, held_out = (self.scale.evaluations, self.scale.held_out) if curve else (1, 1)
        return [Training(learner, place, tuple(points), seed, steps, evaluations, held_out) for seed in range(seeds)]

    def train(self, trainings: Iterable[Training]) -> None:
        """Do the trainings that are not done; continue those that were interrupted."""
        # The longest first: a long training that begins last would leave the other processes idle.
        cells = sorted(dict.fromkeys(trainings), key=lambda one: -one.steps * len(one.points))
        told = partial(self._progress, "trainings")
        run_cells(partial(_train, self._folder), cells, self._jobs, told, self._folder / "trainings.jsonl", _code())

    def curves(self, trainings: Iterable[Training]) -> pd.DataFrame:
        """Return the evaluations during trainings.

        Returns:
            One row per evaluation: learner, place, seed, steps, and surplus per task (total, uav, ground).
        """
        import pandas as pd

        rows = []
        for training in trainings:
            rows += [
                {
                    "learner": training.learner, "place": training.place, "seed": training.seed,
                    "steps": int(row["steps"]),
                    **{name: number(row[f"evaluation/{KEPT[name]}"]) for name in ("total", "uav", "ground")},
                }
                for row in read_metrics(self._folder / training.name / METRICS, COLUMNS)
                if row[RATIO]
            ]  # fmt: skip
        return pd.DataFrame(rows)

    def trained(self, trainings: Iterable[Training], point: Point) -> list[Run]:
        """Return the runs of trained weights at a point, one per training and world."""
        return [
            Run(point, LEARNERS[one.learner].label, f"{LEARNERS[one.learner].policy}:weights={self._folder / one.name}",
                one.seed, world, self.scale.rounds, _weights_hash(self._folder / one.name))
            for one in trainings
            for world in self._worlds()
        ]  # fmt: skip

    def rules(self, point: Point, labels: Iterable[str], instead: dict[str, str] | None = None) -> list[Run]:
        """Return the runs of rules at a point, one per rule and world.

        Args:
            point: point of the axis.
            labels: names of the rules in figures.
            instead: other policies for some of the rules, by name in figures.
        """
        policies = RULES | (instead or {})
        return [
            Run(point, label, policies[label], -1, world, self.scale.rounds)
            for label in labels
            for world in self._worlds()
        ]

    def on_curves(self, point: Point, labels: Iterable[str]) -> pd.DataFrame:
        """Return the mean figures of rules in the worlds in which curves are evaluated, one row per rule."""
        runs = [
            Run(point, label, RULES[label], -1, HELD_OUT + world, 0)
            for label in labels
            for world in range(self.scale.held_out)
        ]
        kept = ["total", "uav", "ground"]
        return self.run(runs).groupby("policy", sort=False)[kept].mean().reset_index()

    def run(self, runs: Iterable[Run]) -> pd.DataFrame:
        """Do runs, unless they are done, and return their figures.

        Returns:
            One row per run: axis, value, policy, training, world, and the figures of `KEPT`.
        """
        import pandas as pd

        # Several figures ask for the same run: it is done once.
        cells = list(dict.fromkeys(runs))
        points = list(dict.fromkeys(cell.point for cell in cells if cell.policy == BEST_CONSTANT))
        told = partial(self._progress, "best constants")
        found = run_cells(best_constant, points, self._jobs, told, self._folder / "constants.jsonl", _code())
        cells = [
            cell._replace(policy=f"constant:{found[cell.point]['rho']:.6g}") if cell.policy == BEST_CONSTANT else cell
            for cell in cells
        ]
        told = partial(self._progress, "runs")
        done = run_cells(
            partial(_run, KeptWorlds()), cells, self._jobs, told, self._folder / "runs.jsonl", _code(),
            world=lambda cell: (cell.point, cell.world, cell.rounds),
        )  # fmt: skip
        return pd.DataFrame(
            [
                {
                    "axis": cell.point.axis, "value": cell.point.value, "policy": cell.label,
                    "training": cell.training, "world": cell.world,
                    **{name: done[cell][figure] for name, figure in KEPT.items()},
                }
                for cell in cells
            ]
        )  # fmt: skip

    def _worlds(self) -> range:
        """Return the seeds of the worlds in which policies are compared."""
        return range(FIRST_WORLD, FIRST_WORLD + self.scale.worlds)


def every_point() -> tuple[Point, ...]:
    """Return the points of all axes, each scenario once."""
    # The settings of section 6.1 are a point of three axes.
    points = {
        scenario_at(point).model_dump_json(exclude={"name"}): point for _, axis in AXES.values() for point in axis
    }
    return tuple(points.values())


def best_constant(point: Point) -> Figures:
    """Find the price of the grid with the highest surplus in the world of `CONSTANT_WORLD`.

    Returns:
        ``rho``, the price, and ``surplus``, its mean surplus per task.
    """
    # One run serves all prices. In `paper` nobody queues, so with T = 1 the values of a round do not depend on the
    # winners of earlier rounds.
    scenario = scenario_at(point)
    auctions = simulate(scenario, "conditional", seed=CONSTANT_WORLD, duration=float(CONSTANT_ROUNDS)).auctions
    scaled = auctions["second_bid"].to_numpy()
    # The literal (14): rho scales the highest other bid, which may be the UAV's.
    if scenario.market.reference == "all":
        scaled = np.maximum(scaled, scenario.market.uav_weight * auctions["contract_bid"].to_numpy())
    top, uav = auctions["top_bid"].to_numpy(), scenario.market.uav_weight * auctions["uav_value"].to_numpy()
    earned = {rho: float(np.where(top > rho * scaled, top, uav).mean()) for rho in scenario.market.prices()}
    rho = max(earned, key=earned.__getitem__)
    return {"rho": rho, "surplus": earned[rho]}


def _train(folder: Path, training: Training) -> Figures:
    """Do or continue one training, and return the ratio of its last evaluation."""
    import torch

    # The parallel processes share the cores. More threads per process would only compete.
    torch.set_num_threads(1)
    out, learner = folder / training.name, LEARNERS[training.learner]
    clear(out)
    hyper: dict[str, Any] = dict(learner.hyper)
    if len(training.points) > 1:
        # One world per point, so that each update sees every scenario.
        hyper["worlds"] = len(training.points)
    if _last_evaluation(out)[0] < training.steps:
        train(
            [scenario_at(point) for point in training.points], learner.policy, training.steps, training.seed, out,
            resume=out.exists(), evaluate_every=max(training.steps // training.evaluations, 1),
            held_out=training.held_out, hyper=hyper,
        )  # fmt: skip
    # From now on its last evaluation says that the training is done. `last` holds the replay buffer, which only a
    # training needs.
    if (out / LAST).exists():
        discard(out / LAST, not_ours)
    return {"ratio": _last_evaluation(out)[1]}


def _last_evaluation(out: Path) -> tuple[int, float]:
    """Return the steps of a training's last evaluation and its ratio; 0 and NaN if there is none."""
    if not (out / METRICS).is_file():
        return 0, math.nan
    rows = [row for row in read_metrics(out / METRICS, COLUMNS) if row[RATIO]]
    return (int(rows[-1]["steps"]), number(rows[-1][RATIO])) if rows else (0, math.nan)


def _run(worlds: KeptWorlds, run: Run) -> Figures:
    """Do one run and return its figures."""
    scenario = scenario_at(run.point)
    if not run.rounds:
        return evaluated(scenario, run.policy, run.world, worlds)
    duration = scenario.traffic.rounds_to_seconds(run.rounds)
    return figures_of(worlds.run(plan(scenario, run.policy, seed=run.world, duration=duration)))


def _weights_hash(folder: Path) -> str:
    """Return a short hash of the best weights of a training."""
    hashes = [file_hash(folder / BEST / name) for name in ("arrays.safetensors", "meta.json")]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:12]


def _code() -> str:
    """Return a hash of the scenario, the learners, and the code of model, world and policies."""
    # It is the fingerprint of the journals. After a change of one of these all figures are made again.
    about = [scenario_at(BASE).model_dump_json(), repr(LEARNERS), repr((CONSTANT_WORLD, CONSTANT_ROUNDS))]
    package = Path(__file__).parents[2]
    for folder in (package / "model", package / "world", package.parent / "policies"):
        about += [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(json.dumps(about, allow_nan=False).encode()).hexdigest()
