"""Providers: four first-come-first-served queues in tandem, and what they remember of the tasks that they served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import simpy

from simulator.model import FloatArray
from simulator.model.latency import STAGES
from simulator.providers.task import Task

ServedHook = Callable[[Task], None]
"""Called with a task when its last stage is done."""


class Server(Protocol):
    """Whatever takes the tasks that it wins."""

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Take in a task.

        Args:
            task: a task with the stage times of this provider.
            finish: when each stage will be done with it, s, shape (4,).
        """
        ...


class Stage:
    """A server with its queue: one task at a time, first come first served, one SimPy timeout a task.

    It is driven by that timeout and not by a process of its own, which would have to be woken whenever a task finds it
    idle: a second event for each stage of each task.

    Args:
        env: the SimPy environment.
        number: which of a task's stages it serves, 0..3.
        on_done: called with each task that it has served.

    Attributes:
        serving: the task at the server, None while it is idle.
        queue: the tasks that wait.
    """

    def __init__(self, env: simpy.Environment, number: int, on_done: ServedHook) -> None:
        self.env, self.number = env, number
        self.serving: Task | None = None
        self.queue: deque[Task] = deque()
        self._on_done = on_done
        self._stopped = False
        self._ends: simpy.Event | None = None
        self._begun = self._seconds = 0.0

    def submit(self, task: Task) -> None:
        """Take in a task."""
        if self.serving is None and not self._stopped:
            self._begin(task)
        else:
            self.queue.append(task)

    def stop(self) -> None:
        """Stop at once; what is being served keeps the seconds that it still needs."""
        self._stopped = True
        self._ends = None
        self._seconds = max(self._seconds - (self.env.now - self._begun), 0.0)

    def drop(self) -> list[Task]:
        """Give up the task at the server and those that wait, in this order."""
        dropped = [*([] if self.serving is None else [self.serving]), *self.queue]
        self.serving = None
        self.queue.clear()
        return dropped

    def go_on(self) -> None:
        """Go on after a stop."""
        self._stopped = False
        if self.serving is not None:
            self._serve(self._seconds)
        elif self.queue:
            self._begin(self.queue.popleft())

    def _begin(self, task: Task) -> None:
        self.serving = task
        task.started[self.number] = self.env.now
        self._serve(task.times[self.number])

    def _serve(self, seconds: float) -> None:
        self._begun, self._seconds = self.env.now, seconds
        self._ends = ends = self.env.timeout(seconds)
        assert ends.callbacks is not None
        ends.callbacks.append(self._end)

    def _end(self, event: simpy.Event) -> None:
        """The server's task is done, unless a stop has made this timeout void."""
        task = self.serving
        if event is not self._ends or task is None:
            return
        task.finished[self.number] = self.env.now
        if self.queue:
            self._begin(self.queue.popleft())
        else:
            self.serving = None
        self._on_done(task)


class Provider:
    """A ground station or UAV: a server a stage, one task at a time in each.

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
        self._out_since = 0.0
        self._stages: list[Stage] = []
        on_done = on_served
        for number in reversed(range(len(STAGES))):
            self._stages.insert(0, Stage(env, number, on_done))
            on_done = self._stages[0].submit

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Take a task into the first queue.

        Args:
            task: a task with this provider's stage times.
            finish: when each stage will be done with it, from `tandem_finish`, shape (4,).
        """
        self.free_at[:, self.id] = finish
        self._stages[0].submit(task)

    def go_out(self, keep_tasks: bool) -> list[Task]:
        """Stop all four stages at once.

        Args:
            keep_tasks: its tasks wait until it is back; else they are dropped.

        Returns:
            The tasks that were dropped, by stage.
        """
        self._out_since = self.env.now
        for stage in self._stages:
            stage.stop()
        if keep_tasks:
            return []
        self.free_at[:, self.id] = self.env.now
        return [task for stage in self._stages for task in stage.drop()]

    def come_back(self) -> None:
        """Go on with what waits; every backlog has stood still meanwhile."""
        column = self.free_at[:, self.id]
        column[column > self._out_since] += self.env.now - self._out_since
        for stage in self._stages:
            stage.go_on()


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
