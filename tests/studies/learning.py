"""What the learners reach: trainings by several seeds, evaluated in worlds that no training has seen.

``python -m tests.studies.learning [NAME ...] [--jobs N]`` trains under ``outputs/learning/``, going on where it was cut
off, and adds to ``docs/learning/``: ``curves.csv`` (held-out ratio by steps), ``worlds.csv`` (surplus of each training
and of `conditional` in each evaluation world), ``results.csv`` (mean ratio and interval) and ``curves.png``. What is
in ``worlds.csv`` is not run again: take its rows out to have it repeated.
"""

from __future__ import annotations

import csv
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer

from simulator.run import simulate
from simulator.scenario.scenario import Scenario
from simulator.study.statistics import half_width, ratio_of_means
from simulator.study.train import train
from simulator.view.figures import COLOURS, DASHES, MARKS

TRAININGS, RESULTS = Path("outputs/learning"), Path("docs/learning")

SEEDS = (0, 1, 2)
EVALUATION_SEEDS = 500
"""Evaluation worlds have the seeds from here on; checkpoints are chosen in others, from 1e9 on."""

JUNCTIONS = ("four_way", "rush_hour", "braunschweig")
RIVALS = ("random", "greedy", "spa", "myopic", "optimal")
"""Evaluated beside the first mix."""


class Study(NamedTuple):
    """One row of the table of results: what is trained, and where it is evaluated."""

    policy: str
    scenarios: tuple[str, ...]
    steps: int
    hyper: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    overrides: tuple[dict[str, Any], ...] = ({},)
    worlds: int = 4
    every: int = 25_000
    held_out: int = 2


MIX = ("paper", *JUNCTIONS)
AS_IN_THE_PAPER = {"hindsight": False}
EVALUATION_OF_MIXES: dict[str, Any] = {"worlds": 24, "every": 10_000, "held_out": 8}
"""More worlds than elsewhere: at junctions a world's luck outweighs what one checkpoint has over the next."""

STATIONS = tuple({"stations.count": count} for count in range(3, 10))

