"""The table of a comparison: means, paired differences, intervals, and a corrected test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, nearest
from simulator.model import FloatArray
from simulator.record.summary import SUMMARY
from simulator.study.run_figures import EXTRA
from simulator.study.statistics import corrected, half_width, half_widths, p_value, ratio_of_means

if TYPE_CHECKING:
    import pandas as pd

FIGURES = (*SUMMARY, *EXTRA)
"""Columns of ``runs``: the summary, and what it does not have."""


LOWER_IS_BETTER = (
    "lost", "unserved", "not_covered", "not_invited", "no_bid", "lost_share", "failed_share", "latency_mean",
    "latency_p95", "messages", "rounds", "aomt_mean", "aomt_peak", "aotm_mean", "age_mean", "age_peak", "energy_j",
    "wall_s", "cpu_s", "decision_s",
)  # fmt: skip
"""Figures of which the best is the lowest."""

SHORT_METRICS = {"surplus": "surplus_mean", "realised": "realised_mean", "latency": "latency_mean"}
"""Short names of metrics."""


def tabulate(runs: dict[str, FloatArray], metric: str = "surplus_mean") -> pd.DataFrame:
    """Return the table of `compare` for one point of the grid.

    Args:
        runs: figures by policy, shape (worlds, figures), in the order of `FIGURES`. Row i belongs to the same world
            for all policies. The first policy is the one with which the others are compared.
        metric: figure that is compared.
    """
    import pandas as pd

    compared = FIGURES.index(metric)
    first = next(iter(runs.values()))[:, compared]
    rows = []
    for policy, figures in runs.items():
        # Paired by world: worlds differ far more than policies do, and the difference is free of that.
        difference = figures[:, compared] - first
        row: dict[str, Any] = {"policy": policy, "seeds": len(figures)}
        row["ratio"], row["ratio_ci"] = ratio_of_means(figures[:, compared], first)
        row["difference"], row["difference_ci"] = float(difference.mean()), half_width(difference)
        row["p_corrected"] = p_value(difference)
        for name, mean, width in zip(FIGURES, figures.mean(axis=0), half_widths(figures), strict=True):
            row[name], row[f"{name}_ci"] = float(mean), float(width)
        rows.append(row)
    table = pd.DataFrame(rows).set_index("policy")
    # The correction needs all p-values, so it comes last. The first policy has NaN and does not count.
    table["p_corrected"] = corrected(table["p_corrected"].to_numpy())
    return table


def metric_of(name: str) -> str:
    """Return the figure that a metric names.

    Raises:
        InputError: there is no such figure.
    """
    figure = SHORT_METRICS.get(name, name)
    if figure not in FIGURES:
        raise InputError(f"metric: there is no figure '{name}'; {nearest(name, [*SHORT_METRICS, *FIGURES])}")
    return figure


def shown_value(value: Any) -> Any:
    """Return a value of the grid as a table holds it: numbers and text as they are, anything else as JSON."""
    return value if isinstance(value, int | float | str) else json.dumps(value, allow_nan=False)
