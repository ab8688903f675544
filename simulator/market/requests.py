"""Random numbers of requests: size, kind, demand, fading and accuracy.

They are drawn for all providers, invited or not. Every policy therefore meets the same requests.
"""

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

# One generator per block: making a generator takes longer than drawing the numbers of one request.
VEHICLES_PER_BLOCK, REQUESTS_PER_BLOCK = 64, 2


@dataclass(frozen=True)
class Requests:
    """Random numbers of a block of requests.

    Attributes:
        size_mb: input sizes D, MB, shape (requests,).
        demand: factor of (11) that is common to all providers, with mean 1, shape (requests,).
        kind: indices into `TASK_KINDS`, shape (requests,).
        gpu_per_bit: GPU work per bit e_p, 1/bit, shape (requests,).
        limit_s: time from request to deadline, s, `inf` without a deadline, shape (requests,).
        uplink_power_units: transmit powers p^u of the vehicles, units of 100 mW, shape (requests,).
        fading_db: fading of the links, dB, shape (requests, providers).
        accuracy: accuracies R, shape (requests, providers).
        match: match terms omega_2 / (1 - R)^beta, shape (requests, providers).
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
        """Kind, size, demand and limit of each request."""
        # Converted once per block: plain numbers cost less in a `Task` than elements of arrays.
        fields = (self.kind, self.size_mb, self.demand, self.limit_s)
        return list(zip(*(field.tolist() for field in fields), strict=True))

    def task(self, at: int, number: int, vehicle: int, request: int, now: float) -> Task:
        """Return the task of one request.

        Args:
            at: index of the request in the block.
            number: id of the task.
            vehicle: id of the vehicle.
            request: index of the request among those of its vehicle.
            now: time of the request, s.
        """
        kind, size_mb, demand, limit_s = self._rows[at]
        return Task(number, vehicle, request, kind, size_mb, demand, now, now + limit_s)

    def work(self, equipment: Equipment, uplink_power_units: FloatArray) -> Work:
        """Return the work of the requests at each provider, parts of shape (2, requests, providers).

        Args:
            equipment: equipment of the providers, fields of shape (..., providers).
            uplink_power_units: transmit powers p^u, units of 100 mW, shape (requests,).
        """
        size_mb, power = self.size_mb[:, None], uplink_power_units[:, None]
        return stage_work(size_mb, self.gpu_per_bit[:, None], self.fading_db, power, *equipment)


def draw_requests(scenario: Scenario, fleet: Fleet, draw: Stream, count: int) -> Requests:
    """Draw a block of requests.

    Args:
        scenario: scenario with the distributions.
        fleet: providers.
        draw: source of one generator per quantity.
        count: number of requests.
    """
    tasks, common = scenario.tasks, draw("request")
    size_mb = common.uniform(*tasks.size_mb, count)
    shares = np.array([tasks.kinds[kind].share if kind in tasks.kinds else 0.0 for kind in TASK_KINDS])
    # Inverse transform sampling: the kind whose interval of the cumulative shares holds a uniform number.
    kind = np.searchsorted(np.cumsum(shares) / shares.sum(), common.random(count), side="right")
    power = common.uniform(*tasks.power_units, count)
    # A log-normal number with log-mean -sd^2 / 2 has mean 1.
    demand = np.exp(tasks.demand_log_sd * common.standard_normal(count) - 0.5 * tasks.demand_log_sd**2)
    parts = (("uav", scenario.uavs, fleet.uavs), ("station", scenario.stations, fleet.size - fleet.uavs))
    # Providers on the first axis: one more provider draws after all others and does not change their numbers.
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
    """Return the match term omega_2 / (1 - R)^beta of (10) with the weights of a scenario.

    Args:
        accuracy: accuracies R, of any shape.
        market: weights omega_2 and beta.
        cap: largest R that counts.
    """
    return match_term(accuracy, market.accuracy_weight, market.accuracy_exponent, cap)


def _draw_accuracy(
    model: PowerLawAccuracy | LogNormalAccuracy, draw: Stream, name: str, size: tuple[int, ...]
) -> FloatArray:
    """Draw accuracies R of one kind of provider."""
    rng = draw(f"accuracy.{name}")
    if isinstance(model, PowerLawAccuracy):
        accuracy = power_law_accuracy(rng.random(size), model.scale, model.shape)
    else:
        accuracy = log_normal_accuracy(rng.standard_normal(size), model.median_error, model.log_sd)
    if model.pixels is None:
        return accuracy
    # Equations (7) and (8): the number of matched pixels is Binomial(k, R).
    return pixel_accuracy(draw(f"pixels.{name}").binomial(model.pixels, accuracy), model.pixels)


def _limits(scenario: Scenario) -> list[float]:
    """Return the time from request to deadline of each kind of task, s; `inf` without a deadline."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.inf if kind is None or kind.deadline_s is None else kind.deadline_s for kind in kinds]


def gpu_work(scenario: Scenario) -> list[float]:
    """Return the GPU work per bit e_p of each kind of task, 1/bit; NaN for a kind that does not occur."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.nan if kind is None else kind.gpu_per_bit for kind in kinds]


class RequestDraws:
    """The random numbers of each request of a run, keyed by (seed, vehicle, index of the request).

    Args:
        scenario: scenario with the distributions.
        fleet: providers.
        equipment: equipment of the providers, fields of shape (providers,).
        draws: randomness of the run.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, equipment: Equipment, draws: Draws) -> None:
        @lru_cache(maxsize=512)
        def power(vehicles: int) -> FloatArray:
            """Return the transmit power p^u of each vehicle of a block, for all its requests and links."""
            # The key has no index of a request: p^u is one draw per vehicle.
            rng = draws.generator("vehicle power", vehicles)
            return rng.uniform(*scenario.tasks.power_units, VEHICLES_PER_BLOCK)

        @lru_cache(maxsize=512)
        def block(vehicles: int, number: int) -> tuple[Requests, Work]:
            """Return a block of requests, and their work with the requests on the first axis."""
            count = VEHICLES_PER_BLOCK * REQUESTS_PER_BLOCK
            requests = draw_requests(scenario, fleet, draws.stream("requests", vehicles, number), count)
            work = requests.work(equipment, np.repeat(power(vehicles), REQUESTS_PER_BLOCK))
            # The numbers of one request then lie side by side in memory.
            return requests, Work(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in work))

        self._block = block

    def of(self, vehicle: int, request: int) -> tuple[Requests, int, Work]:
        """Return the random numbers of a request.

        Args:
            vehicle: id of the vehicle.
            request: index of the request among those of its vehicle.

        Returns:
            The block that holds the request, the index of the request in the block, and its work at every provider.
        """
        vehicles, row = divmod(vehicle, VEHICLES_PER_BLOCK)
        number, column = divmod(request, REQUESTS_PER_BLOCK)
        requests, (snr, mhz_per_mb, compute_s) = self._block(vehicles, number)
        at = row * REQUESTS_PER_BLOCK + column
        return requests, at, Work(snr[at], mhz_per_mb[at], compute_s[at])
