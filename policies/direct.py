"""Rules that choose the provider themselves, without an auction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.market.contracts import Choice, Observation, Space


@dataclass
class Nearest:
    """The allowed provider at the least distance on the ground; where nothing has a place, the first."""

    def __post_init__(self) -> None:
        self.mechanism = "direct"

    def act(self, observation: Observation, space: Space) -> int:
        """Return the index of the nearest provider."""
        return _least(observation, space, "distance_m")


@dataclass
class LeastLoaded:
    """The allowed provider with the shortest backlog; among equal backlogs, that with the best prediction."""

    def __post_init__(self) -> None:
        self.mechanism = "direct"

    def act(self, observation: Observation, space: Space) -> int:
        """Return the index of the provider with the shortest backlog."""
        return _least(observation, space, "backlog_s", "predicted_s")


def _least(observation: Observation, space: Space, *names: str) -> int:
    """Return the allowed index with the least value of a column of state; ties go on to the next column."""
    assert isinstance(space, Choice)
    allowed = np.arange(space.n) if observation.mask is None else np.flatnonzero(observation.mask)
    columns = [np.nan_to_num(observation.state[name][allowed], nan=np.inf) for name in names]
    # lexsort takes its first key last.
    return int(allowed[np.lexsort(columns[::-1])[0]])
