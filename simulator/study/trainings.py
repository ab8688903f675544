"""Trainings of one policy by several seeds, side by side, and their learning curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import InputError, OutputError, need, shown
from simulator.files import check, replacing
from simulator.scenario.scenario import Scenario
from simulator.study.cells import check_jobs, run_cells
from simulator.study.journal import Figures
from simulator.study.parts import MOST_NAMED, Part
from simulator.study.statistics import half_width
from simulator.study.train import train
from simulator.study.training_files import RATIO, read_about, read_metrics
from simulator.study.training_folder import COLUMNS, METRICS, TRAINING

if TYPE_CHECKING:
    import pandas as pd

CURVE = "curve.csv"
CURVE_COLUMNS = ("steps", "trainings", "ratio", "ratio_ci")
"""Columns of the learning curve. The half-width of the 95 % interval is over trainings."""

MOST_TRAININGS = 1_000


@dataclass(frozen=True)
class _Training:
    """A training by its seed, as work for another process."""

    scenarios: Sequence[Scenario]
    policy: str | None
    steps: int
    out: Path
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, seed: int) -> Figures:
        """Train, or continue a training that is there."""
        folder = training_folder(self.out, seed)
        resume = (folder / TRAINING).is_file()
        train(self.scenarios, self.policy, self.steps, seed=seed, out=folder, resume=resume, **self.options)
        return {"seed": float(seed)}


def training_folder(out: Path, seed: int) -> Path:
    """Return the folder of one of several trainings."""
    return out / f"seed-{seed}"


def train_seeds(
    scenarios: Sequence[str | Scenario],
    policy: str | None,
    steps: int,
    seeds: int,
    out: Path,
    jobs: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Train a policy by the seeds 0 to ``seeds`` - 1, each in a folder of its own in ``out``.

    Args:
        scenarios: names of shipped scenarios, paths of scenario files, or `Scenario` objects.
        policy: name of a policy that has a method ``train``; None to train a mechanism.
        steps: number of environment steps of each training.
        seeds: number of trainings, 2 or more.
        out: folder of the trainings, and of the learning curve ``curve.csv``.
        jobs: number of parallel processes.
        resume: continue trainings that were interrupted, and begin those that are missing.
        progress: function that is called with the number of finished trainings and the number of all trainings.
        executor: what trains in place of ``jobs`` processes of this machine. Its workers must share the folder ``out``.
        options: further arguments of `simulator.study.train.train`.

    Returns:
        The learning curve: the mean over trainings of the surplus divided by that of `conditional`, in held-out worlds.

    Raises:
        InputError: an argument is wrong, or torch is not installed.
        OutputError: the folder exists, holds other trainings, or cannot be written.
    """
    _check_numbers(seeds, jobs)
    need("scipy")
    if not resume:
        if training_folder(out, 0).exists():
            raise OutputError(f"{out} exists already; go on with it (--resume), or name another")
        check(out)
    elif (out / TRAINING).is_file():
        raise OutputError(f"{out}: holds one training, not several; name another folder")
    elif out.exists() and not any(training_folder(out, seed).exists() for seed in range(seeds)):
        raise OutputError(f"{out}: holds no trainings to go on with; name another folder")
    # What cannot be written at the end is refused before hours of training.
    check(out / CURVE, force=True, foreign=_not_a_curve)
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    _check_begun(out, seeds, steps)
    run_cells(_Training(loaded, policy, steps, out, options), range(seeds), jobs, progress, executor=executor)
    return _write_curve(out, [training_folder(out, seed) for seed in range(seeds)])


def train_part(
    part: Part,
    scenarios: Sequence[str | Scenario],
    policy: str | None,
    steps: int,
    seeds: int,
    out: Path,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
    **options: Any,
) -> int:
    """Do one part of the trainings of `train_seeds`. Interrupted trainings continue.

    Args:
        part: the part.
        scenarios: names of shipped scenarios, paths of scenario files, or `Scenario` objects.
        policy: name of a policy that has a method ``train``; None to train a mechanism.
        steps: number of environment steps of each training.
        seeds: number of trainings of all parts together.
        out: folder of the trainings.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished trainings and the number of those of the part.
        executor: what trains in place of ``jobs`` processes of this machine.
        options: further arguments of `simulator.study.train.train`.

    Returns:
        The number of trainings of the part.

    Raises:
        InputError: an argument is wrong, or torch is not installed.
        OutputError: the folder holds other trainings, or cannot be written.
    """
    _check_numbers(seeds, jobs)
    part.check(seeds, "trainings")
    loaded = [Scenario.load(scenario) for scenario in scenarios]
    _check_begun(out, seeds, steps)
    chosen = part.of_all(seeds)
    run_cells(_Training(loaded, policy, steps, out, options), chosen, jobs, progress, executor=executor)
    return len(chosen)


