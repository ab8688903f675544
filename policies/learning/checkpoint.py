"""Checkpoints: a folder with arrays as safetensors and all other values as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, shown
from simulator.files import recover, replacing
from simulator.files.reading import GIB, read_bytes, read_json

from .features import PRICE_INPUTS, Inputs
from .layout import check_deployed, check_meta, deployed_layout, size_of
from .state import check_counters, check_state

# Neither format can run code when it is loaded, as a pickle could.
FORMAT = "dmsb-checkpoint-2"
ARRAYS, META = "arrays.safetensors", "meta.json"

HEADER_BYTES = 1 << 20
"""What a file of arrays may have besides their numbers; two kilobytes are used."""

MOST_STATE_BYTES = 16 * GIB
"""Largest file of a training's state; the default replay buffer of 200,000 transitions takes 33 MB."""

KIND = "checkpoint"
"""Kind of a checkpoint's folder in its manifest."""


def save(folder: Path, arrays: dict[str, np.ndarray[Any, Any]], meta: dict[str, Any]) -> None:
    """Write a checkpoint in the place of an earlier one. A killed process leaves one of the two.

    Args:
        folder: folder of the checkpoint.
        arrays: arrays by name.
        meta: all other values, as JSON allows them.

    Raises:
        OutputError: it cannot be written, or the folder holds something other than a checkpoint.
    """
    data, text = encode(arrays, meta)
    with replacing(folder, force=True, kind=KIND) as new:
        new.mkdir()
        (new / ARRAYS).write_bytes(data)
        (new / META).write_text(text, encoding="utf-8")


def encode(arrays: dict[str, np.ndarray[Any, Any]], meta: dict[str, Any]) -> tuple[bytes, str]:
    """Return the two files of a checkpoint: the arrays, and JSON with the hash of both."""
    from safetensors.numpy import save as to_bytes

    data: bytes = to_bytes({name: np.asarray(array, order="C") for name, array in arrays.items()})
    meta = {"format": FORMAT, **meta}
    return data, json.dumps({**meta, "sha256": seal(meta, data)}, indent=1, allow_nan=False) + "\n"


def seal(meta: dict[str, Any], data: bytes) -> str:
    """Return the SHA-256 of a checkpoint: of its JSON with sorted keys and without the hash, and of its arrays."""
    said = {name: value for name, value in meta.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, allow_nan=False).encode() + b"\0" + data).hexdigest()


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
        raise InputError(f"{folder}: was trained on other features than {', '.join(inputs.names)}; train again")


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
    data, arrays = _read_arrays(folder, size_of(layout) + HEADER_BYTES)
    check_deployed(folder / ARRAYS, arrays, layout)
    _check_seal(folder, meta, data)
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
    data, arrays = _read_arrays(folder, MOST_STATE_BYTES)
    check_state(folder / ARRAYS, arrays, learner)
    _check_seal(folder, meta, data)
    try:
        learner.restore(arrays, meta)
    except Exception as error:  # generators of torch and numpy refuse a state in ways of their own
        raise InputError(f"{folder}: does not fit its own description ({type(error).__name__}: {error})") from None


def _read_meta(folder: Path, kind: str) -> dict[str, Any]:
    try:
        meta = read_json(folder / META)
    except OSError as error:
        raise InputError(f"{folder}: holds no checkpoint ({META}: {error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{folder}: holds no checkpoint ({META} is not JSON: {error})") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise InputError(f"{folder}: is not a checkpoint of this program ({META} must say format = {FORMAT})")
    if meta.get("kind") != kind:
        raise InputError(f"{folder}: is a checkpoint of the policy {shown(meta.get('kind'))}, not of '{kind}'")
    check_meta(folder / META, meta)
    return meta


def _read_arrays(folder: Path, most: int) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    from safetensors.numpy import load as from_bytes

    file = folder / ARRAYS
    try:
        data = read_bytes(file, most)
    except OSError as error:
        raise InputError(f"{file}: the weights cannot be read ({error.strerror})") from None
    try:
        return data, dict(from_bytes(data))
    except Exception as error:  # the library lets pass what its own parser does not know, such as types
        raise InputError(f"{file}: is damaged or cut off ({type(error).__name__}: {error})") from None


def _check_seal(folder: Path, meta: dict[str, Any], data: bytes) -> None:
    expected = seal(meta, data)
    if meta.get("sha256") != expected:
        found = shown(meta["sha256"]) if "sha256" in meta else "missing"
        raise InputError(
            f"{folder}: {META} or {ARRAYS} was changed after it was written ('sha256' must be {expected}, not {found})"
        )
