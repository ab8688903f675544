"""Random numbers of requests: size, kind and demand of the task, and fading and accuracy at each provider.

They do not depend on prices, so every policy meets the same requests. What belongs to a provider is drawn with a
generator of its own, and only if the provider covers a vehicle of the block.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulator.draws import Draws
from simulator.model import FloatArray, IntArray
from simulator.model.accuracy import log_normal_accuracy, pixel_accuracy, power_law_accuracy
from simulator.model.channel import snr_ratio
from simulator.model.latency import Work, stage_work
from simulator.model.valuation import match_term
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.task import Task
from simulator.scenario.market import Market
from simulator.scenario.providers import LogNormalAccuracy, PowerLawAccuracy
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import PENETRATION_DB, TASK_KINDS

# One generator per block: making a generator takes longer than drawing the numbers of one request.
VEHICLES_PER_BLOCK, REQUESTS_PER_BLOCK = 64, 2

LINK_NUMBERS = 8
"""Numbers that are kept of one request at one provider."""

LINK_BYTES = 8 * LINK_NUMBERS * VEHICLES_PER_BLOCK * REQUESTS_PER_BLOCK
"""Memory of a block of requests at one provider, bytes."""

BLOCK_BYTES, PROVIDER_BYTES = 4 * 2**20, 100 * 2**10
"""Largest memory of the blocks of requests that a run keeps, bytes: the first, or the second times all providers.