def merge_trainings(out: Path, seeds: int, steps: int) -> pd.DataFrame:
    """Write the learning curve of trainings that several parts have done; return it.

    Args:
        out: folder of the trainings.
        seeds: number of trainings.
        steps: number of environment steps of each training.

    Raises:
        OutputError: a training is not finished, or the curve cannot be written.
    """
    folders = [training_folder(out, seed) for seed in range(seeds)]
    left = [seed for seed, folder in enumerate(folders) if not _is_finished(folder, steps)]
    if left:
        listed = ", ".join(map(str, left[:MOST_NAMED])) + (", ..." if len(left) > MOST_NAMED else "")
        raise OutputError(f"{out}: the trainings of seed {listed} are missing or not finished; run their parts again")
    first, *others = ({**read_about(folder / TRAINING), "seed": None} for folder in folders)
    for seed, about in enumerate(others, 1):
        differ = [name for name in first if about.get(name) != first[name]]
        if differ:
            raise OutputError(
                f"{out}: the trainings of seeds 0 and {seed} differ in {differ[0]}; run their parts again"
            )
    return _write_curve(out, folders)


def _is_finished(folder: Path, steps: int) -> bool:
    """Return whether a training has reached its last evaluation."""
    if not (folder / METRICS).is_file():
        return False
    found = evaluations(folder)
    return bool(found) and found[-1][0] >= steps


def _write_curve(out: Path, folders: Sequence[Path]) -> pd.DataFrame:
    found = curve_of(folders)
    with replacing(out / CURVE, force=True, foreign=_not_a_curve) as new:
        found.to_csv(new, index=False)
    return found


def _check_numbers(seeds: int, jobs: int) -> None:
    """Refuse a number of trainings or of processes.

    Raises:
        InputError: it is not one.
    """
    check_jobs(jobs)
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 2 <= seeds <= MOST_TRAININGS:
        raise InputError(f"seeds: must be a whole number from 2 to {MOST_TRAININGS:,}, not {shown(seeds)}")


def evaluations(folder: Path) -> list[tuple[int, float]]:
    """Return the evaluations of a training: steps, and surplus divided by that of `conditional` in held-out worlds.

    Args:
        folder: folder of the training.
    """
    rows = read_metrics(folder / METRICS, COLUMNS)
    return [(int(row["steps"]), float(row[RATIO])) for row in rows if row[RATIO]]


def _check_begun(out: Path, seeds: int, steps: int) -> None:
    """Refuse trainings that were begun with another number of steps, before any of them goes on.

    Raises:
        InputError: one of them was.
    """
    for seed in range(seeds):
        path = training_folder(out, seed) / TRAINING
        if path.is_file():
            known = read_about(path)
            if known.get("steps") != steps:
                raise InputError(f"{path.parent}: was begun with steps = {shown(known.get('steps'))}, not {steps}")


def curve_of(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the learning curve of some trainings, with the columns `CURVE_COLUMNS`.

    Args:
        folders: folders of the trainings.
    """
    import pandas as pd

    rows = []
    # Trainings are evaluated when an episode has ended, so the steps of their evaluations differ a little. The first
    # evaluation of each belongs together, then the second, and so on.
    for found in zip_longest(*(evaluations(folder) for folder in folders)):
        there = [one for one in found if one is not None]
        steps, ratios = np.array(there).T
        half = half_width(ratios) if len(there) > 1 else np.nan
        rows.append((round(float(steps.mean())), len(there), float(ratios.mean()), half))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def _not_a_curve(path: Path) -> str | None:
    """Return why a file is not a learning curve of this program; None if it is."""
    try:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, ValueError):
        first = ""
    return None if first == ",".join(CURVE_COLUMNS) else "it is not a learning curve of this program"
