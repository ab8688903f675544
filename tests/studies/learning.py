"""What the learners reach: trainings by several seeds, evaluated in worlds that no training has seen.

``python -m tests.studies.learning [NAME ...] [--jobs N]`` trains what is not trained yet (it goes on where it was cut
off) under ``outputs/learning/`` and writes ``docs/learning/``: ``curves.csv`` (held-out ratio by steps), ``worlds.csv``
(surplus of each training and of `conditional` in each evaluation world) and ``results.csv`` (mean ratio and interval).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer

from simulator.run import simulate
from simulator.scenario import Scenario
from simulator.study.compare import half_width
from simulator.study.train import train

TRAININGS, RESULTS = Path("outputs/learning"), Path("docs/learning")

SEEDS = (0, 1, 2)
EVALUATION_SEEDS = 500
"""Evaluation worlds have the seeds from here on; checkpoints are chosen in others, from 1e9 on."""

JUNCTIONS = ("four_way", "rush_hour", "braunschweig")
RIVALS = ("random", "greedy", "spa", "myopic", "optimal")


class Study(NamedTuple):
    """One row of the table of results: what is trained, and where it is evaluated."""

    policy: str
    scenarios: tuple[str, ...]
    steps: int
    hyper: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    overrides: tuple[dict[str, Any], ...] = ({},)
    worlds: int = 4
    every: int = 25_000


MIX = ("paper", *JUNCTIONS)
AS_IN_THE_PAPER = {"hindsight": False}
STATIONS = tuple({"stations.count": count} for count in range(3, 10))

STUDIES: dict[str, Study] = {
    "paper-hindsight": Study("diffusion", ("paper",), 50_000, every=5_000),
    "paper-all-bids": Study("diffusion", ("paper",), 50_000, overrides=({"market.information": "all-bids"},)),
    "paper-masked": Study("diffusion", ("paper",), 50_000, overrides=({"market.information": "masked"},)),
    "paper-3-to-9-stations": Study("diffusion", ("paper",), 100_000, overrides=STATIONS),
    "mix-diffusion": Study("diffusion", MIX, 120_000, worlds=30),
    "mix-sac": Study("sac", MIX, 120_000, worlds=30),
    "mix-ppo": Study("ppo", MIX, 120_000, worlds=30),
    "paper-one-step-200k": Study("diffusion", ("paper",), 200_000, AS_IN_THE_PAPER),
    "paper-one-step-500k": Study("diffusion", ("paper",), 500_000, AS_IN_THE_PAPER),
}


def scenarios(study: Study) -> list[Scenario]:
    """The scenarios of a study, each once with each set of overrides."""
    return [Scenario.load(name, **overrides) for overrides in study.overrides for name in study.scenarios]


def label(scenario: Scenario) -> str:
    """A scenario by name, with the number of its stations where it has a choice of them."""
    return f"{scenario.name}, {scenario.stations.total()} stations"


def run_training(name: str, seed: int) -> Path:
    """Train or go on; the folder of the training."""
    study, folder = STUDIES[name], TRAININGS / f"{name}-s{seed}"
    if (folder / "finished").exists():
        return folder
    train(
        scenarios(study), study.policy, study.steps, seed, folder, resume=(folder / "last").exists(),
        evaluate_every=study.every, held_out=2, hyper=study.hyper,
    )  # fmt: skip
    (folder / "finished").touch()
    return folder


def surplus(scenario: Scenario, policy: str, world: int) -> float:
    """Surplus of a run of an hour, in `paper` of 10,000 rounds; a policy says itself what it sees."""
    market = scenario.market.model_copy(update={"information": None})
    own = scenario.model_copy(update={"market": market})
    duration = 10_000.0 if scenario.traffic.kind == "rounds" else scenario.duration_s
    return float(simulate(own, policy, seed=world, duration=duration).summary["surplus_total"])


def evaluate(name: str, seed: int | None) -> list[dict[str, Any]]:
    """Surplus in the evaluation worlds of a study: of one training, or of `conditional` and the rivals if None."""
    study = STUDIES[name]
    policies = {f"seed {seed}": f"{study.policy}:weights={TRAININGS / f'{name}-s{seed}'}"}
    if seed is None:
        policies = {policy: policy for policy in ("conditional", *(RIVALS if name == "mix-diffusion" else ()))}
    return [
        {"study": name, "scenario": label(scenario), "world": world, "policy": shown,
         "surplus": surplus(scenario, policy, world)}
        for scenario in scenarios(study)
        for world in range(EVALUATION_SEEDS, EVALUATION_SEEDS + study.worlds)
        for shown, policy in policies.items()
    ]  # fmt: skip


def results(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean ratio to `conditional` and half its 95 % interval, by study, scenario and policy.

    A policy that is trained has an interval over trainings (each its mean over worlds) and one over worlds (each its
    mean over trainings, paired with `conditional`'s surplus in the same world); a rule has only the second.
    """
    found = []
    for (study, scenario), part in rows.groupby(["study", "scenario"], sort=False):
        table = part.pivot_table(index="world", columns="policy", values="surplus")
        base = table.pop("conditional")
        trained = [column for column in table if str(column).startswith("seed ")]
        groups = {STUDIES[str(study)].policy: trained} if trained else {}
        groups |= {str(column): [column] for column in table if column not in trained}
        for policy, columns in groups.items():
            of_world = table[columns].mean(axis=1)
            ratio = float(of_world.sum() / base.sum())
            by_training = (table[columns].sum() / base.sum()).to_numpy()
            found.append(
                {
                    "study": study, "scenario": scenario, "policy": policy, "trainings": len(columns),
                    "worlds": len(base), "ratio": ratio,
                    "ci_trainings": half_width(by_training) if len(columns) > 1 else np.nan,
                    "ci_worlds": half_width((of_world - ratio * base).to_numpy()) / float(base.mean()),
                    "difference": float((of_world - base).mean()),
                    "difference_ci": half_width((of_world - base).to_numpy()),
                }
            )  # fmt: skip
    return pd.DataFrame(found)


