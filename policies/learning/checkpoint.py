"""Checkpoints: a folder with arrays as safetensors and all other values as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError

from .features import NAMES

# Neither format can run code when it is loaded, as a pickle could.
FORMAT = "dmsb-checkpoint-1"
ARRAYS, META = "arrays.safetensors", "meta.json"


def save(folder: Path, arrays: dict[str, np.ndarray[Any, Any]], meta: dict[str, Any]) -> None:
    """Write a checkpoint, and replace an earlier one.

    Args:
        folder: folder of the checkpoint.
        arrays: arrays by name.
        meta: all other values, as JSON allows them.
    """
    from safetensors.numpy import save_file

    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part / ARRAYS)
    # The library makes the file readable for its owner only.
    (part / ARRAYS).chmod(0o644)
    text = json.dumps({"format": FORMAT, "features": list(NAMES), **meta}, indent=1)
    (part / META).write_text(text + "\n", encoding="utf-8")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def grid_fields(grid: Sequence[float]) -> str:
    """Return the scenario fields that give a price grid, as text for a message."""
    return f"market.actions = {len(grid)} and market.first_action = {int(grid[0] > 1.0)}"


def load(
    folder: Path, kind: str, grid: Sequence[float] | None = None
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        folder: folder of the checkpoint.
        kind: kind of policy that the checkpoint must have.
        grid: price grid that the checkpoint must have, or None for any.

    Returns:
        The arrays by name, and the other values.

    Raises:
        InputError: the checkpoint does not exist, is damaged, or does not fit. The message says which.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    old = folder.with_name(f".{folder.name}.old")
    if not folder.exists() and old.exists():
        old.rename(folder)
    try:
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