STUDIES: dict[str, Study] = {
    "paper-hindsight": Study("diffusion", ("paper",), 50_000, every=5_000),
    "paper-all-bids": Study("diffusion", ("paper",), 200_000, overrides=({"market.information": "all-bids"},)),
    "paper-masked": Study("diffusion", ("paper",), 200_000, overrides=({"market.information": "masked"},)),
    "paper-3-to-9-stations": Study("diffusion", ("paper",), 100_000, overrides=STATIONS),
    "mix-diffusion": Study("diffusion", MIX, 120_000, {"update_every": 8}, **EVALUATION_OF_MIXES),
    "mix-sac": Study("sac", MIX, 120_000, {"update_every": 8, "n_step": 4}, **EVALUATION_OF_MIXES),
    "mix-ppo": Study("ppo", MIX, 120_000, {"gae_lambda": 0.8}, **EVALUATION_OF_MIXES),
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
        evaluate_every=study.every, held_out=study.held_out, hyper=study.hyper,
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
        if "conditional" not in table:
            continue  # nothing to compare with yet
        base = table.pop("conditional")
        trained = [column for column in table if str(column).startswith("seed ")]
        groups = {STUDIES[str(study)].policy: trained} if trained else {}
        groups |= {str(column): [column] for column in table if column not in trained}
        for policy, columns in groups.items():
            of_world = table[columns].mean(axis=1)
            ratio, ratio_ci = ratio_of_means(of_world.to_numpy(), base.to_numpy())
            by_training = (table[columns].sum() / base.sum()).to_numpy()
            found.append(
                {
                    "study": study, "scenario": scenario, "policy": policy, "trainings": len(columns),
                    "worlds": len(base), "ratio": ratio,
                    "ci_trainings": half_width(by_training) if len(columns) > 1 else np.nan,
                    "ci_worlds": ratio_ci,
                    "difference": float((of_world - base).mean()),
                    "difference_ci": half_width((of_world - base).to_numpy()),
                }
            )  # fmt: skip
    return pd.DataFrame(found)


def curve(name: str, seed: int) -> list[dict[str, Any]]:
    """The evaluations during a training."""
    rows = csv.DictReader((TRAININGS / f"{name}-s{seed}" / "metrics.csv").read_text(encoding="utf-8").splitlines())
    return [
        {"study": name, "seed": seed, "steps": int(row["steps"]), "seconds": float(row["seconds"]),
         "ratio": float(row["evaluation/ratio"])}
        for row in rows
        if row["evaluation/ratio"]
    ]  # fmt: skip


def figure(curves: pd.DataFrame, path: Path) -> None:
    """Held-out ratio to `conditional` by steps: a panel a study, a line a training."""
    from matplotlib.figure import Figure

    names = [name for name in STUDIES if name in set(curves["study"])]
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    drawn = Figure(figsize=(3.2 * columns, 2.2 * rows), layout="constrained")
    panels = drawn.subplots(rows, columns, squeeze=False, sharey=True)
    for panel in panels.flat[len(names) :]:
        panel.set_visible(False)
    for letter, panel, name in zip("abcdefghijklmnopqrstuvwxyz", panels.flat, names, strict=False):
        for number, (seed, part) in enumerate(curves[curves["study"] == name].groupby("seed")):
            panel.plot(
                part["steps"] / 1000, part["ratio"], color=COLOURS[number], linestyle=DASHES[number],
                marker=MARKS[number], markersize=3, linewidth=1, label=f"training of seed {seed}",
            )  # fmt: skip
        panel.axhline(1.0, color="0.5", linewidth=0.8, zorder=0, label="conditional")
        panel.set_title(f"({letter}) {name}", fontsize=9, loc="left")
        panel.set_xlim(left=0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_ylim(0.9, 1.03)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    drawn.legend(handles, labels, frameon=False, fontsize=8, loc="outside upper center", ncols=4)
    drawn.supxlabel("environment steps, thousands", fontsize=9)
    drawn.supylabel("ratio to conditional", fontsize=9)
    drawn.savefig(path, dpi=150)


def run(name: str, seed: int | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Train and evaluate one seed of a study, or evaluate the rules if None: rows of worlds, and of the curve."""
    if seed is None:
        return evaluate(name, None), []
    run_training(name, seed)
    return evaluate(name, seed), curve(name, seed)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Studies; all if none is given.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes side by side.")] = 2,
) -> None:
    """Train and evaluate what is missing; the tables are written after each part."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    TRAININGS.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    known = {(row.study, row.policy) for row in _read("worlds").itertuples()}
    cells = [
        (name, seed)
        for name in names or list(STUDIES)
        for seed in (None, *SEEDS)
        if (name, "conditional" if seed is None else f"seed {seed}") not in known
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run, *cell): cell for cell in cells}
        for future in as_completed(futures):
            worlds, curves = future.result()
            _add("worlds", worlds)
            _add("curves", curves)
            typer.echo(f"{futures[future]}: done")
    found = results(_read("worlds"))
    found.round(5).to_csv(RESULTS / "results.csv", index=False)
    figure(_read("curves"), RESULTS / "curves.png")
    typer.echo(found.to_string(index=False))


def _read(table: str) -> pd.DataFrame:
    path = RESULTS / f"{table}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["study", "policy", "seed"])


def _add(table: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to a table, in the order of the studies."""
    if not rows:
        return
    both = pd.concat([part for part in (_read(table), pd.DataFrame(rows)) if len(part)], ignore_index=True)
    order = {name: number for number, name in enumerate(STUDIES)}
    both = both.sort_values("study", key=lambda column: column.map(order), kind="stable")
    both.round(4).to_csv(RESULTS / f"{table}.csv", index=False)


if __name__ == "__main__":
    typer.run(main)
