"""The books of a junction: audited match values, the UAV's reports, and the contract bid from settled rounds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np
import simpy

from simulator.draws import Draws
from simulator.market.lots import REFERENCE_MB
from simulator.market.requests import draw_requests
from simulator.model.latency import latency, stage_times, stage_work
from simulator.model.mechanism import contract_bid
from simulator.model.valuation import common_term
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.radio import Radio
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario

FIRST_CONTRACT_ROUNDS = 100
"""Settled rounds before there is a contract bid."""

CONTRACT_RENEWAL = 0.02
"""The contract bid is computed anew whenever this share of its rounds is new."""

PRIOR_AUDITS = 10.0
"""Weight of a provider's expected match value before its first audit, in audits."""


class RunningLedger:
    """What a platform learns from its own past.

    Args:
        env: the SimPy environment; every UAV reports in a process of its own.
        scenario: weights, history length, report interval.
        fleet: the providers.
        equipment: their equipment, for a UAV's first bid.
        radio: the radio map, for a UAV's first bid.
        draws: the randomness of the run.
        on_report: called with (UAV, its new bid) at each report.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        fleet: Fleet,
        equipment: Equipment,
        radio: Radio,
        draws: Draws,
        on_report: Callable[[int, float], None],
    ) -> None:
        market = scenario.market
        self._market = market
        expected = draw_requests(scenario, fleet, draws.stream("calibration"), 4096).match.mean(axis=0)
        self._match_sum = (PRIOR_AUDITS * expected).tolist()
        self._match_count = [PRIOR_AUDITS] * fleet.size
        self._ground_sum = sum(self._match_sum[fleet.uavs :])
        self._ground_count = PRIOR_AUDITS * (fleet.size - fleet.uavs)
        self._uavs = fleet.uavs
        self._served: list[deque[tuple[float, float]]] = [deque(maxlen=market.history) for _ in range(fleet.uavs)]
        self._uav_bid = [0.0] * fleet.uavs
        self._rounds = np.empty((2, market.contract_rounds))
        self._settled = 0
        self._renew_at = FIRST_CONTRACT_ROUNDS
        self._contract: float | None = None
        for uav in range(fleet.uavs):
            self._served[uav].append((_nominal_common(scenario, fleet, equipment, radio, uav), float(expected[uav])))
            env.process(self._report(env, scenario.uavs.report_s, uav, on_report))
            self._renew_bid(uav)

    def _report(
        self, env: simpy.Environment, every_s: float, uav: int, on_report: Callable[[int, float], None]
    ) -> Generator[simpy.Event, None, None]:
        while True:
            self._renew_bid(uav)
            on_report(uav, self._uav_bid[uav])
            yield env.timeout(every_s)

    def _renew_bid(self, uav: int) -> None:
        """Mean demand (1) times the means of (9) and (10) over the UAV's own last T tasks."""
        served = self._served[uav]
        common = sum(entry[0] for entry in served) / len(served)
        match = sum(entry[1] for entry in served) / len(served)
        self._uav_bid[uav] = common * match

    def uav_bid(self, uav: int) -> float:
        """What a UAV bids since its last report."""
        return self._uav_bid[uav]

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Mean audited match values of three providers, NaN where the id is -1, and of all ground stations."""
        sums, counts = self._match_sum, self._match_count
        return (
            sums[uav] / counts[uav] if uav >= 0 else math.nan,
            sums[best] / counts[best] if best >= 0 else math.nan,
            sums[second] / counts[second] if second >= 0 else math.nan,
            self._ground_sum / self._ground_count,
        )

    def contract_bid(self) -> float | None:
        """The contract bid of (13) over the last settled rounds, None before the first hundred."""
        return self._contract

    def settled(self, uav_value: float, top_value: float) -> None:
        """Take in the true values of a priced round; now and then the contract bid is computed anew."""
        size = self._rounds.shape[1]
        self._rounds[:, self._settled % size] = uav_value, top_value
        self._settled += 1
        if self._settled >= self._renew_at:
            kept = self._rounds[:, : min(self._settled, size)]
            self._contract = contract_bid(kept[0], kept[1], self._market.uav_weight)
            self._renew_at = self._settled + max(1, int(CONTRACT_RENEWAL * kept.shape[1]))

    def served(self, task: Task, delivered: bool) -> None:
        """A delivered result is audited; a UAV reports of what it served, delivered or not."""
        if delivered:
            self._match_sum[task.provider] += task.match
            self._match_count[task.provider] += 1.0
            if task.provider >= self._uavs:
                self._ground_sum += task.match
                self._ground_count += 1.0
        if task.provider < self._uavs:
            common = float(common_term(task.latency, self._market.latency_weight))
            self._served[task.provider].append((common, task.match))


def _nominal_common(scenario: Scenario, fleet: Fleet, equipment: Equipment, radio: Radio, uav: int) -> float:
    """Common value of a 30 MB task with nobody before it, half-way out in the UAV's footprint."""
    x, y = float(fleet.x[uav] + 0.5 * fleet.radius_m[uav]), float(fleet.y[uav])
    kinds = scenario.tasks.kinds.values()
    gpu_per_bit = sum(kind.share * kind.gpu_per_bit for kind in kinds) / sum(kind.share for kind in kinds)
    power = 0.5 * sum(scenario.tasks.power_units)
    work = stage_work(REFERENCE_MB, gpu_per_bit, 0.0, power, *equipment)
    return float(common_term(latency(stage_times(work, radio.unit_snr(x, y))), scenario.market.latency_weight)[uav])


class Ledger(Protocol):
    """What the auctioneer keeps from past rounds; in `rounds` a calibration draw stands in for them."""

    def uav_bid(self, uav: int) -> float:
        """What a UAV bids since its last report."""
        ...

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Mean audited match values of a UAV, of two stations that cover a vehicle, and of all ground stations."""
        ...

    def contract_bid(self) -> float | None:
        """The contract bid of (13), None while there are too few rounds for it."""
        ...

    def settled(self, uav_value: float, top_value: float) -> None:
        """Take in the true values of a priced round that has settled."""
        ...

    def served(self, task: Task, delivered: bool) -> None:
        """Take in a task that its provider has served, and whether the result reached the vehicle in time."""
        ...


class History:
    """What providers remember of the tasks that they served: the last T - 1 of each, for the means of (9) and (10).

    Args:
        providers: how many providers there are.
        length: T, the entry of the task at hand included.

    Attributes:
        entries: entries kept and the one at hand, shape (providers,).
        sums: sums of the kept common terms and of the kept match terms, shape (2, providers).
    """

    def __init__(self, providers: int, length: int) -> None:
        self.entries = np.ones(providers)
        self.sums = np.zeros((2, providers))
        self._common: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]
        self._match: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]

    def add(self, provider: int, common: float, match: float) -> None:
        """Take in a task that the provider has served."""
        commons, matches = self._common[provider], self._match[provider]
        if not commons.maxlen:
            return  # T = 1: nobody remembers anything
        commons.append(common)
        matches.append(match)
        self.entries[provider] = len(commons) + 1
        self.sums[:, provider] = sum(commons), sum(matches)
