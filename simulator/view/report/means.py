"""Means of a comparison over all of its worlds, for the beginning of its page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulator.record.summary import SUMMARY
from simulator.study.tabulate import shown_value

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = {
    "surplus_mean": "surplus",
    "realised_mean": "realised surplus",
    "lost_share": "lost share",
    "failed_share": "failed share",
    "latency_mean": "latency, s",
}
"""Figures that the page always shows, and their column headings."""


def means(table: pd.DataFrame, metric: str, point: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Return the means of a comparison, ready for JSON.

    Args:
        table: the ``table`` of `simulator.study.compare.compare`.
        metric: figure that was compared, as a column of the table.
        point: point of the grid that is shown, by field; None without a grid.
    """
    for field, value in (point or {}).items():
        table = table[table.index.get_level_values(field) == shown_value(value)]
    names = [str(key[-1] if isinstance(key, tuple) else key) for key in table.index]
    figures = {metric: SUMMARY.get(metric, ("", metric))[1]} | {name: SUMMARY[name][1] for name in ALWAYS}
    rows = []
    for name, (_, row) in zip(names, table.iterrows(), strict=True):
        values = {figure: [_plain(row[figure]), _plain(row[f"{figure}_ci"])] for figure in figures}
        ratio = [_plain(row["ratio"]), _plain(row["ratio_ci"]), _plain(row["p_corrected"])]
        rows.append({"name": name, "figures": values, "ratio": ratio})
    return {
        "metric": metric,
        "worlds": int(table["seeds"].min()),
        "heads": {name: ALWAYS.get(name, name) for name in figures},
        "meanings": figures,
        "rows": rows,
    }


def _plain(value: float) -> float | None:
    """Return a number as JSON can hold it: None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None
