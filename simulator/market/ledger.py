"""What a platform and its providers remember of past rounds.

The platform keeps audited match values, the bids that UAVs reported, and the contract bid (13). A match value is
audited when the result of the task has reached the vehicle: the platform then knows its accuracy.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol

import numpy as np
import simpy

from simulator.draws import Draws
from simulator.market.requests import draw_links
from simulator.model import FloatArray
from simulator.model.latency import latency, received, stage_times, stage_work
from simulator.model.mechanism import contract_bid
from simulator.model.valuation import common_term
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.radio.radio_map import RadioMap
from simulator.providers.task import Task
from simulator.scenario.scenario import Scenario
from simulator.scenario.tasks import PENETRATION_DB

FIRST_CONTRACT_ROUNDS = 100
"""Settled rounds that (13) needs. Until then the mean audited worth of the UAV takes the place of the contract bid."""

CALIBRATION_REQUESTS = 4096
"""Number of draws of which the expected match value of a provider is the mean."""

# (13) sorts all kept rounds, up to 100,000 by default. That is too slow for every settlement.
CONTRACT_RENEWAL = 0.02
"""Share of new rounds at which the contract bid is computed again."""

# Without a prior, a public mean would not exist before the first audit and would jump at the next few.
PRIOR_AUDITS = 10.0
"""Weight of a provider's expected match value in its mean, as a number of audits."""


class Expected(NamedTuple):
    """What a platform and its UAVs expect before the first task. It does not depend on prices.

    Attributes:
        match: mean match value of each provider, shape (providers,).
        common: common value of a nominal task at each UAV, 1/s.
    """

    match: FloatArray
    common: list[float]


def expected_values(scenario: Scenario, fleet: Fleet, equipment: Equipment, radio: RadioMap, draws: Draws) -> Expected:
    """Return what is expected before the first task.

    Args:
        scenario: scenario with the distributions.
        fleet: providers.
        equipment: equipment of the providers.
        radio: radio map.
        draws: randomness of the world.
    """
    # The mean of a separate draw: the expected match values do not depend on the requests of the run.
    generators = fleet.generators(draws, "calibration")
    match = draw_links(scenario, fleet, range(fleet.size), generators, CALIBRATION_REQUESTS).match.mean(axis=0)
    nominal = [_nominal_common(scenario, fleet, equipment, radio, uav) for uav in range(fleet.uavs)]
    return Expected(match, nominal)


