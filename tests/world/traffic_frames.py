"""Small recordings for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd


def straight(names: list[str], speed: float = 10.0, length: float = 400.0, headway: float = 4.0) -> pd.DataFrame:
    """Vehicles one after the other along y = 0 from x = -length/2 at constant speed, sampled at 1 Hz."""
    rows = []
    for number, name in enumerate(names):
        rows += [
            (number * headway + step, name, -length / 2 + speed * step, 0.0, speed, 90.0, "in", "car")
            for step in range(int(length / speed) + 1)
        ]
    return pd.DataFrame(rows, columns=["time", "id", "x", "y", "speed", "angle", "lane", "type"]).sort_values(
        ["time", "id"], ignore_index=True
    )


def wandering(rng: np.random.Generator, vehicles: int, steps: int, reach: float) -> pd.DataFrame:
    """Vehicles that drive about, turn and stand now and then, and enter at random whole seconds."""
    rows = []
    for number in range(vehicles):
        at, begin = rng.uniform(-reach, reach, 2), int(rng.integers(0, steps))
        velocity = rng.normal(0.0, 10.0, 2) - 0.05 * at
        for step in range(int(rng.integers(1, steps + 1))):
            rows.append((float(begin + step), f"v{number}", float(at[0]), float(at[1])))
            if rng.random() < 0.05:
                velocity = rng.normal(0.0, 10.0, 2)
            if rng.random() < 0.9:
                at = at + velocity
    return pd.DataFrame(rows, columns=["time", "id", "x", "y"]).sort_values(["time", "id"], ignore_index=True)
