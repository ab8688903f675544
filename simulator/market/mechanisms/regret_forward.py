"""The network of RegretNet, written once for numpy and for PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.market.mechanisms.layouts import LAYERS, WIDTH

Arrays = Mapping[str, Any]


def outputs(weights: Arrays, bidders: Any, there: Any, functions: Any) -> tuple[Any, Any]:
    """Return who wins with which probability, and the share of its bid that a winner pays.

    The same lines are the network of the training and that of the auction: `functions` is numpy's or that of PyTorch.

    Args:
        weights: arrays by the names of `REGRET_LAYOUT`.
        bidders: features, shape (auctions, bidders, `FEATURES`).
        there: 1 where there is a bidder, else 0, shape (auctions, bidders).
        functions: ``tanh``, ``softmax`` over the last axis, ``sigmoid``, ``concatenate`` along the last axis.

    Returns:
        Probabilities and shares, both of shape (auctions, bidders). What is missing to 1 is that nobody wins.
    """
    absent = (1.0 - there) * -1e9
    rows = functions.tanh(bidders @ weights["embed"][:-1] + weights["embed"][-1])
    for layer in range(LAYERS):
        query, key, value = (rows @ weights[f"{name}.{layer}"] for name in ("query", "key", "value"))
        weight = functions.softmax(query @ key.swapaxes(-1, -2) / WIDTH**0.5 + absent[..., None, :])
        rows = rows + (weight @ value) @ weights[f"mix.{layer}"]
        rows = rows + functions.tanh(rows @ weights[f"inner.{layer}"]) @ weights[f"outer.{layer}"]
    heads = rows @ weights["heads"][:-1] + weights["heads"][-1]
    mean = (rows * there[..., None]).sum(-2) / there.sum(-1)[..., None]
    nobody = mean @ weights["nobody"][:-1] + weights["nobody"][-1]
    odds = functions.softmax(functions.concatenate((heads[..., 0] + absent, nobody)))[..., :-1]
    return odds, functions.sigmoid(heads[..., 1])


def features(ratios: Any, scales: Any, uav: Any, stack: Callable[[list[Any]], Any]) -> Any:
    """Return the features of bidders, from the arrays of `padded`.

    Args:
        ratios: bids divided by expected values.
        scales: expected values divided by the largest of the auction.
        uav: 1 for a UAV, else 0.
        stack: function that stacks arrays along a new last axis.
    """
    return stack([ratios * scales, scales, ratios, uav])


class Numpy:
    """The functions of numpy that the network needs."""

    tanh = staticmethod(np.tanh)

    @staticmethod
    def softmax(x: Any) -> Any:
        """Return the softmax over the last axis."""
        exponential = np.exp(x - x.max(axis=-1, keepdims=True))
        return exponential / exponential.sum(axis=-1, keepdims=True)

    @staticmethod
    def sigmoid(x: Any) -> Any:
        """Return the logistic function."""
        return 0.5 * (1.0 + np.tanh(0.5 * x))

    @staticmethod
    def concatenate(arrays: tuple[Any, ...]) -> Any:
        """Return arrays one after the other along the last axis."""
        return np.concatenate(arrays, axis=-1)
