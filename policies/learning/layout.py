"""What weights and the state of a training must hold: names, types, shapes, and numbers that a network can use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, shown
from simulator.files.checkpoint import MOST_STEPS, Arrays, Layout, check_finite, check_layout
from simulator.files.reading import is_number, is_whole
from simulator.market.contracts import INFORMATION

from .features import LEAST_SD, NAMES
from .schedule import TIME_FEATURES
from .sequence import transformer_shapes

MOST = {
    "width": 4_096,
    "steps_of_diffusion": 1_000,
    "layers": 100,
    "inner": 16_384,
    "positions": 100_000,
    "context": 100_000,
    "draws": 1_000,
    "n_step": 10_000,
    "worlds": 1_000,
    "batch": 1_000_000,
    "horizon": 1_000_000,
    "epochs": 1_000,
    "minibatches": 1_000_000,
    "capacity": 100_000_000,
}
"""Largest values of hyperparameters that decide how much memory a network takes."""

MOST_ACTIONS = 1_000
"""Largest number of actions. That of the prices of a scenario is the same."""

MOST_FEATURES = 10_000
"""Largest number of features of a network."""

LARGEST = 1e6
"""Largest weight. Those of trained networks stay below 100; beyond this, products of layers leave float32."""

REWARDS = ("own", "surplus", "realised", "function")
"""What the steps of a training may have earned, as its weights say."""

PERCEPTRON_KINDS = ("sac", "ppo", "dqn")
"""Kinds whose deployed weights are one perceptron."""

SIZES = {
    "ppo": ("width",),
    "dqn": ("width",),
    "sac": ("width", "steps_of_diffusion"),
    "diffusion": ("width", "steps_of_diffusion"),
    "gpt": ("width", "layers", "inner", "positions", "context"),
}
"""Hyperparameters that decide the shapes of a kind's arrays."""


def check_meta(file: Path, meta: Mapping[str, Any]) -> None:
    """Hold what every ``meta.json`` says to what it may say.

    Args:
        file: the file, for the message.
        meta: what it holds.

    Raises:
        InputError: a field is missing or wrong; the message names it.
    """

    def hold(name: str, right: bool, wanted: str) -> None:
        if not right:
            found = shown(meta[name]) if name in meta else "missing"
            raise InputError(f"{file}: '{name}' must be {wanted}, not {found}")

    settings, grid, features = meta.get("settings"), meta.get("grid"), meta.get("features")
    named = isinstance(features, list) and all(isinstance(name, str) and name for name in features)
    distinct = named and 1 <= len(set(features or ())) == len(features or ()) <= MOST_FEATURES
    hold("features", distinct, f"1 to {MOST_FEATURES} different names")
    hold(
        "steps",
        is_whole(meta.get("steps")) and 0 <= meta["steps"] <= MOST_STEPS,
        f"a whole number from 0 to {MOST_STEPS:g}",
    )
    hold("information", meta.get("information") in INFORMATION, f"one of {', '.join(INFORMATION)}")
    hold("reward", meta.get("reward") in REWARDS, f"one of {', '.join(REWARDS)}")
    prices = isinstance(grid, list) and 1 <= len(grid) <= MOST_ACTIONS and all(map(is_number, grid))
    rising = prices and all(low < high for low, high in zip(grid or (), (grid or ())[1:], strict=False))
    if features == list(NAMES):
        inside = rising and all(isinstance(price, float) and 1.0 <= price <= 10.0 for price in grid or ())
        hold("grid", inside, f"1 to {MOST_ACTIONS} rising prices from 1.0 to 10.0")
    else:
        hold("grid", rising, f"1 to {MOST_ACTIONS} rising finite numbers")
    numbers = isinstance(settings, dict) and all(
        is_number(value) or isinstance(value, bool) for value in settings.values()
    )
    hold("settings", numbers, "hyperparameters by name, each a finite number, true or false")
    for name in SIZES.get(meta["kind"], ("width", "steps_of_diffusion")):
        value: Any = meta["settings"].get(name)
        if not is_whole(value) or not 1 <= value <= MOST[name]:
            found = "missing" if value is None else shown(value)
            raise InputError(f"{file}: 'settings.{name}' must be a whole number from 1 to {MOST[name]:,}, not {found}")


def deployed_layout(meta: Mapping[str, Any]) -> Layout:
    """Return the arrays of deployed weights, for a ``meta.json`` that `check_meta` has passed."""
    features, width, prices = len(meta["features"]), meta["settings"]["width"], len(meta["grid"])
    if meta["kind"] in PERCEPTRON_KINDS:
        sizes = ((features, width), (width, width), (width, prices))
        shapes: dict[str, tuple[int, ...]] = {f"actor.net.weights.{n}": (1, *size) for n, size in enumerate(sizes)}
        shapes |= {f"actor.net.biases.{n}": (1, 1, size[1]) for n, size in enumerate(sizes)}
    elif meta["kind"] == "gpt":
        shapes = {f"actor.{name}": shape for name, shape in transformer_shapes(features, prices, meta["settings"])}
    else:
        shapes = {
            "actor.from_x": (prices, width),
            "actor.from_time": (TIME_FEATURES, width),
            "actor.from_state": (features, width),
            "actor.first_bias": (width,),
            "actor.second": (width, width),
            "actor.second_bias": (width,),
            "actor.last": (width, prices),
            "actor.last_bias": (prices,),
        }
    shapes |= {"scaler.mean": (features,), "scaler.sd": (features,)}
    return {name: ("float32", shape) for name, shape in shapes.items()}


def check_deployed(file: Path, arrays: Arrays, layout: Layout) -> None:
    """Hold deployed weights to their layout, and their numbers to what a network can use.

    Raises:
        InputError: an array is missing, of another network, or holds something else than weights.
    """
    check_layout(file, arrays, layout)
    check_finite(file, arrays, LARGEST)
    least = float(arrays["scaler.sd"].min())
    if least < np.float32(LEAST_SD):
        raise InputError(f"{file}: 'scaler.sd' must hold standard deviations from {LEAST_SD:g} on, not {least:g}")