def curves(names: list[str]) -> Iterator[dict[str, Any]]:
    """The evaluations during each training."""
    for name in names:
        for seed in SEEDS:
            path = TRAININGS / f"{name}-s{seed}" / "metrics.csv"
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ():
                if row["evaluation/ratio"]:
                    yield {"study": name, "seed": seed, "steps": int(row["steps"]), "seconds": float(row["seconds"]),
                           "ratio": float(row["evaluation/ratio"]), "entropy": row["policy/entropy"]}  # fmt: skip


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Studies; all if none is given.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes side by side.")] = 2,
) -> None:
    """Train what is missing, evaluate what is new, write the tables."""
    chosen = names or list(STUDIES)
    RESULTS.mkdir(parents=True, exist_ok=True)
    TRAININGS.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        trainings = {pool.submit(run_training, name, seed): (name, seed) for name in chosen for seed in SEEDS}
        evaluations: dict[Future[None], str] = {}
        for training in as_completed(trainings):
            name, seed = trainings[training]
            typer.echo(f"{training.result()}: trained")
            evaluations[pool.submit(_evaluated, name, seed)] = f"{name}, seed {seed}"
        evaluations |= {pool.submit(_evaluated, name, None): f"{name}, rules" for name in chosen}
        for evaluation in as_completed(evaluations):
            evaluation.result()
            typer.echo(f"{evaluations[evaluation]}: evaluated")
    tables = [pd.read_csv(path) for path in sorted(TRAININGS.glob("*.csv"))]
    rows = pd.concat(tables, ignore_index=True)
    order = {name: number for number, name in enumerate(STUDIES)}
    rows = rows.sort_values("study", key=lambda column: column.map(order), kind="stable")
    rows.round(4).to_csv(RESULTS / "worlds.csv", index=False)
    results(rows).round(5).to_csv(RESULTS / "results.csv", index=False)
    pd.DataFrame(curves(list(STUDIES))).round(5).to_csv(RESULTS / "curves.csv", index=False)
    typer.echo(results(rows).to_string(index=False))


def _evaluated(name: str, seed: int | None) -> None:
    """Evaluate once; the result stays beside the trainings."""
    path = TRAININGS / f"{name}-{'rules' if seed is None else f's{seed}'}.csv"
    if not path.exists():
        rows = pd.DataFrame(evaluate(name, seed))
        part = path.with_suffix(".part")
        rows.to_csv(part, index=False)
        part.rename(path)


if __name__ == "__main__":
    typer.run(main)
