"""The request that a world passes to the market. It has one form for all kinds of world."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simulator.model import FloatArray, IntArray
from simulator.providers.attachment import Coverage
from simulator.providers.fleet import EQUIPMENT
from simulator.providers.task import Task

LINK_FIELDS = ("uplink_snr", "downlink_snr", *EQUIPMENT, "accuracy")
"""What is recorded of each link besides the bid."""


class Situation(NamedTuple):
    """A requested task, with its stage times, accuracies and coverage at the providers that cover the vehicle.

    Attributes:
        task: the task.
        station_left: id of the station whose coverage the vehicle leaves; -1 for none.
        providers: ids of the providers that cover the vehicle now and are not out, ascending. All arrays below have
            their order.
        times: stage times, s, shape (5, 2, providers). Index 0 of the second axis is the task, index 1 the public task
            of the reference size.
        accuracy: accuracy R of the task at each provider, shape (providers,).
        match: match term omega_2 / (1 - R)^beta of that accuracy, shape (providers,).
        dwell_s: time for which each provider is expected to cover the vehicle from now on, s, shape (providers,).
        snr: signal-to-noise ratios of uplink and downlink at each provider, plain ratios, shape (2, providers).
        equipment: `EQUIPMENT` of each provider, shape (5, providers).
        coverage: time until which each provider really covers the vehicle; None where all cover it forever.
        place: place of the vehicle, (m east, m north); None where nothing has a place.
        downlink_s: function from (provider, time, s) to the seconds of the downlink if it begins at that time; None if
            the place of the request counts.
    """

    task: Task
    station_left: int
    providers: IntArray
    times: FloatArray
    accuracy: FloatArray
    match: FloatArray
    dwell_s: FloatArray
    coverage: Coverage | None
    place: tuple[float, float] | None
    snr: FloatArray
    equipment: FloatArray
    downlink_s: Callable[[int, float], float] | None = None
