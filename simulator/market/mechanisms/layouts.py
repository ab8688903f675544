"""Names, sizes and arrays of the learned mechanisms' weights."""

from __future__ import annotations

from simulator.files.checkpoint import Layout

MYERSON_NET, REGRET_NET = "myerson-net", "regret-net"
"""Names of the learned mechanisms."""

GROUPS, PIECES = 10, 10
"""Groups and pieces of a monotone function of MyersonNet, as published."""

MYERSON_LAYOUT: Layout = dict.fromkeys(("w", "b"), ("float32", (2, GROUPS, PIECES)))
"""Arrays of MyersonNet: of stations and of UAVs."""

FEATURES = 4
"""Features of a bidder of RegretNet: its bid and its expected value, both divided by the largest expected value of the
auction, their ratio, and 1 for a UAV."""

WIDTH, LAYERS = 32, 2
"""Width of a bidder's row in RegretNet, and number of layers of attention."""

REGRET_LAYOUT: Layout = {
    "embed": ("float32", (FEATURES + 1, WIDTH)),
    **{
        f"{name}.{layer}": ("float32", (WIDTH, WIDTH))
        for layer in range(LAYERS)
        for name in ("query", "key", "value", "mix", "inner", "outer")
    },
    "heads": ("float32", (WIDTH + 1, 2)),
    "nobody": ("float32", (WIDTH + 1, 1)),
}
"""Arrays of RegretNet. The last row of `embed`, `heads` and `nobody` is a bias."""
