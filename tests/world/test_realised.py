"""What comes of a task, known when it is awarded: exact unless an outage or an unknown future can change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import Scenario
from simulator.draws import Draws
from simulator.environment import Intersection
from simulator.market.auction import Auction
from simulator.world.simulation import Simulation
from tests.fields import fields

DEADLINES = {f"tasks.kinds.{kind}.deadline_s": 1.3 for kind in ("ar_navigation", "entertainment_3d")}


def settled(scenario: str, **overrides: Any) -> tuple[Simulation, list[Auction]]:
    """A run at prices that are drawn, and its auctions as they were when they settled."""
    simulation = Simulation(Scenario.load(scenario, **fields(overrides)), Draws(4), duration=600)
    seen: list[Auction] = []
    simulation.auctioneer.before_clearing = seen.extend
    rng = np.random.default_rng(0)
    for _ in simulation:
        simulation.answer(1.0 + rng.exponential())
    return simulation, seen


@pytest.mark.parametrize(
    ("scenario", "known"),
    [("paper", 1.0), ("four_way", 1.0), ("rush_hour", 1.0), ("braunschweig", 1.0), ("grid", 0.5), ("t_junction", 0.0)],
)
def test_what_is_known_at_the_award_is_what_comes(scenario: str, known: float) -> None:
    """In `grid` a vehicle's way past the next stop line is not known yet; in `t_junction` outages are possible."""
    overrides: dict[str, Any] = {} if scenario in ("paper", "t_junction") else DEADLINES
    if scenario == "grid":
        # Results that come after the next stop line.
        overrides = {"tasks.size_mb": [150, 250]}
    simulation, seen = settled(scenario, **overrides)
    told = np.array([auction.realised_surplus for auction in seen])
    came = simulation.tables().tasks().set_index("task")["realised_surplus"]
    real = came.loc[[auction.task.id for auction in seen]].to_numpy()
    both = ~np.isnan(told) & ~np.isnan(real)
    assert np.allclose(told[both], real[both], rtol=1e-12)
    share = float(np.mean(~np.isnan(told)))
    assert known <= share
    assert (share == 1.0) == (known == 1.0)
    if overrides == DEADLINES:
        assert (real == 0.0).sum() > 0, "some are lost"


@pytest.mark.parametrize("scenario", ["four_way", "t_junction"])
def test_a_training_can_earn_what_comes_of_its_tasks(scenario: str) -> None:
    """What is not known at the award is earned in the step in which the task ends, and none of it twice."""
    # With T = 5 the surplus is of past tasks too, so the two rewards differ.
    env = Intersection(scenario, 900, reward="realised", overrides=fields({"market.history": 5}))
    env.reset(seed=5)
    earned, surplus, ended = 0.0, 0.0, False
    known: dict[int, float] = {}
    while not ended:
        _, reward, _, ended, info = env.step(12)
        earned, surplus = earned + reward, surplus + info["surplus"]
        known[info["task"]] = info["realised_surplus"]
    assert env._simulation is not None
    came = env._simulation.tables().tasks().set_index("task").loc[list(known), "realised_surplus"].to_numpy()
    told = np.array(list(known.values()))
    # What was known of a task that is still open has been earned already.
    assert earned == pytest.approx(np.nansum(np.where(np.isnan(came), told, came)))
    assert earned != pytest.approx(surplus, rel=1e-4)
    assert np.isnan(told).all() == (scenario == "t_junction")
