"""Claims of the paper about Figs. 5 and 6: how surplus and delay change along the axes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from simulator.model import FloatArray
from simulator.study.paper.plan import DMSB, PPO
from simulator.study.paper.tables import ByWorld, by_world, margin
from simulator.study.paper.verdicts import NO, SLIGHT, UNDECIDED, YES, Interval, all_above, all_of, any_below
from simulator.study.statistics import crossed

if TYPE_CHECKING:
    import pandas as pd


class Claim(NamedTuple):
    """Statement of the paper with a verdict.

    Attributes:
        claim: the statement.
        paper: number that the paper gives; empty if it gives none.
        measured: what the runs give, with the half-width of the 95 % interval over worlds and trainings; that of a
            curve is over trainings.
        verdict: `reproduced`, `reproduced if ...`, `undecided`, `not reproduced`, or `not tested` at this scale.
        why: reason for the verdict.
    """

    claim: str
    paper: str
    measured: str
    verdict: str
    why: str


def at_every_point(sweeps: pd.DataFrame, rival: str, figure: str) -> Claim:
    """Test whether DMSB's surplus exceeds that of one policy at every point of every axis."""
    table = by_world(sweeps, "total")
    margins = {
        (axis, value): Interval(*margin(table[axis, value, DMSB], totals))
        for (axis, value, policy), totals in table.items()
        if policy == rival
    }
    (axis, value), least = min(margins.items(), key=lambda pair: pair[1].mean)
    verdicts = [one.above() for one in margins.values()]
    return Claim(
        f"DMSB is above {rival} at every point ({figure})", "",
        f"least margin {least.percent()}, at {axis} = {value:g}", all_above(margins.values()),
        f"of {len(verdicts)} points DMSB is above at {verdicts.count(YES)}, undecided at {verdicts.count(UNDECIDED)} "
        f"and not above at {verdicts.count(NO)}",
    )  # fmt: skip


def _along(table: ByWorld, axis: str, policy: str) -> list[FloatArray]:
    """Return a figure of runs at each point of an axis in ascending order, each of shape (worlds, trainings)."""
    return [table[key] for key in sorted(table) if key[0] == axis and key[2] == policy]


def _values(table: ByWorld, axis: str) -> list[float]:
    """Return the points of an axis in ascending order."""
    return sorted({value for name, value, _ in table if name == axis})


def interval(values: FloatArray) -> Interval:
    """Return the interval of a figure over worlds and trainings."""
    return Interval(*crossed(values))


def _change(points: list[FloatArray]) -> Interval:
    """Return the relative change from the first to the last point."""
    return Interval(*margin(points[-1], points[0]))


def _rises(points: list[FloatArray], sign: int) -> str:
    """Say whether a figure rises along an axis (falls if the sign is -1): over all of it, and nowhere against it."""
    steps = [interval(sign * (two - one)) for one, two in pairwise(points)]
    over_all = interval(sign * (points[-1] - points[0])).above()
    return NO if any_below(steps) else over_all


