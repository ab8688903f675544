"""Every number and ordering of the paper's section 6, held against what the runs here say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.model import FloatArray
from simulator.study.compare import half_width
from simulator.study.paper.figures import COMPARED
from simulator.study.paper.plan import DMSB, PPO, STATIONS_IN_FIG_4
from simulator.study.paper.tables import ByWorld, by_world, margin

if TYPE_CHECKING:
    import pandas as pd

PAPER_MARGINS = {PPO: 0.13, "Greedy": 0.45, "Random": 0.63, "SPA": 0.30, "Myopic": 0.27, "Optimal": 0.23}
"""Section 6.2: by how much DMSB's surplus exceeds that of others."""

CLOSE = 0.03
"""A margin is reproduced if it is that close to the paper's, or the paper's is in its interval; and if all of the
interval is above half of the paper's."""

SETTLED = 0.01
"""A curve is stable from where it stays within this share of its end."""

STABLE_STEPS = 500_000

SLIGHT = 0.10
"""A change is slight, and a surplus stable, up to this share."""

YES, NO = "reproduced", "not reproduced"


class Claim(NamedTuple):
    """A statement of the paper and what became of it.

    Attributes:
        claim: the statement.
        paper: its number, empty if it has none.
        measured: what is measured here, with half its 95 % interval.
        verdict: `reproduced`, `reproduced if ...` or `not reproduced`.
        why: what decides it.
    """

    claim: str
    paper: str
    measured: str
    verdict: str
    why: str


def claims(
    base: pd.DataFrame, fig3: pd.DataFrame, fig4: pd.DataFrame, sweeps: pd.DataFrame, sensitivity: pd.DataFrame
) -> pd.DataFrame:
    """The table of claims.

    Args:
        base: runs of section 6.1 as it stands.
        fig3: the table behind Fig. 3.
        fig4: the table behind Fig. 4.
        sweeps: runs at all points of all axes, of all policies of Figs. 5 and 6.
        sensitivity: the table of variants.
    """
    import pandas as pd

    found = [
        *(_margin(base, label, sensitivity) for label in COMPARED),
        _stable(fig3),
        *_by_stations_while_training(fig4),
        _best_everywhere(sweeps, ("SPA", "Myopic", "Optimal"), "Fig. 5"),
        *_trends(sweeps),
        _best_everywhere(sweeps, (PPO, "Greedy", "Random"), "Fig. 6"),
        *_delay(sweeps),
    ]
    return pd.DataFrame(found)


def _percent(value: float, width: float = float("nan")) -> str:
    return f"{100 * value:+.1f} %" + ("" if np.isnan(width) else f" ± {100 * width:.1f}")


def _margin(base: pd.DataFrame, label: str, sensitivity: pd.DataFrame) -> Claim:
    table = by_world(base, "total")
    gain, width = margin(table["base", 0.0, DMSB], table["base", 0.0, label])
    paper = PAPER_MARGINS[label]
    claim = f"DMSB's surplus exceeds that of {label}"
    said, measured = f"{100 * paper:.0f} %", _percent(gain, width)
    apart = abs(gain - paper) > max(CLOSE, width)
    if apart or gain - width <= 0.5 * paper:
        order = "the order holds" if gain > width else "the order is not clear"
        size = "the margin is another" if apart else "the interval is too wide"
        share = table["base", 0.0, label].mean() / table["base", 0.0, "conditional"].mean()
        return Claim(claim, said, measured, NO, f"{order}; {size}; {label} has {share:.2f} of conditional's surplus")
    if f"over {label}" not in sensitivity:
        return Claim(claim, said, measured, YES, "")
    margins = sensitivity[["variant", f"over {label}"]].itertuples(index=False)
    far = [f"{name} ({_percent(got)})" for name, got in margins if abs(got - paper) > CLOSE]
    if not far:
        return Claim(claim, said, measured, YES, "under every variant")
    return Claim(claim, said, measured, "reproduced if the calibration is accepted", f"not with: {', '.join(far)}")


