"""The paper's section 6.1: round k at its own time with vehicle k, everything drawn afresh, nobody queues."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import simpy

from simulator.draws import Draws, Stream
from simulator.market.ledger import Ledger
from simulator.market.lots import REFERENCE_MB, Situation
from simulator.market.requests import Requests, draw_requests
from simulator.model import BoolArray, FloatArray
from simulator.model.channel import snr_ratio
from simulator.model.latency import STAGES, latency, stage_times
from simulator.model.mechanism import contract_bid
from simulator.model.valuation import common_term, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.queues import Server, UnqueuedProvider
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.scenario.traffic import Rounds
from simulator.traffic.contract import Traffic

ROUNDS_PER_BLOCK = 256
CALIBRATION_CELLS = 1_000_000
"""Rounds times providers of a block of the calibration draw: what it holds in memory at once."""
CALIBRATION_BLOCK = 10_000


@dataclass(frozen=True)
class RoundBlock:
    """Draws of a block of rounds.

    Attributes:
        requests: what the requests bring, fields of shape (rounds,) and (rounds, providers).
        bare_times: stage times without the public factors, s, shape (4, rounds, providers).
        factor: the public factors, shape (rounds, providers); every stage time is divided by them.
    """

    requests: Requests
    bare_times: FloatArray
    factor: FloatArray


def draw_rounds(scenario: Scenario, fleet: Fleet, draw: Stream, rounds: int) -> RoundBlock:
    """Draw a block of rounds."""
    traffic = _rounds(scenario)
    requests = draw_requests(scenario, fleet, draw, rounds)
    equipment = fleet.draw_equipment(draw, (rounds,))
    median = np.where(fleet.is_uav, _median_snr(scenario.uavs), _median_snr(scenario.stations))
    bare = stage_times(requests.work(equipment, requests.uplink_power_units), snr_ratio(median))
    uav_sd, ground_sd = traffic.uav_factor_log_sd, traffic.ground_factor_log_sd
    factor = np.empty((rounds, fleet.size))
    factor[:, : fleet.uavs] = np.exp(
        uav_sd * draw("factor.uav").standard_normal((fleet.uavs, rounds)).T - 0.5 * uav_sd**2
    )
    factor[:, fleet.uavs :] = np.exp(
        ground_sd * draw("factor.ground").standard_normal((rounds, 1)) - 0.5 * ground_sd**2
    )
    return RoundBlock(requests, bare, factor)


def _median_snr(providers: object) -> float:
    return float(providers.radio.snr_db)  # type: ignore[attr-defined]


class RoundCalibration:
    """The ledger of the `rounds` world: what is known of a round before it is drawn, from a draw of the seed.

    Args:
        scenario: a scenario of rounds.
        fleet: its providers.
        draws: the randomness of the run.

    Attributes:
        ground_times: mean stage times of a station for 30 MB without the public factor, s, shape (4,).
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, draws: Draws) -> None:
        market, uavs = scenario.market, fleet.uavs
        rounds = market.contract_rounds
        uav_values, top_values = np.empty(rounds), np.empty(rounds)
        times, uav_common, uav_match = np.zeros(4), np.zeros(max(uavs, 1)), np.zeros(max(uavs, 1))
        ranked = np.zeros(2)
        step = min(CALIBRATION_BLOCK, CALIBRATION_CELLS // fleet.size)
        for begin in range(0, rounds, step):
            end = min(begin + step, rounds)
            block = draw_rounds(scenario, fleet, draws.stream("calibration", begin), end - begin)
            requests, bare = block.requests, latency(block.bare_times)
            value = valuation(
                common_term(bare / block.factor, market.latency_weight), requests.match, requests.demand[:, None]
            )
            ground = np.sort(value[:, uavs:], axis=1)
            scale = REFERENCE_MB / requests.size_mb
            top_values[begin:end] = ground[:, -1]
            # A bid is demand times 30 MB over D times the provider's own part; the factor is public.
            common = requests.demand * scale * block.factor[:, -1]
            ranked += [(ground[:, -1] / common).sum(), (ground[:, -min(2, ground.shape[1])] / common).sum()]
            times += (block.bare_times[:, :, uavs:] * scale[:, None]).mean(axis=2).sum(axis=1)
            if uavs:
                # Of several UAVs the one with the best public prediction stands behind the stations.
                best = (bare / block.factor)[:, :uavs].argmin(axis=1)
                uav_values[begin:end] = value[np.arange(end - begin), best]
                uav_common += common_term(bare[:, :uavs], market.latency_weight).sum(axis=0)
                uav_match += requests.match[:, :uavs].sum(axis=0)
        self.ground_times = times / rounds
        self._uav_match: list[float] = (uav_match / rounds).tolist()
        self._uav_bid: list[float] = (uav_common / rounds * uav_match / rounds).tolist()
        # The public prediction is the same for all stations, so their order statistics go into the match values.
        self._best, self._second = (ranked / rounds / market.latency_weight * self.ground_times.sum()).tolist()
        self._contract = contract_bid(uav_values, top_values, market.uav_weight) if uavs else None

    def uav_bid(self, uav: int) -> float:
        """Mean demand (1) times the UAV's own means over the calibration draw, which know of no public factor."""
        return self._uav_bid[uav]

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Expected match values: of the UAV, and of the two highest bids over what is public of them; no two stations
        differ before a round is drawn, so what stands for all of them is what the price scales, the second.
        """
        return self._uav_match[max(uav, 0)], self._best, self._second, self._second

    def contract_bid(self) -> float | None:
        """The contract bid of the calibration draw."""
        return self._contract

    def settled(self, uav_value: float, top_value: float) -> None:
        """Nothing: the calibration stands."""

    def served(self, task: Task, delivered: bool) -> None:
        """Nothing: the calibration stands."""


class RoundsSite:
    """A world without places: one task per round, drawn for itself, and providers where nobody queues.

    Args:
        env: the SimPy environment.
        scenario: a scenario of rounds.
        draws: the randomness of the run.
        on_served: called with each task that is done.
    """

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, draws: Draws, on_served: Callable[[Task], None]
    ) -> None:
        self._env = env
        self._every_s = _rounds(scenario).every_s
        self.fleet = fleet = Fleet(scenario)
        self.providers: Sequence[Server] = [UnqueuedProvider(env, on_served) for _ in range(fleet.size)]
        self.free_at = np.zeros((len(STAGES), fleet.size))
        calibration = RoundCalibration(scenario, fleet, draws)
        self.ledger: Ledger = calibration
        self.traffic: Traffic | None = None
        self.time_origin, self.left_out = 0.0, dict[str, int]()
        self._ground_times = calibration.ground_times
        self._everywhere = np.ones(fleet.size, dtype=np.bool_)
        self._forever = np.full(fleet.size, np.inf)

        @lru_cache(maxsize=4)
        def block(number: int) -> RoundBlock:
            return draw_rounds(scenario, fleet, draws.stream("rounds", number), ROUNDS_PER_BLOCK)

        self._block = block

    def up_since(self, time: float) -> BoolArray:
        """Return that all providers work."""
        return self._everywhere

    def start(self, on_request: Callable[[Situation], None]) -> None:
        """Start the process that asks for one task per round.

        Args:
            on_request: called with the situation of each round, at its time.
        """
        self._env.process(self._ask(on_request))

    def _ask(self, on_request: Callable[[Situation], None]) -> Generator[simpy.Event, None, None]:
        env, number = self._env, 0
        while True:
            on_request(self._situation(number, env.now))
            number += 1
            yield env.timeout(max(number * self._every_s - env.now, 0.0))

    def _situation(self, number: int, now: float) -> Situation:
        block, row = self._block(number // ROUNDS_PER_BLOCK), number % ROUNDS_PER_BLOCK
        requests, uavs = block.requests, self.fleet.uavs
        task = requests.task(row, number, number, 0, now)
        times = np.empty((4, 2, self.fleet.size))
        times[:, 0] = block.bare_times[:, row] / block.factor[row]
        times[:, 1, :uavs] = times[:, 0, :uavs] * (REFERENCE_MB / task.size_mb)
        times[:, 1, uavs:] = (self._ground_times / block.factor[row, -1])[:, None]
        return Situation(
            task, -1, times, requests.accuracy[row], requests.match[row], self._everywhere, self._forever, None, None
        )


def _rounds(scenario: Scenario) -> Rounds:
    assert scenario.traffic.kind == "rounds"
    return scenario.traffic
