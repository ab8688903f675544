"""Learned policies in deployment: frozen weights, numpy only, and the same price for the same observation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from simulator.errors import InputError, need
from simulator.files import folder as folder_at
from simulator.files.checkpoint import weights_in
from simulator.market.contracts import Information, Numbers, Observation, Seat

from .learning import checkpoint
from .learning.features import PRICE_INPUTS, Inputs, inputs_of, vector_of
from .learning.schedule import Schedule, time_features

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario

    from .learning.training import Algorithm, Report

Array = np.ndarray[Any, np.dtype[np.float32]]

SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the project, with one folder per policy."""

STEPS = SHIPPED / "steps"
"""Folder of the weights for the steps of a clock, with one folder per policy."""


def mish(x: Array) -> Array:
    """Return the Mish activation ``x tanh(softplus(x)) = x n / (n + 2)`` with ``n = e^x (e^x + 2)``."""
    # From x = 20 on, n / (n + 2) is 1 in float32. Without the limit the square of e^x would overflow from x = 45 on.
    exponential = np.exp(np.minimum(x, np.float32(20.0)))
    exponential *= exponential + np.float32(2.0)
    return np.asarray(x * (exponential / (exponential + np.float32(2.0))))


@dataclass
class Trained:
    """Base of the policies with a network: it loads weights, scales the observation and plays the most likely action.

    Attributes:
        weights: folder of a training or of deployed weights, or None for the shipped weights.
        weights_sha256: SHA-256 hash of both files of the weights, which a run records.
        information: the information for which the weights were trained; ``public`` for the shipped weights.
    """

    weights: str | None = None
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        self.information: Information = "public"
        self._inputs: Inputs = PRICE_INPUTS
        self._load(SHIPPED / self.kind if self.weights is None else folder_at(self.weights))

    def sit(self, seat: Seat) -> None:
        """Take a seat, with the shipped weights for it if none were given.

        Raises:
            InputError: there are no weights for such a seat, or they were trained for another.
        """
        self._inputs, folder = inputs_of(seat), self.weights
        if isinstance(seat.space, Numbers):
            if folder is None:
                self._load(STEPS / self.kind)
                folder = str(STEPS / self.kind)
            if self._arrays is not None and self._grid != list(seat.space.grid):
                own, wanted = (checkpoint.grid_text(one, self._inputs) for one in (self._grid, seat.space.grid))
                raise InputError(f"policy {self.kind}: its weights have {own}, not {wanted}")
        if self._arrays is not None:
            checkpoint.check_features(folder or self.kind, self._meta["features"], self._inputs)

    def _load(self, folder: Path) -> None:
        """Load weights from a folder."""
        # A policy without weights can still be trained; `reset` refuses to run it.
        if self.weights is None and not folder.exists():
            self._arrays = None
            return
        self._arrays, self._meta = checkpoint.load(weights_in(folder), self.kind)
        self.information = self._meta["information"]
        self.weights_sha256: str = self._meta["sha256"]
        self._ready()

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Check that the weights fit the price grid of the scenario.

        Raises:
            InputError: the weights are missing, or they were trained for another grid.
        """
        if self._arrays is None:
            raise InputError(f"policy {self.kind}: no weights are shipped; train some, and give them as weights=DIR")
        grid = scenario.market.prices()
        if self._inputs == PRICE_INPUTS and self._grid != grid:
            own, wanted = (checkpoint.grid_text(one, self._inputs) for one in (self._grid, grid))
            raise InputError(f"policy {self.kind}: its weights have {own}, not {wanted}")

    def number(self, observation: Observation, space: Numbers) -> float:
        """Return the number of the most likely action.

        Raises:
            FloatingPointError: the network overflows, so that no action has a probability.
        """
        return self._best(observation)

    def _best(self, observation: Observation) -> float:
        """Return the most likely action."""
        probabilities = self._of(observation)
        best = int(probabilities.argmax())
        if not probabilities[best] > 0.0:  # argmax takes the first NaN
            raise FloatingPointError("its weights give no probability at this observation")
        return self._grid[best]

    @property
    def reasons(self) -> dict[str, str]:
        """What the numbers of `explain` mean, by name."""
        return {f"p_{number}": f"probability of {name}" for number, name in enumerate(self._actions)}

    @property
    def _actions(self) -> list[str]:
        """Names of the actions, for explanations."""
        what = "price" if self._inputs == PRICE_INPUTS else "action"
        return [f"the {what} {action:.4g}" for action in self._grid]

    def explain(self, observation: Observation) -> dict[str, float]:
        """Return the probability of each action, ``p_0`` being that of the lowest."""
        return {f"p_{number}": value for number, value in enumerate(self._of(observation).tolist())}

    def _of(self, observation: Observation) -> Array:
        """Return the probabilities of the actions, shape (actions,)."""
        return self.probabilities(self._state(observation))

    def _state(self, observation: Observation) -> Array:
        """Return the standardised features of an observation, shape (features,)."""
        state = (self._inputs.scaled(vector_of(observation, self._inputs)) - self._mean) / self._sd
        return np.asarray(state, dtype=np.float32)

    def probabilities(self, state: Array) -> Array:
        """Return the probabilities of the actions.

        Args:
            state: standardised features, shape (features,).

        Returns:
            Probabilities, shape (actions,).
        """
        raise NotImplementedError

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings; only this imports torch."""
        raise NotImplementedError

    def _ready(self) -> None:
        """Prepare what `price` needs from the arrays."""
        assert self._arrays is not None
        self._grid: list[float] = self._meta["grid"]
        self._mean, self._sd = self._arrays["scaler.mean"], self._arrays["scaler.sd"]

    def train(
        self, make_env: Callable[[int], Any], steps: int, seed: int, out: Path, resume: bool, report: Report,
        device: str = "cpu", **settings: Any,
    ) -> None:  # fmt: skip
        """Train weights.

        Args:
            make_env: function that makes the environment of a world from its number.
            steps: environment steps in total.
            seed: seed of all randomness of the training.
            out: folder of the training. The complete state goes to ``out/last``, the deployed weights to
                ``out/deployed``.
            resume: whether to continue from ``out/last``.
            report: function that receives the metrics.
            device: where to train, `cpu`, `cuda` or `auto`.
            settings: hyperparameters that differ from their defaults.
        """
        need("torch")
        # PyTorch is imported only here, so that a run with trained weights does not need it.
        from .learning.training import train_policy

        train_policy(self.algorithm(), make_env, steps, seed, out, resume, report, device, settings)


