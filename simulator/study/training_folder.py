"""The folder of a training: what it is about, its metrics, the best weights; a kill at any moment loses nothing."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from simulator.errors import InputError, OutputError, PolicyError, need, shown
from simulator.files import MANIFEST, check, clear, discard, not_ours, replacing, writing
from simulator.study.journal import locked
from simulator.study.training_files import RATIO, read_about, read_metrics, read_steps

METRICS, TRAINING = "metrics.csv", "training.json"

LAST, DEPLOYED, BEST, TENSORBOARD = "last", "deployed", "best", "tensorboard"
"""Folders in a training's folder. The policy writes `deployed`, reports the checkpoint, and writes `last` after that.

So `last` is there only if all that belongs to it is, and what is newer than `last` is made once more.
"""

COLUMNS = (
    "steps", "seconds", "train/reward", "train/best_share", "train/regret",
    "evaluation/ratio", "evaluation/ratio_worst",
    "evaluation/surplus_mean", "evaluation/surplus_ground", "evaluation/surplus_uav",
    "loss/actor", "loss/critic", "policy/entropy", "policy/clipped",
)  # fmt: skip
"""Columns of metrics.csv; what a row does not say is empty."""

BEFORE = -1
"""Steps of the last evaluation while there was none."""

Progress = Callable[[dict[str, float]], None]


class TrainingFolder:
    """The folder of a training while it is written.

    Args:
        out: the folder.
        about: what the training depends on, as JSON has it; a training is resumed with the same only.
        evaluate: evaluates the weights in a folder.
        every: steps between evaluations, or the steps of the evaluations in ascending order.
        tensorboard: whether the metrics are written for TensorBoard too.
        progress: called with the metrics.
        last_is_best: whether the last weights are kept as the best, and not those with the highest ratio.
    """

    def __init__(
        self,
        out: Path,
        about: dict[str, Any],
        evaluate: Callable[[Path], dict[str, float]],
        every: int | Sequence[int],
        tensorboard: bool,
        progress: Progress | None,
        last_is_best: bool = False,
    ) -> None:
        self._last_is_best = last_is_best
        self._out, self._about = out, json.loads(json.dumps(about, allow_nan=False))
        self._evaluate, self._every, self._progress = evaluate, every, progress
        self._tensorboard = tensorboard
        self._writer: Any = None
        self._best, self._evaluated = -math.inf, BEFORE
        self._begin = time.monotonic()

    @contextlib.contextmanager
    def opened(self, resume: bool) -> Iterator[bool]:
        """Make or open the folder, and keep other processes from it; yield whether there is a checkpoint to go on from.

        Args:
            resume: whether to go on with the training that is there; one without a checkpoint begins again.

        Raises:
            InputError: the training that is there depends on something else.
            OutputError: the folder exists, holds no training, is in use, or cannot be written.
        """
        if self._tensorboard:
            need("tensorboard")
        if resume:
            self._check_about()
        else:
            self._make()
        with contextlib.ExitStack() as stack:
            with writing(self._out):
                stack.enter_context(locked(self._out))
            steps = self._rewind() if resume else None
            if self._tensorboard:
                from torch.utils.tensorboard import SummaryWriter

                purge = None if steps is None else steps + 1
                self._writer = SummaryWriter(str(self._out / TENSORBOARD), purge_step=purge)
            try:
                yield steps is not None
            except InputError:
                # Nothing has been trained: wrong input leaves nothing behind.
                if not resume and _is_begun(self._out) is None:
                    discard(self._out, _is_begun)
                raise
            finally:
                if self._writer is not None:
                    self._writer.close()

    def report(self, metrics: dict[str, float]) -> None:
        """Take metrics; at a checkpoint that is due, evaluate the deployed weights."""
        steps = int(metrics["steps"])
        if metrics.get("checkpoint"):
            if not self._is_due(steps):
                return
            metrics = metrics | self._evaluated_at(steps)
        row = metrics | {"seconds": round(time.monotonic() - self._begin, 1)}
        text = {name: f"{value:.6g}" if name != "steps" else str(steps) for name, value in row.items()}
        path = self._out / METRICS
        with writing(path), path.open("a", encoding="utf-8", newline="") as file:
            _rows(file).writerow(text)
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(name, value, steps)
        if self._progress is not None:
            self._progress(row)

    def end(self) -> None:
        """Evaluate the last weights if that has not been done.

        Raises:
            PolicyError: the policy has left no checkpoint.
        """
        steps = self._steps()
        if steps is None:
            kind = "policy" if "policy" in self._about else "mechanism"
            raise PolicyError(f"{kind} {self._about[kind]}: train() left no checkpoint {self._out / LAST}")
        if steps > self._evaluated:
            self._every = 1
            self.report({"steps": steps, "checkpoint": 1.0})

    def _is_due(self, steps: int) -> bool:
        """Say whether the weights at a checkpoint are to be evaluated."""
        # What is evaluated before the first step is where the curve begins.
        if self._evaluated == BEFORE and steps == 0:
            return True
        if isinstance(self._every, int):
            return steps - max(self._evaluated, 0) >= self._every
        return any(self._evaluated < point <= steps for point in self._every)

    def _make(self) -> None:
        """Make the folder with what there is before anything is trained."""
        out = self._out
        if (out / TRAINING).is_file():
            told = "go on with it" if (out / LAST).exists() else "it was cut off early, so begin it again"
            raise OutputError(f"{out} exists already; {told} (--resume), or name another")
        check(out)
        with replacing(out) as new:
            new.mkdir()
            (new / TRAINING).write_text(json.dumps(self._about, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            _write_rows(new / METRICS, [])

    def _check_about(self) -> None:
        known = read_about(self._out / TRAINING)
        both = known.keys() & self._about.keys()
        for key in [*self._about, *known]:
            if key not in both or known[key] != self._about[key]:
                was, given = shown(known.get(key)), shown(self._about.get(key))
                raise InputError(f"{self._out}: was begun with {key} = {was}, not {given}")

    def _rewind(self) -> int | None:
        """Forget what was written after the last checkpoint; return its steps, None if there is no checkpoint."""
        out = self._out
        with writing(out):
            clear(out.parent)
            clear(out)
        steps, rows = self._steps(), read_metrics(out / METRICS, COLUMNS)
        if steps is None:
            # A kill leaves one evaluation at most, so that nothing is lost if the training begins again.
            if sum(bool(row[RATIO]) for row in rows) > 1:
                raise OutputError(
                    f"{out}: its checkpoint {LAST} is gone, so it cannot go on; {BEST} has its best weights"
                )
            rows = []
        else:
            rows = [row for row in rows if int(row["steps"]) <= steps]
        ratios = [(int(row["steps"]), float(row[RATIO])) for row in rows if row[RATIO]]
        if ratios:
            self._best = max((ratio for _, ratio in ratios if not math.isnan(ratio)), default=-math.inf)
            self._evaluated = ratios[-1][0]
        self._begin -= float(rows[-1]["seconds"]) if rows else 0.0
        with replacing(out / METRICS, force=True, foreign=_not_metrics) as new:
            _write_rows(new, rows)
        return steps

    def _steps(self) -> int | None:
        """Return the steps of the checkpoint `last`, None if there is no checkpoint."""
        last = self._out / LAST
        if not last.exists():
            return None
        return read_steps(last / "meta.json")

    def _evaluated_at(self, steps: int) -> dict[str, float]:
        """Evaluate the deployed weights, and keep them if they are the best, or if the last ones are."""
        found = self._evaluate(self._out / DEPLOYED)
        # As it is written down: a training that is resumed must compare the same numbers.
        ratio = float(f"{found[RATIO]:.6g}")
        if self._last_is_best or ratio > self._best or not (self._out / BEST).exists():
            with replacing(self._out / BEST, force=True, kind="checkpoint") as new:
                # Without the manifest, which is written last, so that what a kill leaves does not look complete.
                shutil.copytree(self._out / DEPLOYED, new, ignore=shutil.ignore_patterns(MANIFEST))
            self._best = -math.inf if math.isnan(ratio) else ratio
        self._evaluated = steps
        return found


def _is_begun(place: Path) -> str | None:
    """Say what a training's folder holds besides what there is before the first checkpoint."""
    for entry in sorted(place.iterdir()):
        if entry.name == DEPLOYED:
            ours = not_ours(entry) is None
        elif entry.name == TENSORBOARD:
            ours = entry.is_dir() and all(one.name.startswith("events.") for one in entry.iterdir())
        else:
            ours = entry.name in (TRAINING, METRICS) and stat.S_ISREG(entry.lstat().st_mode)
        if not ours:
            return f"it holds {entry.name}"
    return None


def _not_metrics(path: Path) -> str | None:
    """Say why a file is not what a training writes; None if it is."""
    try:
        read_metrics(path, COLUMNS)
    except OutputError as error:
        return str(error)
    return None


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = _rows(file)
        writer.writeheader()
        writer.writerows(rows)


def _rows(file: Any) -> csv.DictWriter[str]:
    return csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