An hour of `four_way` fills 1.4 MiB. With 16 MiB a third of the draws in a city of 610 providers were made again.
"""


@dataclass(frozen=True)
class Requests:
    """Random numbers of a block of requests that are the same for all providers. Each has the shape (requests,).

    Attributes:
        size_mb: input sizes D, MB.
        demand: factor of (11) that is common to all providers, with mean 1.
        kind: indices into `TASK_KINDS`.
        gpu_per_bit: GPU work per bit e_p, 1/bit.
        limit_s: time from request to deadline, s, `inf` without a deadline.
        grace_s: time after the deadline over which the worth falls to 0, s.
        uplink_power_units: transmit powers p^u of the vehicles, units of 100 mW.
        penetration_db: loss into the vehicles, dB.
    """

    size_mb: FloatArray
    demand: FloatArray
    kind: IntArray
    gpu_per_bit: FloatArray
    limit_s: FloatArray
    grace_s: FloatArray
    uplink_power_units: FloatArray
    penetration_db: FloatArray

    @property
    def bytes(self) -> int:
        """Memory of the block, bytes."""
        return 8 * self.size_mb.nbytes

    def task(self, at: int, number: int, vehicle: int, request: int, now: float) -> Task:
        """Return the task of one request.

        Args:
            at: index of the request in the block.
            number: id of the task.
            vehicle: id of the vehicle.
            request: number of the request among those that its vehicle could make.
            now: time of the request, s.
        """
        # Plain numbers cost less in a `Task` than elements of arrays.
        return Task(
            number,
            vehicle,
            request,
            self.kind.item(at),
            self.size_mb.item(at),
            self.demand.item(at),
            now,
            self.uplink_power_units.item(at),
            self.gpu_per_bit.item(at),
            self.limit_s.item(at),
            self.grace_s.item(at),
        )

    def work(self, fading_db: FloatArray, equipment: Equipment) -> Work:
        """Return the work of the requests at providers, parts of shape (2, requests, providers).

        Args:
            fading_db: fading of the links, dB, shape (requests, providers).
            equipment: equipment of the providers, fields of shape (..., providers).
        """
        size_mb, power, loss = self.size_mb[:, None], self.uplink_power_units[:, None], self.penetration_db[:, None]
        return stage_work(size_mb, self.gpu_per_bit[:, None], fading_db, power, *equipment, penetration_db=loss)


class Links(NamedTuple):
    """Random numbers of a block of requests at some providers. Each has the shape (requests, providers).

    Attributes:
        fading_db: fading of the links, dB.
        accuracy: accuracies R.
        match: match terms omega_2 / (1 - R)^beta.
    """

    fading_db: FloatArray
    accuracy: FloatArray
    match: FloatArray


def draw_requests(scenario: Scenario, rng: np.random.Generator, count: int) -> Requests:
    """Draw what a block of requests has in common for all providers.

    Args:
        scenario: scenario with the distributions.
        rng: generator of the block.
        count: number of requests.
    """
    tasks = scenario.tasks
    size_mb = rng.uniform(*tasks.size_mb, count)
    shares = np.array([tasks.kinds[kind].share if kind in tasks.kinds else 0.0 for kind in TASK_KINDS])
    # Inverse transform sampling: the kind whose interval of the cumulative shares holds a uniform number.
    kind = np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(count), side="right")
    power = rng.uniform(*tasks.power_units, count)
    # A log-normal number with log-mean -sd^2 / 2 has mean 1.
    demand = np.exp(tasks.demand_log_sd * rng.standard_normal(count) - 0.5 * tasks.demand_log_sd**2)
    work, limit = np.array(gpu_work(scenario))[kind], np.array(_limits(scenario))[kind]
    grace = np.array([tasks.kinds[name].grace_s if name in tasks.kinds else 0.0 for name in TASK_KINDS])[kind]
    return Requests(size_mb, demand, kind, work, limit, grace, power, draw_penetration(scenario, rng, count))


def draw_penetration(scenario: Scenario, rng: np.random.Generator, count: int) -> FloatArray:
    """Draw the loss into vehicles, dB, shape (count,).

    Args:
        scenario: scenario that says where the antennas are.
        rng: generator; nothing is drawn for antennas on the roof.
        count: number of vehicles.
    """
    mean, spread = PENETRATION_DB[scenario.tasks.antenna]
    return mean + spread * rng.standard_normal(count) if spread else np.zeros(count)


def draw_links(
    scenario: Scenario,
    fleet: Fleet,
    providers: Sequence[int],
    generators: Sequence[np.random.Generator],
    count: int,
) -> Links:
    """Draw fading and accuracy of a block of requests at some providers.

    Args:
        scenario: scenario with the distributions.
        fleet: all providers.
        providers: ids of the providers.
        generators: the generator of each of them for this block.
        count: number of requests.
    """
    fading, accuracy = np.empty((2, len(providers), count))
    for row, (provider, rng) in enumerate(zip(providers, generators, strict=True)):
        kind = scenario.uavs if provider < fleet.uavs else scenario.stations
        fading[row] = kind.radio.spread_db * rng.standard_normal(count)
        accuracy[row] = _draw_accuracy(kind.accuracy, rng, count)
    accuracy = np.ascontiguousarray(accuracy.T)
    return Links(
        np.ascontiguousarray(fading.T), accuracy, match_value(accuracy, scenario.market, scenario.tasks.accuracy_cap)
    )


def match_value(accuracy: FloatArray, market: Market, cap: float) -> FloatArray:
    """Return the match term omega_2 / (1 - R)^beta of (10) with the weights of a scenario.

    Args:
        accuracy: accuracies R, of any shape.
        market: weights omega_2 and beta.
        cap: largest R that counts.
    """
    return match_term(accuracy, market.accuracy_weight, market.accuracy_exponent, cap)


def _draw_accuracy(model: PowerLawAccuracy | LogNormalAccuracy, rng: np.random.Generator, count: int) -> FloatArray:
    """Draw accuracies R of one provider."""
    if isinstance(model, PowerLawAccuracy):
        accuracy = power_law_accuracy(rng.random(count), model.scale, model.shape)
    else:
        accuracy = log_normal_accuracy(rng.standard_normal(count), model.median_error, model.log_sd)
    if model.pixels is None:
        return accuracy
    # Equations (7) and (8): the number of matched pixels is Binomial(k, R).
    return pixel_accuracy(rng.binomial(model.pixels, accuracy), model.pixels)


def _limits(scenario: Scenario) -> list[float]:
    """Return the time from request to deadline of each kind of task, s; `inf` without a deadline."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.inf if kind is None or kind.deadline_s is None else kind.deadline_s for kind in kinds]


def gpu_work(scenario: Scenario) -> list[float]:
    """Return the GPU work per bit e_p of each kind of task, 1/bit; NaN for a kind that does not occur."""
    kinds = [scenario.tasks.kinds.get(kind) for kind in TASK_KINDS]
    return [math.nan if kind is None else kind.gpu_per_bit for kind in kinds]


class RequestBlock:
    """A block of requests with what has been drawn of it so far.

    Args:
        requests: what is the same for all providers.

    Attributes:
        requests: what is the same for all providers.
        entry: share of any power that enters the vehicle, shape (requests,).
        links: what has been drawn at a provider, shape (requests, 8), by its id. The columns are the six numbers of
            `Work`, the accuracy R and its match term.
    """

    # A block has only the providers that have covered one of its vehicles: in a city that is a few of hundreds.
    __slots__ = ("entry", "links", "requests")

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.links: dict[int, FloatArray] = {}
        self.entry: list[float] = snr_ratio(-requests.penetration_db).tolist()


