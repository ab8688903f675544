"""Three pictures of one auction: who is invited, what they bid, and what becomes of the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator import Result, simulate
from simulator.providers.fleet import Fleet

GROUND, UAV, SOFT = "#1f5fbf", "#b84a00", "0.55"
STAGES = ("uplink", "gpu", "cpu", "downlink")
SHADES = ("0.15", "0.75", "0.45", "0.9")
DOTS = 200


def interesting(run: Result) -> int:
    """Return a task that a station has won against two bidders or more, and that has waited a little."""
    tasks, auctions = run.tasks, run.auctions
    waits = sum(tasks[f"{stage}_wait"] for stage in STAGES)
    good = (auctions["winner_kind"] == "ground") & (auctions["invited"] >= 3) & auctions["asked"]
    good &= (tasks["status"] == "completed") & (waits > 0.02)
    return int(auctions["task"][good].iloc[0])


def draw(folder: Path) -> None:
    """Draw the pictures of one auction of `four_way`.

    Args:
        folder: folder of the pictures.
    """
    run = simulate("four_way", "conditional")
    task = interesting(run)
    for name, picture, size in (
        ("market-request", request, (5.2, 4.6)),
        ("market-auction", auction, (6.4, 3.2)),
        ("market-task", journey, (6.8, 2.0)),
    ):
        figure = Figure(figsize=size, layout="constrained")
        picture(figure.subplots(), run, task)
        figure.savefig(folder / f"{name}.png", dpi=130)


def request(axes: Axes, run: Result, task: int) -> None:
    """Draw who covers the vehicle at its request."""
    row = run.auctions.iloc[task]
    path = run.paths[run.paths["vehicle"] == row["vehicle"]]
    x, y = (float(np.interp(row["time"], path["time"], path[axis])) for axis in ("x", "y"))
    place = x, y
    invited = set(run.bids["provider"][run.bids["task"] == task])
    angles = np.linspace(0.0, 2.0 * np.pi, DOTS)
    fleet = Fleet(run.scenario)
    for one in run.providers.itertuples():
        x, y, radius = (float(column[int(one.provider)]) for column in (fleet.x, fleet.y, fleet.radius_m))  # type: ignore[arg-type]
        colour, here = UAV if one.kind == "uav" else GROUND, one.provider in invited
        axes.plot(x + radius * np.cos(angles), y + radius * np.sin(angles), color=colour if here else "0.8", lw=0.9,
                  ls="--" if one.kind == "uav" else "-")  # fmt: skip
        axes.plot(x, y, "D" if one.kind == "uav" else "^", color=colour if here else "0.7", ms=7)
        axes.annotate(str(one.name), (x, y), (5, 5), textcoords="offset points", fontsize=9)
    axes.plot(path["x"], path["y"], color=SOFT, lw=1.0)
    axes.plot(*place, "o", color="black", ms=7)
    left = run.providers.loc[run.providers["provider"] == row["station_left"], "name"].iloc[0]
    axes.annotate("", place, (-20.0, 422.0), arrowprops={"arrowstyle": "-", "lw": 0.6})
    axes.text(-200.0, 430.0, f"a request: the vehicle leaves {left}", fontsize=9)
    axes.set(aspect="equal", xlabel="x, m", ylabel="y, m", xlim=(-410, 410), ylim=(-410, 470))
    axes.set_title("Coloured: invited", fontsize=10, loc="left")


def auction(axes: Axes, run: Result, task: int) -> None:
    """Draw the bids of a round, and what the best station has to exceed."""
    row = run.auctions.iloc[task]
    bids = run.bids[run.bids["task"] == task].merge(run.providers[["provider", "name", "kind"]], on="provider")
    ground = bids[bids["kind"] == "ground"].sort_values("bid", ascending=False)
    rows = [*zip(ground["name"], ground["bid"], strict=True)]
    heights = [bid for _, bid in rows]
    axes.bar(range(len(rows)), heights, color=[GROUND] + ["0.7"] * (len(rows) - 1), width=0.6)
    threshold = float(row["rho"] * row["second_bid"])
    axes.axhline(threshold, color="black", ls="--", lw=1.2)
    said = f"ρ b₂ = {row['rho']:.2f} × {row['second_bid']:.3f} = {threshold:.3f}"
    axes.text(len(rows) - 0.5, 1.03 * threshold, said, va="bottom", ha="right", fontsize=9)
    axes.set_xticks(range(len(rows)), [str(name) for name, _ in rows])
    axes.set_ylabel("bid of a station")
    axes.set_title(f"{rows[0][0]} bids more than ρ b₂: it wins, and pays ρ b₂", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def journey(axes: Axes, run: Result, task: int) -> None:
    """Draw the stages of the task, waits hatched."""
    row, at = run.tasks.iloc[task], 0.0
    for stage, shade in zip(STAGES, SHADES, strict=True):
        for part, hatch in (("wait", "////"), ("time", "")):
            seconds = float(row[f"{stage}_{part}"])
            waits = part == "wait"
            axes.barh(0, seconds, left=at, color="white" if waits else shade, hatch=hatch, edgecolor="0.3", lw=0.6)
            if not waits:
                axes.annotate(stage, (at + seconds / 2, -0.42), ha="center", va="top", fontsize=9)
            at += seconds
    axes.set(ylim=(-0.9, 0.6), yticks=[], xlabel="time since the request, s")
    axes.set_title(f"Latency {at:.2f} s; hatched: waiting", fontsize=10, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
