"""Counts and means of an entire run, for a page that shows a part of it in detail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.model import FloatArray
from simulator.record.result import Result

BINS = 240
"""Number of bins of the entire run."""


def overview(result: Result) -> dict[str, list[float | None]]:
    """Return figures of a run by bins of equal length: `BINS` numbers each, None where there is nothing.

    ``ground``, ``uav`` and ``nobody`` are numbers of tasks by their winner, and ``lost`` those that were lost.
    ``surplus``, ``rho`` and ``latency`` are means per task, ``p95`` is the 95th percentile of the latency of completed
    tasks, s. ``vehicles`` is the number of vehicles on the map in the middle of the bin.
    """
    tasks, auctions, duration = result.tasks, result.auctions, float(result.run["duration"])
    edges = np.linspace(0.0, duration, BINS + 1)
    place = np.minimum((tasks["requested"].to_numpy() / duration * BINS).astype(np.int64), BINS - 1)
    kind, status = auctions["winner_kind"].to_numpy(), tasks["status"].to_numpy()
    latency = np.where(status == "completed", tasks["latency"].to_numpy(), np.nan)
    rho = auctions["rho"].to_numpy() if "rho" in auctions else np.full(len(tasks), np.nan)
    middles = (edges[:-1] + edges[1:]) / 2
    entered = np.sort(result.vehicles["entered"].dropna().to_numpy())
    left = np.sort(result.vehicles["left"].dropna().to_numpy())
    found = {
        "ground": _counts(place[kind == "ground"]),
        "uav": _counts(place[kind == "uav"]),
        "nobody": _counts(place[kind == "none"]),
        "lost": _counts(place[status == "lost"]),
        "surplus": _means(place, auctions["surplus"].to_numpy()),
        "rho": _means(place, rho),
        "latency": _means(place, latency),
        "p95": _quantiles(place, latency, 0.95),
        "vehicles": np.searchsorted(entered, middles, "right") - np.searchsorted(left, middles, "right"),
    }
    return {name: [_short(value) for value in values] for name, values in found.items()}


def _counts(place: Any) -> FloatArray:
    return np.bincount(place, minlength=BINS).astype(np.float64)


def _means(place: Any, values: FloatArray) -> FloatArray:
    """Return the mean of the finite values in each bin."""
    finite = np.isfinite(values)
    counts = _counts(place[finite])
    sums = np.bincount(place[finite], values[finite], minlength=BINS)
    found: FloatArray = np.divide(sums, counts, out=np.full(BINS, np.nan), where=counts > 0.0)
    return found


def _quantiles(place: Any, values: FloatArray, share: float) -> FloatArray:
    """Return a quantile of the finite values in each bin."""
    finite = np.isfinite(values)
    place, values = place[finite], values[finite]
    order = np.argsort(place, kind="stable")
    cuts = np.searchsorted(place[order], np.arange(1, BINS))
    return np.array([np.quantile(part, share) if len(part) else np.nan for part in np.split(values[order], cuts)])


def _short(value: float) -> float | None:
    """Return a number with five digits, as JSON can hold it."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
