"""Many runs side by side: in processes, with a journal from which a study that was cut off goes on."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from simulator.study.journal import Figures, open_journal

if TYPE_CHECKING:
    from simulator.record.result import Result

CellT = TypeVar("CellT", bound=Hashable)


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
        journal: a file to which finished cells are added at once; those that stand in it are not done again.
        fingerprint: what the figures depend on besides the cell; cells under another one are done again.

    Returns:
        The figures of each cell. What is not finite is NaN, as it is in a journal.

    Raises:
        OutputError: the journal cannot be written, or another process uses it.
    """
    with open_journal(journal, fingerprint) as (known, note):
        done = {cell: known[repr(cell)] for cell in cells if repr(cell) in known}
        left = [cell for cell in cells if cell not in done]
        for cell, figures in _work(work, left, jobs):
            done[cell] = {name: float(value) if math.isfinite(value) else math.nan for name, value in figures.items()}
            note(repr(cell), done[cell])
            if progress is not None:
                progress(len(done), len(cells))
    return done


def _work(work: Callable[[CellT], Figures], cells: list[CellT], jobs: int) -> Iterator[tuple[CellT, Figures]]:
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            yield cell, work(cell)
        return
    processes = min(jobs, len(cells))
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent) as pool:
        futures = {pool.submit(work, cell): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
