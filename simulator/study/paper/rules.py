"""Rules with a parameter that is tuned, and rules that learn while they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.run import plan, simulate
from simulator.study.journal import Figures
from simulator.study.paper.plan import (
    BASE,
    BEST_CONSTANT,
    BEST_SCALE,
    SCALE_FACTORS,
    TUNING_ROUNDS,
    TUNING_WORLD,
    Point,
    curve_points,
)
from simulator.study.paper.scenarios import scenario_at
from simulator.study.run_figures import figures_of
from simulator.study.worlds import KeptWorlds


def best_constant(point: Point) -> Figures:
    """Find the price of the grid with the highest surplus in the world of `TUNING_WORLD`.

    Returns:
        ``best``, the price, and ``surplus``, its mean surplus per task.
    """
    scenario = scenario_at(point)
    if scenario.market.history > 1:
        # The winners of earlier rounds are in the values of a round.
        worlds, duration = KeptWorlds(), scenario.traffic.rounds_to_seconds(TUNING_ROUNDS)
        return _best(
            {
                rho: figures_of(worlds.run(plan(scenario, f"constant:{rho!r}", seed=TUNING_WORLD, duration=duration)))
                for rho in scenario.market.prices()
            }
        )
    # One run serves all prices: in `paper` nobody queues, so with T = 1 no winner changes a later value.
    auctions = simulate(scenario, "conditional", seed=TUNING_WORLD, duration=float(TUNING_ROUNDS)).auctions
    scaled = auctions["second_bid"].to_numpy()
    # The literal (14): rho scales the highest other bid, which may be the UAV's.
    if scenario.market.reference == "all":
        scaled = np.maximum(scaled, scenario.market.uav_weight * auctions["contract_bid"].to_numpy())
    top, uav = auctions["top_bid"].to_numpy(), scenario.market.uav_weight * auctions["uav_value"].to_numpy()
    earned = {rho: float(np.where(top > rho * scaled, top, uav).mean()) for rho in scenario.market.prices()}
    rho = max(earned, key=earned.__getitem__)
    return {"best": rho, "surplus": earned[rho]}


def _best(figures: dict[float, Figures]) -> Figures:
    """Return the parameter whose run has the highest mean surplus, and that surplus."""
    best = max(figures, key=lambda parameter: figures[parameter]["surplus_mean"])
    return {"best": best, "surplus": figures[best]["surplus_mean"]}


def best_scale(point: Point) -> Figures:
    """Find the factor k of `conditional:scale=k` with the highest surplus in the world of `TUNING_WORLD`.

    Returns:
        ``best``, the factor, and ``surplus``, its mean surplus per task.
    """
    scenario, worlds = scenario_at(point), KeptWorlds()
    duration = scenario.traffic.rounds_to_seconds(TUNING_ROUNDS)
    return _best(
        {
            k: figures_of(worlds.run(plan(scenario, f"conditional:scale={k:g}", seed=TUNING_WORLD, duration=duration)))
            for k in SCALE_FACTORS
        }
    )


TUNED: dict[str, tuple[Callable[[Point], Figures], str]] = {
    BEST_CONSTANT: (best_constant, "constant:{:.6g}"),
    BEST_SCALE: (best_scale, "conditional:scale={:g}"),
}
"""Rules with a parameter that is tuned at each point: the function that finds it, and the policy as text."""


class OnlineRun(NamedTuple):
    """Run of a rule that learns while it runs.

    Attributes:
        policy: the rule, as text.
        world: seed of the world.
        rounds: number of rounds.
    """

    policy: str
    world: int
    rounds: int


def online(run: OnlineRun) -> Figures:
    """Do a long run.

    Returns:
        Surplus per task between two points of a curve: ``total``, ``uav`` and ``ground``, each with the later point.
    """
    scenario = scenario_at(BASE)
    auctions = simulate(
        scenario, run.policy, seed=run.world, duration=scenario.traffic.rounds_to_seconds(run.rounds)
    ).auctions
    surplus = auctions["surplus"].to_numpy()
    by_uav = (auctions["winner_kind"] == "uav").to_numpy()
    found: Figures = {}
    points = curve_points(run.rounds)
    for name, own in {"total": surplus, "uav": surplus * by_uav, "ground": surplus * ~by_uav}.items():
        found |= {f"{name} {end}": float(own[begin:end].mean()) for begin, end in pairwise(points)}
    return found
