"""Figures for papers: units on every axis, readable in grey."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.extras import need

if TYPE_CHECKING:
    import pandas as pd


def comparison(table: pd.DataFrame, path: Path, title: str) -> None:
    """A bar per policy: mean surplus of a task with its 95 % interval.

    Args:
        table: what `simulator.study.compare.compare` returns.
        path: where the PNG goes.
        title: what was compared.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib", "study")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 0.6 + 0.36 * len(table)), layout="constrained")
    axes = figure.subplots()
    ordered = table.sort_values("surplus_mean").fillna({"surplus_mean": 0.0, "surplus_mean_ci": 0.0})
    reference = table.index[0]
    shades = ["0.35" if policy == reference else "0.7" for policy in ordered.index]
    axes.barh(ordered.index.tolist(), ordered["surplus_mean"], color=shades, height=0.7)
    axes.errorbar(
        ordered["surplus_mean"],
        range(len(ordered)),
        xerr=ordered["surplus_mean_ci"],
        fmt="none",
        ecolor="black",
        elinewidth=1,
        capsize=3,
    )
    edge = float((ordered["surplus_mean"] + ordered["surplus_mean_ci"]).max())
    edge = edge if edge > 0.0 else 1.0  # nobody had any
    for position, (policy, row) in enumerate(ordered.iterrows()):
        note = "-" if math.isnan(row["ratio"]) else f"{row['ratio']:.3f}"
        note += "" if policy == reference or math.isnan(row["ratio_ci"]) else f" ± {row['ratio_ci']:.3f}"
        axes.text(edge * 1.02, position, note, va="center", fontsize=8)
    axes.set_xlim(0, edge * 1.2)
    figure.supxlabel(f"mean surplus of a task (bars: 95 % interval; right: ratio to {reference}, paired)", fontsize=9)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150)
