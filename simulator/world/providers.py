"""Providers: SimPy processes that serve four first-come-first-served queues in tandem, and the UAV's reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import partial

import numpy as np
import simpy

from simulator.model import FloatArray
from simulator.model.latency import STAGES
from simulator.world.task import Task

ServedHook = Callable[[Task], None]
"""Called with a task when its last stage is done."""


class Provider:
    """A ground station or UAV: one process a stage, one task at a time in each.

    Args:
        env: the SimPy environment.
        provider_id: id, a column of ``free_at``.
        free_at: shape (4, providers): when each stage will have served all that is before a task that comes now. The
            provider keeps its column, so its backlog is known at any time without a search.
        on_served: called with each task that has passed the last stage.
    """

    def __init__(self, env: simpy.Environment, provider_id: int, free_at: FloatArray, on_served: ServedHook) -> None:
        self.env = env
        self.id = provider_id
        self.free_at = free_at
        self._on_served = on_served
        self._queues: list[deque[Task]] = [deque() for _ in STAGES]
        self._serving: list[Task | None] = [None for _ in STAGES]
        self._idle: list[simpy.Event | None] = [None for _ in STAGES]
        self._back: simpy.Event | None = None
        self._out_since = 0.0
        self._stages = [env.process(self._serve(stage)) for stage in range(len(STAGES))]

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Take a task into the first queue.

        Args:
            task: a task with this provider's stage times.
            finish: when each stage will be done with it, from `tandem_finish`, shape (4,).
        """
        self.free_at[:, self.id] = finish
        self._enqueue(task, 0)

    def go_out(self, keep_tasks: bool) -> list[Task]:
        """Stop all four stages at once.

        Args:
            keep_tasks: its tasks wait until it is back; else they are dropped.

        Returns:
            The tasks that were dropped, by stage.
        """
        self._back, self._out_since = self.env.event(), self.env.now
        dropped: list[Task] = []
        if not keep_tasks:
            for serving, queue in zip(self._serving, self._queues, strict=True):
                dropped += [*([] if serving is None else [serving]), *queue]
                queue.clear()
            self.free_at[:, self.id] = self.env.now
        for stage, process in enumerate(self._stages):
            if self._serving[stage] is not None:
                process.interrupt(keep_tasks)
        return dropped

    def come_back(self) -> None:
        """Go on with what waits; every backlog has stood still meanwhile."""
        back, self._back = self._back, None
        assert back is not None
        column = self.free_at[:, self.id]
        column[column > self._out_since] += self.env.now - self._out_since
        back.succeed()

    def _enqueue(self, task: Task, stage: int) -> None:
        self._queues[stage].append(task)
        idle = self._idle[stage]
        if idle is not None:
            self._idle[stage] = None
            idle.succeed()

    def _serve(self, stage: int) -> Generator[simpy.Event, None, None]:
        env, queue, serving, last = self.env, self._queues[stage], self._serving, stage == len(STAGES) - 1
        seconds = 0.0
        while True:
            begin = None
            try:
                while self._back is not None:
                    yield self._back
                task = serving[stage]
                if task is None:
                    if not queue:
                        idle = self._idle[stage] = env.event()
                        yield idle
                        continue
                    task = serving[stage] = queue.popleft()
                    task.started[stage] = env.now
                    seconds = task.times[stage]
                begin = env.now
                yield env.timeout(seconds)
            except simpy.Interrupt as outage:
                if begin is not None:
                    seconds = max(seconds - (env.now - begin), 0.0)
                if not outage.cause:
                    serving[stage] = None
                continue
            serving[stage] = None
            task.finished[stage] = env.now
            if last:
                self._on_served(task)
            else:
                self._enqueue(task, stage + 1)


class UnqueuedProvider:
    """A provider of the `rounds` world: nobody waits there, so a task is one delay of equation (6).

    Args:
        env: the SimPy environment.
        on_served: called with each task that is done.
    """

    def __init__(self, env: simpy.Environment, on_served: ServedHook) -> None:
        self.env = env
        self._on_served = on_served

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Begin a task at once; ``finish`` says when each stage will be done with it."""
        finished = finish.tolist()
        task.started = [self.env.now, *finished[:-1]]
        task.finished[:-1] = finished[:-1]
        done = self.env.timeout(finished[-1] - self.env.now)
        assert done.callbacks is not None
        done.callbacks.append(partial(self._served, task))

    def _served(self, task: Task, _: simpy.Event) -> None:
        task.finished[-1] = self.env.now
        self._on_served(task)


class History:
    """What providers remember of the tasks that they served: the last T - 1 of each, for the means of (9) and (10).

    Args:
        providers: how many providers there are.
        length: T, the entry of the task at hand included.

    Attributes:
        entries: entries kept and the one at hand, shape (providers,).
        common_sum: sum of the kept common terms, shape (providers,).
        match_sum: sum of the kept match terms, shape (providers,).
    """

    def __init__(self, providers: int, length: int) -> None:
        self.entries = np.ones(providers)
        self.common_sum = np.zeros(providers)
        self.match_sum = np.zeros(providers)
        self._common: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]
        self._match: list[deque[float]] = [deque(maxlen=length - 1) for _ in range(providers)]

    def add(self, provider: int, common: float, match: float) -> None:
        """Take in a task that the provider has served."""
        commons, matches = self._common[provider], self._match[provider]
        commons.append(common)
        matches.append(match)
        self.entries[provider] = len(commons) + 1
        self.common_sum[provider] = sum(commons)
        self.match_sum[provider] = sum(matches)
