"""`dmsb reproduce`: the paper's figures and claims, written as CSV and drawn."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import InputError, nearest, need
from simulator.files import MANIFEST, check, replacing, writing
from simulator.study.compare import MOST_JOBS
from simulator.study.journal import locked
from simulator.study.paper import figures
from simulator.study.paper.claims import claims
from simulator.study.paper.plan import FIGURES, SCALES
from simulator.study.paper.runs import Progress, Workshop

if TYPE_CHECKING:
    import pandas as pd

KIND = "reproduction"
"""Kind of the folder of figures in its manifest."""

Draw = Callable[[str, "pd.DataFrame", Path], None]
"""Draws a figure by name from its table into a folder."""

TABLES: dict[str, Callable[[Workshop], pd.DataFrame]] = {
    "fig3": figures.fig3,
    "fig4": figures.fig4,
    "fig5": figures.fig5,
    "fig6": figures.fig6,
}


def reproduce(
    wanted: Sequence[str],
    scale: str = "quick",
    jobs: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
    draw: Draw | None = None,
) -> Path:
    """Make some of the paper's figures, or its claims with the sensitivity table.

    What is done is kept next to the folder, so that a call that was cut off goes on, and another figure uses it.
    The folder keeps its other figures.

    Args:
        wanted: `fig3`, `fig4`, `fig5`, `fig6`, `claims`.
        scale: `quick` or `paper`.
        jobs: processes side by side.
        out: the folder; ``outputs/reproduce-SCALE`` if None.
        progress: told of what is done.
        draw: draws a figure from its table, such as `simulator.view.paper.draw`; tables only if None.

    Returns:
        The folder: ``figN.csv`` and what ``draw`` makes of it; ``claims.csv`` and ``sensitivity.csv``; ``about.json``.

    Raises:
        InputError: a figure or scale does not exist, or a package is missing.
        OutputError: the folder cannot be written, holds something else, or another process makes it.
    """
    for name in wanted:
        if name not in FIGURES:
            raise InputError(f"figure: there is no '{name}'; {nearest(name, FIGURES)}")
    if scale not in SCALES:
        raise InputError(f"scale: must be quick or paper, not '{scale}'")
    if not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"jobs: must be a whole number from 1 to {MOST_JOBS:,}, not {jobs}")
    need("scipy", "study")
    need("torch", "learn")
    folder = Path(f"outputs/reproduce-{scale}") if out is None else out
    check(folder, force=True, kind=KIND)
    begin = time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    work = folder.with_name(f".{folder.name}.work-{scale}")
    with writing(work):
        workshop = Workshop(work, SCALES[scale], jobs, progress or (lambda what, done, total: None))
        with locked(work):
            for name in dict.fromkeys(wanted):
                tables = _claims(workshop) if name == "claims" else {name: TABLES[name](workshop)}
                with replacing(folder, force=True, kind=KIND) as new:
                    _copy(folder, new)
                    for stem, table in tables.items():
                        table.round(5).to_csv(new / f"{stem}.csv", index=False)
                        if draw is not None and name != "claims":
                            draw(stem, table, new)
                    _note(new, scale, name, time.monotonic() - begin, jobs)
                begin = time.monotonic()
    return folder


def _copy(folder: Path, new: Path) -> None:
    """Copy the figures that are there already."""
    if folder.exists():
        shutil.copytree(folder, new, ignore=shutil.ignore_patterns(MANIFEST))
    else:
        new.mkdir()


def _claims(workshop: Workshop) -> dict[str, pd.DataFrame]:
    variants = figures.sensitivity(workshop)
    rules = dict.fromkeys((*figures.FIG_5_RULES, *figures.FIG_6_RULES))
    sweeps = figures.sweep_runs(workshop, ["dmsb", "ppo"], rules)
    found = claims(figures.base_runs(workshop), figures.fig3(workshop), figures.fig4(workshop), sweeps, variants)
    return {"sensitivity": variants, "claims": found}


def _note(folder: Path, scale: str, name: str, seconds: float, jobs: int) -> None:
    """What was run, and how long it took; what had been done before took no time."""
    path = folder / "about.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    settings = SCALES[scale]._asdict()
    if known.get("scale") != scale or known.get("settings") != settings:
        known = {"scale": scale, "settings": settings, "minutes": {}}
    known["dmsb"] = importlib.metadata.version("dmsb")
    spent = known["minutes"].get(name, 0.0) + seconds / 60
    known["jobs"], known["minutes"][name] = jobs, round(spent, 1)
    path.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")
