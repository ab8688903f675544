"""Every number and ordering of the paper's section 6, held against what the runs here say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.model import FloatArray
from simulator.study.paper.plan import DMSB, PPO, STATIONS_IN_FIG_4
from simulator.study.paper.tables import ByWorld, by_world, margin
from simulator.study.statistics import half_width

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

YES, NO, UNTESTED = "reproduced", "not reproduced", "not tested"


class Claim(NamedTuple):
    """A statement of the paper and what became of it.

    Attributes:
        claim: the statement.
        paper: its number, empty if it has none.
        measured: what is measured here, with half its 95 % interval.
        verdict: `reproduced`, `reproduced if ...`, `not reproduced`, or `not tested` at this scale.
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
        *(_margin(base, label, sensitivity) for label in PAPER_MARGINS),
        _ranking(base),
        _stable(fig3),
        *_by_stations_while_training(fig4),
        *(_at_every_point(sweeps, rival, "Fig. 5") for rival in ("SPA", "Myopic", "Optimal")),
        *_trends(sweeps),
        *(_at_every_point(sweeps, rival, "Fig. 6") for rival in (PPO, "Greedy", "Random")),
        *_delay(sweeps),
    ]
    return pd.DataFrame(found)


def _percent(value: float, width: float = float("nan")) -> str:
    return f"{100 * value:+.1f} %" + ("" if np.isnan(width) else f" ± {100 * width:.1f}")


def _close(gain: float, width: float, paper: float) -> bool:
    """Whether a margin is the paper's."""
    return abs(gain - paper) <= max(CLOSE, width) and gain - width > 0.5 * paper


def _margin(base: pd.DataFrame, label: str, sensitivity: pd.DataFrame) -> Claim:
    table = by_world(base, "total")
    gain, width = margin(table["base", 0.0, DMSB], table["base", 0.0, label])
    paper = PAPER_MARGINS[label]
    claim = f"DMSB's surplus exceeds that of {label}"
    said, measured = f"{100 * paper:.0f} %", _percent(gain, width)
    trained = base[base["policy"] == DMSB].groupby("training")["total"].mean()
    if len(trained) > 1:
        low, high = (pick(trained) / table["base", 0.0, label].mean() - 1.0 for pick in (min, max))
        measured += f" (trainings {_percent(low)} to {_percent(high)})"
    if not _close(gain, width, paper):
        share = table["base", 0.0, label].mean() / table["base", 0.0, "conditional"].mean()
        side = "above" if gain > width else "not above"
        return Claim(claim, said, measured, NO, f"DMSB is {side}; {label} has {share:.2f} of conditional's surplus")
    margins = sensitivity[["variant", f"over {label}", f"over {label} ci"]].itertuples(index=False)
    far = [f"{name} ({_percent(got)})" for name, got, wide in margins if not _close(got, wide, paper)]
    if not far:
        return Claim(claim, said, measured, YES, "under every variant")
    return Claim(claim, said, measured, "reproduced if the calibration is accepted", f"not with: {', '.join(far)}")


def _ranking(base: pd.DataFrame) -> Claim:
    """The order of the others that the paper's margins imply."""
    table = by_world(base, "total")
    said = sorted(PAPER_MARGINS, key=PAPER_MARGINS.__getitem__)
    found = sorted(PAPER_MARGINS, key=lambda label: -table["base", 0.0, label].mean())
    return Claim("the order of the others, by DMSB's margins over them", " > ".join(said), " > ".join(found),
                 YES if said == found else NO, "")  # fmt: skip


