"""The picture and the page of an arena: welfare against messages, and what each system holds."""

from __future__ import annotations

import base64
import html
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simulator.errors import need
from simulator.record.summary import SUMMARY
from simulator.study.arena import INCENTIVES
from simulator.study.run_figures import EXTRA
from simulator.study.statistics import p_text
from simulator.view.figures import COLOURS, MARKS, METADATA, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

OUTCOMES = {
    "welfare": 1, "welfare_ci": 1, "ratio": 3, "ratio_ci": 3, "p_corrected": 3, "welfare_providers": 1,
    "welfare_vehicles": 1, "welfare_platform": 1, "payments": 1, "paid_by_providers": 1, "paid_by_vehicles": 1,
    "completed_share": 3, "lost": 1, "unserved": 1,
    "latency_mean": 3, "latency_p95": 3, "aomt_mean": 3, "aomt_peak": 3, "age_mean": 2, "jain": 3, "energy_j": 0,
    "messages": 2, "rounds": 2, "decision_s": 2, "cpu_s": 2,
}  # fmt: skip
"""Columns of the page's table of outcomes, with the digits after the point."""

P_VALUES = ("p_corrected", "selection_p")

SILENT = 0.5
"""Where a system without messages stands on the axis, which is logarithmic."""

CLOSE = 0.08
"""Distance of two marks, in powers of ten, below which their names are set together."""

MOST_NAMES = 8
"""Number of systems up to which their names stand next to the marks. Of more, numbers do, with a list of the names."""

FILLED = 5
"""Number of the first marks that can be filled or empty."""


