"""A causal transformer over triples of state, return and action, in PyTorch.

Each step of a sequence is three tokens: the state, the return that is asked for from here on, and the action that is
taken. From the state the network predicts a quantile of the return. From the return it predicts the action.

Sources: GPT-2 for the blocks (Radford et al. 2019: a norm before attention and before the perceptron, GELU, learned
positions), the decision transformer for the triples (Chen et al. 2021), and the multi-game decision transformer for a
return that the network itself predicts (Lee et al. 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from .sequence import TOKENS


class Block(nn.Module):
    """One layer: attention with one head, then a perceptron, each added to its input.

    Args:
        width: numbers per token.
        inner: width of the hidden layer of the perceptron.
        generator: the random generator of the first weights.
    """

    def __init__(self, width: int, inner: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first_norm, self.second_norm = _ones(width), _ones(width)
        self.first_norm_bias, self.second_norm_bias = _zeros(width), _zeros(width)
        self.attend, self.attend_bias = _drawn((width, 3 * width), generator), _zeros(3 * width)
        self.join, self.join_bias = _drawn((width, width), generator), _zeros(width)
        self.wide, self.wide_bias = _drawn((width, inner), generator), _zeros(inner)
        self.narrow, self.narrow_bias = _drawn((inner, width), generator), _zeros(width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return the tokens after the layer.

        Args:
            x: tokens, shape (batch, tokens, width).
            seen: whether a token (row) sees another (column), shape (tokens, tokens).
        """
        width = x.shape[-1]
        scaled = layer_norm(x, (width,), self.first_norm, self.first_norm_bias)
        query, key, value = (scaled @ self.attend + self.attend_bias).split(width, dim=-1)
        x = x + scaled_dot_product_attention(query, key, value, attn_mask=seen) @ self.join + self.join_bias
        scaled = layer_norm(x, (width,), self.second_norm, self.second_norm_bias)
        return x + gelu(scaled @ self.wide + self.wide_bias, approximate="tanh") @ self.narrow + self.narrow_bias


class Transformer(nn.Module):
    """The network.

    Args:
        features: numbers per state.
        actions: number of actions.
        width: numbers per token.
        layers: number of layers.
        inner: width of the hidden layer of each perceptron.
        context: number of steps, the present one included, that a token sees.
        positions: number of positions with an embedding of their own. Later steps share that of the last.
        generator: the random generator of the first weights.
    """

    def __init__(
        self, features: int, actions: int, width: int, layers: int, inner: int, context: int, positions: int,
        generator: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.context = context
        self.from_state, self.from_state_bias = _drawn((features, width), generator), _zeros(width)
        self.from_return, self.from_return_bias = _drawn((1, width), generator), _zeros(width)
        self.from_action, self.position = _drawn((actions, width), generator), _drawn((positions, width), generator)
        self.blocks = nn.ModuleList(Block(width, inner, generator) for _ in range(layers))
        self.norm, self.norm_bias = _ones(width), _zeros(width)
        self.ask, self.ask_bias = _drawn((width, 1), generator), _zeros(1)
        self.choose, self.choose_bias = _drawn((width, actions), generator), _zeros(actions)

    def forward(self, state: Tensor, asked: Tensor, action: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return the quantile of the return and the logits of the actions at each step.

        The quantile depends on the state of its step and on earlier steps. The logits depend on the return of their
        step besides. Shorter sequences are filled up at their ends, which no earlier step sees.

        Args:
            state: standardised features, shape (batch, steps, features).
            asked: return that is asked for, in the unit of the quantile, shape (batch, steps).
            action: actions, shape (batch, steps).
            position: number of each step in its sequence, shape (batch, steps).

        Returns:
            Quantiles, shape (batch, steps), and logits, shape (batch, steps, actions).
        """
        batch, steps = action.shape
        at = self.position[position.clamp(max=len(self.position) - 1)]
        tokens = torch.stack(
            [
                state @ self.from_state + self.from_state_bias + at,
                asked[..., None] @ self.from_return + self.from_return_bias + at,
                self.from_action[action] + at,
            ],
            dim=2,
        )
        x = tokens.reshape(batch, TOKENS * steps, -1)
        order = torch.arange(TOKENS * steps, device=x.device)
        step = order // TOKENS
        # A window that slides along the sequence, so that a step sees the same whether it is computed alone or with
        # those that follow.
        seen = (order[:, None] >= order) & (step[:, None] - step < self.context)
        for block in self.blocks:
            x = block(x, seen)
        x = layer_norm(x, (x.shape[-1],), self.norm, self.norm_bias).reshape(batch, steps, TOKENS, -1)
        return (x[:, :, 0] @ self.ask + self.ask_bias)[..., 0], x[:, :, 1] @ self.choose + self.choose_bias


def _drawn(shape: tuple[int, ...], generator: torch.Generator) -> nn.Parameter:
    """Return a parameter with the normal distribution of GPT-2, standard deviation .02."""
    return nn.Parameter(0.02 * torch.randn(shape, generator=generator, device=generator.device))


def _zeros(size: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(size))


def _ones(size: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(size))
