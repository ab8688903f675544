"""What a task at the UAV costs later tasks more than one at a station: the same future after each winner."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import InputError, PolicyError, RunError, need, shown
from simulator.market.contracts import PriceScale
from simulator.market.guard import ask_action, seats_of
from simulator.model import FloatArray
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.cells import check_jobs, run_cells
from simulator.study.journal import Figures
from simulator.study.statistics import half_width
from simulator.world.driving import listen
from simulator.world.plan import Plan
from simulator.world.simulation import Demand, Simulation

if TYPE_CHECKING:
    from simulator.market.contracts import Policy

FOLLOWED_S = 60.0
"""Default time after an auction in which later tasks count, s."""

ENDING_S = 120.0
"""Time after that in which the tasks that count may still end, s."""

KEPT_BYTES = 512 * 2**20
"""Largest memory of the demand of a world, bytes."""


class Toll(NamedTuple):
    """What a task at the UAV costs later tasks more than one at a station, as a share of a mean task.

    Attributes:
        surplus: the toll by the surplus of later tasks.
        surplus_ci: half-width of its 95 % interval over auctions.
        realised: the toll by their realised surplus.
        realised_ci: half-width of its 95 % interval over auctions.
        branches: one row per auction, with ``seed``, ``task``, ``time`` in s, the share ``surplus`` and the share
            ``realised``.
    """

    surplus: float
    surplus_ci: float
    realised: float
    realised_ci: float
    branches: np.ndarray[Any, np.dtype[np.void]]


class _Cell(NamedTuple):
    """One auction: the middle of one of several equal parts of the decisions of a world."""

    seed: int
    part: int
    parts: int


class _Lived(NamedTuple):
    """A run, or the begin of one.

    Attributes:
        decisions: id of the task, time in s and answer of each decision, in order.
        requested: time of the request of each task, s, by id.
        surplus: surplus of each task without its demand, by id.
        realised: realised surplus of each task without its demand, by id; NaN if it is still open.
        by_uav: whether a UAV has won each task, by id.
    """

    decisions: list[tuple[int, float, float]]
    requested: FloatArray
    surplus: FloatArray
    realised: FloatArray
    by_uav: np.ndarray[Any, np.dtype[np.bool_]]


def toll(
    scenario: str | Scenario,
    policy: str | Policy = "conditional",
    seed: int = 0,
    seeds: int = 4,
    auctions: int = 60,
    followed_s: float = FOLLOWED_S,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
    **overrides: Any,
) -> Toll:
    """Measure the toll of a scenario by pairs of futures.

    A running world cannot be copied. So a run is played once, and then again up to an auction, with the same answers.
    There the price gives the task to the other kind of provider, and the run goes on under the policy. Both futures
    have the same vehicles and requests. Their difference in the surplus of later tasks is what the winner has left
    behind.

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policy: policy that sets all other prices.
        seed: seed of the first world.
        seeds: number of worlds.
        auctions: number of auctions, spread evenly over the worlds and over the time of each.
        followed_s: time after an auction in which later tasks count, s.
        jobs: number of parallel processes.
        progress: function that is called with the number of auctions done and of all auctions.
        executor: what plays the futures in place of ``jobs`` processes of this machine.
        overrides: scenario fields by dotted key.

    Returns:
        The toll, with its interval.

    Raises:
        InputError: an argument is wrong, or scipy is not installed.
        RunError: the policy failed, or no auction asks for a price.

    Example:
        >>> found = toll("four_way", seeds=1, auctions=4, **{"duration_s": 900})
        >>> len(found.branches)
        4
    """
    need("scipy")
    loaded = Scenario.load(scenario, **overrides)
    check_jobs(jobs)
    for name, count, least in (("seeds", seeds, 1), ("auctions", auctions, 2)):
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise InputError(f"{name}: must be a whole number >= {least}, not {shown(count)}")
    if isinstance(followed_s, bool) or not isinstance(followed_s, int | float) or not 0.0 < followed_s < math.inf:
        raise InputError(f"followed_s: must be a number of seconds above 0, not {shown(followed_s)}")
    first = plan(loaded, policy, seed)
    seats = seats_of(first.mechanism).values()
    if [type(seat.space) for seat in seats] != [PriceScale]:
        raise PolicyError("toll: the price decides who wins only in a mechanism with one seat for it, such as msb")
    if followed_s + ENDING_S >= first.duration:
        raise InputError(
            f"followed_s: a run of {first.duration:g} s has no auction that is followed for {followed_s:g} s and "
            f"{ENDING_S:g} s more"
        )
    cells = [
        _Cell(seed + number, part, parts)
        for number in range(seeds)
        for parts in [auctions * (number + 1) // seeds - auctions * number // seeds]
        for part in range(parts)
    ]
    done = run_cells(
        _Branches(loaded, policy, followed_s), cells, jobs, progress, world=lambda cell: cell.seed, executor=executor
    )
    rows = [tuple(done[cell].values()) for cell in cells if not math.isnan(done[cell]["task"])]
    if len(rows) < 2:
        raise RunError(
            f"scenario {loaded.name}: fewer than two auctions ask for a price, so there is no toll to measure"
        )
    kinds = [("seed", "i8"), ("task", "i8"), ("time", "f8"), ("surplus", "f8"), ("realised", "f8")]
    branches = np.array(rows, dtype=kinds)
    surplus, realised = branches["surplus"], branches["realised"]
    return Toll(float(surplus.mean()), half_width(surplus), float(realised.mean()), half_width(realised), branches)


class _Branches:
    """What is done for each cell. A process plays the run of a world once, and keeps it for all cells of the world."""

    def __init__(self, scenario: Scenario, policy: str | Policy, followed_s: float) -> None:
        self._scenario, self._policy, self._followed_s = scenario, policy, followed_s
        self._world: tuple[Plan, Demand, _Lived] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_world": None}

    def __call__(self, cell: _Cell) -> Figures:
        if self._world is None or self._world[0].seed != cell.seed:
            planned = plan(self._scenario, self._policy, cell.seed)
            demand = planned.demand(KEPT_BYTES)
            self._world = planned, demand, _live(planned, demand)
        planned, demand, base = self._world
        last_s = planned.duration - self._followed_s - ENDING_S
        eligible = [at for at, (_, time, _) in enumerate(base.decisions) if time < last_s]
        # The middle of one of several equal parts of the run: its beginning, without queues, has no more weight than
        # its end. A world with fewer auctions than parts gives each at most once.
        at = int((cell.part + 0.5) * len(eligible) / cell.parts)
        if not eligible or (cell.part and at == int((cell.part - 0.5) * len(eligible) / cell.parts)):
            return dict.fromkeys(("seed", "task", "time", "surplus", "realised"), math.nan)
        return _branch(planned, demand, base, eligible[at], self._followed_s)


def _live(
    planned: Plan, demand: Demand, answers: list[tuple[int, float, float]] | None = None, until_s: float = math.inf
) -> _Lived:
    """Play a run, with given answers as long as there are any and under the policy of the plan afterwards.

    Args:
        planned: the run.
        demand: its demand.
        answers: id of the task, time in s and answer of the first decisions.
        until_s: time at which to stop, s.
    """
    simulation, policy = planned.simulation(demand), planned.new_policy()
    listen(simulation, policy)
    decisions: list[tuple[int, float, float]] = []
    given = answers or []
    for decision in simulation.until(until_s):
        # The policy is asked at every decision, so that one which counts them or draws numbers stays the same.
        action = ask_action(policy, decision.observation, decision.place.space, decision.task)
        if len(decisions) < len(given):
            action = given[len(decisions)][2]
        decisions.append((decision.task, decision.time, float(action)))
        simulation.answer(action)
    return _told(simulation, decisions)


def _told(simulation: Simulation, decisions: list[tuple[int, float, float]]) -> _Lived:
    """Return what the tables of a run say."""
    tables = simulation.tables()
    auctions, tasks = tables.auctions(), tables.tasks()
    return _Lived(
        decisions,
        tasks["requested"].to_numpy(),
        # Demand multiplies every value of a task alike and has the mean 1, so without it the mean of a difference is
        # the same and its variance is a third.
        (auctions["surplus"] / auctions["demand"]).to_numpy(),
        (tasks["realised_surplus"] / auctions["demand"]).to_numpy(),
        (auctions["winner_kind"] == "uav").to_numpy(),
    )


def _branch(planned: Plan, demand: Demand, base: _Lived, at: int, followed_s: float) -> Figures:
    """Play a run again up to a decision, let the other kind of provider win, and compare the futures."""
    task, time, _ = base.decisions[at]
    # At a price of 1 the top station wins, at an infinite one the UAV.
    other = 1.0 if base.by_uav[task] else math.inf
    answers = [*base.decisions[:at], (task, time, other)]
    branch = _live(planned, demand, answers, time + followed_s + ENDING_S)
    found: Figures = {"seed": planned.seed, "task": task, "time": time}
    later = np.flatnonzero((base.requested > time) & (base.requested <= time + followed_s))
    # If the two best bids are equal, no price lets a station win: both futures are the same.
    sign = 1.0 if branch.by_uav[task] else -1.0
    for name in ("surplus", "realised"):
        mine, theirs = getattr(base, name), getattr(branch, name)
        lost = float(np.nansum(mine[later]) - np.nansum(theirs[later]))
        found[name] = sign * lost / float(np.nanmean(mine))
    return found
