"""Checkpoints: safetensors and JSON in a folder, complete or absent; no pickle is ever loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError
from simulator.files import recover, replacing

from .features import NAMES

FORMAT = "dmsb-checkpoint-1"
ARRAYS, META = "arrays.safetensors", "meta.json"

KIND = "checkpoint"
"""Kind of a checkpoint's folder in its manifest."""


def save(folder: Path, arrays: dict[str, np.ndarray[Any, Any]], meta: dict[str, Any]) -> None:
    """Write a checkpoint in the place of the one that is there. A kill leaves one of the two.

    Args:
        folder: the checkpoint's folder.
        arrays: numbers, by name.
        meta: what else there is to say, as JSON has it.

    Raises:
        OutputError: it cannot be written, or the folder holds something else than a checkpoint.
    """
    from safetensors.numpy import save as packed

    data = packed({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    text = json.dumps({"format": FORMAT, "features": list(NAMES), **meta}, indent=1, allow_nan=False)
    with replacing(folder, force=True, kind=KIND) as new:
        new.mkdir()
        (new / ARRAYS).write_bytes(data)
        (new / META).write_text(text + "\n", encoding="utf-8")


def grid_fields(grid: Sequence[float]) -> str:
    """The fields of a scenario that give a price grid."""
    return f"market.actions = {len(grid)} and market.first_action = {int(grid[0] > 1.0)}"


def load(
    folder: Path, kind: str, grid: Sequence[float] | None = None
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        folder: the checkpoint's folder.
        kind: which policy it must be of.
        grid: the prices that it must have, if they are known.

    Raises:
        InputError: there is none, it is damaged, or it does not fit; the message says which.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        recover(folder)
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        fits = isinstance(meta, dict) and meta.get("format") == FORMAT
    except (OSError, ValueError):
        raise InputError(f"{folder}: holds no checkpoint (no readable {META})") from None
    if not fits:
        raise InputError(f"{folder}: is no checkpoint of this project (its format is not {FORMAT})")
    if meta.get("kind") != kind:
        raise InputError(f"{folder}: is a checkpoint of the policy '{meta.get('kind')}', not of '{kind}'")
    if meta.get("features") != list(NAMES):
        raise InputError(f"{folder}: was trained on other features; train anew")
    own = meta.get("grid")
    if not isinstance(own, list) or not own or not all(isinstance(price, float) for price in own):
        raise InputError(f"{folder}: {META} has no price grid")
    if grid is not None and own != list(grid):
        raise InputError(f"{folder}: was trained with {grid_fields(own)}, not {grid_fields(grid)}")
    try:
        return load_file(folder / ARRAYS), meta
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{folder}: {ARRAYS} is damaged or cut off ({error})") from None
