"""Drawings of Figs. 3 to 6 for a paper, with 95 % intervals and readable in grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.study.paper.plan import AXES
from simulator.view.figures import COLOURS, MARKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SURPLUS, STEPS = "surplus per task", "environment steps, thousands (logarithmic from 1 on)"

BLACK, BLUE, RED, SKY, GREEN, ORANGE, PINK = COLOURS

STYLES: Mapping[str, tuple[str, Any]] = {
    "DMSB": (BLACK, "-"),
    "DMSB, one-step": (BLACK, (0, (5, 1.5))),
    "DMSB, Algorithm 1": (BLACK, (0, (1, 1.5))),
    "SAC": (BLUE, "-"),
    "PPO": (RED, (0, (5, 1.5))),
    "DQN": (ORANGE, (0, (7, 1.5))),
    "oracle": (PINK, (0, (1, 1))),
    "conditional": (GREEN, (0, (6, 2, 1, 2))),
    "conditional, best scale": (GREEN, (0, (1, 1))),
    "foresight": (GREEN, (0, (4, 1))),
    "best constant": (PINK, (0, (3, 1, 1, 1, 1, 1))),
    "Optimal": (BLUE, (0, (2, 1))),
    "Myopic": (RED, (0, (1, 2))),
    "SPA": (ORANGE, (0, (4, 2, 1, 2))),
    "Greedy": (SKY, "-"),
    "Random": ("#767676", (0, (2, 1))),
}
"""Colour and dashes of each policy. A policy looks the same in every figure, and in grey its dashes tell it apart."""


def fig3(table: pd.DataFrame) -> Figure:
    """Draw the surplus of learners by training steps, and the surplus of rules as horizontal lines.

    The right axis is the share of the oracle's surplus.

    Args:
        table: table of `simulator.study.paper.figures.fig3`.
    """
    figure = _figure(7.2, 4.8)
    axes = figure.subplots()
    last = table["steps"].max() / 1000
    for policy, part in table[table["steps"].notna()].groupby("policy", sort=False):
        _curve(axes, part, "total", str(policy), STYLES[str(policy)])
    levels = table[table["steps"].isna()]
    # Rules do not learn, so their surplus is the same at every step. They are drawn behind the curves.
    for _, row in levels.iterrows():
        shade, dashes = STYLES[row["policy"]]
        axes.axhline(row["total"], color=shade, linestyle=dashes, linewidth=0.9, zorder=0)
    _early(axes, last)
    axes.set_ylim(*_range(table["total"]))
    oracle = levels.loc[levels["policy"] == "oracle", "total"]
    if len(oracle):
        level = float(oracle.iloc[0])

        def of_oracle(total: Any) -> Any:
            return total / level

        def back(part: Any) -> Any:
            return part * level

        share = axes.secondary_yaxis("right", functions=(of_oracle, back))
        share.tick_params(labelsize=8)
        share.spines["right"].set_linewidth(0.5)
        axes.annotate("share of the\noracle", (1.0, 1.01), xycoords="axes fraction", fontsize=8, ha="left")
    # Rules are named at the right of their line: a legend of twelve grey lines would be hard to match.
    heights = _apart(zip(levels["policy"], levels["total"], strict=True), 0.045 * np.ptp(axes.get_ylim()))
    where: Any = ("axes fraction", "data")
    for (name, height), level in zip(heights, sorted(levels["total"]), strict=True):
        axes.annotate(
            name, (1.075, level), (1.13, height), xycoords=where, textcoords=where, fontsize=8, va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.6"},
        )  # fmt: skip
    _finish(axes, STEPS, SURPLUS)
    _legend(figure, axes, 4)
    return figure


def fig4(table: pd.DataFrame) -> Figure:
    """Draw DMSB's surplus by training steps: in total, of the UAV and of the ground stations, one panel per count.

    Rules are horizontal lines at their total surplus.

    Args:
        table: table of `simulator.study.paper.figures.fig4`.
    """
    figure = _figure(7.2, 5.4)
    counts = sorted(table["stations"].unique())
    # Common axes, because the claims about Fig. 4 compare its panels.
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for letter, axes, count in zip("abcd", panels, counts, strict=True):
        part = table[table["stations"] == count]
        curves = part[part["steps"].notna()]
        for name, label, style in (
            ("total", "DMSB, total", (BLACK, "-")),
            ("ground", "DMSB, ground", (BLUE, (0, (5, 1.5)))),
            ("uav", "DMSB, UAV", (RED, (0, (1, 1.5)))),
        ):
            _curve(axes, curves, name, label, style)
        for _, row in part[part["steps"].isna()].iterrows():
            shade, dashes = STYLES[row["policy"]]
            axes.axhline(row["total"], color=shade, linestyle=dashes, linewidth=0.9, zorder=0, label=row["policy"])
        axes.set_title(f"({letter}) {count} ground stations, 1 UAV", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        _early(axes, table["steps"].max() / 1000)
        axes.set_ylim(0, _range(table["total"])[1])
    figure.supxlabel(STEPS, fontsize=9)
    figure.supylabel(SURPLUS, fontsize=9)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside upper center", ncols=4)
    return figure


def fig5(table: pd.DataFrame) -> Figure:
    """Draw the surplus in total, of the UAV and of the ground stations by bandwidth, stations and task size.

    Args:
        table: table of `simulator.study.paper.figures.fig5`.
    """
    figure = _figure(9.6, 6.6)
    rows = (("total", "total"), ("uav", "UAV"), ("ground", "ground"))
    panels = figure.subplots(len(rows), len(AXES), sharey="row", squeeze=False)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for row, (name, label) in zip(panels, rows, strict=True):
        for axes, axis in zip(row, AXES, strict=True):
            _against(axes, table[table["axis"] == axis], name)
            axes.set_title(f"({next(letters)})", fontsize=9, loc="left")
            if name == "ground":
                axes.set_xlabel(AXES[axis][0], fontsize=8)
        row[0].set_ylabel(f"{SURPLUS}, {label}", fontsize=8)
    _legend(figure, panels[0][0], 6)
    return figure


def fig6(table: pd.DataFrame) -> Figure:
    """Draw the surplus by bandwidth, stations and task size, and the mean delay by task size.

    Args:
        table: table of `simulator.study.paper.figures.fig6`.
    """
    figure = _figure(9.6, 5.4)
    # Four axes and the delay make five panels; the sixth stays empty.
    panels = list(figure.subplots(2, 3).flat)
    for axes, axis in zip(panels, AXES, strict=False):
        _against(axes, table[table["axis"] == axis], "total")
        axes.set_xlabel(AXES[axis][0], fontsize=8)
        axes.set_ylabel(SURPLUS, fontsize=8)
    _against(panels[4], table[table["axis"] == "size"], "delay")
    panels[4].set_xlabel(AXES["size"][0], fontsize=8)
    panels[4].set_ylabel("mean delay, s", fontsize=8)
    panels[5].set_visible(False)
    for letter, axes in zip("abcde", panels, strict=False):
        axes.set_title(f"({letter})", fontsize=9, loc="left")
    _legend(figure, panels[0], 6)
    return figure


DRAWN = {"fig3": fig3, "fig4": fig4, "fig5": fig5, "fig6": fig6}
"""Functions that draw a figure, by the name of the figure."""


def draw(name: str, table: pd.DataFrame, folder: Path) -> None:
    """Draw one of the figures and write it as PNG and SVG.

    Args:
        name: name of the figure, such as `fig3`.
        table: table behind the figure.
        folder: folder for the files.
    """
    figure = DRAWN[name](table)
    figure.savefig(folder / f"{name}.png", dpi=160)
    # Without a date the same table gives the same bytes.
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure of a width and a height in inches."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    # Ids in an SVG file are random without a salt. With it the same table gives the same bytes.
    rcParams["svg.hashsalt"] = "dmsb"
    return Figure(figsize=(width, height), layout="constrained")


def _curve(axes: Axes, part: pd.DataFrame, name: str, label: str, style: tuple[str, Any]) -> None:
    """Draw one line with its 95 % band over thousands of steps."""
    # A single training has no interval: its line has no band.
    steps, mean = part["steps"] / 1000, part[name]
    width = part[f"{name}_ci"].fillna(0.0)
    axes.plot(steps, mean, color=style[0], linestyle=style[1], linewidth=1.3, label=label)
    axes.fill_between(steps, mean - width, mean + width, color=style[0], alpha=0.12, linewidth=0)


def _early(axes: Axes, last: float) -> None:
    """Give an axis of thousands of steps room for the first of them, in which most is learned."""
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.5)
    axes.set_xlim(0, last)
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500) if tick < 0.6 * last]
    axes.set_xticks([*ticks, last], [f"{tick:g}" for tick in (*ticks, last)])
    axes.minorticks_off()


def _against(axes: Axes, table: pd.DataFrame, name: str) -> None:
    """Draw one line per policy over an axis, with 95 % intervals."""
    for number, (policy, part) in enumerate(table.groupby("policy", sort=False)):
        shade, dashes = STYLES[str(policy)]
        axes.errorbar(
            part["value"], part[name], yerr=part[f"{name}_ci"], label=str(policy), color=shade, linestyle=dashes,
            marker=MARKS[number % len(MARKS)], markersize=3.5, linewidth=1.2, elinewidth=0.7, capsize=1.5,
        )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    # Every second point is labelled where there are many.
    values = sorted(table["value"].unique())
    axes.set_xticks(values[:: 1 if len(values) < 8 else 2])


def _range(means: pd.Series) -> tuple[float, float]:
    """Return the limits of an axis that shows all means with a margin."""
    # Limits from the intervals would squeeze the lines: an interval from two or three trainings can be very wide.
    low, high = float(means.min()), float(means.max())
    return low - 0.15 * (high - low), high + 0.15 * (high - low)


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    """Draw one legend for all panels above the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside upper center", ncols=columns)


def _finish(axes: Axes, x: str, y: str) -> None:
    """Label the axes."""
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _apart(levels: Iterable[tuple[str, float]], gap: float) -> list[tuple[str, float]]:
    """Return heights for the names of horizontal lines, in ascending order and at least ``gap`` apart."""
    # From the lowest line up: a name that would touch the one below it moves up.
    placed: list[tuple[str, float]] = []
    for name, level in sorted(levels, key=lambda pair: pair[1]):
        placed.append((name, max(level, placed[-1][1] + gap) if placed else level))
    return placed
