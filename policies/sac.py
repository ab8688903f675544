"""Soft actor-critic with a softmax actor; the learner is that of `policies.diffusion`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .learning.features import PRICE_INPUTS, Inputs
from .learning.networks import Perceptron
from .learning.soft_actor_critic import Settings, SoftActorCritic


class SoftmaxActor(nn.Module):
    """Actor without diffusion: a perceptron state -> width -> width -> |A| with a softmax."""

    def __init__(
        self, settings: Settings, actions: int, generator: torch.Generator, inputs: Inputs = PRICE_INPUTS
    ) -> None:
        super().__init__()
        self.net = Perceptron(1, len(inputs), settings.width, actions, generator)

    def forward(self, state: Tensor, generator: torch.Generator, draws: int | None = None) -> Tensor:
        """Return the policy.

        Args:
            state: standardised states, shape (batch, features).
            generator: not used; the diffusion actor draws its noise from it.
            draws: not used; the diffusion actor averages over as many noise draws.

        Returns:
            Probabilities of the actions, shape (batch, actions).
        """
        return torch.softmax(self.net(state)[0], dim=-1)


class SoftmaxActorCritic(SoftActorCritic):
    """Soft actor-critic with the actor `SoftmaxActor`."""

    kind = "sac"
    Actor = SoftmaxActor
    unused = ("draws", "steps_of_diffusion")
    """Settings that only the diffusion actor has."""
