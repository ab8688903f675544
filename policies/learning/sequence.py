"""A trained transformer in numpy, one token at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]

TOKENS = 3
"""Number of tokens per step: state, return, action."""

NORM_EPSILON = np.float32(1e-5)
"""Number that a norm adds to the variance, as in PyTorch."""


def transformer_shapes(features: int, actions: int, sizes: Mapping[str, int]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the shapes of a transformer's arrays by name.

    Args:
        features: numbers per state.
        actions: number of actions.
        sizes: ``width``, ``layers``, ``inner`` and ``positions``.
    """
    width, inner = sizes["width"], sizes["inner"]
    block = {
        "first_norm": (width,), "first_norm_bias": (width,), "second_norm": (width,), "second_norm_bias": (width,),
        "attend": (width, 3 * width), "attend_bias": (3 * width,), "join": (width, width), "join_bias": (width,),
        "wide": (width, inner), "wide_bias": (inner,), "narrow": (inner, width), "narrow_bias": (width,),
    }  # fmt: skip
    return [
        ("from_state", (features, width)), ("from_state_bias", (width,)), ("from_return", (1, width)),
        ("from_return_bias", (width,)), ("from_action", (actions, width)), ("position", (sizes["positions"], width)),
        *((f"blocks.{n}.{name}", shape) for n in range(sizes["layers"]) for name, shape in block.items()),
        ("norm", (width,)), ("norm_bias", (width,)), ("ask", (width, 1)), ("ask_bias", (1,)),
        ("choose", (width, actions)), ("choose_bias", (actions,)),
    ]  # fmt: skip


class Sequence:
    """A sequence of decisions that goes on step by step, with the keys and values of its tokens kept.

    Args:
        arrays: arrays of the transformer by the names of `transformer_shapes`.
        layers: number of layers.
        context: number of steps that a token sees, its own included.
    """

    def __init__(self, arrays: Mapping[str, Array], layers: int, context: int) -> None:
        self._arrays, self._context = arrays, context
        self._blocks = [
            {
                name.removeprefix(f"blocks.{n}."): array
                for name, array in arrays.items()
                if name.startswith(f"blocks.{n}.")
            }
            for n in range(layers)
        ]
        self._width = len(arrays["norm"])
        self._kept = np.empty((layers, 2, 0, self._width), dtype=np.float32)
        self._actions: list[int] = []
        self._first = 0

    def decide(self, number: int, state: Array) -> tuple[float, Array]:
        """Return the return that is asked for and the probabilities of the actions, and take the most likely one.

        The same step may be decided again: what came after it is forgotten.

        Args:
            number: number of the step in its sequence. With 0 a new sequence begins.
            state: standardised features, shape (features,).

        Returns:
            The return, on the scale of the quantile, and the probabilities, shape (actions,).
        """
        if not self._first < number <= self._first + len(self._actions):
            # What came before this step is not known, if it is not the first.
            self._first = number
        at = number - self._first
        del self._actions[at:]
        own = self._arrays
        if at:
            self._token(TOKENS * at - 1, own["from_action"][self._actions[-1]] + self._position(number - 1))
        position = self._position(number)
        seen = self._token(TOKENS * at, state @ own["from_state"] + own["from_state_bias"] + position)
        asked = (seen @ own["ask"] + own["ask_bias"])[0]
        wished = self._token(TOKENS * at + 1, asked * own["from_return"][0] + own["from_return_bias"] + position)
        logits = wished @ own["choose"] + own["choose_bias"]
        exponential = np.exp(logits - logits.max())
        self._actions.append(int(logits.argmax()))
        return float(asked), np.asarray(exponential / exponential.sum())

    def _position(self, number: int) -> Array:
        """Return the embedding of a position."""
        positions = self._arrays["position"]
        return np.asarray(positions[min(number, len(positions) - 1)])

    def _token(self, place: int, x: Array) -> Array:
        """Return a token after all layers and the last norm, and keep its keys and values.

        Args:
            place: place of the token in the sequence. All before it have been kept.
            x: its embedding, shape (width,).
        """
        if place >= self._kept.shape[2]:
            grown = np.empty((len(self._blocks), 2, 2 * place + 16, self._width), dtype=np.float32)
            grown[:, :, : self._kept.shape[2]] = self._kept
            self._kept = grown
        first = TOKENS * max(place // TOKENS - self._context + 1, 0)
        for block, kept in zip(self._blocks, self._kept, strict=True):
            scaled = _norm(x, block["first_norm"], block["first_norm_bias"])
            query, kept[0, place], kept[1, place] = np.split(scaled @ block["attend"] + block["attend_bias"], 3)
            scores = kept[0, first : place + 1] @ query / np.float32(math.sqrt(self._width))
            weights = np.exp(scores - scores.max())
            seen = weights @ kept[1, first : place + 1] / weights.sum()
            x = x + seen @ block["join"] + block["join_bias"]
            scaled = _norm(x, block["second_norm"], block["second_norm_bias"])
            x = x + _gelu(scaled @ block["wide"] + block["wide_bias"]) @ block["narrow"] + block["narrow_bias"]
        return _norm(x, self._arrays["norm"], self._arrays["norm_bias"])


def _norm(x: Array, weight: Array, bias: Array) -> Array:
    """Return a token with mean 0 and variance 1, times the weight, plus the bias."""
    centred = x - x.mean()
    return np.asarray(centred / np.sqrt(centred @ centred / np.float32(len(x)) + NORM_EPSILON) * weight + bias)


def _gelu(x: Array) -> Array:
    """Return GELU by the hyperbolic tangent, as GPT-2 has it."""
    inner = np.float32(math.sqrt(2.0 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.asarray(np.float32(0.5) * x * (np.float32(1.0) + np.tanh(inner)))
