"""Soft actor-critic with a plain softmax actor: everything else is `policies.diffusion`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .diffusion import Settings, SoftActorCritic
from .learning.features import NAMES
from .learning.networks import Perceptron


class SoftmaxActor(nn.Module):
    """state -> width -> width -> |A|, softmax."""

    def __init__(self, settings: Settings, actions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.net = Perceptron(1, len(NAMES), settings.width, actions, generator)

    def forward(self, state: Tensor, generator: torch.Generator, draws: int | None = None) -> Tensor:
        """The policy, shape (batch, actions); it takes no noise."""
        return torch.softmax(self.net(state)[0], dim=-1)


class SoftmaxActorCritic(SoftActorCritic):
    """Algorithm 1 with `SoftmaxActor`."""

    kind = "sac"
    Actor = SoftmaxActor