class RequestAtProviders(NamedTuple):
    """The random numbers of one request at the providers that cover it.

    Attributes:
        requests: block to which the request belongs.
        at: its index in the block.
        work: work of the request, parts of shape (2, providers).
        accuracy: accuracies R, shape (providers,).
        match: match terms of (10), shape (providers,).
    """

    requests: Requests
    at: int
    work: Work
    accuracy: FloatArray
    match: FloatArray


class RequestDraws:
    """The random numbers of each request of a run, keyed by (seed, block of vehicles, provider).

    Args:
        scenario: scenario with the distributions.
        fleet: providers.
        equipment: equipment of the providers, fields of shape (providers,).
        draws: randomness of the run.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, equipment: Equipment, draws: Draws) -> None:
        self._scenario, self._fleet, self._equipment, self._draws = scenario, fleet, equipment, draws
        self._blocks: dict[tuple[int, int], RequestBlock] = {}
        self._bytes, self._most_bytes = 0, max(BLOCK_BYTES, PROVIDER_BYTES * fleet.size)

        @lru_cache(maxsize=512)
        def of_vehicles(vehicles: int) -> tuple[FloatArray, FloatArray]:
            """Return transmit power p^u and penetration loss of each vehicle of a block, once per request."""
            # The key has no index of a request: both are one draw per vehicle, for all its requests and links.
            rng = draws.generator("vehicle power", vehicles)
            power = rng.uniform(*scenario.tasks.power_units, VEHICLES_PER_BLOCK)
            loss = draw_penetration(scenario, rng, VEHICLES_PER_BLOCK)
            return np.repeat(power, REQUESTS_PER_BLOCK), np.repeat(loss, REQUESTS_PER_BLOCK)

        self._of_vehicles = of_vehicles

    def of(self, vehicle: int, request: int, providers: IntArray) -> RequestAtProviders:
        """Return the random numbers of a request.

        Args:
            vehicle: id of the vehicle.
            request: number of the request among those that its vehicle could make.
            providers: ids of the providers that cover the vehicle.
        """
        vehicles, row = divmod(vehicle, VEHICLES_PER_BLOCK)
        number, column = divmod(request, REQUESTS_PER_BLOCK)
        at, ids = row * REQUESTS_PER_BLOCK + column, providers.tolist()
        block = self._blocks.get((vehicles, number))
        if block is None:
            block = self._begin(vehicles, number)
        links = block.links
        missing = [one for one in ids if one not in links]
        if missing:
            self._draw(block, missing, vehicles, number)
        # The numbers of one request at one provider lie side by side in memory.
        rows = np.concatenate([links[one][at] for one in ids]) if ids else np.empty(0)
        drawn = rows.reshape(-1, LINK_NUMBERS).T.copy()
        return RequestAtProviders(
            block.requests, at, Work(drawn[:2], drawn[2:4], drawn[4:6], block.entry[at]), drawn[6], drawn[7]
        )

    def _begin(self, vehicles: int, number: int) -> RequestBlock:
        """Return a new block of requests in which no provider has been drawn."""
        rng = self._draws.generator("requests", vehicles, number)
        drawn = draw_requests(self._scenario, rng, VEHICLES_PER_BLOCK * REQUESTS_PER_BLOCK)
        power, loss = self._of_vehicles(vehicles)
        own = dataclasses.replace(drawn, uplink_power_units=power, penetration_db=loss)
        block = self._blocks[vehicles, number] = RequestBlock(own)
        self._bytes += own.bytes
        return block

    def _draw(self, block: RequestBlock, providers: list[int], vehicles: int, number: int) -> None:
        """Draw the numbers of a block of requests at some providers."""
        requests = block.requests
        generators = [self._draws.generator("links", vehicles, number, self._fleet.names[one]) for one in providers]
        links = draw_links(self._scenario, self._fleet, providers, generators, len(requests.size_mb))
        equipment = Equipment(*(field[..., providers] for field in self._equipment))
        work = requests.work(links.fading_db, equipment)
        drawn = np.empty((len(providers), len(requests.size_mb), LINK_NUMBERS))
        for column, part in enumerate((*work.snr, *work.mhz_per_mb, *work.compute_s, links.accuracy, links.match)):
            drawn[:, :, column] = part.T
        block.links.update(zip(providers, drawn, strict=True))
        self._bytes += LINK_BYTES * len(providers)
        while self._bytes > self._most_bytes and len(self._blocks) > 1:
            # The oldest block goes. If one of its vehicles asks again, the same numbers are drawn again.
            oldest = self._blocks.pop(next(iter(self._blocks)))
            self._bytes -= oldest.requests.bytes + LINK_BYTES * len(oldest.links)
