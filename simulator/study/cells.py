"""Many runs, with a journal that lets an interrupted study continue."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from simulator.errors import InputError, shown
from simulator.study.executors import on_executor
from simulator.study.journal import Figures, open_journal
from simulator.study.processes import in_processes

CellT = TypeVar("CellT", bound=Hashable)

MOST_JOBS = 1_000
"""Largest number of parallel processes: a mistyped number does not start a million."""


def check_jobs(jobs: int) -> None:
    """Check a number of parallel processes.

    Raises:
        InputError: it is not a number of processes.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"jobs: must be a whole number from 1 to {MOST_JOBS:,}, not {shown(jobs)}")


def run_cells(
    work: Callable[[CellT], Figures],
    cells: Sequence[CellT],
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    journal: Path | None = None,
    fingerprint: str = "",
    world: Callable[[CellT], Hashable] | None = None,
    executor: Executor | None = None,
    names: Collection[str] = (),
) -> dict[CellT, Figures]:
    """Do the work of every cell.

    Args:
        work: function of a cell. With ``jobs`` > 1 it runs in other processes, so it and the cells must be picklable.
        cells: arguments of the calls of ``work``. Different cells must have different ``repr``.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished cells and the number of all cells.
        journal: file that keeps the results of finished cells. A cell whose result is in it is not done again.
        fingerprint: hash of all that results depend on apart from the cell. Results under another one are not used.
        world: function from a cell to its world. The cells of a world are done one after the other by one process, so
            that ``work`` can keep what they share. None if each cell is a world of its own.
        executor: what does the work in place of processes of this machine, such as a `concurrent.futures` pool or
            `simulator.study.cluster.cluster`.
        names: names of figures that each cell has. A cell of the journal without one of them is done again.

    Returns:
        The results by cell. What is not finite is NaN, as it is in a journal.

    Raises:
        OutputError: the journal cannot be written, or another process uses it.
        RunError: a worker was killed.
    """
    with open_journal(journal, fingerprint) as (known, note):
        known = {cell: figures for cell, figures in known.items() if figures.keys() >= {*names}}
        done = {cell: known[repr(cell)] for cell in cells if repr(cell) in known}
        left = [cell for cell in cells if cell not in done]
        worlds = _by_world(left, world)
        found = in_processes(work, worlds, jobs) if executor is None else on_executor(work, worlds, executor)
        # Closed at once if the journal or the progress fails: what has not begun is then given up.
        with closing(found):
            for cell, figures in found:
                done[cell] = {
                    name: float(value) if math.isfinite(value) else math.nan for name, value in figures.items()
                }
                note(repr(cell), done[cell])
                if progress is not None:
                    progress(len(done), len(cells))
    return done


def _by_world(cells: list[CellT], world: Callable[[CellT], Hashable] | None) -> list[list[CellT]]:
    """Return the cells of each world."""
    if world is None:
        return [[cell] for cell in cells]
    groups: dict[Hashable, list[CellT]] = {}
    for cell in cells:
        groups.setdefault(world(cell), []).append(cell)
    return list(groups.values())
