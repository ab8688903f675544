"""Reproduction of the paper's figures and claims, as tables and drawings."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, nearest, need
from simulator.files import MANIFEST, check, replacing, writing
from simulator.files.reading import is_number, read_json
from simulator.study.cells import check_jobs
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
"""Function that draws the figure of a name from its table into a folder."""

TABLES: dict[str, Callable[[Workshop], pd.DataFrame]] = {
    "fig3": figures.fig3,
    "fig4": figures.fig4,
    "fig5": figures.fig5,
    "fig6": figures.fig6,
}
"""Functions that make the table of a figure, by the name of the figure."""


def reproduce(
    wanted: Sequence[str],
    scale: str = "quick",
    jobs: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
    draw: Draw | None = None,
    executor: Executor | None = None,
) -> Path:
    """Make figures of the paper, or the table of its claims with the sensitivity table.

    Trainings and runs are kept in a folder next to the results. An interrupted call continues from it, and another
    figure uses its trainings and runs.
    The folder keeps its other figures.

    Args:
        wanted: names of figures: `fig3`, `fig4`, `fig5`, `fig6`, or `claims`.
        scale: `quick` or `paper`.
        jobs: number of parallel processes.
        out: folder for the results; ``outputs/reproduce-SCALE`` if None.
        progress: function that is called when a piece of work is finished.
        draw: function that draws a figure from its table, such as `simulator.view.paper.draw`; if None, only tables
            are written.
        executor: what does the work in place of ``jobs`` processes of this machine. Its workers must share the folder
            that trainings are kept in.

    Returns:
        The folder. It holds ``about.json``, and ``figN.csv`` with what ``draw`` makes of it for each figure.
        ``claims`` adds ``claims.csv`` and ``sensitivity.csv``.

    Raises:
        InputError: a figure or scale does not exist, or a package is missing.
        OutputError: the folder cannot be written, holds something else, or another process makes it.
    """
    for name in wanted:
        if name not in FIGURES:
            raise InputError(f"figure: there is no '{name}'; {nearest(name, FIGURES)}")
    if scale not in SCALES:
        raise InputError(f"scale: must be quick or paper, not '{scale}'")
    check_jobs(jobs)
    need("scipy")
    need("torch")
    folder = Path(f"outputs/reproduce-{scale}") if out is None else out
    check(folder, force=True, kind=KIND)
    begin = time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    work = folder.with_name(f".{folder.name}.work-{scale}")
    with writing(work):
        workshop = Workshop(work, SCALES[scale], jobs, progress or (lambda what, done, total: None), executor)
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
    sweeps = figures.sweep_runs(workshop, figures.RETRAINED, rules)
    curves, panels = figures.learning_curves(workshop), figures.station_runs(workshop)
    found = claims(figures.base_runs(workshop), curves, panels, sweeps, variants)
    return {"sensitivity": variants, "claims": found}


def _note(folder: Path, scale: str, name: str, seconds: float, jobs: int) -> None:
    """Write down the settings and the minutes that a figure took; work that was done before takes no time."""
    path = folder / "about.json"
    known = _noted(path, {"scale": scale, "settings": SCALES[scale]._asdict()})
    known["dmsb"] = importlib.metadata.version("dmsb")
    spent = known["minutes"].get(name, 0.0) + seconds / 60
    known["jobs"], known["minutes"][name] = jobs, round(spent, 1)
    path.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _noted(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what was noted with these settings; nothing where the file is not as it was written."""
    try:
        known = read_json(path)
    except (OSError, ValueError):
        known = None
    minutes = known.get("minutes") if isinstance(known, dict) else None
    right = isinstance(minutes, dict) and all(map(is_number, minutes.values()))
    right = right and all(known.get(name) == value for name, value in settings.items())
    return known if right else {**settings, "minutes": {}}
