"""The figures that a study keeps of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.study.journal import Figures

if TYPE_CHECKING:
    from simulator.record.result import Result


EXTRA = {
    "surplus_ground": "surplus of what stations win, per task of the run",
    "surplus_uav": "surplus of what UAVs win, per task of the run",
    "completed_share": "share of tasks whose result came in time",
    "paid_by_providers": "payments of all providers to the platform, less those that they receive",
    "paid_by_vehicles": "payments of all vehicles",
    "decision_s": "mean time from the request of a task to its award, s: windows and messages take it",
}
"""Figures that the summary does not have, with their meaning."""


def figures_of(result: Result, warmup: float = 0.0) -> Figures:
    """Return the summary of a run, and `EXTRA`.

    Args:
        result: the run.
        warmup: start of the summary, s; auctions before it do not count.
    """
    figures: Figures = {str(name): float(value) for name, value in result.summary.items()}
    counted = (result.tasks["requested"] >= warmup).to_numpy()
    auctions, waits = result.auctions[counted], result.tasks.loc[counted, "market_wait"]
    # A run without tasks has no shares: NaN instead of a division by 0.
    tasks = figures["tasks"] or math.nan
    # Both are divided by the number of all tasks, so that the two add up to the mean surplus.
    for kind in ("ground", "uav"):
        figures[f"surplus_{kind}"] = float(auctions.loc[auctions["winner_kind"] == kind, "surplus"].sum()) / tasks
    figures["completed_share"] = figures["completed"] / tasks
    figures["paid_by_providers"] = float(auctions["paid_by_provider"].astype("float64").sum())
    figures["paid_by_vehicles"] = float(auctions["paid_by_vehicle"].astype("float64").sum())
    figures["decision_s"] = float(waits[(auctions["winner"] >= 0).to_numpy()].mean())
    return figures
