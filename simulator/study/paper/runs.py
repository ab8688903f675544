"""Trainings and runs behind the figures: in parallel processes, each done once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.files import clear, discard, not_ours
from simulator.files.reading import file_hash, number
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.cells import CellT, run_cells
from simulator.study.code import results_code
from simulator.study.journal import Figures
from simulator.study.paper.plan import (
    BASE,
    FIRST_WORLD,
    LEARNERS,
    ONLINE_WORLD,
    RULES,
    SCALE_FACTORS,
    TUNING_ROUNDS,
    TUNING_WORLD,
    Point,
    Scale,
    curve_points,
)
from simulator.study.paper.rules import TUNED, OnlineRun, online
from simulator.study.paper.scenarios import scenario_at
from simulator.study.price_training import HELD_OUT, evaluated
from simulator.study.run_figures import figures_of
from simulator.study.train import train
from simulator.study.training_files import RATIO, read_metrics
from simulator.study.training_folder import COLUMNS, DEPLOYED, LAST, METRICS
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
        has_curve: whether it is evaluated at all points of a curve, not only at its ends.
        held_out: number of held-out worlds per scenario in each evaluation.
    """

    learner: str
    place: str
    points: tuple[Point, ...]
    seed: int
    steps: int
    has_curve: bool
    held_out: int

    def name(self, code: str) -> str:
        """Return the name of the folder of this training.

        Args:
            code: hash of the code. After a change of the code, of the learner or of a scenario it is another training,
                in a folder of its own.
        """
        about = [code, repr(self), repr(LEARNERS[self.learner]), *(one.model_dump_json() for one in self.scenarios)]
        digest = hashlib.sha256("".join(about).encode()).hexdigest()[:8]
        return f"{self.learner}-{self.place}-{self.steps}-s{self.seed}-{digest}"

    @property
    def scenarios(self) -> list[Scenario]:
        """Scenarios that the learner is trained on."""
        information = {"information": LEARNERS[self.learner].information}
        found = [scenario_at(point) for point in self.points]
        return [one.model_copy(update={"market": one.market.model_copy(update=information)}) for one in found]


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


