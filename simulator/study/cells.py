"""Many runs in parallel processes, with a journal that lets an interrupted study continue."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from simulator.errors import InputError, OutputError, RunError

if TYPE_CHECKING:
    from simulator.record.result import Result

CellT = TypeVar("CellT", bound=Hashable)

Figures = dict[str, float]
"""Results of a cell, by name."""


def figures_of(result: Result, warmup: float = 0.0) -> Figures:
    """Return the summary of a run, the surplus per task of each kind of winner, and the share of completed tasks.

    Args:
        result: the run.
        warmup: start of the summary, s; auctions before it do not count.
    """
    figures: Figures = {str(name): float(value) for name, value in result.summary.items()}
    auctions = result.auctions[(result.tasks["requested"] >= warmup).to_numpy()]
    # A run without tasks has no shares: NaN instead of a division by 0.
    tasks = figures["tasks"] or math.nan
    # Both are divided by the number of all tasks, so that the two add up to the mean surplus.
    for kind in ("ground", "uav"):
        figures[f"surplus_{kind}"] = float(auctions.loc[auctions["winner_kind"] == kind, "surplus"].sum()) / tasks
    figures["completed_share"] = figures["completed"] / tasks
    return figures


def run_cells(
    work: Callable[[CellT], Figures],
    cells: Sequence[CellT],
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    journal: Path | None = None,
    fingerprint: str = "",
) -> dict[CellT, Figures]:
    """Do the work of every cell.

    Args:
        work: function of a cell. With ``jobs`` > 1 it runs in other processes, so it and the cells must be picklable.
        cells: arguments of the calls of ``work``. Different cells must have different ``repr``.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished cells and the number of all cells.
        journal: file that keeps the results of finished cells. A cell whose result is in it is not done again.
        fingerprint: hash of all that results depend on apart from the cell. Another fingerprint empties the journal.

    Returns:
        The results by cell.

    Raises:
        OutputError: the journal cannot be written.
    """
    with _journal(journal, fingerprint) as (known, note):
        done = {cell: known[repr(cell)] for cell in cells if repr(cell) in known}
        left = [cell for cell in cells if cell not in done]
        for cell, figures in _work(work, left, jobs):
            done[cell] = figures
            note(repr(cell), figures)
            if progress is not None:
                progress(len(done), len(cells))
    return done


def _work(work: Callable[[CellT], Figures], cells: list[CellT], jobs: int) -> Iterator[tuple[CellT, Figures]]:
    """Yield each cell with its results, as soon as they are there."""
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            yield cell, work(cell)
        return
    # "spawn" and not "fork": a forked child can hang on the lock of a thread that it did not inherit.
    with ProcessPoolExecutor(min(jobs, len(cells)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, cell): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            # One cell failed, or somebody pressed Ctrl-C: cells that have not begun need not be done.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def _journal(
    path: Path | None, fingerprint: str
) -> Iterator[tuple[dict[str, Figures], Callable[[str, Figures], None]]]:
    """Give the results that a journal holds, and a function that adds one to it."""
    if path is None:
        yield {}, lambda cell, figures: None
        return
    known = _known(path, fingerprint)
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    with file:
        noted: list[str] = []

        def note(cell: str, figures: Figures) -> None:
            noted.append(cell)
            _write(file, {"cell": cell, "figures": {name: _number(value) for name, value in figures.items()}})

        _write(file, {"fingerprint": fingerprint})
        for cell, figures in known.items():
            note(cell, figures)
        try:
            yield known, note
        except (InputError, RunError):
            if not known and not noted:
                _forget(path, made)  # it would fail again: nothing is left behind
            raise


def _forget(path: Path, made: list[Path]) -> None:
    path.unlink(missing_ok=True)
    for parent in made:
        with contextlib.suppress(OSError):
            parent.rmdir()


def _known(path: Path, fingerprint: str) -> dict[str, Figures]:
    """Return the results by cell of a journal with this fingerprint, up to the first line that is damaged."""
    found: dict[str, Figures] = {}
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        if json.loads(first)["fingerprint"] != fingerprint:
            return {}
        for line in lines:
            row = json.loads(line)
            found[row["cell"]] = {
                name: math.nan if value is None else float(value) for name, value in row["figures"].items()
            }
    except (OSError, ValueError, KeyError, TypeError):
        pass  # what could be read up to here is known
    return found


def _write(file: IO[str], row: object) -> None:
    file.write(json.dumps(row) + "\n")
    file.flush()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
