"""Training of a policy: training worlds, evaluation in held-out worlds, metrics, and the best weights."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
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
from simulator.study.cells import Figures, figures_of
from simulator.study.training_files import read_about, read_metrics, read_steps

if TYPE_CHECKING:
    import gymnasium

METRICS, TRAINING = "metrics.csv", "training.json"

# Training worlds are drawn from all 32-bit seeds, so a training hardly ever meets one of the few held-out worlds.
HELD_OUT = 1_000_000_000
"""Seed of the first held-out world; the others have the seeds that follow."""

ROUNDS_AN_EPISODE = 1_250.0
"""Number of rounds of an episode in a scenario of rounds."""

# A run draws 100,000 calibration rounds by default. In a training that would take longer than the episode.
CALIBRATION_ROUNDS = 10_000
"""Largest number of calibration rounds of a training world in a scenario of rounds."""

COLUMNS = (
    "steps", "seconds", "train/surplus", "train/best_share", "evaluation/ratio", "evaluation/ratio_worst",
    "evaluation/surplus_mean", "evaluation/surplus_ground", "evaluation/surplus_uav",
    "loss/actor", "loss/critic", "policy/entropy", "policy/clipped",
)  # fmt: skip
"""Columns of metrics.csv. A figure that a row does not have is an empty cell."""

Progress = Callable[[dict[str, float]], None]


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
    """Train a policy on one scenario, or on several scenarios at the same time.

    An evaluation runs the policy in held-out worlds. Its result is the surplus of the policy divided by the surplus of
    `conditional` in the same worlds.

    Args:
        scenarios: names of shipped scenarios, paths of scenario files, or `Scenario` objects.
        policy: name of a policy that has a method ``train``.
        steps: number of environment steps, those of an interrupted training included.
        seed: seed of all random numbers of the training.
        out: folder for metrics.csv, training.json and three checkpoints. `last` holds the complete state, `deployed`
            the latest weights, and `best` the weights with the best evaluation.
        resume: continue from `last`; the result is that of a training without interruption.
        evaluate_every: number of steps between two evaluations.
        held_out: number of held-out worlds per scenario.
        hyper: hyperparameters that differ from their defaults. If a scenario has traffic, the default of gamma is 0.95.
        tensorboard: whether to write the metrics for TensorBoard too.
        progress: function that is called with new metrics.

    Returns:
        The folder of the best weights.

    Raises:
        InputError: an argument is wrong, or torch is not installed.
    """
    need("torch", "learn")
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    found = find_policy(policy)
    if not hasattr(found, "train"):
        raise PolicyError(
            f"policy {policy} cannot be trained: it has no method train(make_env, steps, seed, out, resume, report)"
        )
    if not loaded:
        raise InputError("scenarios: must name one or more scenarios, such as paper,four_way")
    for name, number in (("steps", steps), ("evaluate_every", evaluate_every), ("held_out", held_out)):
        if number < 1:
            raise InputError(f"{name}: must be 1 or more, not {number}")
    check_times(seed, loaded[0].duration_s, 0.0)
    chosen = dict(hyper or {})
    # At a junction the winner of today is the queue of tomorrow, so future rewards count. Rounds are independent.
    if not all(isinstance(scenario.traffic, Rounds) for scenario in loaded):
        chosen = {"gamma": 0.95, **chosen}
    if resume and (out / "best").exists():
        # Weights that were damaged since are refused before they count as the best.
        type(found)(weights=str(out / "best"))  # type: ignore[call-arg]
    record = _Record(found, policy, loaded, seed, out, evaluate_every, held_out, tensorboard, progress)
    record.begin(resume, {"steps": steps, "hyper": chosen})
    try:
        found.train(_maker(loaded), steps, seed, out, resume, record.report, **chosen)
    except InputError:
        if not (out / "last").exists():
            shutil.rmtree(out)  # nothing has been trained: wrong input leaves nothing behind
        raise
    record.end()
    return out / "best"


def _maker(scenarios: list[Scenario]) -> Callable[[int], gymnasium.Env[Any, Any]]:
    """Return the function that makes the environment of a world by its number."""

    def make(world: int) -> gymnasium.Env[Any, Any]:
        from simulator.environment import Intersection

        # The scenarios take turns, so that a learner with several worlds sees all of them at the same time.
        scenario = scenarios[world % len(scenarios)]
        if not isinstance(scenario.traffic, Rounds):
            return Intersection(scenario)
        duration = ROUNDS_AN_EPISODE * scenario.traffic.every_s
        rounds = min(scenario.market.contract_rounds, CALIBRATION_ROUNDS)
        return Intersection(scenario, duration, overrides={"market.contract_rounds": rounds})

    return make


class _Record:
    """Record of a training: its metrics, and its best weights."""

    def __init__(
        self,
        policy: Any,
        name: str,
        scenarios: list[Scenario],
        seed: int,
        out: Path,
        every: int,
        held_out: int,
        tensorboard: bool,
        progress: Progress | None,
    ) -> None:
        self._policy, self._name, self._scenarios, self._seed = policy, name, scenarios, seed
        self._out, self._every, self._held_out, self._progress = out, every, held_out, progress
        self._tensorboard = tensorboard
        self._writer: Any = None
        self._best, self._evaluated = -np.inf, 0
        self._reference: list[float] = []
        self._begin = time.monotonic()

    def begin(self, resume: bool, more: dict[str, Any]) -> None:
        """Open the folder; when resuming, forget what was written after the last checkpoint."""
        out = self._out
        about = {
            "policy": self._name,
            "seed": self._seed,
            "scenarios": {
                scenario.name: hashlib.sha256(scenario.model_dump_json().encode()).hexdigest()
                for scenario in self._scenarios
            },
            "evaluate_every": self._every,
            "held_out": self._held_out,
            **more,
        }
        if resume:
            known = read_about(out / TRAINING)
            steps = read_steps(out / "last" / "meta.json")
            rows = read_metrics(out / METRICS, COLUMNS)
            if known != about:
                both = known.keys() & about.keys()
                wrong = next(key for key in [*about, *known] if key not in both or known[key] != about[key])
                was, given = shown(known.get(wrong)), shown(about.get(wrong))
                raise InputError(f"{out}: was begun with {wrong} = {was}, not {given}")
            rows = [row for row in rows if int(row["steps"]) <= steps]
            ratios = [(int(row["steps"]), float(row["evaluation/ratio"])) for row in rows if row["evaluation/ratio"]]
            if ratios:
                self._best, self._evaluated = max(ratio for _, ratio in ratios), ratios[-1][0]
            self._begin -= float(rows[-1]["seconds"]) if rows else 0.0
        else:
            out.mkdir(parents=True)
            (out / TRAINING).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            rows = []
        self._write("w", [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows])
        if self._tensorboard:
            need("tensorboard", "learn")
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(out / "tensorboard"))
        if resume:
            self.report({"steps": steps, "checkpoint": 1.0})  # it may have been killed before it was evaluated

    def report(self, metrics: dict[str, float]) -> None:
        """Take metrics; at a checkpoint that is due, evaluate the deployed weights."""
        steps = int(metrics["steps"])
        if metrics.get("checkpoint"):
            if steps - self._evaluated < self._every:
                return
            metrics = metrics | self._evaluate(steps)
        row = metrics | {"seconds": round(time.monotonic() - self._begin, 1)}
        self._write("a", [{name: f"{value:.6g}" if name != "steps" else str(steps) for name, value in row.items()}])
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(name, value, steps)
        if self._progress is not None:
            self._progress(row)

    def end(self) -> None:
        """Evaluate the last weights if that has not been done."""
        steps = read_steps(self._out / "last" / "meta.json")
        if steps > self._evaluated:
            self._every = 0
            self.report({"steps": steps, "checkpoint": 1.0})
        if self._writer is not None:
            self._writer.close()

    def _write(self, mode: str, rows: list[dict[str, str]]) -> None:
        with (self._out / METRICS).open(mode, encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore").writerows(rows)

    def _evaluate(self, steps: int) -> dict[str, float]:
        """Evaluate the deployed weights in held-out worlds.

        The ratio of a scenario is the policy's surplus divided by the surplus of `conditional` in the same worlds.

        Returns:
            Metrics: the mean ratio and the least ratio of the scenarios, and the mean surplus per task.
        """
        cells = [(scenario, HELD_OUT + world) for scenario in self._scenarios for world in range(self._held_out)]
        # The surplus of `conditional` does not change during a training.
        if not self._reference:
            self._reference = [evaluated(scenario, "conditional", seed)["surplus_total"] for scenario, seed in cells]
        policy = type(self._policy)(weights=str(self._out / "deployed"))
        found = [evaluated(scenario, policy, seed) for scenario, seed in cells]
        earned = np.array([figures["surplus_total"] for figures in found])
        # A ratio of sums over worlds, like the ratio of means in `compare`: a mean of ratios would be biased.
        shape = (len(self._scenarios), self._held_out)
        ratios = earned.reshape(shape).sum(axis=1) / np.reshape(self._reference, shape).sum(axis=1)
        self._evaluated = steps
        if ratios.mean() > self._best:
            self._best = float(ratios.mean())
            part = self._out / ".best.part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self._out / "deployed", part)
            shutil.rmtree(self._out / "best", ignore_errors=True)
            part.rename(self._out / "best")
        parts = ("surplus_mean", "surplus_ground", "surplus_uav")
        return {
            "evaluation/ratio": float(ratios.mean()),
            "evaluation/ratio_worst": float(ratios.min()),
            **{f"evaluation/{part}": float(np.mean([figures[part] for figures in found])) for part in parts},
        }


def evaluated(scenario: Scenario, policy: Any, seed: int) -> Figures:
    """Run a policy for at most 5,000 s in a held-out world and return the figures.

    Args:
        scenario: the scenario.
        policy: pricing policy, as text or as an object.
        seed: seed of the world.
    """
    duration = min(scenario.duration_s, 5_000.0)
    # The policy's own declaration decides what it sees; weights know what they were trained to see.
    # The scenario's `market.information` would refuse a policy that declares something else, such as `oracle`.
    market = scenario.market.model_copy(update={"information": None})
    scenario = scenario.model_copy(update={"market": market})
    return figures_of(simulate(scenario, policy, seed=seed, duration=duration))
