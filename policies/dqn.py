"""Double deep Q-network (double DQN; van Hasselt, Guez and Silver 2016).

It learns from the action that it took only, as the deep Q-learning auctioneers of the literature do. Observations,
actions, width, activation and replay buffer are those of the other learners. Exploration is epsilon-greedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from simulator.model import FloatArray, IntArray

from .learning.features import PRICE_INPUTS, Inputs
from .learning.networks import CPU, Perceptron, arrays_of, follow, to_device
from .learning.off_policy import OffPolicy
from .learning.replay import Batch


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of double DQN."""

    width: int = 64
    """Width of the hidden layers, as in the other learners."""
    batch: int = 128
    """Number of transitions per update."""
    update_every: int = 16
    """Number of environment steps per update."""
    capacity: int = 200_000
    """Number of transitions that the replay buffer keeps."""
    warmup: int = 1_000
    """Number of steps with uniformly drawn actions before the first update."""
    gamma: float = 0.0
    """Discount factor. It is 0 where rounds are independent."""
    n_step: int = 1
    """Number of observed rewards in a return before the estimate of the network."""
    soft_update: float = 0.01
    """Share by which the target network moves towards the network in each update."""
    rate: float = 1e-3
    """Learning rate at the start. It falls linearly to 0."""
    epsilon_first: float = 1.0
    """Probability of a uniformly drawn action at the start."""
    epsilon_last: float = 0.05
    """Probability of a uniformly drawn action at the end of the exploration and later."""
    exploration: float = 0.5
    """Share of the training over which that probability falls linearly."""
    worlds: int = 8
    """Number of worlds that run side by side."""
    without_demand: bool = True
    """Whether rewards are divided by the demand of their task.

    Demand multiplies every value of a round alike, so it does not change which price is best. No price may see it, so
    to a learner it is noise.
    """


class Values(nn.Module):
    """Action values: a perceptron state -> width -> width -> |A|."""

    def __init__(
        self, settings: Settings, actions: int, generator: torch.Generator, inputs: Inputs = PRICE_INPUTS
    ) -> None:
        super().__init__()
        self.net = Perceptron(1, len(inputs), settings.width, actions, generator)

    def forward(self, state: Tensor) -> Tensor:
        """Return the values of all actions.

        Args:
            state: standardised states, shape (batch, features).

        Returns:
            Values, shape (batch, actions).
        """
        values: Tensor = self.net(state)[0]
        return values


class DoubleDeepQ(OffPolicy):
    """Double DQN without the environment: it acts, stores transitions and updates.

    Args:
        settings: the hyperparameters.
        grid: price scaling factors of the actions.
        seed: seed of the weights, the actions and the batches.
        total_steps: number of environment steps over which the learning rate and the exploration fall.
        device: where network, buffer and random generator are.
        inputs: what the network sees.
    """

    settings: Settings
    kind: ClassVar[str] = "dqn"

    def __init__(
        self,
        settings: Settings,
        grid: Sequence[float],
        seed: int,
        total_steps: int,
        device: torch.device = CPU,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        super().__init__(settings, seed, total_steps, device, inputs)
        self.grid = list(grid)
        self.actor, self.target = (Values(settings, len(self.grid), self.generator, inputs) for _ in range(2))
        follow(self.target, self.actor, 1.0)
        self.optimiser = torch.optim.Adam(self.actor.parameters(), lr=settings.rate, fused=True)

    @property
    def epsilon(self) -> float:
        """Probability of a uniformly drawn action at the present step."""
        settings = self.settings
        if self.steps < settings.warmup:
            return 1.0
        fallen = min(self.done / settings.exploration, 1.0)
        return settings.epsilon_first + fallen * (settings.epsilon_last - settings.epsilon_first)

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        """Choose the actions of the highest values, or uniformly with the probability epsilon.

        Args:
            vectors: observations of several worlds, shape (n, features).
            worlds: numbers of the worlds, n.

        Returns:
            One action per world, shape (n,).
        """
        states = self.scaler.learn_and_scale(vectors)
        drawn = self.rng.integers(len(self.grid), size=len(vectors))
        explores = self.rng.random(len(vectors)) < self.epsilon
        with torch.no_grad():
            best = self.actor(to_device(states, self.device)).argmax(dim=-1).cpu().numpy()
        return np.where(explores, drawn, best)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Update the network and the target network once.

        Args:
            batch: transitions from the replay buffer.

        Returns:
            Metrics of the update.
        """
        self.optimiser.param_groups[0]["lr"] = self.settings.rate * (1.0 - self.done)
        state = self.scaler.standardise(batch["state"])
        action = batch["action"].long()[:, None]
        chosen = self.actor(state).gather(1, action)[:, 0]
        # The Huber loss has the gradient of the clipped error of DQN.
        loss = smooth_l1_loss(chosen, self.target_of(batch))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        follow(self.target, self.actor, self.settings.soft_update)
        self.updates += 1
        return {"loss/critic": loss.detach()}

    @torch.no_grad()
    def target_of(self, batch: Batch) -> Tensor:
        """Return the targets ``r + gamma Q'(s', argmax_a Q(s', a))``, with mean rewards taken off what follows.

        Args:
            batch: transitions from the replay buffer.

        Returns:
            Targets, shape (batch,).
        """
        reward = batch["reward"]
        if self.settings.gamma == 0.0:
            return reward
        state = self.scaler.standardise(batch["next_state"])
        # The network chooses the action and the target network values it. With one network for both, the errors of the
        # highest value would all be in its favour.
        best = self.actor(state).argmax(dim=-1, keepdim=True)
        value = self.target(state).gather(1, best)[:, 0]
        return reward + self.discounted(batch, value)

    def modules(self) -> dict[str, nn.Module]:
        """Return all networks by their names in a checkpoint."""
        return {"actor": self.actor, "target": self.target}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers by their names in a checkpoint."""
        return {"optimiser": self.optimiser}

    def weights(self) -> dict[str, Any]:
        """Return the arrays that a deployed policy needs: the target network and the statistics of the features."""
        # The target network is a moving average over the last updates, so it varies less.
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.target, "actor") | {name: array.astype(np.float32) for name, array in frozen.items()}
