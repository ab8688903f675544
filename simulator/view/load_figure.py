"""The figure of a comparison against the load: surplus, waits and failures, and where scarcity binds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import need
from simulator.study.load import DEMAND_KEY, LOAD_KEY, SCALED, Crossing, best_scales, scarcity, sign_change
from simulator.view.figures import COLOURS, DASHES, MARKS, METADATA, SIGNATURE, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PANELS = (
    ("surplus_mean", "surplus per task"),
    ("realised_mean", "realised surplus per task"),
    ("ratio", "{metric} / that of {first}"),
    ("wait_share", "waits / latency"),
    ("failed_share", "lost or unserved tasks / tasks"),
)
"""Figure and words of each panel that has a line per policy."""

WIDE = 6.0
"""Ratio of the highest load to the lowest from which on the axis is logarithmic."""

NARROWEST = 0.08
"""Distance of two labels of an axis, as a share of the axis."""

WORDS = {LOAD_KEY: "load (tasks, 1 as in the scenario)", DEMAND_KEY: "demand (arrivals, 1 as in the scenario)"}
"""Name of the axis, by field."""

SHORT = {"surplus_mean": "surplus", "realised_mean": "realised surplus"}
"""Short words for figures that can be compared."""


def draw_load(table: pd.DataFrame, runs: pd.DataFrame, path: Path, title: str, metric: str = "realised_mean") -> None:
    """Draw figures of all policies against the load, with 95 % intervals.

    Values of ``conditional:scale=k`` are thin grey lines, and the last panel shows the best k. A dotted line stands
    where scarcity binds under the first policy, a dashed one where the best k passes 1.

    Args:
        table: the ``table`` of `simulator.study.compare.compare` over one field.
        runs: the ``runs`` of the same comparison.
        path: file to write, with the ending .png, .svg or .pdf.
        title: title of the figure.
        metric: figure that was compared, whose ratio is drawn.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    key = str(table.index.names[0])
    names = list(dict.fromkeys(table.index.get_level_values("policy")))
    scaled = [name for name in names[1:] if SCALED.fullmatch(str(name))]
    first = str(names[0])
    marks = {("scarcity binds", ":"): scarcity(runs, first), ("the best k passes 1", "--"): sign_change(runs)}
    best = best_scales(runs)
    figure = Figure(figsize=(12.0, 7.0), layout="constrained")
    axes = list(figure.subplots(2, 3).flat)
    for letter, (one, (shown, words)) in zip("abcdef", zip(axes, PANELS, strict=False), strict=False):
        for number, name in enumerate([*scaled, *(name for name in names if name not in scaled)]):
            part = table.xs(name, level="policy")
            x, grey = part.index.to_numpy(dtype=float), name in scaled
            place = number - len(scaled)
            style = {"color": "0.7", "linewidth": 0.8} if grey else {
                "color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)],
                "marker": MARKS[place % len(MARKS)], "linewidth": 1.3, "markersize": 4,
            }  # fmt: skip
            named = "conditional:scale=k" if grey and name == scaled[0] else "_" if grey else str(name)
            width = None if grey else part[f"{shown}_ci"].fillna(0.0)
            one.errorbar(x, part[shown], yerr=width, label=named, elinewidth=0.8, capsize=2, **style)
        if shown != "ratio":
            # An interval of few worlds may leave what is possible. A share is within 0 and 1.
            one.set_ylim(0.0, min(1.0, one.get_ylim()[1]) if shown.endswith("_share") else None)
        one.set_title(
            f"({letter}) {words.format(first=first, metric=SHORT.get(metric, metric))}", fontsize=9, loc="left"
        )
    last = axes[-1]
    if best is None:
        last.set_visible(False)
    else:
        last.plot(*best, "o-", color="0", linewidth=1.3, markersize=4)
        last.axhline(1.0, color="0.6", linewidth=0.8)
        last.set_title("(f) best k of conditional:scale=k", fontsize=9, loc="left")
    loads = np.unique(table.index.get_level_values(0).to_numpy(dtype=float))
    for one in axes:
        _dress(one, loads, marks)
    for one in axes[3:] if best is not None else (*axes[2:3], *axes[3:5]):
        one.set_xlabel(WORDS.get(key, key), fontsize=9)
    # All panels have the same lines.
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    figure.suptitle(f"{title}\n{told(runs)}", fontsize=9)
    with rc_context({"svg.hashsalt": SIGNATURE}):
        plain_text(figure)
        figure.savefig(path, dpi=150, metadata=METADATA[path.suffix])


def _dress(axes: Axes, loads: np.ndarray, marks: dict[tuple[str, str], Crossing | None]) -> None:
    """Set the axis of the load, and draw the lines at which something changes."""
    if loads[-1] > WIDE * loads[0] > 0.0:
        axes.set_xscale("log")
    spots = np.log(loads) if axes.get_xscale() == "log" else loads
    labels, last = [], -np.inf
    for load, spot in zip(loads, spots, strict=True):
        # A label that would touch the one before it is left out.
        free = spot - last > NARROWEST * (spots[-1] - spots[0])
        labels.append(f"{load:g}" if free else "")
        last = spot if free else last
    axes.set_xticks(loads, labels)
    axes.set_xticks([], minor=True)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    for (named, line), crossing in marks.items():
        if crossing is not None and crossing.load is not None:
            axes.axvline(crossing.load, color="0.3", linestyle=line, linewidth=1.0, label=named)


def told(runs: pd.DataFrame) -> str:
    """Return where scarcity binds under the first policy and where the best correction changes its sign, in words.

    Args:
        runs: the ``runs`` of `simulator.study.compare.compare` over one field.
    """
    first = str(runs.index.get_level_values("policy")[0])
    said = f"Scarcity binds under {first} {_where(scarcity(runs, first))}"
    turns = sign_change(runs)
    return f"{said}." if turns is None else f"{said}; the best k of conditional:scale=k passes 1 {_where(turns)}."


def _where(crossing: Crossing | None) -> str:
    """Return a crossing with its interval, such as "at 0.62 (0.55 to 0.71)"."""
    if crossing is None or crossing.load is None:
        return "nowhere among these loads"
    low, high = ("beyond" if end is None else f"{end:.2f}" for end in crossing[1:])
    return f"at {crossing.load:.2f} (95 %: {low} to {high})"