def _stable(fig3: pd.DataFrame) -> Claim:
    curve = fig3[(fig3["policy"] == DMSB) & fig3["steps"].notna()].sort_values("steps")
    steps, total = curve["steps"].to_numpy(), curve["total"].to_numpy()
    away = np.flatnonzero(np.abs(total / total[-1] - 1.0) > SETTLED)
    first = int(steps[away[-1] + 1 if len(away) else 0])
    claim, paper = "DMSB is stable after 500,000 steps", "500,000"
    measured = f"within {100 * SETTLED:.0f} % of its end from {first:,} steps on"
    if steps[-1] <= STABLE_STEPS:
        why = f"trained for {int(steps[-1]):,} steps, with a learning rate that falls to 0"
        return Claim(claim, paper, measured, UNTESTED, why)
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
    shown = {
        count: f"UAV {row['uav']:.3f} ± {row['uav_ci']:.3f}, ground {row['ground']:.3f} ± {row['ground_ci']:.3f}"
        for count, row in ends.items()
    }
    least = min(ends[count]["total"] / best[count] - 1.0 for count in STATIONS_IN_FIG_4)
    few, *more = STATIONS_IN_FIG_4
    change = ends[more[-1]]["uav"] / ends[few]["uav"] - 1.0
    ground = [ends[count]["ground"] for count in STATIONS_IN_FIG_4]
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
        Claim("the ground's surplus grows steadily with more stations (Fig. 4)", "",
              ", ".join(f"{value:.3f}" for value in ground), YES if (np.diff(ground) > 0).all() else NO, ""),
        Claim("the UAV's surplus stays stable with more stations (Fig. 4)", "",
              f"{_percent(change)} from {few} to {more[-1]} stations", YES if abs(change) <= SLIGHT else NO,
              "" if abs(change) <= SLIGHT else "what stations gain, the UAV loses"),
    ]  # fmt: skip


def _at_every_point(sweeps: pd.DataFrame, rival: str, figure: str) -> Claim:
    """DMSB against one rival at every point of every axis."""
    table = by_world(sweeps, "total")
    margins = {
        (axis, value): margin(table[axis, value, DMSB], totals)
        for (axis, value, policy), totals in table.items()
        if policy == rival
    }
    (axis, value), (least, width) = min(margins.items(), key=lambda pair: pair[1][0])
    above = sum(gain > wide for gain, wide in margins.values())
    below = sum(gain < -wide for gain, wide in margins.values())
    return Claim(
        f"DMSB is above {rival} at every point ({figure})", "",
        f"least margin {_percent(least, width)}, at {axis} = {value:g}", YES if above == len(margins) else NO,
        f"above at {above} of {len(margins)} points, below at {below}",
    )  # fmt: skip


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
    for axis, said in (("bandwidth", "of all"), ("station_bandwidth", "of stations only")):
        pairs = zip(_along(ground, axis, DMSB), _along(uav, axis, DMSB), strict=True)
        gaps = [one - other for one, other in pairs]
        values = sorted(value for name, value, policy in total if (name, policy) == (axis, DMSB))
        most = [value for value, gap in zip(values, gaps, strict=True) if gap.mean() > half_width(gap)]
        measured = ", ".join(f"{gap.mean():+.3f} ± {half_width(gap):.3f}" for gap in gaps)
        along = f"ground less UAV from {values[0]:g} to {values[-1]:g} MHz"
        why = f"{along}; ahead at {' and '.join(f'{value:g}' for value in most) or 'none of them'}"
        claim = f"base stations contribute most, with the bandwidth {said} (Fig. 5a)"
        found.append(Claim(claim, "", measured, YES if len(most) == len(values) else NO, why))
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
    steps = np.diff([point.mean() for point in _along(total, "stations", DMSB)])
    falling = bool((np.diff(steps) <= 1e-9).all())
    claim = "the marginal surplus of a further station decreases (Fig. 5b)"
    measured = ", ".join(f"{step:+.3f}" for step in steps)
    found.append(Claim(claim, "", measured, YES if falling else NO, "from 3 to 9 stations"))
    return found


def _delay(sweeps: pd.DataFrame) -> list[Claim]:
    rivals, delay = (PPO, "Greedy", "Random"), by_world(sweeps, "delay")
    changes = {policy: _change(_along(delay, "size", policy)) for policy in (DMSB, *rivals)}
    rises = all(change > width for change, width, _ in changes.values())
    measured = ", ".join(f"{policy} {_percent(change, wide)}" for policy, (change, wide, _) in changes.items())
    found = [Claim("the delay rises with task size (Fig. 6d)", "", measured, YES if rises else NO, "from 20 to 40 MB")]
    for rival in rivals:
        pairs = zip(_along(delay, "size", rival), _along(delay, "size", DMSB), strict=True)
        gap, width = min((float((one - other).mean()), half_width(one - other)) for one, other in pairs)
        found.append(
            Claim(f"the delay under DMSB is below that under {rival} (Fig. 6d)", "",
                  f"least gap {gap:+.2f} ± {width:.2f} s", YES if gap > width else NO, "")
        )  # fmt: skip
    return found
