"""Weights of learned mechanisms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from simulator.files import folder as folder_at
from simulator.files.checkpoint import (
    ARRAYS,
    HEADER_BYTES,
    Layout,
    check_finite,
    check_layout,
    check_seal,
    check_steps,
    read_arrays,
    read_meta,
    size_of,
    weights_in,
)

SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the project, with one folder per mechanism."""

LARGEST = 1e4
"""Largest weight. Those of trained networks stay below 100."""


def load_weights(
    kind: str, weights: str | None, layout: Layout
) -> tuple[dict[str, np.ndarray[Any, Any]] | None, str | None]:
    """Return the arrays of weights and their hash; None for both if none are shipped.

    Args:
        kind: name of the mechanism.
        weights: folder of a training or of weights; None for the shipped weights.
        layout: type and shape of each array.

    Raises:
        InputError: they are not there, damaged, or of something else.
    """
    folder = SHIPPED / kind if weights is None else folder_at(weights)
    if weights is None and not folder.exists():
        return None, None
    folder = weights_in(folder)
    meta = read_meta(folder, kind)
    check_steps(folder, meta)
    data, arrays = read_arrays(folder, size_of(layout) + HEADER_BYTES)
    check_layout(folder / ARRAYS, arrays, layout)
    check_finite(folder / ARRAYS, arrays, LARGEST)
    check_seal(folder, meta, data)
    return arrays, str(meta["sha256"])
