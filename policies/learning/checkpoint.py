"""Checkpoints of the learners: deployed weights, and the state of a training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, shown
from simulator.files import recover
from simulator.files.checkpoint import ARRAYS, HEADER_BYTES, META, check_seal, read_arrays, read_meta, size_of
from simulator.files.reading import GIB

from .features import PRICE_INPUTS, Inputs
from .layout import check_deployed, check_meta, deployed_layout
from .state import check_counters, check_state

MOST_STATE_BYTES = 16 * GIB
"""Largest file of a training's state; the default replay buffer of 200,000 transitions takes 33 MB."""


def check_features(folder: Path | str, features: Sequence[str], inputs: Inputs) -> None:
    """Refuse weights that see other features than their seat shows.

    Args:
        folder: folder of the weights, for the message.
        features: names of the features of the weights.
        inputs: what the seat shows.

    Raises:
        InputError: they differ.
    """
    if tuple(features) != inputs.names:
        seen, there = ", ".join(features), ", ".join(inputs.names)
        raise InputError(f"{folder}: was trained where a policy sees {seen}; here it sees {there}; train again")


def grid_text(grid: Sequence[float], inputs: Inputs) -> str:
    """Return what gives a grid of actions, as text for a message.

    Args:
        grid: the actions. Those of a price are told by the scenario fields that give them.
        inputs: what the network sees.
    """
    if inputs != PRICE_INPUTS:
        return f"the actions {', '.join(f'{action:g}' for action in grid)}"
    return f"market.actions = {len(grid)} and market.first_action = {int(grid[0] > 1.0)}"


def load(folder: Path, kind: str) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Read deployed weights.

    Args:
        folder: their folder.
        kind: which policy they must be of.

    Returns:
        The arrays by name, and what the JSON says; its ``sha256`` is that of both files.

    Raises:
        InputError: there are none, or they are damaged, changed, or not those of such a network; the message says
            which file and what would be right.
    """
    meta = _read_meta(folder, kind)
    layout = deployed_layout(meta)
    data, arrays = read_arrays(folder, size_of(layout) + HEADER_BYTES)
    check_deployed(folder / ARRAYS, arrays, layout)
    check_seal(folder, meta, data)
    return arrays, meta


def restore(folder: Path, learner: Any) -> None:
    """Give a learner the state of a training.

    Args:
        folder: folder of the state.
        learner: a new learner with the settings and the grid that the state must have.

    Raises:
        InputError: there is none, or it is damaged, changed, or that of another learner.
    """
    recover(folder)
    meta, grid = _read_meta(folder, learner.kind), list(learner.grid)
    check_features(folder, meta["features"], learner.inputs)
    if meta["grid"] != grid:
        own, wanted = (grid_text(one, learner.inputs) for one in (meta["grid"], grid))
        raise InputError(f"{folder}: was trained with {own}, not {wanted}")
    check_counters(folder / META, meta)
    if meta.get("device") != learner.device.type:
        # Its random generator and the rounding of its sums are those of its device.
        found = shown(meta["device"]) if "device" in meta else "missing"
        raise InputError(f"{folder / META}: 'device' must be '{learner.device.type}', where it goes on, not {found}")
    if meta["settings"] != dataclasses.asdict(learner.settings) or meta["total_steps"] != learner.total_steps:
        raise InputError(
            f"{folder}: was trained with {meta['settings']} for {meta['total_steps']} steps in all; "
            "give the same to go on with it"
        )
    data, arrays = read_arrays(folder, MOST_STATE_BYTES)
    check_state(folder / ARRAYS, arrays, learner)
    check_seal(folder, meta, data)
    try:
        learner.restore(arrays, meta)
    except Exception as error:  # generators of torch and numpy refuse a state in ways of their own
        raise InputError(f"{folder}: does not fit its own description ({type(error).__name__}: {error})") from None


def _read_meta(folder: Path, kind: str) -> dict[str, Any]:
    meta = read_meta(folder, kind)
    check_meta(folder / META, meta)
    return meta
