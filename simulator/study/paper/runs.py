"""Trainings and runs behind the figures: side by side, and not done again once they are done."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.files import clear, discard, not_ours
from simulator.run import simulate
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
from simulator.study.training_folder import BEST, LAST, METRICS

if TYPE_CHECKING:
    import pandas as pd

KEPT = {"total": "surplus_mean", "uav": "surplus_uav", "ground": "surplus_ground", "delay": "latency_mean"}
"""Figures of a run, by the columns of the tables: surplus a task of all, of the UAV, of stations; latency, s."""

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many of it are done, and how many there are in all."""


class Training(NamedTuple):
    """One learner trained with one seed on the scenario at some points, side by side."""

    learner: str
    place: str
    points: tuple[Point, ...]
    seed: int
    steps: int
    evaluations: int
    held_out: int

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.learner}-{self.place}-{self.steps}-s{self.seed}"


class Run(NamedTuple):
    """One run: where, under which policy, in which world.

    Attributes:
        point: where.
        label: what figures call the policy.
        policy: the policy in full.
        training: seed of its training, -1 for a rule.
        world: seed.
        rounds: how many.
        weights: hash of its weights.
    """

    point: Point
    label: str
    policy: str
    training: int
    world: int
    rounds: int
    weights: str = ""


def scenario_at(point: Point) -> Scenario:
    """The scenario `paper` at a point of an axis."""
    return Scenario.load("paper", **dict(point.overrides))


class Workshop:
    """Does trainings and runs, and keeps what is done in a folder of its own.

    Args:
        folder: where trainings, checkpoints and journals are.
        scale: how long everything is.
        jobs: processes side by side.
        progress: told of what is done.
    """

    def __init__(self, folder: Path, scale: Scale, jobs: int, progress: Progress) -> None:
        self._folder, self.scale, self._jobs, self._progress = folder, scale, jobs, progress
        folder.mkdir(parents=True, exist_ok=True)

    def training(
        self, learner: str, place: str, points: Sequence[Point], steps: int, seeds: int, curve: bool = False
    ) -> list[Training]:
        """The trainings of a learner at some points: one a seed."""
        evaluations, held_out = (self.scale.evaluations, self.scale.held_out) if curve else (1, 1)
        return [Training(learner, place, tuple(points), seed, steps, evaluations, held_out) for seed in range(seeds)]

    def train(self, trainings: Iterable[Training]) -> None:
        """Train what is not trained yet, going on where it was cut off; the longest first."""
        cells = sorted(dict.fromkeys(trainings), key=lambda one: -one.steps * len(one.points))
        told = partial(self._progress, "trainings")
        run_cells(partial(_train, self._folder), cells, self._jobs, told, self._folder / "trainings.jsonl", _code())

    def curves(self, trainings: Iterable[Training]) -> pd.DataFrame:
        """Evaluations during trainings: learner, place, seed, steps, and the surplus a task in total and by kind."""
        import pandas as pd

        rows = []
        for training in trainings:
            with (self._folder / training.name / METRICS).open(encoding="utf-8") as file:
                rows += [
                    {
                        "learner": training.learner, "place": training.place, "seed": training.seed,
                        "steps": int(row["steps"]),
                        **{name: float(row[f"evaluation/{KEPT[name]}"]) for name in ("total", "uav", "ground")},
                    }
                    for row in csv.DictReader(file)
                    if row["evaluation/ratio"]
                ]  # fmt: skip
        return pd.DataFrame(rows)

    def trained(self, trainings: Iterable[Training], point: Point) -> list[Run]:
        """Runs of trained weights at a point, one a training and world."""
        return [
            Run(point, LEARNERS[one.learner].label, f"{LEARNERS[one.learner].policy}:weights={self._folder / one.name}",
                one.seed, world, self.scale.rounds, _weights_hash(self._folder / one.name))
            for one in trainings
            for world in self._worlds()
        ]  # fmt: skip

    def rules(self, point: Point, labels: Iterable[str], instead: dict[str, str] | None = None) -> list[Run]:
        """Runs of rules at a point, one a world; ``instead`` puts other policies in their place."""
        policies = RULES | (instead or {})
        return [
            Run(point, label, policies[label], -1, world, self.scale.rounds)
            for label in labels
            for world in self._worlds()
        ]

    def on_curves(self, point: Point, labels: Iterable[str]) -> pd.DataFrame:
        """Figures of rules in the worlds in which curves are evaluated, a row a rule."""
        runs = [
            Run(point, label, RULES[label], -1, HELD_OUT + world, 0)
            for label in labels
            for world in range(self.scale.held_out)
        ]
        kept = ["total", "uav", "ground"]
        return self.run(runs).groupby("policy", sort=False)[kept].mean().reset_index()

    def run(self, runs: Iterable[Run]) -> pd.DataFrame:
        """Figures of runs: axis, value, policy, training, world, and those of `KEPT`."""
        import pandas as pd

        cells = list(dict.fromkeys(runs))
        points = list(dict.fromkeys(cell.point for cell in cells if cell.policy == BEST_CONSTANT))
        told = partial(self._progress, "best constants")
        found = run_cells(best_constant, points, self._jobs, told, self._folder / "constants.jsonl", _code())
        cells = [
            cell._replace(policy=f"constant:{found[cell.point]['rho']:.6g}") if cell.policy == BEST_CONSTANT else cell
            for cell in cells
        ]
        told = partial(self._progress, "runs")
        done = run_cells(_run, cells, self._jobs, told, self._folder / "runs.jsonl", _code())
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
        return range(FIRST_WORLD, FIRST_WORLD + self.scale.worlds)