class Learned(Trained):
    """Base of those that set prices too."""

    def price(self, observation: Observation) -> float:
        """Return the price scaling factor of the most likely action.

        Raises:
            FloatingPointError: the network overflows, so that no action has a probability.
        """
        return self._best(observation)


DRAWS, NOISE_SEED = 8, 20
"""Number and seed of the noise draws over which the diffusion policy is averaged."""


class Diffusion(Learned):
    """DMSB: the most likely price under a diffusion model that soft actor-critic has trained."""

    # The probabilities for one noise draw differ from draw to draw, and so does their largest. They are averaged over
    # draws that are always the same, so that the price depends on neither chance nor bids.
    kind = "diffusion"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .diffusion import DiffusionActorCritic
        from .learning.soft_actor_critic import Settings
        from .learning.training import Algorithm

        return Algorithm(DiffusionActorCritic, Settings)

    def _ready(self) -> None:
        super()._ready()
        assert self._arrays is not None
        own = {name.removeprefix("actor."): array for name, array in self._arrays.items()}
        steps = int(self._meta["settings"]["steps_of_diffusion"])
        schedule = Schedule.variance_preserving(steps)
        self._from_x, self._second, self._second_bias = own["from_x"], own["second"], own["second_bias"]
        self._from_state = own["from_state"]
        self._from_time = time_features(steps) @ own["from_time"] + own["first_bias"]
        # The axes and their order are those of `DiffusionActor.noise`: first x_K, then the noise of the steps K to 2.
        noise = np.random.default_rng(NOISE_SEED).standard_normal((steps, DRAWS, len(self._grid))).astype(np.float32)
        self._first_x = noise[0]
        # Everything that does not depend on the state is computed once, here. One step of the chain is then
        # x <- shrink x + hidden last + shift. All factors and the noise are in `last` and `shift`.
        self._chain = []
        for k in range(steps, 0, -1):
            shrink, factor = schedule.shrink[k - 1], -schedule.shrink[k - 1] * schedule.subtract[k - 1]
            shift = factor * own["last_bias"] + (schedule.spread[k - 1] * noise[steps - k + 1] if k > 1 else 0.0)
            row = self._from_time[k - 1]
            self._chain.append((row, np.float32(shrink), np.float32(factor) * own["last"], shift.astype(np.float32)))

    def probabilities(self, state: Array) -> Array:
        """Return the probabilities of the actions: the softmax of x_0, averaged over the fixed noise draws.

        Args:
            state: standardised features, shape (features,).

        Returns:
            Probabilities, shape (actions,).
        """
        x, from_state = self._first_x, state @ self._from_state
        for from_time, shrink, last, shift in self._chain:
            hidden = mish(x @ self._from_x + (from_state + from_time))
            x = shrink * x + mish(hidden @ self._second + self._second_bias) @ last + shift
        return np.asarray(softmax(x).mean(axis=0))