class RunningLedger:
    """The ledger of a world with places, which learns from the tasks and rounds of the run.

    Args:
        env: SimPy environment. Each UAV reports in a process of its own.
        scenario: scenario with the weights, the history length and the report interval.
        fleet: providers.
        expected: expected values before the first task.
        on_report: function that is called with (id of the UAV, its new bid) at each report.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        fleet: Fleet,
        expected: Expected,
        on_report: Callable[[int, float], None],
    ) -> None:
        market = scenario.market
        self._market = market
        self._match_sum = (PRIOR_AUDITS * expected.match).tolist()
        self._match_count = [PRIOR_AUDITS] * fleet.size
        self._ground_sum = sum(self._match_sum[fleet.uavs :])
        self._ground_count = PRIOR_AUDITS * (fleet.size - fleet.uavs)
        self._uavs = fleet.uavs
        last = scenario.uavs.report_tasks
        self._served: list[deque[tuple[float, float]]] = [deque(maxlen=last) for _ in range(fleet.uavs)]
        self._audited: list[deque[float]] = [deque(maxlen=last) for _ in range(fleet.uavs)]
        self._uav_bid, self._uav_report = [0.0] * fleet.uavs, [0.0] * fleet.uavs
        self._rounds = np.empty((2, market.contract_rounds))
        self._settled = 0
        self._renew_at = FIRST_CONTRACT_ROUNDS
        self._contract: float | None = None
        for uav in range(fleet.uavs):
            # A UAV that has served nothing yet bids on a nominal task.
            common, match = expected.common[uav], float(expected.match[uav])
            self._served[uav].append((common, match))
            self._audited[uav].append(common * match)
            self._uav_report[uav] = common * match
            env.process(self._report(env, scenario.uavs.report_s, uav, on_report))
            self._renew_bid(uav)

    def _report(
        self, env: simpy.Environment, every_s: float, uav: int, on_report: Callable[[int, float], None]
    ) -> Generator[simpy.Event, None, None]:
        """Renew the bid of a UAV at time 0 and then once per report interval."""
        while True:
            self._renew_bid(uav)
            on_report(uav, self._uav_bid[uav])
            yield env.timeout(every_s)

    def _renew_bid(self, uav: int) -> None:
        """Set the bid of a UAV: E[demand] = 1, times the means of (9) and (10) over its last tasks."""
        served = self._served[uav]
        common = sum(entry[0] for entry in served) / len(served)
        match = sum(entry[1] for entry in served) / len(served)
        self._uav_bid[uav] = common * match

    def uav_bid(self, uav: int) -> float:
        """Return the bid of a UAV as of its last report."""
        return self._uav_bid[uav]

    def uav_report(self, uav: int) -> float:
        """Return the mean audited worth of the last tasks of a UAV, without their demand; a lost task counts 0."""
        return self._uav_report[uav]

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Return mean audited match values.

        Args:
            uav: id of a UAV; -1 for none.
            best: id of a station; -1 for none.
            second: id of another station; -1 for none.

        Returns:
            The means of the three providers, NaN for -1, and the mean of all ground stations.
        """
        sums, counts = self._match_sum, self._match_count
        return (
            sums[uav] / counts[uav] if uav >= 0 else math.nan,
            sums[best] / counts[best] if best >= 0 else math.nan,
            sums[second] / counts[second] if second >= 0 else math.nan,
            self._ground_sum / self._ground_count,
        )

    def contract_bid(self) -> float | None:
        """Return the contract bid of (13) over the last settled rounds.

        It is None until `FIRST_CONTRACT_ROUNDS` rounds have settled.
        """
        return self._contract

    def settled(self, uav_value: float, top_value: float) -> None:
        """Add the true values of a priced round, and compute the contract bid again when it is due.

        Args:
            uav_value: true value v_0 of the UAV, without zeta.
            top_value: highest true value of the invited stations.
        """
        # A ring buffer: the order of the rounds plays no part in (13).
        size = self._rounds.shape[1]
        # Two numbers by themselves: assigning both at once takes three times as long.
        at = self._settled % size
        self._rounds[0, at], self._rounds[1, at] = uav_value, top_value
        self._settled += 1
        if self._settled >= self._renew_at:
            kept = self._rounds[:, : min(self._settled, size)]
            self._contract = contract_bid(kept[0], kept[1], self._market.uav_weight)
            self._renew_at = self._settled + max(1, int(CONTRACT_RENEWAL * kept.shape[1]))

    def served(self, task: Task, delivered: bool) -> None:
        """Add a task that its provider has served.

        Args:
            task: task that has passed its last stage.
            delivered: whether the result reached the vehicle in time.
        """
        # The platform can audit only a delivered result. A UAV knows every task that it served.
        if delivered:
            self._match_sum[task.provider] += task.match
            self._match_count[task.provider] += 1.0
            if task.provider >= self._uavs:
                self._ground_sum += task.match
                self._ground_count += 1.0
        if task.provider < self._uavs:
            term = task.own_term(self._market.latency_weight)
            # Late results are worth less: that enters the mean of the common terms.
            self._served[task.provider].append((term / task.match, task.match))
            self._audit(task.provider, term if delivered else 0.0)

    def dropped(self, task: Task) -> None:
        """Take in a task that an outage of its provider has ended: to the platform it was worth nothing.

        Args:
            task: the task.
        """
        if task.provider < self._uavs:
            self._audit(task.provider, 0.0)

    def _audit(self, uav: int, worth: float) -> None:
        """Let the worth of a task enter what the platform reports of a UAV."""
        audited = self._audited[uav]
        audited.append(worth)
        self._uav_report[uav] = sum(audited) / len(audited)


