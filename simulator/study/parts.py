"""Parts of a comparison, for jobs that know nothing of each other, and how they are put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

from simulator.errors import InputError, OutputError, need
from simulator.scenario.scenario import Scenario
from simulator.study.cells import check_jobs, run_cells
from simulator.study.compare import Comparison, comparison_of
from simulator.study.design import Design
from simulator.study.journal import Figures, read_journal
from simulator.study.tabulate import FIGURES, metric_of

MOST_PARTS = 1_000_000

MOST_NAMED = 10
"""Largest number of missing parts that a message names."""


class Part(NamedTuple):
    """One of several parts of a study. Each has every ``of``-th world.

    Attributes:
        number: its number, from 1.
        of: number of parts.
    """

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Part:
        """Read a part that was typed, such as ``3/40``.

        Raises:
            InputError: it is not a part.
        """
        found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text.strip())
        part = cls(*map(int, found.groups())) if found else cls(0, 0)
        if not 1 <= part.number <= part.of <= MOST_PARTS:
            raise InputError(f"part {text}: must be its number and the number of parts, such as 3/40")
        return part

    @property
    def file(self) -> str:
        """Name of its file in the folder of the parts."""
        return f"{self.number}-of-{self.of}.jsonl"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @staticmethod
    def number_of(place: int, of: int) -> int:
        """Return the number of the part that a world belongs to.

        Args:
            place: number of the world, from 0.
            of: number of parts.
        """
        return place % of + 1

    def has(self, place: int) -> bool:
        """Return whether a world belongs to it.

        Args:
            place: number of the world, from 0.
        """
        return self.number_of(place, self.of) == self.number

    def of_all(self, count: int) -> list[int]:
        """Return the numbers that belong to it, of 0 to ``count`` - 1."""
        return [place for place in range(count) if self.has(place)]

    def check(self, count: int, what: str = "worlds") -> None:
        """Check that it has something to do.

        Args:
            count: number of all things of which the parts have some.
            what: what they are.

        Raises:
            InputError: there are more parts than things.
        """
        if self.of > count:
            raise InputError(f"part {self}: {count} {what} can be cut into {count} parts at most")


def compare_part(
    part: Part,
    folder: Path,
    scenario: str | Scenario,
    policies: Sequence[str],
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> int:
    """Do one part of a comparison, and keep its runs in a folder. An interrupted part continues.

    Args:
        part: the part.
        folder: folder of the parts.
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policies: the policies, as text.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished runs and the number of all runs of the part.
        executor: what does the runs in place of ``jobs`` processes of this machine.
        settings: further arguments of `simulator.study.design.Design`.

    Returns:
        The number of runs of the part.

    Raises:
        InputError: an argument is wrong.
        OutputError: the folder cannot be written.
        RunError: a policy or a mechanism failed during a run, or a worker was killed.
    """
    return run_part(Design(scenario, policies, **settings), part, folder, jobs, progress, executor)


def run_part(
    design: Design,
    part: Part,
    folder: Path,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> int:
    """Do one part of a comparison whose design is known; see `compare_part`."""
    check_jobs(jobs)
    part.check(len(design.points) * design.seeds)
    cells = [cell for cell in design.cells if part.has(design.place(cell))]
    journal = folder / part.file
    run_cells(design.work, cells, jobs, progress, journal, design.fingerprint, design.world, executor, FIGURES)
    return len(cells)


def merge(
    folder: Path, scenario: str | Scenario, policies: Sequence[str], metric: str = "surplus", **settings: Any
) -> Comparison:
    """Put the parts of a comparison together.

    Args:
        folder: folder of the parts.
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policies: the policies, as text.
        metric: figure that is compared with the first policy.
        settings: further arguments of `simulator.study.design.Design`.

    Returns:
        What `simulator.study.compare.compare` returns.

    Raises:
        InputError: an argument is wrong, or scipy or statsmodels is not installed.
        OutputError: parts are missing, not finished, or of another comparison.
    """
    need("scipy")
    need("statsmodels")
    figure = metric_of(metric)
    count = count_of(folder)
    design = Design(scenario, policies, **settings)
    known: dict[str, Figures] = {}
    for path in sorted(folder.glob(f"*-of-{count}.jsonl")):
        found = read_journal(path, design.fingerprint)
        known |= {cell: figures for cell, figures in found.items() if figures.keys() >= {*FIGURES}}
    missing = sorted({Part.number_of(design.place(cell), count) for cell in design.cells if repr(cell) not in known})
    if missing:
        named = ", ".join(map(str, missing[:MOST_NAMED])) + (", ..." if len(missing) > MOST_NAMED else "")
        what, are = ("part", "is") if len(missing) == 1 else ("parts", "are")
        raise OutputError(
            f"{folder}: {what} {named} of {count} {are} missing, not finished, or of another scenario, policy or "
            "version; run them again"
        )
    return comparison_of(design, {cell: known[repr(cell)] for cell in design.cells}, figure)


def count_of(folder: Path) -> int:
    """Return the number of parts that a study was cut into, by the names of the files in a folder.

    Raises:
        OutputError: there are none, or those of several studies.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        names = []
    counts = {
        int(found[1]) for name in names if (found := re.fullmatch(r"[1-9][0-9]*-of-([1-9][0-9]{0,6})\.jsonl", name))
    }
    if not counts:
        raise OutputError(f"{folder}: holds no parts of a study; make them with --part")
    if len(counts) > 1:
        listed = " and ".join(map(str, sorted(counts)))
        raise OutputError(f"{folder}: holds parts of a study in {listed} parts; keep those of one")
    return counts.pop()
