"""The paper's section 6.1: round k at its own time with vehicle k, everything drawn afresh, nobody queues."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import simpy

from simulator.draws import Stream, stream
from simulator.market.lots import REFERENCE_MB, Situation
from simulator.market.requests import Requests, draw_requests
from simulator.model import FloatArray
from simulator.model.channel import snr_ratio
from simulator.model.latency import latency, stage_times
from simulator.model.mechanism import contract_bid
from simulator.model.valuation import common_term, valuation
from simulator.providers.fleet import Fleet
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.scenario.traffic import Rounds

ROUNDS_A_BLOCK = 256
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
    traffic = scenario.traffic
    assert isinstance(traffic, Rounds)
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
    """The books of the `rounds` world: what is known of a round before it is drawn, from a draw of the seed.

    Args:
        scenario: a scenario of rounds.
        fleet: its providers.
        seed: the seed of the run.

    Attributes:
        ground_times: mean stage times of a station for 30 MB without the public factor, s, shape (4,).
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, seed: int) -> None:
        market, uavs = scenario.market, fleet.uavs
        rounds = market.contract_rounds
        uav_values, top_values = np.empty(rounds), np.empty(rounds)
        times, uav_common, uav_match = np.zeros(4), np.zeros(max(uavs, 1)), np.zeros(max(uavs, 1))
        ranked = np.zeros(2)
        step = min(CALIBRATION_BLOCK, CALIBRATION_CELLS // fleet.size)
        for begin in range(0, rounds, step):
            end = min(begin + step, rounds)
            block = draw_rounds(scenario, fleet, stream(seed, "calibration", begin), end - begin)
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


class RoundSource:
    """The process that asks for one task a round.

    Args:
        env: the SimPy environment.
        scenario: a scenario of rounds.
        fleet: its providers.
        seed: the seed of the run.
        calibration: what is public of stations before a round is drawn.
        on_request: called with each round's situation.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        fleet: Fleet,
        seed: int,
        calibration: RoundCalibration,
        on_request: Callable[[Situation], None],
    ) -> None:
        assert isinstance(scenario.traffic, Rounds)
        self._every_s = scenario.traffic.every_s
        self._ground_times = calibration.ground_times
        self._fleet = fleet
        self._on_request = on_request
        self._everywhere = np.ones(fleet.size, dtype=np.bool_)
        self._forever = np.full(fleet.size, np.inf)

        @lru_cache(maxsize=4)
        def block(number: int) -> RoundBlock:
            return draw_rounds(scenario, fleet, stream(seed, "rounds", number), ROUNDS_A_BLOCK)

        self._block = block
        env.process(self._ask(env))

    def _ask(self, env: simpy.Environment) -> Generator[simpy.Event, None, None]:
        number = 0
        while True:
            self._on_request(self._situation(number, env.now))
            number += 1
            yield env.timeout(max(number * self._every_s - env.now, 0.0))

    def _situation(self, number: int, now: float) -> Situation:
        block, row = self._block(number // ROUNDS_A_BLOCK), number % ROUNDS_A_BLOCK
        requests, uavs = block.requests, self._fleet.uavs
        task = requests.task(row, number, number, 0, now)
        times = np.empty((4, 2, self._fleet.size))
        times[:, 0] = block.bare_times[:, row] / block.factor[row]
        times[:, 1, :uavs] = times[:, 0, :uavs] * (REFERENCE_MB / task.size_mb)
        times[:, 1, uavs:] = (self._ground_times / block.factor[row, -1])[:, None]
        return Situation(
            task, -1, times, requests.accuracy[row], requests.match[row], self._everywhere, self._forever, None
        )