class _Perceptron(Learned):
    """Base of the policies that are a perceptron with two hidden layers of Mish."""

    def _ready(self) -> None:
        super()._ready()
        assert self._arrays is not None
        self._layers = [
            (self._arrays[f"actor.net.weights.{layer}"][0], self._arrays[f"actor.net.biases.{layer}"][0])
            for layer in range(3)
        ]

    def outputs(self, state: Array) -> Array:
        """Return the last layer.

        Args:
            state: standardised features, shape (features,).

        Returns:
            One number per action, shape (actions,).
        """
        hidden = state[None]
        for layer, (weight, bias) in enumerate(self._layers):
            hidden = hidden @ weight + bias
            if layer < 2:
                hidden = mish(hidden)
        return np.asarray(hidden[0])

    def probabilities(self, state: Array) -> Array:
        """Return the softmax of the last layer.

        Args:
            state: standardised features, shape (features,).

        Returns:
            Probabilities of the actions, shape (actions,).
        """
        return softmax(self.outputs(state))


class Sac(_Perceptron):
    """SAC: the most likely price under a softmax policy that soft actor-critic has trained.

    The critics and the training are those of `diffusion`. The difference between the two policies therefore shows what
    the diffusion model adds.
    """

    kind = "sac"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .learning.soft_actor_critic import Settings
        from .learning.training import Algorithm
        from .sac import SoftmaxActorCritic

        return Algorithm(SoftmaxActorCritic, Settings)


class Ppo(_Perceptron):
    """PPO: the most likely price under a softmax policy that proximal policy optimisation has trained."""

    kind = "ppo"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .learning.training import Algorithm
        from .ppo import ProximalPolicyOptimisation, Settings

        return Algorithm(ProximalPolicyOptimisation, Settings)


class Dqn(_Perceptron):
    """DQN: the price of the highest value, as double deep Q-learning has learned the values."""

    kind = "dqn"

    def algorithm(self) -> Algorithm:
        """Return the learner and its settings."""
        from .dqn import DoubleDeepQ, Settings
        from .learning.training import Algorithm

        return Algorithm(DoubleDeepQ, Settings)

    @property
    def reasons(self) -> dict[str, str]:
        """What the numbers of `explain` mean, by name."""
        return {f"q_{number}": f"value of {name}" for number, name in enumerate(self._actions)}

    def explain(self, observation: Observation) -> dict[str, float]:
        """Return the value of each action, ``q_0`` being that of the lowest."""
        return {f"q_{number}": value for number, value in enumerate(self.outputs(self._state(observation)).tolist())}


def softmax(x: Array) -> Array:
    """Return the softmax over the last axis."""
    # The largest value is subtracted so that no exponential overflows. It cancels in the ratio.
    exponential = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=-1, keepdims=True))
