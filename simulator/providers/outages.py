"""Outages: failures with repair, and planned absences such as a battery swap of a UAV."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import simpy

from simulator.clock import until
from simulator.draws import Draws
from simulator.model import BoolArray
from simulator.providers.fleet import Fleet
from simulator.providers.queues import Provider
from simulator.providers.task import Task
from simulator.scenario.outages import Failures, OutageWindow
from simulator.scenario.scenario import Scenario

OutageHook = Callable[[int, bool, list[Task]], None]
"""Function of (id of a provider, whether it is out from now on, tasks that it has dropped)."""


class Outages:
    """The outages of a run.

    Args:
        env: SimPy environment. Each planned window and each kind of failure has one process per provider.
        scenario: scenario with the outages.
        fleet: providers as arrays.
        providers: providers by id.
        draws: randomness of the run. Failures do not depend on prices.
        on_change: function that is called at the start and at the end of each outage.

    Attributes:
        working: which providers work, shape (providers,).
        all_work: whether all providers work.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        fleet: Fleet,
        providers: list[Provider],
        draws: Draws,
        on_change: OutageHook,
    ) -> None:
        self._env, self._providers, self._on_change = env, providers, on_change
        self._keep_tasks = scenario.outages.mode == "wait"
        # Windows and failures of one provider may overlap. It is out as long as it has at least one cause.
        self._causes = [0] * fleet.size
        self.working: BoolArray = np.ones(fleet.size, dtype=np.bool_)
        self.all_work = True
        self._last_out_s = np.full(fleet.size, -np.inf)
        for window in scenario.outages.windows:
            for provider in scenario.providers_called(window.provider):
                env.process(self._by_plan(provider, window))
        for number, failures in enumerate(scenario.outages.failures):
            for provider in scenario.providers_called(failures.provider):
                rng = draws.generator("failures", number, fleet.names[provider])
                env.process(self._by_chance(provider, failures, rng))

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        return np.asarray(self.working & (self._last_out_s <= time))

    def _by_plan(self, provider: int, window: OutageWindow) -> Generator[simpy.Event, None, None]:
        """Take a provider out in a planned window, once or again and again."""
        begin = window.from_s
        while True:
            yield until(self._env, begin)
            self._begin(provider)
            yield until(self._env, begin + window.to_s - window.from_s)
            # An outage that begins at this moment must begin before this one ends: both are then one outage. An event
            # without delay comes after all events that are already scheduled for this moment.
            yield self._env.timeout(0.0)
            self._end(provider)
            if window.every_s is None:
                return
            begin += window.every_s

    def _by_chance(
        self, provider: int, failures: Failures, rng: np.random.Generator
    ) -> Generator[simpy.Event, None, None]:
        """Let a provider fail and be repaired, after exponential times."""
        while True:
            yield self._env.timeout(rng.exponential(failures.mean_between_s))
            self._begin(provider)
            yield self._env.timeout(rng.exponential(failures.mean_repair_s))
            self._end(provider)

    def _begin(self, provider: int) -> None:
        """Add a cause of a provider's outage. The first cause takes the provider out."""
        self._causes[provider] += 1
        if self._causes[provider] == 1:
            self._change(provider, True, self._providers[provider].go_out(self._keep_tasks))

    def _end(self, provider: int) -> None:
        """Remove a cause of a provider's outage. The last cause to go brings the provider back."""
        self._causes[provider] -= 1
        if self._causes[provider] == 0:
            self._providers[provider].come_back()
            self._change(provider, False, [])

    def _change(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        """Note a change, and report it."""
        # A new array: a situation of an earlier request may still hold the old one.
        self.working = self.working.copy()
        self.working[provider] = not is_out
        if is_out:
            self._last_out_s[provider] = self._env.now
        self.all_work = bool(self.working.all())
        self._on_change(provider, is_out, dropped)