def every_point() -> tuple[Point, ...]:
    """All points of all axes, each scenario once."""
    points = {scenario_at(point).model_dump_json(): point for _, axis in AXES.values() for point in axis}
    return tuple(points.values())


def best_constant(point: Point) -> Figures:
    """The price of the grid with the highest surplus in a world of its own, from the trace of a single run.

    In `paper` nobody queues, so that with T = 1 the values of a round do not depend on who won the last.
    """
    scenario = scenario_at(point)
    auctions = simulate(scenario, "conditional", seed=CONSTANT_WORLD, duration=float(CONSTANT_ROUNDS)).auctions
    scaled = auctions["second_bid"].to_numpy()
    if scenario.market.reference == "all":
        scaled = np.maximum(scaled, scenario.market.uav_weight * auctions["contract_bid"].to_numpy())
    top, uav = auctions["top_bid"].to_numpy(), scenario.market.uav_weight * auctions["uav_value"].to_numpy()
    earned = {rho: float(np.where(top > rho * scaled, top, uav).mean()) for rho in scenario.market.prices()}
    rho = max(earned, key=earned.__getitem__)
    return {"rho": rho, "surplus": earned[rho]}


def _train(folder: Path, training: Training) -> Figures:
    """Train one, going on where it was cut off, and drop what only a training needs; its last ratio."""
    import torch

    torch.set_num_threads(1)
    out, learner = folder / training.name, LEARNERS[training.learner]
    clear(out)
    hyper: dict[str, Any] = dict(learner.hyper)
    if len(training.points) > 1:
        hyper["worlds"] = len(training.points)
    if _last_evaluation(out)[0] < training.steps:
        train(
            [scenario_at(point) for point in training.points], learner.policy, training.steps, training.seed, out,
            resume=out.exists(), evaluate_every=max(training.steps // training.evaluations, 1),
            held_out=training.held_out, hyper=hyper,
        )  # fmt: skip
    # Its last evaluation says from now on that the training is done: this may be killed and called again.
    if (out / LAST).exists():
        discard(out / LAST, not_ours)
    return {"ratio": _last_evaluation(out)[1]}


def _last_evaluation(out: Path) -> tuple[int, float]:
    """Return the steps of a training's last evaluation and its ratio; 0 and NaN if there is none."""
    if not (out / METRICS).is_file():
        return 0, math.nan
    with (out / METRICS).open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["evaluation/ratio"]]
    return (int(rows[-1]["steps"]), float(rows[-1]["evaluation/ratio"])) if rows else (0, math.nan)


def _run(run: Run) -> Figures:
    scenario = scenario_at(run.point)
    if not run.rounds:
        return evaluated(scenario, run.policy, run.world)
    every_s = getattr(scenario.traffic, "every_s", 1.0)
    return figures_of(simulate(scenario, run.policy, seed=run.world, duration=run.rounds * every_s))


def _weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / BEST / "arrays.safetensors").read_bytes()).hexdigest()[:12]


def _code() -> str:
    """What all figures depend on besides their cell: the scenario, the learners, and the code of model and policies."""
    about = [scenario_at(BASE).model_dump_json(), repr(LEARNERS), repr((CONSTANT_WORLD, CONSTANT_ROUNDS))]
    package = Path(__file__).parents[2]
    for folder in (package / "model", package / "world", package.parent / "policies"):
        about += [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(json.dumps(about, allow_nan=False).encode()).hexdigest()
