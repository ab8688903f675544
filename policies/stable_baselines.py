"""A model of Stable-Baselines3 as a policy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.errors import PolicyError, nearest, need
from simulator.market.contracts import Observation

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario

ALGORITHMS = ("PPO", "A2C", "DQN")
"""Algorithms with a finite number of actions."""


class StableBaselines:
    """A frozen model of Stable-Baselines3, trained on the environment `dmsb/Intersection-v0`.

    A model that was trained on other features needs a subclass with its own `features`. Loading a model runs code that
    is in its file, so load only what you trust.

    Args:
        path: file that the model was saved in, with or without ``.zip``.
        algorithm: `PPO`, `A2C` or `DQN`.
        information: what the model was trained to see.

    Raises:
        InputError: stable-baselines3 is not installed.
        PolicyError: there is no such algorithm, or the file cannot be read as such a model.
    """

    def __init__(self, path: str, algorithm: str = "PPO", information: str = "public") -> None:
        need("stable_baselines3")
        if algorithm not in ALGORITHMS:
            raise PolicyError(f"algorithm: there is no '{algorithm}'; {nearest(algorithm, ALGORITHMS)}")
        import stable_baselines3

        file = Path(path) if path.endswith(".zip") else Path(f"{path}.zip")
        try:
            self._model: Any = getattr(stable_baselines3, algorithm).load(file, device="cpu")
            self.weights_sha256 = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}
        except OSError as error:
            raise PolicyError(f"path: {file} cannot be read ({error.strerror or error})") from None
        except Exception as error:
            raise PolicyError(f"path: {file} is not a model of {algorithm} ({type(error).__name__})") from None
        self.information = information

    def __deepcopy__(self, memo: object) -> StableBaselines:
        """Return the policy itself: nothing in it changes."""
        return self

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the price grid of the scenario."""
        self._grid = scenario.market.prices()
        actions = int(self._model.action_space.n)
        if actions != len(self._grid):
            raise PolicyError(f"the model has {actions} actions, and the scenario {len(self._grid)} prices")

    def features(self, observation: Observation) -> npt.NDArray[np.float32]:
        """Return what the model sees, as the environment shows it, shape (features,)."""
        return observation.vector()

    def price(self, observation: Observation) -> float:
        """Return the price of the action that the model takes without exploring."""
        action, _ = self._model.predict(self.features(observation), deterministic=True)
        return self._grid[int(action)]
