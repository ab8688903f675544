"""The age of each vehicle's twin: the time since the freshest data that its last results rest on were sensed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def twin_ages(
    tasks: pd.DataFrame, vehicles: pd.DataFrame, sensing_s: float, begin: float, end: float
) -> dict[str, float]:
    """Return the age of the vehicles' twins: its average over time, and the mean of its peaks, s.

    The age is ``t - g(t)``. ``g(t)`` is the time at which the freshest data were sensed of the results that a vehicle
    has by ``t``; until the first result it is the time at which the vehicle entered. A peak is the age just before a
    fresher result arrives.

    Source: Kaul, Yates and Gruteser, "Real-time status: how often should one update?", INFOCOM 2012; Costa, Codreanu
    and Ephremides, "On the age of information in status update systems with packet management", 2016, for the peaks.

    Args:
        tasks: table with the columns vehicle, requested, finished and status.
        vehicles: table with the columns vehicle, entered and left.
        sensing_s: time from the first sensed datum of a task to its request, s.
        begin: vehicles that enter before this time do not count, s.
        end: end of the run, s.

    Returns:
        `age_mean` and `age_peak`, s; NaN without a vehicle or a result.
    """
    import pandas as pd

    entered = vehicles["entered"].to_numpy()
    left = np.minimum(np.nan_to_num(vehicles["left"].to_numpy(), nan=end), end)
    counted = entered >= begin  # not so of one that is still held outside
    who = tasks["vehicle"].to_numpy()
    counts = (tasks["status"] == "completed").to_numpy() & (who >= 0)
    if not counted.any():
        return {"age_mean": math.nan, "age_peak": math.nan}
    counts[counts] = counted[who[counts]]
    # Single columns: a copy of the rows with all columns would be the largest memory of a long run.
    vehicle, time = who[counts], tasks["finished"].to_numpy()[counts]
    order = np.lexsort((time, vehicle))
    vehicle, time = vehicle[order], time[order]
    sensed = np.maximum(tasks["requested"].to_numpy()[counts][order] - sensing_s, entered[vehicle])
    freshest = pd.Series(sensed).groupby(vehicle).cummax().to_numpy()
    first = np.append(True, vehicle[1:] != vehicle[:-1])[: len(vehicle)]
    before = np.where(first, entered[vehicle], np.append(math.nan, freshest[:-1])[: len(vehicle)])
    fresher = freshest > before
    # Each update takes off the difference of the two ages for the rest of the vehicle's stay.
    stays = (left - entered)[counted]
    area = float((0.5 * stays**2).sum() - ((freshest - before) * np.maximum(left[vehicle] - time, 0.0)).sum())
    peaks = (time - before)[fresher]
    total = float(stays.sum())
    return {
        "age_mean": area / total if total > 0.0 else math.nan,
        "age_peak": float(peaks.mean()) if len(peaks) else math.nan,
    }
