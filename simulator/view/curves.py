"""Figure of a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import need
from simulator.files import replacing
from simulator.view.figures import METADATA, not_a_picture_of_ours, plain_text

if TYPE_CHECKING:
    import pandas as pd


def learning_curve(
    trainings: Sequence[Sequence[tuple[int, float]]],
    curve: pd.DataFrame,
    path: Path,
    title: str,
    figure_of: tuple[str, str] = ("surplus", "conditional"),
) -> None:
    """Draw the evaluations of some trainings, and their mean with its 95 % interval.

    Args:
        trainings: steps and ratio of each evaluation of each training.
        curve: mean and half-width by steps, from `simulator.study.trainings.curve_of`.
        path: file to write. An older picture of this program is replaced.
        title: title of the figure.
        figure_of: what the ratios are of, and of whose.

    Raises:
        InputError: matplotlib is not installed.
    """
    need("matplotlib")
    ratio, reference = figure_of
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1.0, color="0.4", linestyle=":", linewidth=1.2, label=reference)
    several = len(trainings) > 1
    for number, evaluations in enumerate(trainings):
        steps, ratios = zip(*evaluations, strict=True)
        what = "_nolegend_" if number else "one training"
        axes.plot(
            steps, ratios, color="0.6" if several else "0", marker="." if several else "o", linewidth=0.8, label=what
        )
    if several:
        axes.errorbar(
            curve["steps"],
            curve["ratio"],
            yerr=curve["ratio_ci"].fillna(0.0),
            color="0",
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1.4,
            label=f"mean of {len(trainings)} trainings, 95 % interval",
        )
    axes.set_xlim(left=0)
    axes.set_xlabel("steps")
    axes.set_ylabel(f"{ratio} / {ratio} of {reference},\nheld-out worlds", fontsize=9)
    axes.set_title(title, fontsize=10, loc="left")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    with replacing(path, force=True, foreign=not_a_picture_of_ours) as new, rc_context({"svg.hashsalt": "dmsb"}):
        plain_text(figure)
        figure.savefig(new, dpi=200, metadata=METADATA[path.suffix])