def _nominal_common(scenario: Scenario, fleet: Fleet, equipment: Equipment, radio: RadioMap, uav: int) -> float:
    """Return the common value omega_1 / T of a nominal task at a UAV.

    The task has the reference size, the mean GPU work and the mean power. It meets empty queues and no fading, half a
    radius away from the UAV.
    """
    x, y = float(fleet.x[uav] + 0.5 * fleet.radius_m[uav]), float(fleet.y[uav])
    kinds = scenario.tasks.kinds.values()
    gpu_per_bit = sum(kind.share * kind.gpu_per_bit for kind in kinds) / sum(kind.share for kind in kinds)
    power = 0.5 * sum(scenario.tasks.power_units)
    loss = PENETRATION_DB[scenario.tasks.antenna][0]
    alone = np.array([uav])
    own = Equipment(*(part[..., alone] for part in equipment))
    work = stage_work(scenario.tasks.predicted_mb, gpu_per_bit, 0.0, power, *own, penetration_db=loss)
    times = stage_times(work, received(work, radio.at(x, y, alone)), radio.modem_of(alone), fleet.migration_s[alone])
    return float(common_term(latency(times), scenario.market.latency_weight)[0])


class Ledger(Protocol):
    """The records that the auctioneer uses.

    `RunningLedger` fills them from the run. In `rounds` a calibration draw takes their place.
    """

    def uav_bid(self, uav: int) -> float:
        """Return the bid of a UAV as of its last report."""
        ...

    def uav_report(self, uav: int) -> float:
        """Return the mean audited worth of the last tasks of a UAV, without their demand.

        Args:
            uav: id of the UAV.
        """
        ...

    def audited_match(self, uav: int, best: int, second: int) -> tuple[float, float, float, float]:
        """Return mean audited match values of a UAV, of two stations, and of all ground stations.

        Args:
            uav: id of a UAV that covers the vehicle; -1 for none.
            best: id of the covering station with the shortest predicted latency; -1 for none.
            second: id of the covering station with the second-shortest predicted latency; -1 for none.
        """
        ...

    def contract_bid(self) -> float | None:
        """Return the contract bid of (13); None while there are too few rounds for it."""
        ...

    def settled(self, uav_value: float, top_value: float) -> None:
        """Add the true values of a priced round that has settled.

        Args:
            uav_value: true value v_0 of the UAV, without zeta.
            top_value: highest true value of the invited stations.
        """
        ...

    def dropped(self, task: Task) -> None:
        """Add a task that an outage of its provider has ended.

        Args:
            task: the task.
        """
        ...

    def served(self, task: Task, delivered: bool) -> None:
        """Add a task that its provider has served.

        Args:
            task: task that has passed its last stage.
            delivered: whether the result reached the vehicle in time.
        """
        ...


class History:
    """The last T - 1 tasks that each provider served, for the means of (9) and (10).

    Args:
        providers: number of providers.
        length: T, which counts the task at hand too.

    Attributes:
        entries: number of kept tasks plus 1 for the task at hand, shape (providers,).
        sums: sums of the kept common terms (9) and of the kept match terms (10), shape (2, providers).
    """

    def __init__(self, providers: int, length: int) -> None:
        self.entries = np.ones(providers)
        self.sums = np.zeros((2, providers))
        self._common: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]
        self._match: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]

    def add(self, provider: int, common: float, match: float) -> None:
        """Add a task that a provider has served.

        Args:
            provider: id of the provider.
            common: term omega_1 / T of (9), 1/s.
            match: term omega_2 / (1 - R)^beta of (10).
        """
        commons, matches = self._common[provider], self._match[provider]
        if not commons.maxlen:
            return  # T = 1: only the task at hand counts
        commons.append(common)
        matches.append(match)
        self.entries[provider] = len(commons) + 1
        # Summed again each time: adding the new and subtracting the old would accumulate rounding errors.
        self.sums[0, provider], self.sums[1, provider] = sum(commons), sum(matches)
