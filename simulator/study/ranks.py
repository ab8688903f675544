"""Which policy is first, and by which figure: surplus and realised surplus may disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.study.statistics import p_value

if TYPE_CHECKING:
    import pandas as pd


def disagreements(runs: pd.DataFrame) -> list[str]:
    """Return a sentence for each point of the grid at which surplus and realised surplus put other policies first.

    The surplus is what an auction promises when it settles. The realised surplus is what came of it.

    Args:
        runs: the ``runs`` of `simulator.study.compare.compare`.
    """
    keys = list(runs.index.names)[:-2]
    rows, found = runs.reset_index(), []
    for point, part in rows.groupby(keys, sort=False) if keys else [((), rows)]:
        surplus, realised = (
            part.pivot_table(index="seed", columns="policy", values=name) for name in ("surplus_mean", "realised_mean")
        )
        if surplus.empty or realised.empty:
            continue
        promised, real = surplus.mean().idxmax(), realised.mean().idxmax()
        if promised == real:
            continue
        gain = (realised[real] - realised[promised]).to_numpy()
        values = point if isinstance(point, tuple) else (point,)
        where = ", ".join(f"{key} = {value}" for key, value in zip(keys, values, strict=True))
        found.append(
            f"{where + ': ' if where else ''}surplus puts {promised} first, realised surplus puts {real} first: "
            f"{realised[real].mean():.4f} against {realised[promised].mean():.4f}, above in {int((gain > 0).sum())} of "
            f"{len(gain)} worlds, p = {p_value(gain):.2g}"
        )
    return found
