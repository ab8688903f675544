"""DMSB: a diffusion model that sets the price scaling factor, trained by soft actor-critic (Algorithm 1).

Here is the actor (17, 18). The schedule (16) is in `policies.learning.schedule`, the learner with its losses (19-21) in
`policies.learning.soft_actor_critic`, and the loop of Algorithm 1 in `policies.learning.training`. The deployed policy
`policies.deployed.Diffusion` does not need PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from .learning.features import PRICE_INPUTS, Inputs
from .learning.networks import two_hidden_layers, uniform
from .learning.schedule import TIME_FEATURES, Schedule, time_features
from .learning.soft_actor_critic import Settings, SoftActorCritic


class DiffusionActor(nn.Module):
    """The actor: K steps of the reverse process (17) from noise to x_0, and the softmax (18).

    The noise network is a perceptron [x, time, state] -> width -> width -> |A| with Mish activations.
    """

    # The first layer is kept in three parts. The part of the state is then computed once per chain, not once per step.
    # The part of the time is computed once per step, not once per row.

    def __init__(
        self, settings: Settings, actions: int, generator: torch.Generator, inputs: Inputs = PRICE_INPUTS
    ) -> None:
        super().__init__()
        width, fan_in = settings.width, actions + TIME_FEATURES + len(inputs)
        self.schedule = Schedule.variance_preserving(settings.steps_of_diffusion)
        self.draws, self.actions = settings.draws, actions
        # The three parts are one layer, so they share one number of inputs.
        self.from_x = uniform((actions, width), fan_in, generator)
        self.from_time = uniform((TIME_FEATURES, width), fan_in, generator)
        self.from_state = uniform((len(inputs), width), fan_in, generator)
        self.first_bias = uniform((width,), fan_in, generator)
        self.second = uniform((width, width), width, generator)
        self.second_bias = uniform((width,), width, generator)
        self.last = uniform((width, actions), width, generator)
        self.last_bias = uniform((actions,), width, generator)
        self.times = torch.from_numpy(time_features(settings.steps_of_diffusion)).to(generator.device)

    def noise(self, batch: int, draws: int, generator: torch.Generator) -> Tensor:
        """Draw all noise of a chain: x_K, and the noise that each step adds.

        Args:
            batch: number of states.
            draws: number of noise draws per state.
            generator: the random generator.

        Returns:
            Standard normal noise, shape (K, draws, batch, actions).
        """
        # The chain takes its noise as an argument. A test can therefore run it with the noise of the deployed policy.
        shape = (self.schedule.steps, draws, batch, self.actions)
        return torch.randn(shape, generator=generator, device=generator.device)

    def predicted_noise(self, x: Tensor, step: int, state: Tensor, biases: Tensor) -> Tensor:
        """Return the noise that the network predicts at step k.

        Args:
            x: x_k, shape (rows, actions).
            step: k, from 1 to K.
            state: part of the first layer that depends on the state, shape (rows, width).
            biases: bias of the first layer plus the part that depends on the time, shape (K, width).
        """
        bias = state + biases[step - 1]
        return two_hidden_layers(x, self.from_x, bias, self.second, self.second_bias, self.last, self.last_bias)

    def chain(self, state: Tensor, noise: Tensor) -> Tensor:
        """Return x_0 by the reverse process (17), with the mean and variance of the DDPM posterior.

        Args:
            state: standardised states, shape (batch, features).
            noise: noise from `noise`, shape (K, draws, batch, actions).

        Returns:
            x_0 of each draw, shape (draws, batch, actions).
        """
        # All draws of all states are rows of one matrix, so that each step is one call of the network.
        schedule, (draws, batch) = self.schedule, noise.shape[1:3]
        rows, noise = (state @ self.from_state).repeat(draws, 1), noise.flatten(1, 2)
        biases = self.times @ self.from_time + self.first_bias
        x = noise[0]
        for step in range(schedule.steps, 0, -1):
            predicted = self.predicted_noise(x, step, rows, biases)
            x = schedule.shrink[step - 1] * torch.sub(x, predicted, alpha=schedule.subtract[step - 1])
            # The last step adds no noise, because the posterior of x_0 given x_0 has variance 0.
            if step > 1:
                x = torch.add(x, noise[schedule.steps - step + 1], alpha=schedule.spread[step - 1])
        return x.view(draws, batch, self.actions)

    def forward(self, state: Tensor, generator: torch.Generator, draws: int | None = None) -> Tensor:
        """Return the policy (18), the softmax of x_0 averaged over noise draws.

        Args:
            state: standardised states, shape (batch, features).
            generator: generator of the noise.
            draws: number of noise draws; that of the settings if None.

        Returns:
            Probabilities of the actions, shape (batch, actions).
        """
        noise = self.noise(len(state), draws or self.draws, generator)
        return torch.softmax(self.chain(state, noise), dim=-1).mean(dim=0)


class DiffusionActorCritic(SoftActorCritic):
    """Algorithm 1: soft actor-critic with the actor `DiffusionActor`."""

    kind: ClassVar[str] = "diffusion"
    Actor: ClassVar[type[nn.Module]] = DiffusionActor
