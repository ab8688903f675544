"""Reputation of providers by subjective logic, from whether their results came in time."""

from __future__ import annotations

from dataclasses import dataclass, field

PRIOR = 2.0
"""Weight W of what is not known, as a number of results."""

TRUST = 0.5
"""Share of the uncertainty that counts as belief."""

FRESHNESS, FRESHNESS_S = 0.9, 60.0
"""A result counts `FRESHNESS` to the power of its age, in multiples of `FRESHNESS_S`."""


@dataclass
class Reputations:
    """Reputations of providers.

    With r results in time and s that were lost, each weighted by its freshness ``xi^(age / tau)``, belief is
    ``r / (r + s + W)`` and uncertainty ``W / (r + s + W)``. The reputation is the belief plus half of the uncertainty.

    Source: subjective logic as in arXiv 2309.02173, whose abstract was read; the numbers are ours.

    Attributes:
        providers: number of providers.
    """

    providers: int
    _good: list[float] = field(init=False, repr=False)
    _bad: list[float] = field(init=False, repr=False)
    _at: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._good, self._bad, self._at = ([0.0] * self.providers for _ in range(3))

    def note(self, provider: int, in_time: bool, now: float) -> None:
        """Count a task of a provider that has ended.

        Args:
            provider: id of the provider.
            in_time: whether its result came in time.
            now: time, s; not before that of the task before.
        """
        fresh = FRESHNESS ** ((now - self._at[provider]) / FRESHNESS_S)
        self._good[provider] = self._good[provider] * fresh + in_time
        self._bad[provider] = self._bad[provider] * fresh + (not in_time)
        self._at[provider] = now

    def of(self, provider: int, now: float) -> float:
        """Return the reputation of a provider, from 0 to 1; .5 before its first task.

        Args:
            provider: id of the provider.
            now: time, s.
        """
        fresh = FRESHNESS ** ((now - self._at[provider]) / FRESHNESS_S)
        good, bad = self._good[provider] * fresh, self._bad[provider] * fresh
        return float((good + TRUST * PRIOR) / (good + bad + PRIOR))
