"""The toll: pairs of futures after each winner."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator import simulate
from simulator.errors import InputError, PolicyError, RunError
from simulator.market.contracts import Observation
from simulator.study.toll import toll
from tests.fields import fields

SHORT = fields({"duration_s": 600})


def test_where_nobody_queues_there_is_no_toll() -> None:
    """In `paper` no task waits, so no winner changes anything for later tasks."""
    found = toll("paper", seeds=2, auctions=6, **fields({"duration_s": 400, "market.contract_rounds": 1000}))
    assert found.branches["surplus"].tolist() == found.branches["realised"].tolist() == [0.0] * 6
    assert (found.surplus, found.surplus_ci, found.realised, found.realised_ci) == (0.0, 0.0, 0.0, 0.0)


def test_where_all_goes_to_one_uav_its_queue_has_a_toll_and_that_of_six_stations_has_none() -> None:
    large = {**SHORT, **fields({"tasks.size_mb": [30, 50]})}
    uav = toll("four_way", "always-uav", seeds=2, auctions=20, **large)
    ground = toll("four_way", "always-ground", seeds=2, auctions=20, **large)
    assert uav.surplus - uav.surplus_ci > 0.0
    assert uav.realised > 0.0
    assert ground.surplus < 0.2 < uav.surplus


def test_auctions_are_spread_over_worlds_and_time_and_jobs_change_nothing() -> None:
    one, two = (toll("four_way", seeds=2, auctions=6, jobs=jobs, **SHORT) for jobs in (1, 2))
    assert one.branches.tolist() == two.branches.tolist()
    assert one.branches["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    times = one.branches["time"].reshape(2, 3)
    assert (np.diff(times, axis=1) > 60.0).all()
    assert times.max() < 600.0 - 60.0 - 120.0


class Counts:
    """A policy that remembers its answers and what it is told: a replay must find it in the same state."""

    def reset(self, scenario: Any, rng: np.random.Generator) -> None:
        self.rng, self.seen = rng, 0.0

    def price(self, observation: Observation) -> float:
        return 1.0 + self.rng.random() + 0.01 * math.fmod(self.seen, 7.0)

    def feedback(self, outcome: Any) -> None:
        self.seen += outcome.surplus


def test_a_replay_is_the_run_up_to_the_branch() -> None:
    """What differs are tasks after the auction only: the base run and the branch agree on all before it."""
    from simulator import plan
    from simulator.study.toll import KEPT_BYTES, _live

    planned = plan("four_way", Counts(), 3, 400)
    demand = planned.demand(KEPT_BYTES)
    base = _live(planned, demand)
    at = len(base.decisions) // 2
    task, time, answer = base.decisions[at]
    same = _live(planned, demand, base.decisions[: at + 1])
    assert same.decisions == base.decisions
    assert np.array_equal(same.surplus, base.surplus)
    other = _live(planned, demand, [*base.decisions[:at], (task, time, 1.0 if base.by_uav[task] else math.inf)])
    assert other.decisions[:at] == base.decisions[:at]
    assert np.array_equal(other.surplus[:task], base.surplus[:task])
    assert other.by_uav[task] != base.by_uav[task]
    # It is the run that anybody else makes.
    auctions = simulate("four_way", Counts(), 3, 400).auctions
    assert np.allclose(base.surplus, auctions["surplus"] / auctions["demand"])
    assert math.isfinite(answer)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"auctions": 1}, InputError, "auctions: must be a whole number >= 2, not 1"),
        ({"seeds": 0}, InputError, "seeds: must be a whole number >= 1, not 0"),
        ({"followed_s": 0}, InputError, "followed_s: must be a number of seconds above 0, not 0"),
        ({"followed_s": 600}, InputError, "a run of 600 s has no auction that is followed for 600 s and 120 s more"),
        ({"policy": "nearest"}, PolicyError, "only in a mechanism with one seat for it"),
        ({"policy": "spa"}, PolicyError, "only in a mechanism with one seat for it"),
        (fields({"uavs.count": 0}), RunError, "fewer than two auctions ask for a price"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        toll("four_way", **{**SHORT, **given})
