"""Hash of the code and the scenarios that decide results, so that a study notices when they have changed."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
ELSEWHERE = ("cli", "view", "files", "study")
"""Folders of the package that do not decide what a run gives."""

USED = (
    "study/mechanism_training.py",
    "study/paper/rules.py",
    "study/paper/scenarios.py",
    "study/price_training.py",
    "study/run_figures.py",
    "study/seat_training.py",
    "study/train.py",
    "study/training_files.py",
    "study/training_folder.py",
    "study/training_tasks.py",
    "study/worlds.py",
)
"""Files in these folders that do: what runs, trainings and tuned rules are made by."""


@functools.cache
def results_code(training: bool = True) -> str:
    """Return a hash of the code and the shipped scenarios that decide what a run or a training gives.

    Args:
        training: whether code that needs PyTorch counts. It trains weights, and no run needs it.
    """
    own = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE]
    found = [*own, *(PACKAGE / name for name in USED)]
    for folder, kind in (("policies", "*.py"), ("scenarios", "*.yaml")):
        found += (PACKAGE.parent / folder).rglob(kind)
    texts = {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in found}
    about = hashlib.sha256()
    for name in sorted(texts):
        if training or b"import torch" not in texts[name]:
            about.update(name.encode() + b"\0" + texts[name] + b"\0")
    return about.hexdigest()
