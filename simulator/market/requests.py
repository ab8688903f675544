"""What a request brings with it, drawn for all providers: the same for every policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from simulator.draws import Draws, Stream
from simulator.model import FloatArray, IntArray
from simulator.model.accuracy import log_normal_accuracy, pixel_accuracy, power_law_accuracy
from simulator.model.latency import Work, stage_work
from simulator.model.valuation import match_term
from simulator.providers.fleet import Equipment, Fleet, by_provider
from simulator.providers.task import Task
from simulator.scenario.market import Market
from simulator.scenario.providers import LogNormalAccuracy, PowerLawAccuracy
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import TASK_KINDS

VEHICLES_PER_BLOCK, REQUESTS_PER_BLOCK = 64, 2


@dataclass(frozen=True)
class Requests:
    """Draws of a block of requests, shape (requests,); fields by provider have shape (requests, providers).

    Attributes:
        size_mb: input sizes, MB.
        demand: what each request is worth to anyone.
        kind: indices into the kinds of task.
        gpu_per_bit: GPU work a bit, 1/bit.
        limit_s: seconds until the result is of no use.
        uplink_power_units: transmit power of the vehicle, units of 100 mW.
        fading_db: standard normal times the spread of the radio model, dB.
        accuracy: accuracy of each provider.
        match: match value of that accuracy.
    """

    size_mb: FloatArray
    demand: FloatArray
    kind: IntArray
    gpu_per_bit: FloatArray
    limit_s: FloatArray
    uplink_power_units: FloatArray
    fading_db: FloatArray
    accuracy: FloatArray
    match: FloatArray

    @cached_property
    def _rows(self) -> list[tuple[int, float, float, float]]:
        fields = (self.kind, self.size_mb, self.demand, self.limit_s)
        return list(zip(*(field.tolist() for field in fields), strict=True))

    def task(self, at: int, number: int, vehicle: int, request: int, now: float) -> Task:
        """The task of one request of the block.

        Args:
            at: the request's index.
            number: id of the task.
            vehicle: id of the vehicle.
            request: index of the request among those of its vehicle.
            now: time of the request, s.
        """
        kind, size_mb, demand, limit_s = self._rows[at]
        return Task(number, vehicle, request, kind, size_mb, demand, now, now + limit_s)

    def work(self, equipment: Equipment, uplink_power_units: FloatArray) -> Work:
        """What the requests ask of providers with this equipment, parts of shape (2, requests, providers).

        Args:
            equipment: fields of shape (..., providers).
            uplink_power_units: transmit powers, shape (requests,).
        """
        size_mb, power = self.size_mb[:, None], uplink_power_units[:, None]
        return stage_work(size_mb, self.gpu_per_bit[:, None], self.fading_db, power, *equipment)


def draw_requests(scenario: Scenario, fleet: Fleet, draw: Stream, count: int) -> Requests:
    """Draw a block of requests: what they bring with them, then fading and accuracy of one provider after the other."""
    tasks, common = scenario.tasks, draw("request")
    size_mb = common.uniform(*tasks.size_mb, count)
    shares = np.array([tasks.kinds[kind].share if kind in tasks.kinds else 0.0 for kind in TASK_KINDS])
    kind = np.searchsorted(np.cumsum(shares) / shares.sum(), common.random(count), side="right")
    power = common.uniform(*tasks.power_units, count)
    demand = np.exp(tasks.demand_log_sd * common.standard_normal(count) - 0.5 * tasks.demand_log_sd**2)
    parts = (("uav", scenario.uavs, fleet.uavs), ("station", scenario.stations, fleet.size - fleet.uavs))
    fading = [
        providers.radio.spread_db * draw(f"fading.{name}").standard_normal((size, count))
        for name, providers, size in parts
    ]
    accuracy = by_provider(
        [_draw_accuracy(providers.accuracy, draw, name, (size, count)) for name, providers, size in parts]
    )
    match = match_value(accuracy, scenario.market, tasks.accuracy_cap)
    work, limit = np.array(gpu_work(scenario))[kind], np.array(_limits(scenario))[kind]
    return Requests(size_mb, demand, kind, work, limit, power, by_provider(fading), accuracy, match)


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


def _limits(scenario: Scenario) -> list[float]:
    """Seconds until a task of each kind is of no use, `inf` for none."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.inf if kind is None or kind.deadline_s is None else kind.deadline_s for kind in kinds]


def gpu_work(scenario: Scenario) -> list[float]:
    """GPU work a bit of each kind of task, 1/bit; NaN for a kind that does not occur."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.nan if kind is None else kind.gpu_per_bit for kind in kinds]


class RequestDraws:
    """Draws of each request, keyed by (seed, vehicle, request index), made for blocks of them.

    Args:
        scenario: the scenario.
        fleet: the providers.
        equipment: their equipment, fields of shape (providers,).
        draws: the randomness of the run.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, equipment: Equipment, draws: Draws) -> None:
        @lru_cache(maxsize=512)
        def power(vehicles: int) -> FloatArray:
            """Transmit power p^u of each vehicle of a block: one draw, for all its requests and links."""
            rng = draws.generator("vehicle power", vehicles)
            return rng.uniform(*scenario.tasks.power_units, VEHICLES_PER_BLOCK)

        @lru_cache(maxsize=512)
        def block(vehicles: int, number: int) -> tuple[Requests, Work]:
            count = VEHICLES_PER_BLOCK * REQUESTS_PER_BLOCK
            requests = draw_requests(scenario, fleet, draws.stream("requests", vehicles, number), count)
            work = requests.work(equipment, np.repeat(power(vehicles), REQUESTS_PER_BLOCK))
            return requests, Work(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in work))

        self._block = block

    def of(self, vehicle: int, request: int) -> tuple[Requests, int, Work]:
        """The block that holds a request, the request's index in it, and what it asks of every provider."""
        vehicles, row = divmod(vehicle, VEHICLES_PER_BLOCK)
        number, column = divmod(request, REQUESTS_PER_BLOCK)
        requests, (snr, mhz_per_mb, compute_s) = self._block(vehicles, number)
        at = row * REQUESTS_PER_BLOCK + column
        return requests, at, Work(snr[at], mhz_per_mb[at], compute_s[at])
