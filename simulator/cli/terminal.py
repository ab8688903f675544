"""Output for a person: messages, progress bars, and plain tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import one_line
from simulator.study.training_files import RATIO

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from simulator.scenario.scenario import Scenario
    from simulator.traffic.recording import Recording

GAP = 2
"""Blanks between two columns of a table."""

COMPARED: dict[str, tuple[str, str, int, bool]] = {
    "surplus": ("surplus_mean", "mean surplus per task, valued when its auction settled", 4, True),
    "realised": (
        "realised_mean",
        "mean surplus per task at actual latency and accuracy; lost tasks have no value",
        4,
        True,
    ),
    "lost": ("lost_share", "share of the tasks that were lost", 4, False),
    "failed": ("failed_share", "share of the tasks that were lost or that nobody served", 4, False),
    "latency": ("latency_mean", "mean latency of completed tasks, s", 2, False),
    "p95": ("latency_p95", "95th percentile of the latency of completed tasks, s", 2, False),
    "ground": ("surplus_ground", "part of the surplus from tasks that ground stations won", 3, False),
    "UAV": ("surplus_uav", "part of the surplus from tasks that UAVs won", 3, False),
    "by UAV": ("uav_share", "share of the tasks that UAVs won", 3, False),
    "paid": ("payments", "sum of the payments of a run", 0, True),
    "done": ("completed_share", "share of the tasks that were completed", 3, False),
}
"""Columns of the table of a comparison: figure, meaning, digits, and whether its interval is shown."""

INTERVAL = "half-width of the 95 % interval over worlds"
SHARED_TRAFFIC = "; all worlds have the recorded vehicles, so it says nothing about other traffic"


def note(message: str) -> None:
    """Print a message on stderr, on one line."""
    print(one_line(message), file=sys.stderr)  # noqa: T201


def tell_part(shown: tuple[float, float], asked: tuple[float, float]) -> None:
    """Print a line about the part of a run that a page shows in detail, if that is less than what was asked for.

    Args:
        shown: beginning and end of what it shows, s.
        asked: beginning and end of what was asked for, s.
    """
    if shown[1] < asked[1]:
        note(
            f"{asked[0]:g} to {asked[1]:g} s do not fit into a page that opens at once: it shows {shown[0]:g} to "
            f"{shown[1]:g} s in detail, and counts and means of the entire run; `dmsb report RUN_DIR --from S --to S` "
            "chooses another part"
        )


def tell_recording(scenario: Scenario, recording: Recording | None = None) -> None:
    """Print a line about the recording of a scenario: its ranges, and where the stations stand.

    Other traffic has none, and a shipped recording has been looked at.

    Args:
        scenario: the scenario.
        recording: its recording; None to read it.
    """
    from simulator.providers.fleet import Fleet
    from simulator.scenario.shipped import SHIPPED
    from simulator.traffic.scenario_recording import recording_of
    from simulator.world.fitting import describe, stand

    if scenario.traffic.kind == "recorded" and not scenario.traffic.file.startswith(SHIPPED):
        read = recording_of(scenario.traffic) if recording is None else recording
        note(f"recording: {describe(read)}; {stand(Fleet(scenario))}")


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as a message, once, without the line of code that gave it."""
    text = str(message)
    if text not in _WARNED:
        _WARNED.add(text)
        note(f"warning: {text}")


_WARNED: set[str] = set()
"""Warnings that have been printed. A comparison reads a recording once per policy, and warns each time."""


_RESULTS: list[Path] = []
"""Paths of what the command has written."""


def print_result(path: Path) -> None:
    """Print the path of what was written, which is the last line of the command."""
    _RESULTS.append(path)
    print(path)  # noqa: T201


def where_it_is() -> str:
    """Return a clause that names what was written; empty if nothing was."""
    return f"; the result is in {_RESULTS[-1]}" if _RESULTS else ""


@contextmanager
def bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a progress bar at a terminal after two seconds; show nothing if stderr is not a terminal."""
    # Bars are drawn on stderr: stdout has only results, and can be piped into another program.
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # Transient: when the work is done the bar disappears, and only results stay on the screen.
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task(what, total=total, visible=False)
        begin = last = time.monotonic()

        def update(done: float) -> None:
            nonlocal last
            now = time.monotonic()
            # Ten times a second: a run reports thousands of auctions per second, and drawing would slow it down.
            if now - last > 0.1:
                last = now
                progress.update(shown, completed=done, visible=now - begin > 2.0)

        yield update


@contextmanager
def training_bar(what: str, steps: int, reference: str) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show a progress bar with the latest metrics at a terminal; else print one line per evaluation.

    Args:
        what: what is trained.
        steps: number of environment steps in all.
        reference: policy to which an evaluation is the ratio.
    """
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    begin, shown = time.monotonic(), dict[str, float]()
    first: list[float] = []

    def text(metrics: dict[str, float]) -> str:
        shown.update(metrics)
        # A resumed training begins at a later step, which must not count as speed.
        first.append(metrics["steps"]) if not first else None
        speed = (metrics["steps"] - first[0]) / max(time.monotonic() - begin, 1e-9)
        known = {
            "train/reward": "reward {:.3f}",
            "train/best_share": "share of the best surplus {:.3f}",
            RATIO: f"ratio to {reference} {{:.4f}}",
        }
        parts = [told.format(shown[name]) for name, told in known.items() if name in shown]
        return ", ".join([*parts, f"{speed:,.0f} steps/s"])

    if not sys.stderr.isatty():

        def line(metrics: dict[str, float]) -> None:
            # A log gets a line per evaluation. Metrics of updates come far more often, and are only remembered.
            described = text(metrics)
            if RATIO in metrics:
                note(f"{what}: {metrics['steps']:,.0f} steps, {described}")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda metrics: progress.update(task, completed=metrics["steps"], description=f"{what}: {text(metrics)}")