def _stable(fig3: pd.DataFrame) -> Claim:
    curve = fig3[(fig3["policy"] == DMSB) & fig3["steps"].notna()].sort_values("steps")
    steps, total = curve["steps"].to_numpy(), curve["total"].to_numpy()
    away = np.flatnonzero(np.abs(total / total[-1] - 1.0) > SETTLED)
    first = int(steps[away[-1] + 1 if len(away) else 0])
    claim, paper = "DMSB is stable after 500,000 steps", "500,000"
    measured = f"within {100 * SETTLED:.0f} % of its end from {first:,} steps on"
    if steps[-1] <= STABLE_STEPS:
        why = f"trained for {int(steps[-1]):,} steps only, with a learning rate that falls to 0"
        return Claim(claim, paper, measured, "reproduced if it stays there" if first < steps[-1] else NO, why)
    return Claim(claim, paper, measured, YES if first <= STABLE_STEPS else NO, "much sooner" if first < 100_000 else "")


def _by_stations_while_training(fig4: pd.DataFrame) -> list[Claim]:
    ends = {int(row["stations"]): row for row in fig4[fig4["policy"] == DMSB].sort_values("steps").to_dict("records")}
    best = {
        count: max(
            row["total"]
            for row in fig4.to_dict("records")
            if row["stations"] == count and row["policy"] in ("SPA", "Myopic", "Optimal")
        )
        for count in STATIONS_IN_FIG_4
    }
    shown = {count: f"UAV {ends[count]['uav']:.3f}, ground {ends[count]['ground']:.3f}" for count in ends}
    least = min(ends[count]["total"] / best[count] - 1.0 for count in STATIONS_IN_FIG_4)
    uav = [ends[count]["uav"] for count in STATIONS_IN_FIG_4]
    change = max(uav) / min(uav) - 1.0
    few, *more = STATIONS_IN_FIG_4
    behind = [count for count in more if ends[count]["uav"] >= ends[count]["ground"]]
    overtaken = NO
    if not behind:
        overtaken = YES
    elif behind == more[: len(behind)] and len(behind) < len(more):
        overtaken = f"reproduced if Fig. 4(b) has {more[len(behind)]} stations"
    return [
        Claim("DMSB is above SPA, Myopic and Optimal at every number of stations (Fig. 4)", "",
              f"least margin {_percent(least)}", YES if least > 0 else NO, ""),
        Claim("with 3 stations the UAV has the higher surplus (Fig. 4a)", "", shown[few],
              YES if ends[few]["uav"] > ends[few]["ground"] else NO, ""),
        Claim("with more stations the ground overtakes it (Figs. 4b-d)", "",
              "; ".join(f"{count}: {shown[count]}" for count in more),
              overtaken, f"not at {', '.join(map(str, behind))}" if behind else ""),
        Claim("the UAV's surplus stays stable with more stations (Fig. 4)", "",
              f"{_percent(change)} from the least to the most", YES if change <= SLIGHT else NO,
              "" if change <= SLIGHT else "what stations gain, the UAV loses"),
    ]  # fmt: skip


def _best_everywhere(sweeps: pd.DataFrame, rivals: tuple[str, ...], figure: str) -> Claim:
    table = by_world(sweeps, "total")
    margins = [
        (*margin(table[axis, value, DMSB], totals), rival, axis, value)
        for (axis, value, rival), totals in table.items()
        if rival in rivals
    ]
    least, width, rival, axis, value = min(margins)
    where = f"over {rival} at {axis} = {value:g}"
    verdict = YES if all(gain > wide for gain, wide, *_ in margins) else NO
    return Claim(f"DMSB is above {', '.join(rivals)} at every point ({figure})", "",
                 f"least margin {_percent(least, width)}, {where}", verdict, f"{len(margins)} comparisons")  # fmt: skip


def _along(table: ByWorld, axis: str, policy: str) -> list[FloatArray]:
    """A figure in each world, by ascending value along an axis."""
    return [table[key] for key in sorted(table) if key[0] == axis and key[2] == policy]


def _change(points: list[FloatArray]) -> tuple[float, float, FloatArray]:
    """Relative change from the first to the last point with half its interval, and the means of all."""
    return *margin(points[-1], points[0]), np.array([point.mean() for point in points])