def draw_arena(table: pd.DataFrame, path: Path | io.BytesIO, title: str, kind: str = ".png") -> None:
    """Draw the welfare of each system, divided by that of the first, against its messages.

    A mark says the family. It is filled if no misreport gained in the audit, and has a cross in it if somebody who
    told the truth lost.

    Args:
        table: the ``table`` of `simulator.study.arena.arena`.
        path: file to write.
        title: title of the figure.
        kind: ending of the file.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter

    families = list(dict.fromkeys(table["family"]))
    colours = {family: COLOURS[1 + number % (len(COLOURS) - 1)] for number, family in enumerate(families)}
    marks = {family: MARKS[number % FILLED] for number, family in enumerate(families)}
    with rc_context({"svg.hashsalt": "dmsb"}):
        listed = len(table) > MOST_NAMES
        figure = Figure(figsize=(9.5 if listed else 8.0, 5.8), layout="constrained")
        axes = figure.add_subplot()
        # Filled marks first: of two at one place, the one that a misreport gains in stays visible.
        for one in sorted(_marks(table), key=lambda mark: not mark.truthful):
            axes.errorbar(
                one.x, one.y, yerr=one.ci if math.isfinite(one.ci) else None, marker=marks[one.family],
                color=colours[one.family], markerfacecolor=colours[one.family] if one.truthful else "white",
                markersize=8, capsize=2, linewidth=0.8,
            )  # fmt: skip
            if one.loses:
                axes.plot(one.x, one.y, marker="x", color="black", markersize=6, zorder=5)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if listed:
            _list(axes, _marks(table))
        else:
            _name(axes, _marks(table))
            low, high = axes.get_xlim()
            axes.set_xlim(low, high * 3.0)  # names stand to the right of their marks
        axes.set_xlabel(f"messages per task ({SILENT:g} stands for none)")
        axes.set_ylabel(f"welfare divided by that of {table.index[0]}, 95 % interval")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        handles = [
            *(Line2D([], [], color=colours[one], marker=marks[one], linestyle="", label=one) for one in families),
            Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label="a misreport gains"),
            Line2D([], [], color="black", marker="x", linestyle="", label="the truth may lose"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)
        plain_text(figure)
        figure.savefig(path, format=kind[1:], dpi=150, metadata=METADATA[kind])


class _Mark(NamedTuple):
    """A system in the picture: where it stands, and what its mark says."""

    x: float
    y: float
    name: str
    ci: float
    family: str
    truthful: bool
    loses: bool


def _marks(table: pd.DataFrame) -> list[_Mark]:
    """Return the marks of systems, in the order of messages."""
    columns = (table[name].tolist() for name in ("messages", "ratio", "ratio_ci", "family", "gain_share", "loss_share"))
    return sorted(
        _Mark(max(float(x), SILENT), float(y), str(name), float(ci), str(family), gains == 0.0, loses > 0.0)
        for name, x, y, ci, family, gains, loses in zip(table.index, *columns, strict=True)
    )


def _list(axes: Axes, points: list[_Mark]) -> None:
    """Write a number next to each mark, in the order of welfare, and the names by number beside the picture."""
    ranked = sorted(points, key=lambda point: -point.y)
    numbers = {point.name: str(rank) for rank, point in enumerate(ranked, 1)}
    _name(axes, [point._replace(name=numbers[point.name]) for point in points])
    for rank, point in enumerate(ranked, 1):
        height = 1.0 - (rank - 0.5) / len(ranked)
        axes.annotate(
            f"{rank:>2}  {point.name}", (1.0, height), (8, 0), xycoords="axes fraction", textcoords="offset points",
            fontsize=min(7.5, 300 / len(ranked)), va="center", annotation_clip=False,
        )  # fmt: skip


def _name(axes: Axes, points: list[_Mark]) -> None:
    """Write the name of each system next to its mark. Names of marks that are close stand below one another."""
    low, high = axes.get_ylim()
    step = 0.034 * (high - low)
    groups: list[list[_Mark]] = []
    for point in points:
        if groups and math.log10(point.x / groups[-1][0].x) < CLOSE:
            groups[-1].append(point)
        else:
            groups.append([point])
    for group in groups:
        group.sort(key=lambda point: point.y)
        heights: list[float] = []
        for point in group:
            heights.append(max(point.y, heights[-1] + step) if heights else point.y)
        # Moved down together by half of what the last one was moved up.
        shift = 0.5 * (heights[-1] - group[-1].y)
        right = 1.12 * max(point.x for point in group)
        for point, height in zip(group, heights, strict=True):
            axes.annotate(
                point.name, (point.x, point.y), (right, height - shift), fontsize=7, va="center",
                arrowprops={"arrowstyle": "-", "linewidth": 0.3, "color": "grey"} if len(group) > 1 else None,
            )  # fmt: skip


def arena_page(table: pd.DataFrame, title: str, about: dict[str, str]) -> str:
    """Return the page of an arena: the picture, both tables, and the meaning of each column.

    Args:
        table: the ``table`` of `simulator.study.arena.arena`.
        title: title of the page.
        about: what each system is, by name.
    """
    picture = io.BytesIO()
    draw_arena(table, picture, title)
    image = base64.b64encode(picture.getvalue()).decode()
    outcomes = _table(table, OUTCOMES)
    incentives = _table(table, dict.fromkeys(INCENTIVES, 3))
    meanings = {
        "ratio": "welfare divided by that of the first system",
        "p_corrected": "p-value of the paired t test that the welfare is that of the first, corrected by Holm's method",
        "_ci": "half-width of the 95 % interval over worlds",
        **{name: ", ".join(filter(None, reversed(SUMMARY[name]))) for name in OUTCOMES if name in SUMMARY},
        **{name: EXTRA[name] for name in OUTCOMES if name in EXTRA},
        **INCENTIVES,
    }
    explained = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in meanings.items())
    claimed = {
        str(name): f"It claims: {text}." if text else "It claims nothing." for name, text in table["claims"].items()
    }
    systems = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(f'{about[name]}. {text}' if name in about else text)}</dd>"
        for name, text in claimed.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>"
        f'<img alt="Welfare of each system against its messages" src="data:image/png;base64,{image}">'
        f"<h2>Outcomes</h2><div class=wide>{outcomes}</div><h2>Incentives</h2><div class=wide>{incentives}</div>"
        f"<h2>Systems</h2><dl>{systems}</dl><h2>Columns</h2><dl>{explained}</dl></body></html>\n"
    )


STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;max-width:75rem;margin:1rem auto;padding:0 1rem}"
    "body{color:#111;background:#fff}"
    "img{max-width:100%}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}"
    "th,td{padding:.2rem .5rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:#fff}"
    "dt{font-weight:600}dd{margin:0 0 .4rem 1rem}"
)


def _table(table: pd.DataFrame, digits: dict[str, int]) -> str:
    """Return columns of a table as HTML, empty where a number is missing."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("system", *digits))
    rows = []
    for name, row in table.iterrows():
        cells = "".join(
            f"<td>{html.escape(p_text(row[column]) if column in P_VALUES else number(row[column], places))}</td>"
            for column, places in digits.items()
        )
        rows.append(f"<tr><td>{html.escape(str(name))}</td>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def number(value: float, digits: int) -> str:
    """Return a number as text, empty if it is missing.

    Args:
        value: the number.
        digits: digits after the point.
    """
    return "" if math.isnan(value) else f"{value:,.{digits}f}"
