"""Figures of a comparison for papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import InputError, need
from simulator.files import check
from simulator.record.summary import SUMMARY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from simulator.providers.fleet import Fleet
    from simulator.traffic.recording import Recording

COLOURS = ("#000000", "#0072B2", "#D55E00", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")
"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008)."""

# Lines must be told apart without colour too, because papers are printed in grey.
DASHES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "x", "+", "*")


SIGNATURE = "dmsb figure"
"""What the metadata of every picture says, so that only pictures of this program are replaced."""

METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": SIGNATURE},
    ".svg": {"Creator": SIGNATURE, "Date": None},
    ".pdf": {"Creator": SIGNATURE, "CreationDate": None},
}
"""Metadata of a picture, by ending. Without a date, the same comparison gives the same bytes."""


MOST_DOTS = 50_000
"""Number of positions up to which all are drawn."""

MOST_MARKS = 10
"""Number of points of a grid up to which the axis has a mark at each."""


def check_picture(path: Path, force: bool) -> None:
    """Refuse a picture that could not be written.

    Args:
        path: file to write.
        force: whether an older picture of this program is replaced.

    Raises:
        InputError: the name has another ending than .png, .svg or .pdf.
        OutputError: the file exists and is not to be replaced, or its folder cannot be written.
    """
    if path.suffix not in METADATA:
        raise InputError(f"--figure {path}: the name must end in {', '.join(METADATA)}")
    check(path, force, foreign=not_a_picture_of_ours)


def not_a_picture_of_ours(path: Path) -> str | None:
    """Return why a file is not a picture of this program; None if it is."""
    return None if path.is_file() and SIGNATURE.encode() in path.read_bytes() else "it is not a picture of this program"


def plain_text(figure: Figure) -> None:
    """Let names be what they are: matplotlib would read a text with two dollar signs as a formula.

    Args:
        figure: the figure, complete.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)


def label(metric: str) -> str:
    """Return a figure in words, with its unit."""
    unit, meaning = SUMMARY.get(metric, ("", metric))
    words = meaning.split(",")[0].split(";")[0].split(":")[0]
    return f"{words}, {unit}" if unit else words


def comparison(table: pd.DataFrame, path: Path, title: str, metric: str = "surplus_mean") -> None:
    """Draw a figure of each policy with its 95 % interval.

    Without a grid, each policy has a bar. With a grid of one numeric field, each policy has a line. A second field has
    one panel per value, all with one scale. With any other grid, each point of the grid has a panel of bars.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        path: file to write, with the ending .png, .svg or .pdf.
        title: title of the figure.
        metric: figure to draw, the one that was compared.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # The last level of the index is the policy; the others are the fields of the grid.
    keys: list[Any] = [str(key) for key in table.index.names][:-1]
    numeric = [key for key in keys if table.index.get_level_values(key).map(_is_number).all()]
    if len(keys) in (1, 2) and numeric:
        panels = [("", table)]
        if len(keys) == 2:
            other = next(key for key in reversed(keys) if key != numeric[0])
            panels = [(_point([other], value), part) for value, part in table.groupby(level=other, sort=False)]
        figure = Figure(figsize=(1.6 + 4.8 * len(panels), 4.0), layout="constrained")
        for axes, (heading, part) in zip(
            figure.subplots(1, len(panels), squeeze=False, sharey=True).flat, panels, strict=True
        ):
            lines(axes, part, numeric[0], metric)
            axes.set_title(heading, fontsize=10, loc="left")
        figure.axes[0].set_ylabel(f"{label(metric)} (whiskers: 95 % interval)", fontsize=9)
        figure.axes[-1].legend(frameon=False, fontsize=8)
    else:
        panels = [(title, table)]
        if keys:
            by_point = table.groupby(level=keys, sort=False)
            panels = [(_point(keys, point), part.droplevel(keys)) for point, part in by_point]
        rows = len(table) // len(panels)
        figure = Figure(figsize=(7.0, (0.6 + 0.36 * rows) * len(panels)), layout="constrained")
        for axes, (heading, part) in zip(figure.subplots(len(panels), squeeze=False).flat, panels, strict=True):
            bars(axes, part, metric)
            axes.set_title(heading, fontsize=10, loc="left")
        reference = table.index.get_level_values("policy")[0]
        note = f"{label(metric)} (whiskers: 95 % interval; right: ratio to {reference}, paired)"
        figure.supxlabel(note, fontsize=9)
    if keys:
        figure.suptitle(title, fontsize=10)
    # A fixed salt: without it the ids in an SVG are other ones in each process.
    with rc_context({"svg.hashsalt": SIGNATURE}):
        plain_text(figure)
        figure.savefig(path, dpi=150, metadata=METADATA[path.suffix])


