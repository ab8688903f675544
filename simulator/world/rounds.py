"""The world without places, section 6.1 of the paper.

Round k has vehicle k. Each round draws all its random numbers independently of the other rounds, and no task waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import simpy

from simulator.clock import until
from simulator.draws import Draws
from simulator.market.costs import DOWNLINK, GPU, Costs
from simulator.market.ledger import Ledger
from simulator.market.lots import Situation
from simulator.market.requests import Links, Requests, draw_links, draw_requests
from simulator.model import BoolArray, FloatArray
from simulator.model.channel import snr_ratio
from simulator.model.latency import STAGES, Budget, latency, received, stage_times
from simulator.model.mechanism import contract_bid
from simulator.model.valuation import common_term, timeliness, valuation
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.queues import Server, UnqueuedProvider
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.scenario.traffic import Rounds
from simulator.traffic.contract import Traffic

ROUNDS_PER_BLOCK = 256
"""Rounds that are drawn with one set of generators."""

CALIBRATION_BLOCK = 10_000
"""Largest number of rounds in one block of the calibration draw."""

# It bounds the memory of the calibration draw: with many stations a block has fewer rounds.
CALIBRATION_CELLS = 1_000_000
"""Largest product of rounds and providers in one block of the calibration draw."""


@dataclass(frozen=True)
class RoundBlock:
    """Random numbers of a block of rounds.

    Attributes:
        requests: what each request has in common for all providers, fields of shape (rounds,).
        links: fading and accuracy, fields of shape (rounds, providers).
        bare_times: stage times before division by the public factor, s, shape (5, rounds, providers).
        factor: public factors, by which every stage time is divided, shape (rounds, providers).
        snr: signal-to-noise ratios of uplink and downlink, plain ratios, shape (2, rounds, providers).
        equipment: equipment of the providers, fields of shape (..., rounds, providers).
    """

    requests: Requests
    links: Links
    bare_times: FloatArray
    factor: FloatArray
    snr: FloatArray
    equipment: Equipment


def draw_rounds(scenario: Scenario, fleet: Fleet, draws: Draws, purpose: str, number: int, rounds: int) -> RoundBlock:
    """Draw a block of rounds.

    Args:
        scenario: a scenario of rounds.
        fleet: providers.
        draws: randomness of the run.
        purpose: what the rounds are for.
        number: number of the block.
        rounds: number of rounds.
    """
    traffic, common = _rounds(scenario), draws.generator(purpose, number)
    requests = draw_requests(scenario, common, rounds)
    generators = fleet.generators(draws, purpose, number)
    links = draw_links(scenario, fleet, range(fleet.size), generators, rounds)
    equipment = fleet.draw_equipment(generators, (rounds,))
    median = np.where(fleet.is_uav, _median_snr(scenario.uavs), _median_snr(scenario.stations))
    work = requests.work(links.fading_db, equipment)
    snr = received(work, Budget(snr_ratio(median)))
    bare = stage_times(work, snr)
    # The public factors stand for the queues of a junction: one per UAV, one common to all stations. They are
    # log-normal with mean 1, hence the log-mean -sd^2 / 2.
    uav_sd, ground_sd = traffic.uav_factor_log_sd, traffic.ground_factor_log_sd
    factor = np.empty((rounds, fleet.size))
    for uav in range(fleet.uavs):
        factor[:, uav] = np.exp(uav_sd * generators[uav].standard_normal(rounds) - 0.5 * uav_sd**2)
    factor[:, fleet.uavs :] = np.exp(ground_sd * common.standard_normal((rounds, 1)) - 0.5 * ground_sd**2)
    return RoundBlock(requests, links, bare, factor, snr, equipment)


def _median_snr(providers: object) -> float:
    """Return the median signal-to-noise ratio of a kind of provider, dB."""
    return float(providers.radio.snr_db)  # type: ignore[attr-defined]


class RoundCalibration:
    """The ledger of the world without places.

    It does not learn from the run. It knows the expected values of a separate draw.

    Args:
        scenario: a scenario of rounds.
        fleet: providers.
        draws: randomness of the calibration draw.

    Attributes:
        ground_times: mean stage times of a station for a task of the reference size at a public factor of 1, s, shape
            (5,).
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, draws: Draws) -> None:
        market, uavs, costs = scenario.market, fleet.uavs, Costs(scenario, fleet)
        rounds = market.contract_rounds
        uav_values, top_values = np.empty(rounds), np.empty(rounds)
        # At least one element, so that the means exist in a scenario without UAVs.
        times, uav_common, uav_match = np.zeros(len(STAGES)), np.zeros(max(uavs, 1)), np.zeros(max(uavs, 1))
        ranked = np.zeros(2)
        step = min(CALIBRATION_BLOCK, CALIBRATION_CELLS // fleet.size)
        for begin in range(0, rounds, step):
            end = min(begin + step, rounds)
            block = draw_rounds(scenario, fleet, draws, "calibration", begin, end - begin)
            requests, links, bare = block.requests, block.links, latency(block.bare_times)
            seconds = bare / block.factor
            timely = timeliness(seconds, requests.limit_s[:, None], requests.grace_s[:, None])
            value = valuation(
                common_term(seconds, market.latency_weight), links.match, requests.demand[:, None], timely
            )
            ground = np.sort(value[:, uavs:], axis=1)
            worth = value
            if not costs.free:
                times_s = block.bare_times / block.factor
                own = times_s[GPU], block.equipment.power_units, times_s[DOWNLINK], bare / block.factor
                worth = value - costs.at(np.arange(fleet.size), *own)
            scale = scenario.tasks.predicted_mb / requests.size_mb
            top_values[begin:end] = worth[:, uavs:].max(axis=1)
            # v_n = demand (D' / D) factor m_n omega_1 / T_n, with T_n the bare latency for the reference size D'. The
            # first three are common to all stations; only m_n omega_1 / T_n belongs to the station.
            common = requests.demand * scale * block.factor[:, -1]
            # With a lone station the second-highest value is taken to be its own.
            ranked += [(ground[:, -1] / common).sum(), (ground[:, -min(2, ground.shape[1])] / common).sum()]
            times += (block.bare_times[:, :, uavs:] * scale[:, None]).mean(axis=2).sum(axis=1)
            if uavs:
                # Of several UAVs the one with the best public prediction stands behind the stations.
                best = (bare / block.factor)[:, :uavs].argmin(axis=1)
                uav_values[begin:end] = worth[np.arange(end - begin), best]
                alone = bare[:, :uavs]
                in_time = timeliness(alone, requests.limit_s[:, None], requests.grace_s[:, None])
                uav_common += (common_term(alone, market.latency_weight) * in_time).sum(axis=0)
                uav_match += links.match[:, :uavs].sum(axis=0)
        self.ground_times = times / rounds
        self._uav_match: list[float] = (uav_match / rounds).tolist()
        self._uav_bid: list[float] = (uav_common / rounds * uav_match / rounds).tolist()
        # Pricing rules divide a match value by a predicted latency. All stations have the same predicted latency here,
        # so the match values must carry the order statistics of the values.
        self._best, self._second = (ranked / rounds / market.latency_weight * self.ground_times.sum()).tolist()
        self._contract = contract_bid(uav_values, top_values, market.uav_weight) if uavs else None

    def uav_bid(self, uav: int) -> float:
        """Return the bid of a UAV: E[demand] = 1, times its means of (9) and (10) at a public factor of 1."""
        return self._uav_bid[uav]

    def uav_report(self, uav: int) -> float:
        """Return the expected worth of a task at a UAV, without its demand: a truthful bid is the same."""
        return self._uav_bid[uav]

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Return expected match values of the UAV, the best station, the second-best station and all stations.

        The value of the k-th best station is E[m_n tau / T_n], where station n has the k-th highest value of a round.
        T_n is the latency of station n for the reference size at a public factor of 1. tau is the mean of T_n.

        Args:
            uav: id of the UAV.
            best: not used, because stations do not differ before a round is drawn.
            second: not used, because stations do not differ before a round is drawn.
        """
        # The value for all stations is that of the second-best one: rho scales the second bid.
        return self._uav_match[max(uav, 0)], self._best, self._second, self._second

    def contract_bid(self) -> float | None:
        """Return the contract bid of (13) over the calibration draw; None without a UAV."""
        return self._contract

    def settled(self, uav_value: float, top_value: float) -> None:
        """Ignore a settled round: the calibration does not change."""

    def dropped(self, task: Task) -> None:
        """Ignore a dropped task: the calibration does not change."""

    def served(self, task: Task, delivered: bool) -> None:
        """Ignore a served task: the calibration does not change."""


CALIBRATION_SEED = 0
"""Seed of every calibration draw. Expected values belong to a scenario, not to one of its worlds."""

_kept: dict[str, RoundCalibration] = {}


def calibration_of(scenario: Scenario) -> RoundCalibration:
    """Return the calibration of a scenario. A process draws it once, for all worlds and episodes.

    Args:
        scenario: a scenario of rounds.
    """
    text = scenario.model_dump_json()
    if text not in _kept:
        _kept[text] = RoundCalibration(scenario, Fleet(scenario), Draws(CALIBRATION_SEED))
    return _kept[text]


class PlayedRounds(NamedTuple):
    """A block of rounds as a run plays it.

    Attributes:
        requests: what each request has in common for all providers, fields of shape (rounds,).
        links: fading and accuracy, fields of shape (rounds, providers).
        times: stage times, s, shape (rounds, 5, 2, providers). Index 0 of the third axis is the task, index 1 the
            public task of the reference size.
        snr: signal-to-noise ratios of uplink and downlink, plain ratios, shape (rounds, 2, providers).
        equipment: equipment of the providers, shape (rounds, 5, providers).
    """

    requests: Requests
    links: Links
    times: FloatArray
    snr: FloatArray
    equipment: FloatArray

    @property
    def bytes(self) -> int:
        """Memory of the numbers, bytes."""
        return self.requests.bytes + sum(array.nbytes for array in (*self.links, *self[2:]))


class RoundsDemand:
    """What does not depend on prices in the world without places: the calibration and the rounds.

    Args:
        scenario: a scenario of rounds.
        draws: randomness of the run.

    Attributes:
        fleet: providers by id.
        calibration: ledger of the world.
        block: function from the number of a block to the block.
        kept_bytes: memory of the blocks that are kept, bytes.
    """

    def __init__(self, scenario: Scenario, draws: Draws) -> None:
        self._scenario, self._draws = scenario, draws
        self.fleet = Fleet(scenario)
        self.calibration = calibration_of(scenario)
        self.kept_bytes = 0
        self._kept: dict[int, PlayedRounds] = {}

        @lru_cache(maxsize=4)
        def block(number: int) -> PlayedRounds:
            """Return a block of rounds by its number."""
            return self._kept.get(number) or self._draw(number)

        self.block = block

    def keep(self, duration: float, most_bytes: int) -> None:
        """Draw the rounds of a run and keep as many blocks as fit. The others are drawn again in each run.

        Args:
            duration: length of the run, s.
            most_bytes: largest memory of the blocks, bytes.
        """
        rounds = math.ceil(duration / _rounds(self._scenario).every_s)
        for number in range(math.ceil(rounds / ROUNDS_PER_BLOCK)):
            block = self._draw(number)
            if self.kept_bytes + block.bytes > most_bytes:
                return
            self._kept[number] = block
            self.kept_bytes += block.bytes

    def _draw(self, number: int) -> PlayedRounds:
        """Draw a block of rounds by its number."""
        block = draw_rounds(self._scenario, self.fleet, self._draws, "rounds", number, ROUNDS_PER_BLOCK)
        uavs, factor = self.fleet.uavs, block.factor[:, None]
        own = block.bare_times.swapaxes(0, 1) / factor
        # Public are the UAV's realised stage times, scaled to the reference size, and the factor of the stations.
        reference_mb = self._scenario.tasks.predicted_mb
        times = np.empty((ROUNDS_PER_BLOCK, len(STAGES), 2, self.fleet.size))
        times[:, :, 0] = own
        times[:, :, 1, :uavs] = own[:, :, :uavs] * (reference_mb / block.requests.size_mb)[:, None, None]
        times[:, :, 1, uavs:] = self.calibration.ground_times[:, None] / factor[:, :, -1:]
        # Bidders see the stage times. A replay shows the same array to the next run.
        times.flags.writeable = False
        snr, equipment = (np.ascontiguousarray(one.swapaxes(0, 1)) for one in (block.snr, block.equipment.rows()))
        return PlayedRounds(block.requests, block.links, times, snr, equipment)


class RoundsSite:
    """The world without places: one task per round, and providers without queues.

    Args:
        env: SimPy environment.
        scenario: a scenario of rounds.
        demand: what does not depend on prices.
        on_served: function that is called with each task whose last stage is done.
    """

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, demand: RoundsDemand, on_served: Callable[[Task], None]
    ) -> None:
        self._env = env
        self._every_s = _rounds(scenario).every_s
        self.fleet = fleet = demand.fleet
        self.providers: list[Server] = [UnqueuedProvider(env, on_served) for _ in range(fleet.size)]
        # It stays 0: every stage is always free, so the latency is the sum (6) of the stage times.
        self.free_at = np.zeros((len(STAGES), fleet.size))
        self.ledger: Ledger = demand.calibration
        self.traffic: Traffic | None = None
        self.time_origin, self.left_out = 0.0, dict[str, int]()
        self._everybody = np.arange(fleet.size)
        self._up = np.ones(fleet.size, dtype=np.bool_)
        self._forever = np.full(fleet.size, np.inf)
        self._block = demand.block

    def up_since(self, time: float) -> BoolArray:
        """Return that all providers work."""
        return self._up

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start the process that requests one task per round.

        Args:
            on_request: function that is called with the situation of each round, at the time of the round.
        """
        self._env.process(self._ask(on_request))

    def _ask(self, on_request: Callable[[Situation], None]) -> Generator[simpy.Event, None, None]:
        """Request the task of each round."""
        env, number = self._env, 0
        while True:
            on_request(self._situation(number, env.now))
            number += 1
            # The time of a round is a product, so rounding errors do not accumulate over the rounds.
            yield until(env, number * self._every_s)

    def _situation(self, number: int, now: float) -> Situation:
        """Return the situation of a round by its number."""
        block, row = self._block(number // ROUNDS_PER_BLOCK), number % ROUNDS_PER_BLOCK
        task, links = block.requests.task(row, number, number, 0, now), block.links
        return Situation(
            task,
            -1,
            self._everybody,
            block.times[row],
            links.accuracy[row],
            links.match[row],
            self._forever,
            None,
            None,
            block.snr[row],
            block.equipment[row],
        )


def _rounds(scenario: Scenario) -> Rounds:
    """Return the traffic of a scenario of rounds."""
    assert scenario.traffic.kind == "rounds"
    return scenario.traffic
