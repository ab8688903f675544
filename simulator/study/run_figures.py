"""The figures that a study keeps of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.study.journal import Figures

if TYPE_CHECKING:
    from simulator.record.result import Result


EXTRA = ("surplus_ground", "surplus_uav", "completed_share")
"""Figures that the summary does not have: surplus per task of each kind of winner, share of completed tasks."""


def figures_of(result: Result, warmup: float = 0.0) -> Figures:
    """Return the summary of a run, the surplus per task of each kind of winner, and the share of completed tasks.

    Args:
        result: the run.
        warmup: start of the summary, s; auctions before it do not count.
    """
    figures: Figures = {str(name): float(value) for name, value in result.summary.items()}
    auctions = result.auctions[(result.tasks["requested"] >= warmup).to_numpy()]
    # A run without tasks has no shares: NaN instead of a division by 0.
    tasks = figures["tasks"] or math.nan
    # Both are divided by the number of all tasks, so that the two add up to the mean surplus.
    for kind in ("ground", "uav"):
        figures[f"surplus_{kind}"] = float(auctions.loc[auctions["winner_kind"] == kind, "surplus"].sum()) / tasks
    figures["completed_share"] = figures["completed"] / tasks
    return figures
