"""What the command shows a person: messages, bars on what takes long, and plain tables."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import one_line

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def note(message: str) -> None:
    """A message on stderr, on one line."""
    print(one_line(message), file=sys.stderr)  # noqa: T201


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a message, without the line of code that gave it."""
    note(f"warning: {message}")


@contextmanager
def bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """A bar for a person at a terminal, once two seconds have passed; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task(what, total=total, visible=False)
        begin = last = time.monotonic()

        def update(done: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last > 0.1:
                last = now
                progress.update(shown, completed=done, visible=now - begin > 2.0)

        yield update


@contextmanager
def training_bar(what: str, steps: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar with what was earned so far for a person at a terminal; elsewhere a line an evaluation."""
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    begin, shown = time.monotonic(), dict[str, float]()
    first: list[float] = []

    def text(metrics: dict[str, float]) -> str:
        shown.update(metrics)
        first.append(metrics["steps"]) if not first else None
        speed = (metrics["steps"] - first[0]) / max(time.monotonic() - begin, 1e-9)
        parts = [
            f"surplus {shown.get('train/surplus', float('nan')):.3f}",
            f"of the oracle's {shown.get('train/best_share', float('nan')):.3f}",
            f"ratio to conditional {shown.get('evaluation/ratio', float('nan')):.4f}",
            f"{speed:,.0f} steps/s",
        ]
        return ", ".join(parts)

    if not sys.stderr.isatty():

        def line(metrics: dict[str, float]) -> None:
            described = text(metrics)
            if "evaluation/ratio" in metrics:
                note(f"{what}: {metrics['steps']:,.0f} steps, {described}")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda metrics: progress.update(task, completed=metrics["steps"], description=f"{what}: {text(metrics)}")


@contextmanager
def steps_bar(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each kind of work, as it comes; elsewhere a line whenever a tenth of one is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():

        def line(kind: str, done: int, total: int) -> None:
            if done == total or 10 * done // total > 10 * (done - 1) // total:
                note(f"{what}: {done} of {total} {kind}")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        shown: dict[str, Any] = {}

        def update(kind: str, done: int, total: int) -> None:
            if kind not in shown:
                shown[kind] = progress.add_task(f"{what}, {kind}")
            progress.update(shown[kind], completed=done, total=total)

        yield update


def print_claims(path: Path) -> None:
    """The table of claims."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    heads = ("verdict", "claim", "paper", "measured")
    short = [{**row, "verdict": " ".join(row["verdict"].split()[:2])} for row in rows]
    print_rows(heads, [tuple(row[head] for head in heads) for row in short])


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def print_rows(
    heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], title: str | None = None, right: int = 99
) -> None:
    """A table without frames; columns from ``right`` on are numbers."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title) if title else None, title_justify="left", box=None, pad_edge=False)
    for position, head in enumerate(heads):
        table.add_column(head, justify="right" if position >= right else "left", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    _console().print(table)


def print_summary(summary: pd.Series, title: str) -> None:
    """The figures of a run, each with its unit and meaning."""
    from simulator.record.schema import SUMMARY

    rows = [(name, f"{summary[name]:,.4g}", unit, meaning) for name, (unit, meaning) in SUMMARY.items()]
    print_rows(("", "value", "", "meaning"), rows, title)


def print_comparison(table: pd.DataFrame, title: str) -> None:
    """What `compare` found: a row per policy and point of the grid."""
    keys = [str(key) for key in table.index.names]
    heads = (*keys, "surplus", "±", "ratio", "±", "p", "ground", "UAV", "by UAV", "latency", "p95", "paid", "done")
    rows = [
        (
            *(
                f"{part:g}" if isinstance(part, float) else str(part)
                for part in (key if isinstance(key, tuple) else (key,))
            ),
            f"{row['surplus_mean']:.4f}",
            f"{row['surplus_mean_ci']:.4f}",
            f"{row['ratio']:.4f}",
            f"{row['ratio_ci']:.4f}",
            "" if math.isnan(row["p_corrected"]) else f"{row['p_corrected']:.3f}",
            f"{row['surplus_ground']:.3f}",
            f"{row['surplus_uav']:.3f}",
            f"{row['uav_share']:.3f}",
            f"{row['latency_mean']:.2f}",
            f"{row['latency_p95']:.2f}",
            f"{row['payments']:,.0f}",
            f"{row['completed_share']:.3f}",
        )
        for key, row in table.iterrows()
    ]
    print_rows(heads, rows, title, right=len(keys))
