"""Providers as first-come-first-served queues in tandem: migration, uplink, GPU, CPU and downlink.

A later task cannot overtake an earlier one. So the times of all stages of a task follow from the tasks before it, by
Lindley's recursion, and one event per task is enough: its end. An outage moves the times of the tasks under way.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import simpy

from simulator.clock import until
from simulator.model import FloatArray
from simulator.model.latency import STAGES, tandem_times
from simulator.providers.task import Task

ServedHook = Callable[[Task], None]
"""Function of a task that a provider has served."""

IDLE = (-math.inf,) * len(STAGES)
"""Times at which the stages of an idle provider are free."""


class Server(Protocol):
    """A provider, as the auctioneer sees it."""

    def submit(self, task: Task) -> None:
        """Accept a task that the provider has won.

        Args:
            task: task with the stage times of this provider.
        """
        ...


class Provider:
    """A ground station or UAV: all stages in tandem.

    Args:
        env: SimPy environment.
        provider_id: id of the provider, its column in ``free_at``.
        free_at: times at which each stage will have served all tasks that it has, s, shape (5, providers). The provider
            updates its column.
        on_served: function that is called with each task that has passed the last stage.
        twins: provider that has the twin of each vehicle, by id of the vehicle. The provider notes here
            what it gets. None where twins do not move.
    """

    def __init__(
        self,
        env: simpy.Environment,
        provider_id: int,
        free_at: FloatArray,
        on_served: ServedHook,
        twins: dict[int, int] | None = None,
    ) -> None:
        self.env = env
        self.id = provider_id
        self._free_at = free_at
        self._on_served = on_served
        self._twins = twins
        self._under_way: deque[Task] = deque()
        # While the provider is out: since when, and the starts and ends of stages that it had planned.
        self._out_since = math.inf
        self._planned: list[tuple[list[float], list[float]]] = []
        self._outages = 0

    def submit(self, task: Task) -> None:
        """Put a task into the first queue.

        Args:
            task: task with the stage times of this provider.
        """
        column = self._free_at[:, self.id]
        task.started, task.finished = tandem_times(self.env.now, column.tolist(), task.times)
        if self._twins is not None:
            self._twins[task.vehicle] = self.id
        # One by one: turning five numbers into an array takes longer.
        for stage, free in enumerate(task.finished):
            column[stage] = free
        self._under_way.append(task)
        self._schedule(task)

    def go_out(self, keep_tasks: bool) -> list[Task]:
        """Begin an outage: stop all stages at once.

        Args:
            keep_tasks: whether the tasks wait until the provider is back. Otherwise they are dropped.

        Returns:
            The dropped tasks, in the order in which they came.
        """
        now = self.env.now
        # A task that ends at this moment is served, whichever of the two events comes first.
        while self._under_way and self._under_way[0].finished[-1] <= now:
            self._end()
        self._out_since = now
        self._outages += 1
        self._planned = [(list(task.started), list(task.finished)) for task in self._under_way]
        for task, (started, finished) in zip(self._under_way, self._planned, strict=True):
            # Nobody knows the later times until the provider is back.
            task.started = [time if time <= now else math.nan for time in started]
            task.finished = [time if time <= now else math.nan for time in finished]
        if keep_tasks:
            return []
        self._free_at[:, self.id] = now
        dropped = list(self._under_way)
        self._under_way.clear()
        return dropped

    def come_back(self) -> None:
        """End an outage: continue with the tasks that wait."""
        now, since = self.env.now, self._out_since
        free = list(IDLE)
        for task, (started, finished) in zip(self._under_way, self._planned, strict=False):
            before = now
            for stage in range(len(STAGES)):
                if finished[stage] > since:
                    if started[stage] <= since:
                        # The stage goes on with what is left of its work.
                        finished[stage] += now - since
                        if stage == len(STAGES) - 1:
                            task.paused_s += now - since
                    else:
                        started[stage] = max(before, free[stage])
                        finished[stage] = started[stage] + task.times[stage]
                    before = finished[stage]
                free[stage] = finished[stage]
            task.started, task.finished = started, finished
            self._schedule(task)
        if self._under_way:
            self._free_at[:, self.id] = free

    def _schedule(self, task: Task) -> None:
        """Let a task end at its time, unless an outage comes before."""
        ends = until(self.env, task.finished[-1])
        assert ends.callbacks is not None
        ends.callbacks.append(partial(self._end_of, self._outages))

    def _end_of(self, outages: int, _: simpy.Event) -> None:
        """End the first task under way, unless an outage has made this event void."""
        if outages == self._outages:
            self._end()

    def _end(self) -> None:
        """End the first task under way."""
        self._on_served(self._under_way.popleft())


class UnqueuedProvider:
    """A provider of the world without places. No task waits, so each takes the latency of equation (6).

    Args:
        env: SimPy environment.
        on_served: function that is called with each task that has passed the last stage.
    """

    def __init__(self, env: simpy.Environment, on_served: ServedHook) -> None:
        self.env = env
        self._on_served = on_served

    def submit(self, task: Task) -> None:
        """Begin a task at once.

        Args:
            task: task with the stage times of this provider.
        """
        task.started, task.finished = tandem_times(self.env.now, IDLE, task.times)
        done = until(self.env, task.finished[-1])
        assert done.callbacks is not None
        done.callbacks.append(lambda _: self._on_served(task))
