"""A run with everything resolved: drive its simulation, and collect its result."""

from __future__ import annotations

import copy
import dataclasses
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.clock import check_times
from simulator.draws import Draws
from simulator.errors import EmptyMarketWarning, PolicyError
from simulator.files import folder, replacing
from simulator.market.contracts import Bidder, Information, Mechanism, Policy
from simulator.market.guard import blamed, policy_label, reset_policy, seats_of
from simulator.market.reasons import reasons_of
from simulator.record.provenance import RunClock, versions
from simulator.record.result import RUN_KIND, Result, stored_tables
from simulator.record.schema import TABLES
from simulator.record.stream import Stream
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import Recording
from simulator.world.driving import drive
from simulator.world.simulation import Demand, Simulation, demand_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Plan:
    """A run with everything resolved and checked.

    A plan can run any number of times. Each run has its own copies of policy and mechanism, in their initial state.

    Attributes:
        scenario: complete scenario.
        policy: policy in its initial state.
        mechanism: mechanism in its initial state.
        strategies: who answers for each provider, by id, in the initial state.
        information: what the policy may see.
        seed: seed of everything that does not depend on prices.
        duration: length of the run, s.
        warmup: time before which requests do not count in the summary, s.
        recording: trajectories of recorded traffic; None for other traffic.
        frame: trajectories as the user gave them; None if they come from the file of the scenario.
        hashes: SHA-256 of everything on which the run depends: scenario, data, code and weights.
        explain: whether a policy that can explain its decisions does, in the columns ``why_<name>`` of `decisions`.
    """

    scenario: Scenario
    policy: Policy
    mechanism: Mechanism
    strategies: list[Bidder]
    information: Information
    seed: int
    duration: float
    warmup: float
    recording: Recording | None
    frame: pd.DataFrame | None
    hashes: dict[str, Any]
    explain: bool = False

    @property
    def policy_decides(self) -> bool:
        """Whether the mechanism has a seat, or the policy has brought the mechanism."""
        return bool(seats_of(self.mechanism)) or getattr(self.policy, "mechanism", None) is not None

    def with_seed(self, seed: int) -> Plan:
        """Return the plan of the run with another seed.

        Args:
            seed: the other seed.

        Raises:
            InputError: the seed is not a whole number >= 0.
        """
        check_times(seed, self.duration, self.warmup)
        return dataclasses.replace(self, seed=int(seed))

    def at_most(self, duration: float) -> Plan:
        """Return the plan of the run, cut off after a time.

        Args:
            duration: longest length of the run, s.
        """
        return dataclasses.replace(self, duration=min(self.duration, duration))

    def demand(self, most_bytes: int) -> Demand:
        """Draw what does not depend on prices, for several runs of this scenario and seed.

        Args:
            most_bytes: largest memory of what is kept, bytes. What does not fit is drawn again in each run.
        """
        demand = demand_of(self.scenario, Draws(self.seed), self.recording)
        demand.keep(self.duration, most_bytes)
        return demand

    def simulation(self, demand: Demand | None = None) -> Simulation:
        """Return a new simulation of this run, at its start.

        Args:
            demand: what does not depend on prices, from `demand` of a plan with this scenario, seed and duration.
        """
        mechanism = own_copy(self.mechanism, "mechanism")
        # One copy of the list: providers of one owner go on to share one bidder.
        strategies = own_copy(self.strategies, "bidders")
        return Simulation(
            self.scenario,
            Draws(self.seed),
            self.duration,
            mechanism,
            self.information,
            self.recording,
            strategies,
            demand,
        )

    def new_policy(self) -> Policy:
        """Return a copy of the policy after its ``reset``.

        Raises:
            RunError: the ``reset`` of the policy raised an exception.
        """
        policy: Policy = own_copy(self.policy, "policy")
        # A generator of its own: the numbers that a policy draws do not change the world.
        reset_policy(policy, self.scenario, Draws(self.seed).generator("policy"))
        return policy

    def run(self, progress: Callable[[float], None] | None = None, demand: Demand | None = None) -> Result:
        """Run the simulation to its end.

        Args:
            progress: function that is called with the simulated time, s, after every decision.
            demand: what does not depend on prices, from `demand` of a plan with this scenario, seed and duration. The
                tables are those of a run without it.

        Returns:
            The result, with tables and summary.

        Warns:
            EmptyMarketWarning: no auction asked for a price. The message says why.

        Raises:
            RunError: the policy or the mechanism failed during the run.
        """
        clock, simulation, policy = RunClock(), self.simulation(demand), self.new_policy()
        drive(simulation, policy, progress, self.explain)
        tables = simulation.tables()
        run = self._about(clock, simulation)
        result = Result(self.scenario, run, {name: getattr(tables, name) for name in TABLES}, self.frame)
        _warn_if_empty(result)
        return result

    def run_into(
        self,
        directory: str | Path,
        force: bool = False,
        progress: Callable[[float], None] | None = None,
        page: Callable[[Result], bytes] | None = None,
    ) -> Result:
        """Run the simulation to its end, and write its tables into a run folder while it goes on.

        Some numbers of each task stay in memory, for the percentiles of the summary. The folder is that of
        `Result.save`, and it is complete or absent, also if the process is killed.

        Args:
            directory: the folder itself.
            force: whether an existing run folder may be replaced, if nothing in it was changed or added.
            progress: function that is called with the simulated time, s, after every decision.
            page: function that makes the HTML report of the run, which becomes ``report.html``; None for no report. If
                it fails, the folder is written without a report, and the error is raised then.

        Returns:
            The result. Its tables are read from the folder when they are first used.

        Warns:
            EmptyMarketWarning: no auction asked for a price. The message says why.

        Raises:
            RunError: the policy or the mechanism failed during the run.
            OutputError: the folder exists, or cannot be written.
        """
        directory = folder(directory)
        failed: BaseException | None = None
        with replacing(directory, force, RUN_KIND) as new:
            new.mkdir()
            clock, simulation, policy = RunClock(), self.simulation(), self.new_policy()
            site, recorder = simulation.site, simulation.recorder
            # Before the files are opened, because it adds columns to one of them.
            recorder.explain(reasons_of(policy) if self.explain else ())
            extra = {"auctions": recorder.columns, "decisions": (*recorder.state, *recorder.reasons)}
            with Stream(new, recorder, self.scenario, site.fleet, site.traffic, self.duration, extra) as stream:
                drive(simulation, policy, progress, self.explain)
                stream.finish()
            run = self._about(clock, simulation)
            # The world goes before the tables come for their summary.
            del simulation, policy, site, recorder, stream
            result = Result(self.scenario, run, stored_tables(new, run), self.frame)
            made = None
            try:
                made = None if page is None else page(result)
            except BaseException as error:
                # A page that cannot be made does not cost the run.
                failed = error
            result.write_rest(new, directory, made)
        if failed is not None:
            raise failed
        result = Result(self.scenario, run, stored_tables(directory, run), self.frame)
        result.place = str(directory)
        _warn_if_empty(result)
        return result

    def _about(self, clock: RunClock, simulation: Simulation) -> dict[str, Any]:
        """Return the content of ``run.json`` of a run that is over, without its summary."""
        return {
            "scenario": self.scenario.name,
            "policy": policy_label(self.policy),
            "mechanism": policy_label(self.mechanism),
            "seats": sorted(seats_of(self.mechanism)),
            "value_of": getattr(self.mechanism, "value_of", "provider"),
            "information": self.information,
            "bidders": [policy_label(bidder) for bidder in self.strategies],
            "seed": self.seed,
            "duration": self.duration,
            "warmup": self.warmup,
            "explain": self.explain,
            "time_origin": simulation.site.time_origin,
            **clock.figures(),
            **self.hashes,
            "python": platform.python_version(),
            "versions": versions(),
            "left_out": simulation.site.left_out,
            "columns": {
                name: [[one.name, one.type, one.unit, one.meaning] for one in columns]
                for name, columns in (
                    ("auctions", simulation.recorder.columns),
                    ("decisions", (*simulation.recorder.state, *simulation.recorder.reasons)),
                )
            },
        }


def _warn_if_empty(result: Result) -> None:
    """Warn if no auction asked for a price."""
    reason = result.why_no_auction()
    if reason is not None:
        # The warning points at the caller of `simulate`.
        warnings.warn(f"no auction asked for a price: {reason}", EmptyMarketWarning, stacklevel=4)


def own_copy(found: Any, what: str) -> Any:
    """Return a deep copy of a policy, a mechanism or a list of bidders.

    Args:
        found: what is copied.
        what: what it is, for messages.

    Raises:
        PolicyError: its copy raised an exception.
    """
    # Two runs of one object must not share its state.
    with blamed(f"{what} {policy_label(found)}: a deep copy", PolicyError):
        return copy.deepcopy(found)
