"""The state of a training, held to what its learner would write before it is taken over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, shown
from simulator.files.checkpoint import MOST_STEPS, Arrays, Layout, check_finite, check_layout
from simulator.files.reading import is_whole


def check_counters(file: Path, meta: Mapping[str, Any]) -> None:
    """Hold the counters of a training to be whole numbers.

    Raises:
        InputError: one is missing or is none.
    """
    for name in ("updates", "cycle", "total_steps"):
        if not (is_whole(meta.get(name)) and 0 <= meta[name] <= MOST_STEPS):
            found = shown(meta[name]) if name in meta else "missing"
            raise InputError(f"{file}: '{name}' must be a whole number from 0 to {MOST_STEPS:g}, not {found}")
    if meta["steps"] > meta["total_steps"]:
        raise InputError(
            f"{file}: 'steps' must be at most its 'total_steps' {meta['total_steps']}, not {meta['steps']}"
        )


def check_state(file: Path, arrays: Arrays, learner: Any) -> None:
    """Hold the arrays of a training's state to its learner.

    Args:
        file: where they were read from, for the message.
        arrays: the arrays, by name.
        learner: a new learner of the same kind, settings and grid.

    Raises:
        InputError: one is missing, does not belong there, or holds what cannot be; the message names it.
    """
    check_layout(file, arrays, _layout(file, arrays, learner))
    check_finite(file, arrays)
    for name, (low, high) in _ranges(arrays, learner).items():
        values = arrays[name]
        bad = (values < low) | (values > high) | ((values != np.floor(values)) & (high < np.inf))
        if bad.any():
            wanted = f">= {low:g}" if high == np.inf else f"whole and from {low:g} to {high:g}"
            raise InputError(f"{file}: '{name}' must hold numbers {wanted}, not {values[bad][0]:g}")
    if "replay.added" in arrays:
        added, size = int(arrays["replay.added"][0]), len(arrays["replay.action"])
        if size != min(added, learner.replay.capacity):
            raise InputError(f"{file}: 'replay.added' must fit the {size:,} transitions that are there, not {added:,}")


def _layout(file: Path, arrays: Arrays, learner: Any) -> Layout:
    """Return the layout that a learner would write: fixed parts, optimisers that have begun, and rows so far."""
    fresh, _ = learner.state()
    layout: Layout = {name: (str(array.dtype), array.shape) for name, array in fresh.items()}
    for prefix in ("optimiser", "actor_optimiser", "critic_optimiser"):
        optimiser = getattr(learner, prefix, None)
        if optimiser is not None and any(name.startswith(f"{prefix}.") for name in arrays):
            for number, parameter in enumerate(optimiser.param_groups[0]["params"]):
                for name in ("exp_avg", "exp_avg_sq"):
                    layout[f"{prefix}.{number}.{name}"] = ("float32", tuple(parameter.shape))
                layout[f"{prefix}.{number}.step"] = ("float32", ())
    if hasattr(learner, "replay"):
        rows = _rows(file, arrays, "replay.action")
        for name, (kind, shape) in layout.items():
            if name.startswith("replay.") and name != "replay.added":
                layout[name] = (kind, (rows, *shape[1:]))
    else:
        features = fresh["scaler.mean"].shape
        for world in range(learner.settings.worlds):
            if any(name.startswith(f"rollout.{world}.") for name in arrays):
                rows = _rows(file, arrays, f"rollout.{world}.action")
                for name in learner.columns:
                    wide = features if name in ("state", "following") else ()
                    layout[f"rollout.{world}.{name}"] = ("float64", (rows, *wide))
    return layout


def _rows(file: Path, arrays: Arrays, name: str) -> int:
    if name not in arrays or arrays[name].ndim != 1:
        raise InputError(f"{file}: there must be an array '{name}' with one number per transition")
    return len(arrays[name])


def _ranges(arrays: Arrays, learner: Any) -> dict[str, tuple[float, float]]:
    """Return what some arrays may hold: from, to; whole numbers where the end is finite."""
    found: dict[str, tuple[float, float]] = {}
    for name in arrays:
        last = name.rpartition(".")[2]
        if name.startswith(("replay.", "rollout.")) and last == "action":
            found[name] = (0.0, len(learner.grid) - 1.0)
        elif name.startswith("rollout.") and last == "rule":
            found[name] = (-1.0, len(learner.rules) - 1.0)
        elif name == "replay.by_uav":
            found[name] = (0.0, 1.0)
        elif name == "replay.world":
            found[name] = (0.0, learner.settings.worlds - 1.0)
        elif name in ("scaler.count", "scaler.square", "taken", "replay.added") or last in ("exp_avg_sq", "step"):
            found[name] = (0.0, np.inf)
    return found
