"""Learned policies as they are deployed: frozen weights, numpy, the same price for the same observation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from simulator.errors import InputError
from simulator.market.contracts import Information, Observation

from .learning import checkpoint
from .learning.features import log_features
from .learning.schedule import Schedule, time_features

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario

    from .learning.training import Algorithm, Report

Array = np.ndarray[Any, np.dtype[np.float32]]

SHIPPED = Path(__file__).parent / "weights"
"""Weights that come with the project, a folder a policy."""


def mish(x: Array) -> Array:
    """``x tanh(softplus(x)) = x n / (n + 2)``, ``n = e^x (e^x + 2)``."""
    exponential = np.exp(np.minimum(x, np.float32(20.0)))
    exponential *= exponential + np.float32(2.0)
    return np.asarray(x * (exponential / (exponential + np.float32(2.0))))


@dataclass
class Learned:
    """Base of the learned policies: finds its weights, scales the observation, plays the most likely action.

    Attributes:
        weights: folder of a training or of deployed weights; those that are shipped if None.
        weights_sha256: hash of the weights, which a run writes down.
        information: what the weights were trained to see; ``public`` for those that are shipped.
    """

    weights: str | None = None
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        self.information: Information = "public"
        folder = SHIPPED / self.kind if self.weights is None else Path(self.weights)
        if self.weights is None and not folder.exists():
            self._arrays = None
            return
        if (folder / "best").exists():
            folder = folder / "best"
        self._arrays, self._meta = checkpoint.load(folder, self.kind)
        self.information = self._meta.get("information", "public")
        self.weights_sha256 = hashlib.sha256((folder / checkpoint.ARRAYS).read_bytes()).hexdigest()
        self._ready()

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Hold the weights to the scenario's grid; nothing is learned or drawn in a run.

        Raises:
            InputError: there are no weights, or the grid has another size.
        """
        if self._arrays is None:
            raise InputError(f"policy {self.kind}: no weights are shipped; train some, and give them as weights=DIR")
        grid = scenario.market.prices()
        if self._grid != grid:
            own, wanted = checkpoint.grid_fields(self._grid), checkpoint.grid_fields(grid)
            raise InputError(f"policy {self.kind}: its weights have {own}, not {wanted}")

    def price(self, observation: Observation) -> float:
        """The price scaling factor of the most likely action."""
        state = (log_features(observation.vector()) - self._mean) / self._sd
        return self._grid[int(self.probabilities(state.astype(np.float32)).argmax())]

    def probabilities(self, state: Array) -> Array:
        """The policy at a standardised state of shape (features,): shape (actions,)."""
        raise NotImplementedError

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings; only this imports torch."""
        raise NotImplementedError

    def _ready(self) -> None:
        """Take what `price` needs from the arrays."""
        assert self._arrays is not None
        self._grid: list[float] = self._meta["grid"]
        self._mean, self._sd = self._arrays["scaler.mean"], self._arrays["scaler.sd"]

    def train(
        self, make_env: Callable[[int], Any], steps: int, seed: int, out: Path, resume: bool, report: Report,
        **settings: Any,
    ) -> None:  # fmt: skip
        """Train weights into ``out``: the whole state in ``out/last``, what is deployed in ``out/deployed``."""
        from .learning.training import train_policy

        train_policy(self.algorithm(), make_env, steps, seed, out, resume, report, settings)


DRAWS, NOISE_SEED = 8, 20
"""The policy is averaged over these noise draws, always the same: rho does not depend on bids, nor on chance."""


class Diffusion(Learned):
    """DMSB: a diffusion model, trained by soft actor-critic, gives each price a probability; the likeliest is taken."""

    kind = "diffusion"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .diffusion import Settings, SoftActorCritic
        from .learning.training import Algorithm

        return Algorithm(SoftActorCritic, Settings)

    def _ready(self) -> None:
        super()._ready()
        assert self._arrays is not None
        own = {name.removeprefix("actor."): array for name, array in self._arrays.items()}
        steps = int(self._meta["settings"]["steps_of_diffusion"])
        schedule = Schedule.variance_preserving(steps)
        self._from_x, self._second, self._second_bias = own["from_x"], own["second"], own["second_bias"]
        self._from_state = own["from_state"]
        self._from_time = time_features(steps) @ own["from_time"] + own["first_bias"]
        noise = np.random.default_rng(NOISE_SEED).standard_normal((steps, DRAWS, len(self._grid))).astype(np.float32)
        self._first_x = noise[0]
        # One step of the chain is x <- shrink x + hidden last + shift, with the noise and all factors folded in.
        self._chain = []
        for k in range(steps, 0, -1):
            shrink, factor = schedule.shrink[k - 1], -schedule.shrink[k - 1] * schedule.subtract[k - 1]
            shift = factor * own["last_bias"] + (schedule.spread[k - 1] * noise[steps - k + 1] if k > 1 else 0.0)
            row = self._from_time[k - 1]
            self._chain.append((row, np.float32(shrink), np.float32(factor) * own["last"], shift.astype(np.float32)))

    def probabilities(self, state: Array) -> Array:
        """The policy at a standardised state: softmax of x_0, averaged over the fixed noise draws, shape (actions,)."""
        x, from_state = self._first_x, state @ self._from_state
        for from_time, shrink, last, shift in self._chain:
            hidden = mish(x @ self._from_x + (from_state + from_time))
            x = shrink * x + mish(hidden @ self._second + self._second_bias) @ last + shift
        return np.asarray(softmax(x).mean(axis=0))


class _Softmax(Learned):
    """A perceptron with two hidden layers of Mish and a softmax."""

    def _ready(self) -> None:
        super()._ready()
        assert self._arrays is not None
        self._layers = [
            (self._arrays[f"actor.net.weights.{layer}"][0], self._arrays[f"actor.net.biases.{layer}"][0])
            for layer in range(3)
        ]

    def probabilities(self, state: Array) -> Array:
        """The policy at a standardised state, shape (actions,)."""
        hidden = state[None]
        for layer, (weight, bias) in enumerate(self._layers):
            hidden = hidden @ weight + bias
            if layer < 2:
                hidden = mish(hidden)
        return np.asarray(softmax(hidden)[0])


class Sac(_Softmax):
    """The critics and hindsight of `diffusion` with a plain softmax actor: what diffusion adds is the difference."""

    kind = "sac"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .diffusion import Settings
        from .learning.training import Algorithm
        from .sac import SoftmaxActorCritic

        return Algorithm(SoftmaxActorCritic, Settings)


class Ppo(_Softmax):
    """Proximal policy optimisation: clipped objective, generalised advantages, on-policy."""

    kind = "ppo"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .learning.training import Algorithm
        from .ppo import ProximalPolicyOptimisation, Settings

        return Algorithm(ProximalPolicyOptimisation, Settings)


def softmax(x: Array) -> Array:
    """Softmax over the last axis."""
    exponential = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=-1, keepdims=True))
