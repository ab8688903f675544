"""Tables of a comparison for papers, in LaTeX and Markdown: with intervals, the best of each point in bold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.study.statistics import p_text
from simulator.study.tabulate import LOWER_IS_BETTER

if TYPE_CHECKING:
    import pandas as pd

BESIDE = {
    "surplus_mean": "surplus",
    "realised_mean": "realised surplus",
    "lost_share": "lost share",
    "failed_share": "failed share",
    "latency_mean": "latency, s",
}
"""Figures that stand next to the metric, and their heads."""

DIGITS = 4


def _cells(table: pd.DataFrame, metric: str, plus_minus: str, bold: Callable[[str], str]) -> list[list[str]]:
    """Return the cells of the table, heads first."""
    keys, others = [str(key) for key in table.index.names], [name for name in BESIDE if name != metric]
    rows = [[*keys, _head(metric), "ratio", "p", *map(_head, others)]]
    values = table[metric]
    points = values.groupby(level=keys[:-1], sort=False) if len(keys) > 1 else values.groupby(lambda _: 0)
    best = points.transform("min" if metric in LOWER_IS_BETTER else "max")
    for (key, row), first in zip(table.iterrows(), best, strict=True):

        def figure(name: str, row: pd.Series = row) -> str:
            """Return a figure with its interval."""
            width = row[f"{name}_ci"]
            return f"{row[name]:.{DIGITS}f}" + ("" if math.isnan(width) else f" {plus_minus} {width:.{DIGITS}f}")

        parts = [str(part) for part in (key if isinstance(key, tuple) else (key,))]
        p_value = p_text(row["p_corrected"])
        compared = figure(metric)
        rows.append(
            [
                *parts,
                bold(compared) if row[metric] == first else compared,
                figure("ratio") if p_value else f"{row['ratio']:.{DIGITS}f}",
                p_value,
                *map(figure, others),
            ]
        )
    return rows


def _head(figure: str) -> str:
    """Return the head of the column of a figure."""
    return BESIDE.get(figure, figure.replace("_", " "))


def markdown(table: pd.DataFrame, metric: str) -> str:
    """Return the table of a comparison in Markdown.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        metric: figure that was compared.
    """
    heads, *rows = _cells(table, metric, "±", "**{}**".format)
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---" if number < len(table.index.names) else "---:" for number in range(len(heads))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def latex(table: pd.DataFrame, metric: str) -> str:
    """Return the table of a comparison in LaTeX, for the package booktabs.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        metric: figure that was compared.
    """
    keys = len(table.index.names)
    heads, *rows = _cells(table, metric, "$\\pm$", "\\textbf{{{}}}".format)
    lines = [[_escaped(cell) for cell in heads]]
    lines += [[*map(_escaped, row[:keys]), *row[keys:]] for row in rows]
    head, *body = (" & ".join(line) + r" \\" for line in lines)
    columns = "l" * keys + "r" * (len(heads) - keys)
    return "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _escaped(text: str) -> str:
    """Return a text without characters that LaTeX takes for commands."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(mark, f"\\{mark}" if mark in "&%$#_{}" else mark) for mark in text)


PAPER_TABLES: dict[str, Callable[[pd.DataFrame, str], str]] = {"latex": latex, "markdown": markdown}
"""Makers of a table, by format."""
