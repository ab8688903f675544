"""Diffusion policies that see less, for the ablation of the features: the others have the value 0 in all states."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from policies.deployed import Diffusion
from policies.learning.features import NAMES
from simulator.model import FloatArray

UNSEEN_SD = 1e5
"""Standard deviation by which an unseen feature is divided, so that nothing of it is left."""


class Narrow(Diffusion):
    """`diffusion` with some of its features."""

    seen: ClassVar[tuple[str, ...]] = NAMES

    def algorithm(self) -> Any:
        """Return the learner of `diffusion` with a scaler that hides features."""
        from policies.diffusion import DiffusionActorCritic
        from policies.learning.scaler import Scaler
        from policies.learning.soft_actor_critic import Settings
        from policies.learning.training import Algorithm

        hidden = np.array([name not in self.seen for name in NAMES])

        class NarrowScaler(Scaler):
            @property
            def sd(self) -> FloatArray:
                return np.where(hidden, UNSEEN_SD, super().sd)

        def learner(*arguments: Any, **options: Any) -> Any:
            made = DiffusionActorCritic(*arguments, **options)
            made.scaler = NarrowScaler()
            return made

        learner.kind = self.kind  # type: ignore[attr-defined]
        return Algorithm(learner, Settings)


class WithoutLoad(Narrow):
    """`diffusion` without the requests per second and the number of covering stations."""

    seen = tuple(name for name in NAMES if name not in ("load", "covering"))


class AsConditional(Narrow):
    """`diffusion` with what `conditional` sees: latencies of the UAV and the second-best station, and match values."""

    seen = ("uav_seconds", "second_seconds", "uav_match", "second_match", "ground_match")
