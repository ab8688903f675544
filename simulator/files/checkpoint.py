"""Checkpoints: a folder with arrays as safetensors and all other values as JSON, sealed by a hash of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, shown
from simulator.files.output import replacing
from simulator.files.reading import is_whole, read_bytes, read_json

# Neither format can run code when it is loaded, as a pickle could.
FORMAT = "dmsb-checkpoint-2"
ARRAYS, META = "arrays.safetensors", "meta.json"

HEADER_BYTES = 1 << 20
"""What a file of arrays may have besides their numbers; two kilobytes are used."""

MOST_STEPS = 10**15
"""Largest number of steps of a training."""

KIND = "checkpoint"
"""Kind of a checkpoint's folder in its manifest."""

Arrays = Mapping[str, np.ndarray[Any, Any]]

Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Type and shape of each array, by name."""


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


def check_seal(folder: Path, meta: dict[str, Any], data: bytes) -> None:
    """Refuse a checkpoint whose files were changed after they were written.

    Raises:
        InputError: the hash is another one.
    """
    expected = seal(meta, data)
    if meta.get("sha256") != expected:
        found = shown(meta["sha256"]) if "sha256" in meta else "missing"
        raise InputError(
            f"{folder}: {META} or {ARRAYS} was changed after it was written ('sha256' must be {expected}, not {found})"
        )


def weights_in(folder: Path) -> Path:
    """Return the folder of the weights in the folder of a training, or the folder itself.

    Args:
        folder: folder of a training, whose weights with the best evaluation are in ``best``, or of weights.

    Raises:
        InputError: it holds several trainings, or cannot be read.
    """
    try:
        found = folder / "best" if (folder / "best").exists() else folder
        if (found / "seed-0").is_dir():
            raise InputError(f"{found}: holds several trainings; name one, such as {found / 'seed-0'}")
    except OSError as error:
        raise InputError(f"{folder}: the weights cannot be read ({error.strerror})") from None
    return found


def check_steps(folder: Path, meta: Mapping[str, Any]) -> None:
    """Hold the number of steps of a checkpoint to be one.

    Raises:
        InputError: it is missing or no whole number.
    """
    if not (is_whole(meta.get("steps")) and 0 <= meta["steps"] <= MOST_STEPS):
        found = shown(meta["steps"]) if "steps" in meta else "missing"
        raise InputError(f"{folder / META}: 'steps' must be a whole number from 0 to {MOST_STEPS:g}, not {found}")


def read_meta(folder: Path, kind: str) -> dict[str, Any]:
    """Return what the JSON of a checkpoint says.

    Args:
        folder: folder of the checkpoint.
        kind: which policy or mechanism it must be of.

    Raises:
        InputError: there is none, or it is of another kind.
    """
    try:
        meta = read_json(folder / META)
    except OSError as error:
        raise InputError(f"{folder}: holds no checkpoint ({META}: {error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{folder}: holds no checkpoint ({META} is not JSON: {error})") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise InputError(f"{folder}: is not a checkpoint of this program ({META} must say format = {FORMAT})")
    if meta.get("kind") != kind:
        raise InputError(f"{folder}: is a checkpoint of {shown(meta.get('kind'))}, not of '{kind}'")
    return meta


def read_arrays(folder: Path, most: int) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """Return the arrays of a checkpoint, as bytes and by name.

    Args:
        folder: folder of the checkpoint.
        most: largest size of the file, bytes.

    Raises:
        InputError: they cannot be read.
    """
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


def size_of(layout: Layout) -> int:
    """Return the bytes of all arrays of a layout."""
    return sum(np.dtype(kind).itemsize * int(np.prod(shape)) for kind, shape in layout.values())


def check_layout(file: Path, arrays: Arrays, layout: Layout) -> None:
    """Hold names, types and shapes of arrays to a layout.

    Raises:
        InputError: one differs; the message names it.
    """
    for name, (kind, shape) in layout.items():
        if name not in arrays:
            raise InputError(f"{file}: there is no array '{name}'; its network needs one of shape {_text(shape)}")
        found = arrays[name]
        if str(found.dtype) != kind or found.shape != shape:
            raise InputError(
                f"{file}: '{name}' must be {kind} of shape {_text(shape)}, not {found.dtype} of {_text(found.shape)}"
            )
    extra = [name for name in arrays if name not in layout]
    if extra:
        raise InputError(f"{file}: there is an array {shown(extra[0])}, which its network does not have")


def check_finite(file: Path, arrays: Arrays, largest: float = np.inf) -> None:
    """Hold numbers to be finite.

    Args:
        file: where they were read from, for the message.
        arrays: the arrays, by name.
        largest: largest size of a number.

    Raises:
        InputError: one is not; the message names the array.
    """
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        bad = ~np.isfinite(array)
        if bad.any():
            raise InputError(f"{file}: '{name}' must hold finite numbers, not {float(array[bad][0])}")
        size = float(np.abs(array).max(initial=0.0))
        if size > largest:
            raise InputError(f"{file}: '{name}' must hold weights up to {largest:g}, not {size:g}")


def _text(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
