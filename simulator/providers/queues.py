"""Providers as four first-come-first-served queues in tandem: uplink, GPU, CPU and downlink."""

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
"""Function of a task that a stage or a provider has served."""


class Server(Protocol):
    """A provider, as the auctioneer sees it."""

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Accept a task that the provider has won.

        Args:
            task: task with the stage times of this provider.
            finish: times at which each stage will finish the task, s, shape (4,).
        """
        ...


class Stage:
    """A first-come-first-served server with its queue. It serves one task at a time.

    Args:
        env: SimPy environment.
        number: number of the stage, 0 to 3.
        on_done: function that is called with each served task.

    Attributes:
        env: SimPy environment.
        number: number of the stage, 0 to 3.
        serving: task in service; None while the server is idle.
        queue: waiting tasks.
    """

    # The stage is driven by one timeout per task. A process of its own would need two events per task: a task that
    # finds it idle would have to wake it up.

    def __init__(self, env: simpy.Environment, number: int, on_done: ServedHook) -> None:
        self.env, self.number = env, number
        self.serving: Task | None = None
        self.queue: deque[Task] = deque()
        self._on_done = on_done
        self._stopped = False
        self._ends: simpy.Event | None = None
        self._begun = self._seconds = 0.0

    def submit(self, task: Task) -> None:
        """Serve a task at once if the server is idle, else let it wait.

        Args:
            task: task whose earlier stages are done.
        """
        if self.serving is None and not self._stopped:
            self._begin(task)
        else:
            self.queue.append(task)

    def stop(self) -> None:
        """Stop at once. The task in service keeps its remaining service time."""
        self._stopped = True
        # SimPy cannot cancel a timeout. `_end` ignores one that is not `_ends`.
        self._ends = None
        # At the very end of a service, rounding may leave a negative remainder, which SimPy refuses.
        self._seconds = max(self._seconds - (self.env.now - self._begun), 0.0)

    def drop(self) -> list[Task]:
        """Remove all tasks and return them: the task in service first, then the waiting ones in order."""
        dropped = [*([] if self.serving is None else [self.serving]), *self.queue]
        self.serving = None
        self.queue.clear()
        return dropped

    def go_on(self) -> None:
        """Continue after a stop."""
        self._stopped = False
        if self.serving is not None:
            self._serve(self._seconds)
        elif self.queue:
            self._begin(self.queue.popleft())

    def _begin(self, task: Task) -> None:
        """Begin the service of a task."""
        self.serving = task
        task.started[self.number] = self.env.now
        self._serve(task.times[self.number])

    def _serve(self, seconds: float) -> None:
        """Schedule the end of the service of the current task."""
        self._begun, self._seconds = self.env.now, seconds
        self._ends = ends = self.env.timeout(seconds)
        assert ends.callbacks is not None
        ends.callbacks.append(self._end)

    def _end(self, event: simpy.Event) -> None:
        """Finish the task in service, unless a stop has made this timeout void."""
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
    """A ground station or UAV: four stages in tandem.

    Args:
        env: SimPy environment.
        provider_id: id of the provider, its column in ``free_at``.
        free_at: times at which each stage will have served all tasks that it has, s, shape (4, providers). The provider
            updates its column.
        on_served: function that is called with each task that has passed the last stage.
    """

    # Because queues are first come, first served, `free_at` alone tells when a further task would be done. The exact
    # prediction of a latency needs no search through the queues.

    def __init__(self, env: simpy.Environment, provider_id: int, free_at: FloatArray, on_served: ServedHook) -> None:
        self.env = env
        self.id = provider_id
        self.free_at = free_at
        self._out_since = 0.0
        self._stages: list[Stage] = []
        # From the last stage to the first: each stage passes its tasks to the next one.
        on_done = on_served
        for number in reversed(range(len(STAGES))):
            self._stages.insert(0, Stage(env, number, on_done))
            on_done = self._stages[0].submit

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Put a task into the first queue.

        Args:
            task: task with the stage times of this provider.
            finish: times at which each stage will finish the task, from `tandem_finish`, s, shape (4,).
        """
        self.free_at[:, self.id] = finish
        self._stages[0].submit(task)

    def go_out(self, keep_tasks: bool) -> list[Task]:
        """Begin an outage: stop all four stages at once.

        Args:
            keep_tasks: whether the tasks wait until the provider is back. Otherwise they are dropped.

        Returns:
            The dropped tasks, stage by stage.
        """
        self._out_since = self.env.now
        for stage in self._stages:
            stage.stop()
        if keep_tasks:
            return []
        self.free_at[:, self.id] = self.env.now
        return [task for stage in self._stages for task in stage.drop()]

    def come_back(self) -> None:
        """End an outage: continue with the tasks that wait."""
        # A stage with work left is free later by the length of the outage. A stage that was idle is still free.
        column = self.free_at[:, self.id]
        column[column > self._out_since] += self.env.now - self._out_since
        for stage in self._stages:
            stage.go_on()


class UnqueuedProvider:
    """A provider of the world without places. No task waits, so each takes the latency of equation (6).

    Args:
        env: SimPy environment.
        on_served: function that is called with each task whose last stage is done.
    """

    # One timeout per task instead of four: without queues, all stage times are known at the start.

    def __init__(self, env: simpy.Environment, on_served: ServedHook) -> None:
        self.env = env
        self._on_served = on_served

    def submit(self, task: Task, finish: FloatArray) -> None:
        """Begin a task at once.

        Args:
            task: task with the stage times of this provider.
            finish: times at which each stage will finish the task, s, shape (4,).
        """
        finished = finish.tolist()
        task.started = [self.env.now, *finished[:-1]]
        task.finished[:-1] = finished[:-1]
        done = self.env.timeout(finished[-1] - self.env.now)
        assert done.callbacks is not None
        done.callbacks.append(partial(self._served, task))

    def _served(self, task: Task, _: simpy.Event) -> None:
        """Finish a task."""
        task.finished[-1] = self.env.now
        self._on_served(task)
