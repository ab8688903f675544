"""Figures of a comparison for papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import need

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# Lines must be told apart without colour: papers are printed in grey.
SHADES = ("0", "0.45", "0.7")
DASHES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "x", "+", "*")


def comparison(table: pd.DataFrame, path: Path, title: str) -> None:
    """Draw the mean surplus per task of each policy with its 95 % interval, and write it as PNG.

    Without a grid, each policy has a bar. With a grid of one numeric field, each policy has a line. With any other
    grid, each point of the grid has a panel of bars.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        path: file to write.
        title: title of the figure.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib", "study")
    from matplotlib.figure import Figure

    # The last level of the index is the policy; the others are the fields of the grid.
    keys = list(table.index.names)[:-1]
    if len(keys) == 1 and table.index.get_level_values(0).map(_is_number).all():
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        lines(figure.subplots(), table, str(keys[0]))
    else:
        panels = [(title, table)]
        if keys:
            by_point = table.groupby(level=keys, sort=False)
            panels = [(_point(keys, point), part.droplevel(keys)) for point, part in by_point]
        rows = len(table) // len(panels)
        figure = Figure(figsize=(7.0, (0.6 + 0.36 * rows) * len(panels)), layout="constrained")
        for axes, (heading, part) in zip(figure.subplots(len(panels), squeeze=False).flat, panels, strict=True):
            bars(axes, part)
            axes.set_title(heading, fontsize=10, loc="left")
        reference = table.index.get_level_values("policy")[0]
        note = f"mean surplus per task (whiskers: 95 % interval; right: ratio to {reference}, paired)"
        figure.supxlabel(note, fontsize=9)
    if keys:
        figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=150)


def bars(axes: Axes, table: pd.DataFrame) -> None:
    """Draw one bar per policy, the best on top, with its ratio to the first policy at the right."""
    # A policy whose runs had no task has NaN: it gets an empty bar, so that the figure shows all policies.
    # Ascending, because horizontal bars are drawn from the bottom up.
    ordered = table.sort_values("surplus_mean").fillna({"surplus_mean": 0.0, "surplus_mean_ci": 0.0})
    reference = table.index[0]
    # The first policy is darker: all ratios refer to it.
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
    edge = edge if edge > 0.0 else 1.0  # no policy has any surplus: an axis needs a length all the same
    for position, (policy, row) in enumerate(ordered.iterrows()):
        note = "-" if math.isnan(row["ratio"]) else f"{row['ratio']:.3f}"
        note += "" if policy == reference or math.isnan(row["ratio_ci"]) else f" ± {row['ratio_ci']:.3f}"
        axes.text(edge * 1.02, position, note, va="center", fontsize=8)
    # From 0, so that lengths of bars can be compared. A fifth of the axis is left for the ratios.
    axes.set_xlim(0, edge * 1.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def lines(axes: Axes, table: pd.DataFrame, key: str) -> None:
    """Draw one line per policy over a numeric field of the scenario, with 95 % intervals."""
    policies = table.index.get_level_values("policy").unique()
    points = table.index.get_level_values(0).to_numpy(dtype=float)
    apart = 0.008 * float(np.ptp(points))  # lines are shifted a little, so that intervals do not hide each other
    for number, (policy, part) in enumerate(table.groupby(level="policy", sort=False)):
        x = part.index.get_level_values(0).to_numpy(dtype=float) + (number - (len(policies) - 1) / 2) * apart
        axes.errorbar(
            x,
            part["surplus_mean"],
            yerr=part["surplus_mean_ci"].fillna(0.0),
            label=str(policy),
            color=SHADES[number % len(SHADES)],
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKS[number % len(MARKS)],
            linewidth=1.2,
            markersize=4,
            elinewidth=0.8,
            capsize=2,
        )
    axes.set_xlabel(key)
    axes.set_ylabel("mean surplus per task (whiskers: 95 % interval)", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _is_number(value: object) -> bool:
    """Return whether a value has a place on a numeric axis; True and False have none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _point(keys: list[Any], point: Any) -> str:
    """Return a point of the grid as text, such as "stations.count = 5"."""
    values = point if isinstance(point, tuple) else (point,)
    return ", ".join(f"{key} = {value}" for key, value in zip(keys, values, strict=True))