class Workshop:
    """Trainings and runs, kept in a folder so that nothing is done twice.

    Args:
        folder: folder for trainings, checkpoints and journals.
        scale: sizes of trainings and runs.
        jobs: number of parallel processes.
        progress: function that is called when a piece of work is finished.
        executor: what does the work in place of processes of this machine.
    """

    def __init__(
        self, folder: Path, scale: Scale, jobs: int, progress: Progress, executor: Executor | None = None
    ) -> None:
        self._folder, self.scale, self._progress = folder, scale, progress
        self._jobs, self._executor = jobs, executor
        self._code = code_hash()
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
        held_out = self.scale.held_out if curve else 1
        return [Training(learner, place, tuple(points), seed, steps, curve, held_out) for seed in range(seeds)]

    def train(self, trainings: Iterable[Training]) -> None:
        """Do the trainings that are not done; continue those that were interrupted."""
        # The longest first: a long training that begins last would leave the other processes idle.
        cells = sorted(dict.fromkeys(trainings), key=lambda one: -one.steps * len(one.points))
        self._do(partial(_train, self._folder, self._code), cells, "trainings", "trainings.jsonl")

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
                for row in read_metrics(self._folder / training.name(self._code) / METRICS, COLUMNS)
                if row[RATIO]
            ]  # fmt: skip
        return pd.DataFrame(rows)

    def online_curve(self, label: str) -> pd.DataFrame:
        """Return the curve of a rule that learns while it runs, with the settings of section 6.1.

        Each point is the mean over the rounds since the point before. It is divided by that of `conditional` in the
        same rounds, and multiplied by that of `conditional` in the worlds in which curves are evaluated.

        Returns:
            One row per world and point: learner, place, seed, steps, and surplus per task (total, uav, ground).
        """
        import pandas as pd

        worlds = range(ONLINE_WORLD, ONLINE_WORLD + self.scale.trainings)
        policies = (RULES[label], "conditional")
        cells = [OnlineRun(one, world, self.scale.steps) for world in worlds for one in policies]
        done = self._do(online, cells, "long runs", "online.jsonl")
        level = float(self.on_curves(BASE, ["conditional"])["total"].iloc[0])
        rows = []
        for world in worlds:
            own, base = (done[OnlineRun(one, world, self.scale.steps)] for one in policies)
            for point in curve_points(self.scale.steps)[1:]:
                factor = level / base[f"total {point}"]
                parts = {name: factor * own[f"{name} {point}"] for name in ("total", "uav", "ground")}
                rows.append({"learner": label, "place": "base", "seed": world, "steps": point, **parts})
        return pd.DataFrame(rows)

    def trained(self, trainings: Iterable[Training], point: Point, worlds: int | None = None) -> list[Run]:
        """Return the runs of the last weights of trainings at a point, one per training and world."""
        found = []
        for one in trainings:
            weights, learner = self._folder / one.name(self._code) / DEPLOYED, LEARNERS[one.learner]
            policy, digest = f"{learner.policy}:weights={weights}", _weights_hash(weights)
            found += [
                Run(point, learner.label, policy, one.seed, world, self.scale.rounds, digest)
                for world in self._worlds(worlds)
            ]
        return found

    def rules(
        self, point: Point, labels: Iterable[str], instead: dict[str, str] | None = None, worlds: int | None = None
    ) -> list[Run]:
        """Return the runs of rules at a point, one per rule and world.

        Args:
            point: point of the axis.
            labels: names of the rules in figures.
            instead: other policies for some of the rules, by name in figures.
            worlds: number of worlds; None for that of the scale.
        """
        policies = RULES | (instead or {})
        return [
            Run(point, label, policies[label], -1, world, self.scale.rounds)
            for label in labels
            for world in self._worlds(worlds)
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
        for label, (tune, policy) in TUNED.items():
            points = list(dict.fromkeys(cell.point for cell in cells if cell.policy == label))
            found = self._do(tune, points, f"tunings: {label}", f"{tune.__name__}.jsonl")
            cells = [
                cell._replace(policy=policy.format(found[cell.point]["best"])) if cell.policy == label else cell
                for cell in cells
            ]
        done = self._do(
            partial(_run, KeptWorlds()), cells, "runs", "runs.jsonl",
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

    def _do(
        self,
        work: Callable[[CellT], Figures],
        cells: Sequence[CellT],
        what: str,
        journal: str,
        world: Callable[[CellT], Hashable] | None = None,
    ) -> dict[CellT, Figures]:
        """Do the work of every cell that is not in a journal of the folder.

        Args:
            work: function of a cell.
            cells: the cells.
            what: what the cells are, for the progress.
            journal: name of the journal.
            world: function from a cell to its world.
        """
        told = partial(self._progress, what)
        return run_cells(
            work, cells, self._jobs, told, self._folder / journal, self._code, world=world, executor=self._executor
        )

    def _worlds(self, count: int | None = None) -> range:
        """Return the seeds of the worlds in which policies are compared."""
        return range(FIRST_WORLD, FIRST_WORLD + (count or self.scale.worlds))


def _train(folder: Path, code: str, training: Training) -> Figures:
    """Do or continue one training, and return the ratio of its last evaluation."""
    import torch

    # The parallel processes share the cores. More threads per process would only compete.
    torch.set_num_threads(1)
    out, learner = folder / training.name(code), LEARNERS[training.learner]
    clear(out)
    hyper: dict[str, Any] = dict(learner.hyper)
    if len(training.points) > 1:
        # One world per point, so that each update sees every scenario.
        hyper["worlds"] = len(training.points)
    if _last_evaluation(out)[0] < training.steps:
        points = curve_points(training.steps)[1:] if training.has_curve else (training.steps,)
        train(
            training.scenarios, learner.policy, training.steps, training.seed, out,
            resume=out.exists(), evaluate_every=points,
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
    """Return a short hash of weights."""
    hashes = [file_hash(folder / name) for name in ("arrays.safetensors", "meta.json")]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:12]


def code_hash() -> str:
    """Return a hash of the scenario, of what rules are tuned by, and of the code that decides what a run gives."""
    # It is the fingerprint of the journals and a part of the name of a training. After a change of one of these all
    # figures are made again.
    about = [scenario_at(BASE).model_dump_json(), repr((TUNING_WORLD, TUNING_ROUNDS, SCALE_FACTORS))]
    return hashlib.sha256(json.dumps([*about, results_code()], allow_nan=False).encode()).hexdigest()