def coverage(recording: Recording, fleet: Fleet, path: Path, title: str) -> None:
    """Draw the traffic of a recording from above, with the coverage of every provider.

    Args:
        recording: the recording.
        fleet: providers.
        path: file to write, with the ending .png, .svg or .pdf.
        title: title of the figure.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib")
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    axes = figure.subplots()
    every = max(1, len(recording.x) // MOST_DOTS)
    axes.plot(recording.x[::every], recording.y[::every], ".", color="0.6", markersize=1.5, rasterized=True)
    for number, name in enumerate(fleet.names):
        x, y, flies = float(fleet.x[number]), float(fleet.y[number]), number < fleet.uavs
        style = {"linestyle": "--", "edgecolor": "0.25"} if flies else {"linestyle": "-", "edgecolor": "0"}
        axes.add_patch(Circle((x, y), float(fleet.radius_m[number]), fill=False, linewidth=0.9, **style))
        axes.plot([x], [y], "D" if flies else "s", color="0", markersize=5)
        # On a white ground, as the name may stand on a road or a circle.
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.annotate(name, (x, y), xytext=(6, 6), textcoords="offset points", fontsize=8, bbox=ground, zorder=5)
    axes.set(xlabel="m east", ylabel="m north", aspect="equal")
    axes.set_title(f"{title} (dots: positions; circles: coverage, dashed of UAVs)", fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    with rc_context({"svg.hashsalt": SIGNATURE}):
        plain_text(figure)
        figure.savefig(path, dpi=150, metadata=METADATA[path.suffix])


def bars(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    """Draw one bar per policy, the highest on top, with its ratio to the first policy at the right."""
    width = f"{metric}_ci"
    # A policy whose runs had no task has NaN: it gets an empty bar, so that the figure shows all policies.
    # Ascending, because horizontal bars are drawn from the bottom up.
    ordered = table.sort_values(metric).fillna({metric: 0.0, width: 0.0})
    reference = table.index[0]
    # The first policy is darker: all ratios refer to it.
    shades = ["0.35" if policy == reference else "0.7" for policy in ordered.index]
    axes.barh(ordered.index.tolist(), ordered[metric], color=shades, height=0.7)
    axes.errorbar(
        ordered[metric],
        range(len(ordered)),
        xerr=ordered[width],
        fmt="none",
        ecolor="black",
        elinewidth=1,
        capsize=3,
    )
    edge = float((ordered[metric] + ordered[width]).max())
    edge = edge if edge > 0.0 else 1.0  # no policy has any surplus: an axis needs a length all the same
    for position, (policy, row) in enumerate(ordered.iterrows()):
        note = "-" if math.isnan(row["ratio"]) else f"{row['ratio']:.3f}"
        note += "" if policy == reference or math.isnan(row["ratio_ci"]) else f" ± {row['ratio_ci']:.3f}"
        axes.text(edge * 1.02, position, note, va="center", fontsize=8)
    # From 0, so that lengths of bars can be compared. A fifth of the axis is left for the ratios.
    axes.set_xlim(0, edge * 1.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def lines(axes: Axes, table: pd.DataFrame, key: str, metric: str) -> None:
    """Draw one line per policy over a numeric field of the scenario, with 95 % intervals."""
    policies = table.index.get_level_values("policy").unique()
    points = table.index.get_level_values(key).to_numpy(dtype=float)
    apart = 0.008 * float(np.ptp(points))  # lines are shifted a little, so that intervals do not hide each other
    for number, (policy, part) in enumerate(table.groupby(level="policy", sort=False)):
        x = part.index.get_level_values(key).to_numpy(dtype=float) + (number - (len(policies) - 1) / 2) * apart
        axes.errorbar(
            x,
            part[metric],
            yerr=part[f"{metric}_ci"].fillna(0.0),
            label=str(policy),
            color=COLOURS[number % len(COLOURS)],
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKS[number % len(MARKS)],
            linewidth=1.2,
            markersize=4,
            elinewidth=0.8,
            capsize=2,
        )
    axes.set_xlabel(key)
    marks = np.unique(points)
    if len(marks) <= MOST_MARKS:
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.spines[["top", "right"]].set_visible(False)


def _is_number(value: object) -> bool:
    """Return whether a value has a place on a numeric axis; True and False have none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _point(keys: list[Any], point: Any) -> str:
    """Return a point of the grid as text, such as "stations.count = 5"."""
    values = point if isinstance(point, tuple) else (point,)
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(f"{key} = {text}" for key, text in zip(keys, texts, strict=True))
