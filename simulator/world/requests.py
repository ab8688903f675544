"""What a request brings with it, drawn for all providers: the same for every policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.draws import generator
from simulator.model import FloatArray
from simulator.model.accuracy import log_normal_accuracy, pixel_accuracy, power_law_accuracy
from simulator.model.valuation import match_term
from simulator.scenario import TASK_KINDS, LogNormalAccuracy, Market, PowerLawAccuracy, Scenario
from simulator.world.fleet import Fleet

VEHICLES_A_BLOCK, REQUESTS_A_BLOCK = 64, 2


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


def draw_requests(scenario: Scenario, fleet: Fleet, rng: np.random.Generator, shape: tuple[int, ...]) -> Requests:
    """Draw a block of requests; the order of the draws is fixed."""
    tasks, size = scenario.tasks, (*shape, fleet.size)
    size_mb = rng.uniform(*tasks.size_mb, shape)
    shares = np.array([tasks.kinds[kind].share if kind in tasks.kinds else 0.0 for kind in TASK_KINDS])
    kind = np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(shape), side="right")
    power = rng.uniform(*tasks.power_units, shape)
    demand = np.exp(tasks.demand_log_sd * rng.standard_normal(shape) - 0.5 * tasks.demand_log_sd**2)
    spread = np.where(fleet.is_uav, scenario.uavs.radio.spread_db, scenario.stations.radio.spread_db)
    fading = spread * rng.standard_normal(size)
    accuracy = np.empty(size)
    accuracy[..., : fleet.uavs] = _draw_accuracy(scenario.uavs.accuracy, rng, (*shape, fleet.uavs))
    accuracy[..., fleet.uavs :] = _draw_accuracy(scenario.stations.accuracy, rng, (*shape, fleet.size - fleet.uavs))
    match = match_value(accuracy, scenario.market, tasks.accuracy_cap)
    return Requests(size_mb, demand, kind.astype(np.float64), power, fading, accuracy, match)


def match_value(accuracy: FloatArray, market: Market, cap: float) -> FloatArray:
    """The match term of (10) with the scenario's weights."""
    return match_term(accuracy, market.accuracy_weight, market.accuracy_exponent, cap)


def _draw_accuracy(
    model: PowerLawAccuracy | LogNormalAccuracy, rng: np.random.Generator, size: tuple[int, ...]
) -> FloatArray:
    if isinstance(model, PowerLawAccuracy):
        accuracy = power_law_accuracy(rng.random(size), model.scale, model.shape)
    else:
        accuracy = log_normal_accuracy(rng.standard_normal(size), model.median_error, model.log_sd)
    if model.pixels is None:
        return accuracy
    return pixel_accuracy(rng.binomial(model.pixels, accuracy), model.pixels)


class RequestDraws:
    """Draws of each request, keyed by (seed, vehicle, request index), made for blocks of them."""

    def __init__(self, scenario: Scenario, fleet: Fleet, seed: int) -> None:
        shape = (VEHICLES_A_BLOCK, REQUESTS_A_BLOCK)

        @lru_cache(maxsize=512)
        def block(vehicles: int, requests: int) -> Requests:
            return draw_requests(scenario, fleet, generator(seed, "requests", vehicles, requests), shape)

        self._block = block

    def of(self, vehicle: int, request: int) -> tuple[Requests, tuple[int, int]]:
        """The block that holds a request, and the request's index in it."""
        vehicles, row = divmod(vehicle, VEHICLES_A_BLOCK)
        requests, column = divmod(request, REQUESTS_A_BLOCK)
        return self._block(vehicles, requests), (row, column)
