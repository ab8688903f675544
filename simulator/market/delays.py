"""What one more task costs a provider by the delay of its own later tasks."""

from __future__ import annotations

from collections import deque

MEMORY = 20
"""Number of own tasks from which the rate and the loss per second are computed."""


class DelayCosts:
    """The delay costs of the providers, from the tasks that each has won.

    A task that keeps the slowest stage busy for s seconds delays what comes later. With a backlog of b seconds, each
    task that comes before the backlog is gone waits s longer, and each that comes in the s seconds after it waits s/2
    longer on average. Tasks come at a rate of lambda per second. A task of value v and latency T loses v/T per second,
    as values are proportional to 1/T. So the cost is ``lambda s (b + s / 2) mean(v / T)``.

    Args:
        providers: number of providers.
    """

    def __init__(self, providers: int) -> None:
        self._won: list[deque[tuple[float, float]]] = [deque(maxlen=MEMORY) for _ in range(providers)]

    def note(self, provider: int, now: float, loss_per_s: float) -> None:
        """Remember a task that a provider has won.

        Args:
            provider: id of the provider.
            now: time, s.
            loss_per_s: value of the task divided by its latency, 1/s.
        """
        self._won[provider].append((now, loss_per_s))

    def cost(self, provider: int, now: float, busy_s: float, backlog_s: float) -> float:
        """Return what one more task costs a provider; 0 while it has won fewer than two.

        Args:
            provider: id of the provider.
            now: time, s.
            busy_s: time for which the task keeps the slowest stage busy, s.
            backlog_s: time until the provider has served what it has accepted, s.
        """
        won = self._won[provider]
        if len(won) < 2 or now <= won[0][0]:
            return 0.0
        rate = len(won) / (now - won[0][0])
        loss = sum(per_s for _, per_s in won) / len(won)
        return rate * busy_s * (backlog_s + 0.5 * busy_s) * loss
