"""What everybody can predict: the public conditions of a request, from the scenario's own numbers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator import simulate
from simulator.market.contracts import MARKET_CONDITIONS
from tests.fields import fields
from tests.world.traffic_frames import straight

SURE = {"model": "distance", "reference_m": 100, "shadowing_db": 0, "spread_db": 0}
"""A link without chance: dB at 100 m, and an exponent, are still to be said."""

# Two stations 100 m apart along the road, a UAV 100 m above its middle. Nothing is drawn but sizes and demands.
PLAIN: dict[str, Any] = {
    "stations.count": None,
    "stations.placed": [{"name": "west", "x": -50, "y": 0}, {"name": "east", "x": 50, "y": 0}],
    "stations.radius_m": 80,
    "stations.uplink_mhz": 40,
    "stations.downlink_mhz": 20,
    "stations.power_units": 4,
    "stations.gpu_units": 1.5,
    "stations.cpu_units": 1.0,
    "stations.radio": {
        "model": "distance",
        "snr_db": 15,
        "reference_m": 100,
        "exponent": 3,
        "shadowing_db": 0,
        "spread_db": 0,
    },
    "stations.accuracy": {"model": "log-normal", "median_error": 0.5, "log_sd": 0},
    "uavs.center": [0, 0],
    "uavs.radius_m": 150,
    "uavs.altitude_m": 100,
    "uavs.radio": {
        "model": "distance",
        "snr_db": 20,
        "reference_m": 100,
        "exponent": 2,
        "shadowing_db": 0,
        "spread_db": 0,
    },
    "uavs.accuracy": {"model": "log-normal", "median_error": 0.25, "log_sd": 0},
    "uavs.power_units": 5.5,
    "tasks.size_mb": [20, 40],
    "tasks.power_units": [1, 9],
    "tasks.kinds": {"pedestrian_detection": {"share": 1, "gpu_per_bit": 0.5}},
}


def carried_s(mhz: float, snr: float) -> float:
    """Seconds to carry 30 MB: 240 Mbit over the Shannon rate."""
    return 240.0 / (mhz * math.log2(1.0 + snr))


def stages(mhz: tuple[float, float], snr: float, power: float, gpu: float, cpu: float) -> list[float]:
    """Seconds of 30 MB in each stage: 0.24 Gbit, half a GPU cycle a bit, a vehicle that sends at 5 units, the mean."""
    return [carried_s(mhz[0], 5.0 * snr), 0.24 * 0.5 / gpu, 0.24 / cpu, carried_s(mhz[1], power * snr)]


STATION = (40.0, 20.0), 4.0, 1.5, 1.0
UAV = (40.0, 40.0), 5.5, 1.25, 1.25
"""Bandwidths, power, GPU and CPU; those of the UAV are the scenario's."""


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_public_conditions_of_a_first_request_by_hand() -> None:
    """The vehicle leaves west's cell at x = 30 m, t = 23 s, with east 20 m ahead, and that of east at x = 130 m."""
    auctions = simulate("braunschweig", "conditional", duration=60, recording=straight(["a"]), **PLAIN).auctions
    assert auctions["time"].tolist() == pytest.approx([23.0, 33.0])
    conditions = auctions[[f"m_{name}" for name in MARKET_CONDITIONS]].set_axis(list(MARKET_CONDITIONS), axis=1)
    near = stages(STATION[0], 10 ** ((15 + 30 * math.log10(100 / 20)) / 10), *STATION[1:])
    above = stages(UAV[0], 10 ** ((20 - 20 * math.log10(math.hypot(30, 100) / 100)) / 10), *UAV[1:])
    first = conditions.iloc[0].to_dict()
    # Match values are 0.1 / error^2. The UAV's first bid is that at half its footprint, 75 m out.
    half_way = stages(UAV[0], 10 ** ((20 - 20 * math.log10(math.hypot(75, 100) / 100)) / 10), *UAV[1:])
    expected = {
        "uav_seconds": sum(above), "best_seconds": sum(near), "second_seconds": math.nan, "covering": 1.0, "load": 0.0,
        "uav_match": 1.6, "best_match": 0.4, "second_match": math.nan, "ground_match": 0.4,
        "uav_report": 1.6 / sum(half_way), "deadline_s": 60.0,
        "ar_navigation": 0.0, "pedestrian_detection": 1.0, "entertainment_3d": 0.0,
    }  # fmt: skip
    assert first == pytest.approx(expected, nan_ok=True)
    # Of the two requests the first came within the 120 s before the second; the world is 33 s old.
    assert conditions["load"].iloc[1] == pytest.approx(1 / 33)
    assert conditions["covering"].iloc[1] == 0


def test_a_kind_without_a_deadline_counts_as_the_longest_one() -> None:
    """Or as 60 s where no kind has one."""
    some = fields({"tasks.kinds.ar_navigation.deadline_s": 7.0, "tasks.kinds.pedestrian_detection.deadline_s": 4.0})
    result = simulate("four_way", "conditional", duration=600, **some)
    rows = result.auctions.merge(result.tasks[["task", "kind"]], on="task")
    stated = {"ar_navigation": 7.0, "pedestrian_detection": 4.0, "entertainment_3d": 7.0}
    assert set(rows["kind"]) == set(stated)
    assert (rows["m_deadline_s"] == rows["kind"].astype(str).map(stated)).all()
    assert (simulate("four_way", "conditional", duration=300).auctions["m_deadline_s"] == 60.0).all()


def test_a_public_prediction_has_the_backlog_of_the_queues_in_it() -> None:
    """Each stage is free when the last task before has left it: Lindley's recursion over the table of tasks."""
    flat = {"model": "random", "snr_db": 10, "spread_db": 0}
    result = simulate(
        "braunschweig",
        "always-uav",
        duration=1500,
        **fields({"uavs.radio": flat, "uavs.power_units": 5.5, "tasks.size_mb": [20, 40], "tasks.power_units": [1, 9]}),
    )
    bare = stages(UAV[0], 10.0, *UAV[1:])
    kinds = {"ar_navigation", "pedestrian_detection", "entertainment_3d"}
    assert set(result.tasks["kind"]) == kinds  # all of half a cycle a bit
    rows = result.tasks.merge(result.auctions[["task", "m_uav_seconds"]], on="task").to_dict("records")
    free, waited = [0.0] * 4, 0
    for row in rows:
        if math.isnan(row["m_uav_seconds"]):
            continue
        ready = row["requested"]
        for stage, seconds in enumerate(bare):
            ready = max(ready, free[stage]) + seconds
        assert row["m_uav_seconds"] == pytest.approx(ready - row["requested"], rel=1e-9)
        waited += ready - row["requested"] > 1.1 * sum(bare)
        if row["provider"] == 0:
            if math.isnan(row["latency"]):
                break  # under way when the run ended
            names = ("uplink", "gpu", "cpu", "downlink")
            parts = [row[f"{name}_{part}"] for name in names for part in ("wait", "time")]
            free = (row["requested"] + np.cumsum(parts))[1::2].tolist()
    assert waited > 50