def _trends(sweeps: pd.DataFrame) -> list[Claim]:
    total, uav, ground = (by_world(sweeps, name) for name in ("total", "uav", "ground"))
    found = []
    for axis, sign, claim in (
        ("bandwidth", 1, "the surplus of every mechanism rises with bandwidth (Fig. 5a)"),
        ("size", -1, "the surplus of every mechanism falls with task size (Fig. 5c)"),
    ):
        changes = {policy: _change(_along(total, axis, policy)) for policy in (DMSB, "SPA", "Myopic", "Optimal")}
        holds = all(
            sign * change > width and (sign * np.diff(mean) > 0).all() for change, width, mean in changes.values()
        )
        measured = ", ".join(f"{policy} {_percent(change, width)}" for policy, (change, width, _) in changes.items())
        found.append(Claim(claim, "", measured, YES if holds else NO, "from the first to the last point"))
    pairs = zip(_along(ground, "bandwidth", DMSB), _along(uav, "bandwidth", DMSB), strict=True)
    gaps = [one - other for one, other in pairs]
    most = all(gap.mean() > half_width(gap) for gap in gaps)
    least, highest = (pick(float(gap.mean()) for gap in gaps) for pick in (min, max))
    measured = f"ground less UAV {least:.3f} to {highest:.3f}"
    pairs = zip(_along(ground, "stations", DMSB), _along(uav, "stations", DMSB), strict=True)
    counts = sorted(value for axis, value, policy in total if (axis, policy) == ("stations", DMSB))
    ahead = [count for count, (one, other) in zip(counts, pairs, strict=True) if one.mean() > other.mean()]
    why = (
        "" if most else f"at five stations; they do at {', '.join(f'{count:g}' for count in ahead) or 'none of 3 to 9'}"
    )
    found.append(Claim("base stations contribute most (Fig. 5a)", "", measured, YES if most else NO, why))
    for axis, said, why in (
        ("bandwidth", "of all", "the UAV's own bandwidth counts like a station's"),
        ("station_bandwidth", "of stations only", "what stations gain, the UAV loses"),
    ):
        change, width, mean = _change(_along(uav, axis, DMSB))
        verdict = YES if mean.max() / mean.min() - 1.0 <= SLIGHT else NO
        claim = f"the UAV's surplus stays stable with the bandwidth {said} (Fig. 5a)"
        found.append(Claim(claim, "", _percent(change, width), verdict, "" if verdict == YES else why))
    change, width, _ = _change(_along(total, "stations", DMSB))
    falls = -SLIGHT <= change < -width
    why = "" if falls else "more stations bring better best ones, at no cost in this model"
    claim = "a slight fall in total surplus with more stations (Fig. 5b)"
    found.append(Claim(claim, "", _percent(change, width), YES if falls else NO, why))
    return found


def _delay(sweeps: pd.DataFrame) -> list[Claim]:
    rivals, delay = (PPO, "Greedy", "Random"), by_world(sweeps, "delay")
    changes = {policy: _change(_along(delay, "size", policy)) for policy in (DMSB, *rivals)}
    rises = all(change > width for change, width, _ in changes.values())
    gaps = []
    for rival in rivals:
        pairs = zip(_along(delay, "size", rival), _along(delay, "size", DMSB), strict=True)
        gaps += [(float((one - other).mean()), half_width(one - other), rival) for one, other in pairs]
    gap, width, rival = min(gaps)
    lowest = all(mean > wide for mean, wide, _ in gaps)
    measured = ", ".join(f"{policy} {_percent(change, wide)}" for policy, (change, wide, _) in changes.items())
    return [
        Claim("the delay rises with task size (Fig. 6d)", "", measured, YES if rises else NO, "from 20 to 40 MB"),
        Claim("the delay is lowest under DMSB (Fig. 6d)", "", f"least gap {gap:+.2f} ± {width:.2f} s, to {rival}",
              YES if lowest else NO, "" if lowest else "it is surplus that both learn"),
    ]  # fmt: skip
