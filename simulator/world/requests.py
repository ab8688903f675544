"""What a request brings with it, drawn for all providers: the same for every policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from simulator.draws import Stream, generator, stream
from simulator.model import FloatArray
from simulator.model.accuracy import log_normal_accuracy, pixel_accuracy, power_law_accuracy
from simulator.model.valuation import match_term
from simulator.scenario import TASK_KINDS, Market, Scenario
from simulator.scenario_providers import LogNormalAccuracy, PowerLawAccuracy
from simulator.world.fleet import Fleet, by_provider
from simulator.world.task import Task

VEHICLES_A_BLOCK, REQUESTS_A_BLOCK = 64, 2

Limits: TypeAlias = list[float]
"""Seconds until a task is of no use, by kind."""


@dataclass(frozen=True)
class Requests:
    """Draws of a block of requests of a shape S; fields by provider have shape (S, providers).

    Attributes:
        size_mb: input sizes, MB.
        demand: what each request is worth to anyone.
        kind: indices into the kinds of task.
        uplink_power_units: transmit power of the vehicle, units of 100 mW.
        fading_db: standard normal times the spread of the radio model, dB.
        accuracy: accuracy of each provider.
        match: match value of that accuracy.
    """

    size_mb: FloatArray
    demand: FloatArray
    kind: FloatArray
    uplink_power_units: FloatArray
    fading_db: FloatArray
    accuracy: FloatArray
    match: FloatArray

    def task(self, at: tuple[int, ...], number: int, vehicle: int, request: int, now: float, limits: Limits) -> Task:
        """The task of one request of the block.

        Args:
            at: the request's index.
            number: id of the task.
            vehicle: id of the vehicle.
            request: index of the request among those of its vehicle.
            now: time of the request, s.
            limits: seconds until each kind of task is of no use.
        """
        kind = int(self.kind[at])
        size_mb, demand = float(self.size_mb[at]), float(self.demand[at])
        return Task(number, vehicle, request, kind, size_mb, demand, now, now + limits[kind])


def draw_requests(scenario: Scenario, fleet: Fleet, draw: Stream, shape: tuple[int, ...]) -> Requests:
    """Draw a block of requests: what they bring with them, then fading and accuracy of one provider after the other."""
    tasks, common = scenario.tasks, draw("request")
    size_mb = common.uniform(*tasks.size_mb, shape)
    shares = np.array([tasks.kinds[kind].share if kind in tasks.kinds else 0.0 for kind in TASK_KINDS])
    kind = np.searchsorted(np.cumsum(shares) / shares.sum(), common.random(shape), side="right")
    power = common.uniform(*tasks.power_units, shape)
    demand = np.exp(tasks.demand_log_sd * common.standard_normal(shape) - 0.5 * tasks.demand_log_sd**2)
    parts = (("uav", scenario.uavs, fleet.uavs), ("station", scenario.stations, fleet.size - fleet.uavs))
    fading = [
        providers.radio.spread_db * draw(f"fading.{name}").standard_normal((count, *shape))
        for name, providers, count in parts
    ]
    accuracy = by_provider(
        [_draw_accuracy(providers.accuracy, draw, name, (count, *shape)) for name, providers, count in parts]
    )
    match = match_value(accuracy, scenario.market, tasks.accuracy_cap)
    return Requests(size_mb, demand, kind.astype(np.float64), power, by_provider(fading), accuracy, match)


def match_value(accuracy: FloatArray, market: Market, cap: float) -> FloatArray:
    """The match term of (10) with the scenario's weights."""
    return match_term(accuracy, market.accuracy_weight, market.accuracy_exponent, cap)


def _draw_accuracy(
    model: PowerLawAccuracy | LogNormalAccuracy, draw: Stream, name: str, size: tuple[int, ...]
) -> FloatArray:
    rng = draw(f"accuracy.{name}")
    if isinstance(model, PowerLawAccuracy):
        accuracy = power_law_accuracy(rng.random(size), model.scale, model.shape)
    else:
        accuracy = log_normal_accuracy(rng.standard_normal(size), model.median_error, model.log_sd)
    if model.pixels is None:
        return accuracy
    return pixel_accuracy(draw(f"pixels.{name}").binomial(model.pixels, accuracy), model.pixels)


def time_limits(scenario: Scenario) -> Limits:
    """Seconds until a task of each kind is of no use, `inf` for none."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.inf if kind is None or kind.deadline_s is None else kind.deadline_s for kind in kinds]


def gpu_work(scenario: Scenario) -> list[float]:
    """GPU work a bit of each kind of task, 1/bit; NaN for a kind that does not occur."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.nan if kind is None else kind.gpu_per_bit for kind in kinds]


class RequestDraws:
    """Draws of each request, keyed by (seed, vehicle, request index), made for blocks of them."""

    def __init__(self, scenario: Scenario, fleet: Fleet, seed: int) -> None:
        shape = (VEHICLES_A_BLOCK, REQUESTS_A_BLOCK)

        @lru_cache(maxsize=512)
        def block(vehicles: int, requests: int) -> Requests:
            return draw_requests(scenario, fleet, stream(seed, "requests", vehicles, requests), shape)

        @lru_cache(maxsize=512)
        def power(vehicles: int) -> list[float]:
            rng = generator(seed, "vehicle power", vehicles)
            drawn: list[float] = rng.uniform(*scenario.tasks.power_units, VEHICLES_A_BLOCK).tolist()
            return drawn

        self._block, self._power = block, power

    def of(self, vehicle: int, request: int) -> tuple[Requests, tuple[int, int]]:
        """The block that holds a request, and the request's index in it."""
        vehicles, row = divmod(vehicle, VEHICLES_A_BLOCK)
        requests, column = divmod(request, REQUESTS_A_BLOCK)
        return self._block(vehicles, requests), (row, column)

    def uplink_power(self, vehicle: int) -> float:
        """Transmit power p^u of a vehicle, units of 100 mW: one draw, for all its requests and links."""
        return self._power(vehicle // VEHICLES_A_BLOCK)[vehicle % VEHICLES_A_BLOCK]