def trend_claims(sweeps: pd.DataFrame) -> list[Claim]:
    """Test the claims about Fig. 5."""
    total, uav, ground = (by_world(sweeps, name) for name in ("total", "uav", "ground"))
    found = []
    for axis, unit, sign, claim in (
        ("bandwidth", "MHz", 1, "the surplus of every mechanism rises with bandwidth (Fig. 5a)"),
        ("size", "MB", -1, "the surplus of every mechanism falls with task size (Fig. 5c)"),
    ):
        lines = {policy: _along(total, axis, policy) for policy in (DMSB, "SPA", "Myopic", "Optimal")}
        measured = ", ".join(f"{policy} {_change(points).percent()}" for policy, points in lines.items())
        verdict = all_of(_rises(points, sign) for points in lines.values())
        values = _values(total, axis)
        found.append(Claim(claim, "", measured, verdict, f"change from {values[0]:g} to {values[-1]:g} {unit}"))
    for axis, said in (("bandwidth", "of all providers"), ("station_bandwidth", "of stations only")):
        pairs = zip(_along(ground, axis, DMSB), _along(uav, axis, DMSB), strict=True)
        gaps = dict(zip(_values(total, axis), (interval(one - other) for one, other in pairs), strict=True))
        most = [f"{value:g}" for value, gap in gaps.items() if gap.above() == YES]
        measured = ", ".join(f"{value:g}: {gap.mean:+.3f} ± {gap.half_width:.3f}" for value, gap in gaps.items())
        why = f"surplus of the ground minus that of the UAV by MHz; positive at {', '.join(most) or 'none of them'}"
        claim = f"base stations contribute most at every bandwidth {said} (Fig. 5a)"
        found.append(Claim(claim, "", measured, all_above(gaps.values()), why))
    for axis, said, why in (
        ("bandwidth", "of all providers", "the UAV's own bandwidth rises too"),
        ("station_bandwidth", "of stations only", "what stations gain, the UAV loses"),
    ):
        points = sorted(_along(uav, axis, DMSB), key=lambda point: float(point.mean()))
        # Stable between its extremes: the ends alone would miss a peak in the middle.
        verdict = Interval(*margin(points[-1], points[0])).within(-1.0, SLIGHT)
        claim = f"the UAV's surplus stays stable as the bandwidth {said} rises (Fig. 5a)"
        measured = _change(_along(uav, axis, DMSB)).percent()
        found.append(Claim(claim, "", measured, verdict, "" if verdict == YES else why))
    points = _along(total, "stations", DMSB)
    change = _change(points)
    verdict = all_of([change.within(-SLIGHT, SLIGHT), change.negative().above()])
    why = "" if verdict == YES else "the best of more stations is better, and a further station costs nothing here"
    found.append(Claim("the total surplus falls slightly with more stations (Fig. 5b)", "", change.percent(), verdict,
                       why))  # fmt: skip
    steps = [two - one for one, two in pairwise(points)]
    bends = [interval(one - two) for one, two in pairwise(steps)]
    # Equal increments count as decreasing: the difference is then 0 in every run, up to rounding.
    bending = [bend for bend in bends if abs(bend.mean) >= 1e-9 or bend.half_width >= 1e-9]
    measured = ", ".join(f"{interval(step).mean:+.4f} ± {interval(step).half_width:.4f}" for step in steps)
    falls = [f"{bend.mean:+.4f} ± {bend.half_width:.4f}" for bend in bends]
    why = f"gain of each station from 4 to 9; by how much each gain is below the one before: {', '.join(falls)}"
    claim = "the marginal surplus of a further station decreases (Fig. 5b)"
    found.append(Claim(claim, "", measured, all_above(bending), why))
    return found


def delay_claims(sweeps: pd.DataFrame) -> list[Claim]:
    """Test the claims about Fig. 6(d)."""
    rivals, delay = (PPO, "Greedy", "Random"), by_world(sweeps, "delay")
    lines = {policy: _along(delay, "size", policy) for policy in (DMSB, *rivals)}
    measured = ", ".join(f"{policy} {_change(points).percent()}" for policy, points in lines.items())
    verdict = all_of(_rises(points, 1) for points in lines.values())
    found = [Claim("the delay rises with task size (Fig. 6d)", "", measured, verdict, "from 20 to 40 MB")]
    for rival in rivals:
        gaps = [interval(other - own) for other, own in zip(lines[rival], lines[DMSB], strict=True)]
        least = min(gaps, key=lambda gap: gap.mean)
        found.append(
            Claim(f"the delay under DMSB is below that under {rival} (Fig. 6d)", "",
                  f"{rival} minus DMSB: at least {least.mean:+.2f} ± {least.half_width:.2f} s", all_above(gaps), "")
        )  # fmt: skip
    return found