@contextmanager
def steps_bar(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar per kind of work at a terminal; else print a line for each tenth that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():

        def line(kind: str, done: int, total: int) -> None:
            # The number of finished tenths has grown.
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
    """Print the table of claims.

    Args:
        path: file of the table, ``claims.csv``.
    """
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    heads = ("verdict", "claim", "paper", "measured")
    print_rows(heads, [tuple(row[head] for head in heads) for row in rows])


def _console() -> Console:
    """Return the console for tables: as wide as the terminal; in a pipe as COLUMNS says, else 120 columns."""
    from rich.console import Console

    # Without COLUMNS a fixed width: the output in a file does not depend on the machine.
    asked = os.environ.get("COLUMNS", "")
    piped = max(int(asked), 40) if asked.isdecimal() else 120
    return Console(highlight=False, width=None if sys.stdout.isatty() else piped)


def print_rows(
    heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], title: str | None = None, right: int = 99
) -> None:
    """Print a table without frames.

    Args:
        heads: heads of the columns.
        rows: cells of each row.
        title: title of the table.
        right: number of the first column of numbers; all columns from it on hold numbers.
    """
    from rich.markup import escape
    from rich.table import Table

    # Cells are escaped: a policy or a file can have a name such as "[bold]", which rich would take for an instruction.
    console = _console()
    for number, part in enumerate(_parts(heads, rows, right, console.width)):
        if number:
            console.print()
            title = None
        table = Table(title=escape(printable(title)) if title else None, title_justify="left", box=None, pad_edge=False)
        for position in part:
            widest = max(len(row[position]) for row in (heads, *rows))
            # Names in the first column stay on one line, unless they would take the room of the other columns.
            table.add_column(
                escape(heads[position]),
                justify="right" if position >= right else "left",
                no_wrap=position >= right or (position == 0 and widest <= console.width / 3),
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(escape(printable(row[position])) for position in part))
        console.print(table)


def _parts(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: int, width: int) -> Iterator[list[int]]:
    """Yield the columns of each part of a table: the keys, and as many numbers as fit next to them."""
    # One wide table would be cut: rich shortens a number to "0.…" where it has no room. Keys can be folded.
    keys = list(range(min(right, len(heads))))
    needed = [max(len(row[column]) for row in (heads, *rows)) + GAP for column in range(len(heads))]
    room = width + GAP - min(sum(needed[:right]), width // 2)
    part: list[int] = []
    for column in range(right, len(heads)):
        if heads[column] == "±":
            continue  # a half-width stands with the figure before it
        figure = [column, column + 1] if heads[column + 1 : column + 2] == ("±",) else [column]
        if part and sum(needed[one] for one in (*part, *figure)) > room:
            yield [*keys, *part]
            part = []
        part += figure
    yield [*keys, *part]


def printable(text: str) -> str:
    """Return a text without what a terminal would take for a command, such as an escape sequence in a name."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def print_summary(summary: pd.Series, title: str) -> None:
    """Print the summary of a run, each figure with its unit and meaning."""
    from simulator.record.summary import SUMMARY

    rows = [(name, f"{summary[name]:,.4g}", unit, meaning) for name, (unit, meaning) in SUMMARY.items()]
    print_rows(("figure", "value", "unit", "meaning"), rows, title)


def print_comparison(table: pd.DataFrame, title: str, metric: str, shared_traffic: bool, notes: Sequence[str]) -> None:
    """Print the table of a comparison, with the meaning of its columns.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        title: title of the table.
        metric: figure that was compared, as a column of the table.
        shared_traffic: whether all worlds have the same recorded traffic.
        notes: sentences below the table.
    """
    from simulator.record.summary import SUMMARY
    from simulator.study.statistics import p_text

    named = {figure: name for name, (figure, *_) in COMPARED.items()}
    first = named.get(metric, metric)
    columns = {first: COMPARED.get(first, (metric, SUMMARY.get(metric, ("", metric))[1], 4, True))} | COMPARED
    keys = [str(key) for key in table.index.names]
    heads, meanings = list(keys), list[tuple[str, str]]()
    for number, (name, (_, meaning, _, has_interval)) in enumerate(columns.items()):
        heads += [name, "±"] if has_interval else [name]
        meanings.append((name, meaning))
        if number == 0:
            heads += ["ratio", "±", "p"]
            meanings += [
                ("ratio", f"{name} divided by that of the first policy"),
                ("p", f"p-value of the paired t test that both have the same {name}, corrected by Holm's method"),
            ]
    meanings.append(("±", INTERVAL + (SHARED_TRAFFIC if shared_traffic else "")))
    rows = []
    for key, row in table.iterrows():
        cells = [f"{part:g}" if isinstance(part, float) else str(part) for part in _parts_of(key)]
        for number, (figure, _, digits, has_interval) in enumerate(columns.values()):
            cells.append(f"{row[figure]:,.{digits}f}")
            cells += [f"{row[figure + '_ci']:,.{digits}f}"] if has_interval else []
            if number == 0:
                # The first policy is not compared with itself.
                cells += [f"{row['ratio']:.4f}", f"{row['ratio_ci']:.4f}", p_text(row["p_corrected"])]
        rows.append(tuple(cells))
    print_rows(tuple(heads), rows, title, right=len(keys))
    for sentence in notes:
        print()  # noqa: T201
        _console().print(printable(sentence), markup=False)
    print()  # noqa: T201
    print_rows(("column", "meaning (mean over worlds)"), meanings)


def _parts_of(key: object) -> tuple[object, ...]:
    """Return the parts of a key of a table with one level or several."""
    return key if isinstance(key, tuple) else (key,)
