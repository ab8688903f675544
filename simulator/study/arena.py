"""The arena: every system on the same requests, with one table of outcomes and of incentives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.errors import EmptyMarketWarning, InputError, need, shown
from simulator.market.plugins import NoPolicy
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.audit import audit, claims_of
from simulator.study.cells import check_jobs, run_cells
from simulator.study.compare import comparison_of
from simulator.study.design import Design
from simulator.study.journal import Figures
from simulator.study.systems import System, contender, systems_for
from simulator.study.tabulate import FIGURES

if TYPE_CHECKING:
    import pandas as pd

AUDITED = 100
"""Rounds that are cleared again per system."""

WATCHED = 1_000
"""Rounds by which adverse selection is tested."""

INCENTIVES = {
    "gain_share": "share of rounds in which somebody gains by a misreport: a station, a UAV or a vehicle",
    "regret": "what the best misreports of stations, or of one side of a double auction, gain, divided by what the "
    "truth earns; empty where the truth earns nothing",
    "loss_share": "participants per round, UAVs included, that lose if they tell the truth",
    "false_names": "share of rounds in which a second identity gains; empty where it is not tested",
    "deficit_share": "share of rounds in which the platform pays more than it receives",
    "selection_p": "p-value of the test that whether a UAV wins does not depend on the common value, given the public "
    "conditions m: small under adverse selection; empty where too few rounds tell. Unsold rounds count too",
    "claims_held": "1 if all that the mechanism claims held in the audit, 0 if a claim failed, empty if one was not "
    "tested",
}
"""Figures of the audit, with their meaning."""


class Arena(NamedTuple):
    """Result of `arena`.

    Attributes:
        table: outcomes and incentives with one row per system: the ``table`` of
            `simulator.study.compare.compare` for the welfare, `INCENTIVES`, the family, and ``claims``, the names of
            what the mechanism claims.
        runs: figures of each run, with one row per system and world.
    """

    table: pd.DataFrame
    runs: pd.DataFrame


class AuditWork:
    """What is done for each system: an audit."""

    def __init__(self, scenario: Scenario, systems: dict[str, System], rounds: int, warmup: float) -> None:
        self._scenario, self._systems, self._rounds, self._warmup = scenario, systems, rounds, warmup

    def __call__(self, name: str) -> Figures:
        """Return `INCENTIVES` of a system."""
        system = self._systems[name]
        policy = None if system.policy == NoPolicy.spec else system.policy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EmptyMarketWarning)
            found = audit(
                self._scenario, policy, rounds=self._rounds, mechanism=system.mechanism, watched=WATCHED,
                warmup=self._warmup, spread=True,
            ).findings  # fmt: skip

        def largest(*names: str) -> float:
            numbers = [one.number for one in found if one.property in names and not math.isnan(one.number)]
            return max(numbers, default=math.nan)

        sides = ("", ", vehicles", ", providers")
        verdicts = {one.verdict for one in found if one.claimed}
        held = 0.0 if "fails" in verdicts else math.nan if "untested" in verdicts else 1.0
        return {
            "gain_share": largest("nobody gains"),
            "regret": largest(*(f"no regret{side}" for side in sides)),
            "loss_share": largest("nobody loses"),
            "false_names": largest("false-name-proof"),
            "deficit_share": largest("budget balance"),
            "selection_p": largest("free of adverse selection"),
            "claims_held": held,
        }


def arena(
    scenario: str | Scenario,
    systems: Sequence[str] = (),
    seeds: int = 4,
    duration: float | None = None,
    warmup: float = 0.0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    journal: Path | None = None,
    rounds: int = AUDITED,
    executor: Executor | None = None,
    **overrides: Any,
) -> Arena:
    """Run systems in the worlds of seeds 0, 1, ... and audit each.

    All systems meet the same vehicles, requests and task sizes in the world of a seed. The welfare of each is compared
    with that of the first, paired by world.

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        systems: names in `simulator.study.systems.SYSTEMS`, or ``POLICY@MECHANISM``; all systems that fit the scenario
            if there are none, or for ``all``.
        seeds: number of worlds, 2 or more.
        duration: length of each run, s; if None, the duration of the scenario.
        warmup: start of the summary, s; tasks that are requested before it do not count, and no audit looks at them.
        jobs: number of parallel processes.
        progress: function that is called with the number of finished runs and audits and the number of all.
        journal: file that keeps finished runs and audits, by which an interrupted arena goes on.
        rounds: number of rounds that the audit of each system clears again. They are spread over a run of the first
            world with the scenario's own duration.
        executor: what does the work in place of ``jobs`` processes of this machine.
        overrides: scenario fields by dotted key.

    Raises:
        InputError: an argument is wrong, no world has a task, or scipy or statsmodels is not installed.
        RunError: a system failed during a run, or a worker was killed.

    Example:
        >>> found = arena("paper", ["msb", "vickrey"], seeds=2, duration=60, rounds=20)
        >>> found.table["gain_share"].tolist()
        [0.0, 0.45]
    """
    need("scipy")
    need("statsmodels")
    check_jobs(jobs)
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise InputError(f"rounds: must be a whole number >= 1, not {shown(rounds)}")
    loaded = Scenario.load(scenario, **overrides)
    named = systems_for(systems, loaded)
    chosen = [contender(name, system) for name, system in named.items()]
    design = Design(loaded, [], seeds, duration, warmup, chosen=chosen)
    # The mechanisms are made once more: an audit returns numbers only. An unknown claim is refused before the runs.
    plans = {
        name: plan(loaded, None if one.policy == NoPolicy.spec else one.policy, mechanism=one.mechanism)
        for name, one in named.items()
    }
    claims = {name: ", ".join(sorted(claims_of(planned))) for name, planned in plans.items()}
    every = len(design.cells) + len(named)

    def told(done: int, _: int) -> None:
        if progress is not None:
            progress(done, every)

    done = run_cells(
        design.work, design.cells, jobs, told, journal, design.fingerprint, design.world, executor, FIGURES
    )  # fmt: skip
    compared = comparison_of(design, done, "welfare")
    audits = run_cells(
        AuditWork(loaded, named, rounds, warmup),
        list(named),
        jobs,
        lambda number, _: told(len(design.cells) + number, every),
        None if journal is None else journal.with_name(f"{journal.name}.audits"),
        f"{design.fingerprint} {rounds} {WATCHED}",
        None,
        executor,
        INCENTIVES,
    )
    table = compared.table.rename_axis("system")
    for figure in INCENTIVES:
        table[figure] = [audits[name][figure] for name in table.index]
    table["claims"] = [claims[str(name)] for name in table.index]
    table.insert(0, "family", [named[str(name)].family for name in table.index])
    return Arena(table, compared.runs.rename_axis(index={"policy": "system"}))
