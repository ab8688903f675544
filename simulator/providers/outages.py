"""Outages: providers that fail and are repaired, or are away by plan, such as a UAV that swaps its battery."""

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
"""Called with (provider, whether it is out now, tasks that it has dropped) at every change."""


class Outages:
    """Who is out, and the processes that take providers out and bring them back.

    Args:
        env: the SimPy environment.
        scenario: its outages.
        fleet: the providers by name.
        providers: the providers by id.
        draws: the randomness of the run, which fixes the failures.
        on_change: called at every change.

    Attributes:
        working: which providers work, shape (providers,).
        all_work: whether all of them do.
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
        self._causes = [0] * fleet.size
        self.working: BoolArray = np.ones(fleet.size, dtype=np.bool_)
        self.all_work = True
        self._last_out_s = np.full(fleet.size, -np.inf)
        for window in scenario.outages.windows:
            for provider in scenario.providers_called(window.provider):
                env.process(self._by_plan(provider, window))
        for number, failures in enumerate(scenario.outages.failures):
            for provider in scenario.providers_called(failures.provider):
                rng = draws.generator("failures", number, provider)
                env.process(self._by_chance(provider, failures, rng))

    def up_since(self, time: float) -> BoolArray:
        """Return which providers work and have not been out since a time, shape (providers,)."""
        return np.asarray(self.working & (self._last_out_s <= time))

    def _by_plan(self, provider: int, window: OutageWindow) -> Generator[simpy.Event, None, None]:
        begin = window.from_s
        while True:
            yield until(self._env, begin)
            self._begin(provider)
            yield until(self._env, begin + window.to_s - window.from_s)
            yield self._env.timeout(0.0)  # an outage that begins at this moment begins before this one ends
            self._end(provider)
            if window.every_s is None:
                return
            begin += window.every_s

    def _by_chance(
        self, provider: int, failures: Failures, rng: np.random.Generator
    ) -> Generator[simpy.Event, None, None]:
        while True:
            yield self._env.timeout(rng.exponential(failures.mean_between_s))
            self._begin(provider)
            yield self._env.timeout(rng.exponential(failures.mean_repair_s))
            self._end(provider)

    def _begin(self, provider: int) -> None:
        """One more cause for which the provider is out; the first takes it out."""
        self._causes[provider] += 1
        if self._causes[provider] == 1:
            self._change(provider, True, self._providers[provider].go_out(self._keep_tasks))

    def _end(self, provider: int) -> None:
        self._causes[provider] -= 1
        if self._causes[provider] == 0:
            self._providers[provider].come_back()
            self._change(provider, False, [])

    def _change(self, provider: int, is_out: bool, dropped: list[Task]) -> None:
        # A new array: situations that were told of the last one keep it.
        self.working = self.working.copy()
        self.working[provider] = not is_out
        if is_out:
            self._last_out_s[provider] = self._env.now
        self.all_work = bool(self.working.all())
        self._on_change(provider, is_out, dropped)
