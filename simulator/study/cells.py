"""Many runs side by side: in processes, with a journal from which a study that was cut off goes on."""

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
"""What a cell is about, by name."""


def figures_of(result: Result, warmup: float = 0.0) -> Figures:
    """The summary of a run, the surplus a task of each kind of winner, and the share of tasks that were completed."""
    figures: Figures = {str(name): float(value) for name, value in result.summary.items()}
    auctions = result.auctions[result.auctions["time"] >= warmup]
    tasks = figures["tasks"] or math.nan
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
        work: done for each cell; where ``jobs`` > 1 in another process, so that it and the cells must pickle.
        cells: what is worked on; each is told from the others by its ``repr``.
        jobs: processes side by side.
        progress: called with (cells done, cells in all).
        journal: a file to which finished cells are written at once; those that stand in it are not done again.
        fingerprint: what the figures depend on besides the cell; a journal with another one is begun anew.

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
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            yield cell, work(cell)
        return
    with ProcessPoolExecutor(min(jobs, len(cells)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, cell): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def _journal(
    path: Path | None, fingerprint: str
) -> Iterator[tuple[dict[str, Figures], Callable[[str, Figures], None]]]:
    """What a journal knows, and how to add to it."""
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
    """The cells of a journal with this fingerprint; a last line that was cut off is left out."""
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
