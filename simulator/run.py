"""One run from start to end: resolve everything once, drive the simulation, keep what it left."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import importlib.metadata
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.clock import check_times
from simulator.draws import Draws
from simulator.errors import EmptyMarketWarning, InputError, PolicyError
from simulator.market.contracts import Information, Mechanism, PricingPolicy
from simulator.market.guard import ask_price, blamed, give_feedback, policy_label, reset_policy
from simulator.market.plugins import code_hashes, find_mechanism, find_policy, information_for, mechanism_for
from simulator.record.result import RECORDING_FILE, Result, frame_hash
from simulator.record.schema import TABLES
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import Recording, recording_of, standard_frame
from simulator.world.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("dmsb", "numpy", "pandas", "pyarrow", "pydantic", "simpy")


@dataclass(frozen=True)
class Plan:
    """A run with everything resolved and checked: `run` needs nothing but time.

    A plan can run any number of times. Each run has its own copy of policy and mechanism, as they were found.

    Attributes:
        scenario: the complete scenario.
        policy: the policy.
        mechanism: who wins and what is paid.
        information: what the policy may see.
        seed: fixes everything that does not depend on prices.
        duration: length of the run, s.
        warmup: the summary leaves out what is requested before this time, s.
        recording: the trajectories of recorded traffic, None for other traffic.
        frame: the trajectories as they were given, None if they come from the scenario's file.
        hashes: SHA-256 of what the run depends on: scenario, data, code, weights.
    """

    scenario: Scenario
    policy: PricingPolicy
    mechanism: Mechanism
    information: Information
    seed: int
    duration: float
    warmup: float
    recording: Recording | None
    frame: pd.DataFrame | None
    hashes: dict[str, Any]

    def with_seed(self, seed: int) -> Plan:
        """Return the plan of the same run in the world of another seed.

        Raises:
            InputError: the seed is not a whole number >= 0.
        """
        check_times(seed, self.duration, self.warmup)
        return dataclasses.replace(self, seed=seed)

    def simulation(self) -> Simulation:
        """Return the simulation of this run, at its start."""
        mechanism = _own(self.mechanism, "mechanism")
        draws = Draws(self.seed)
        return Simulation(self.scenario, draws, self.duration, mechanism, self.information, self.recording)

    def new_policy(self) -> PricingPolicy:
        """Return a copy of the policy that has been told that a run begins.

        Raises:
            RunError: its ``reset`` raised.
        """
        policy: PricingPolicy = _own(self.policy, "policy")
        reset_policy(policy, self.scenario, Draws(self.seed).generator("policy"))
        return policy

    def run(self, progress: Callable[[float], None] | None = None) -> Result:
        """Run it.

        Args:
            progress: called with the simulated time, s, at every priced auction.

        Returns:
            The run's tables and summary.

        Warns:
            EmptyMarketWarning: no auction asked for a price; the message says why.

        Raises:
            RunError: the policy or mechanism failed while it ran.
        """
        begin, wall, cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
        simulation = self.simulation()
        drive(simulation, self.new_policy(), progress)
        tables = simulation.tables()
        run = {
            "scenario": self.scenario.name,
            "policy": policy_label(self.policy),
            "mechanism": policy_label(self.mechanism),
            "information": self.information,
            "seed": self.seed,
            "duration": self.duration,
            "warmup": self.warmup,
            "time_origin": simulation.site.time_origin,
            "started": begin.isoformat(timespec="seconds"),
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            **self.hashes,
            "python": platform.python_version(),
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "left_out": simulation.site.left_out,
        }
        result = Result(self.scenario, run, {name: getattr(tables, name) for name in TABLES}, self.frame)
        reason = result.why_no_auction()
        if reason is not None:
            warnings.warn(f"no auction asked for a price: {reason}", EmptyMarketWarning, stacklevel=3)
        return result


def plan(
    scenario: str | Path | Scenario,
    policy: str | PricingPolicy = "random",
    seed: int = 0,
    duration: float | None = None,
    warmup: float = 0.0,
    mechanism: str | Mechanism | None = None,
    recording: pd.DataFrame | None = None,
    **overrides: Any,
) -> Plan:
    """Resolve and check everything that a run needs, once.

    Args:
        scenario: a shipped name, a path, or a `Scenario`.
        policy: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or any object with ``price``, of
            which deep copies are run.
        seed: fixes everything that does not depend on prices; two policies with one seed meet the same requests.
        duration: length of the run, s; that of the scenario if None.
        warmup: the summary leaves out what is requested before this time, s.
        mechanism: who wins and what is paid, by name or as an object; the policy's own, else ``msb``, if None.
        recording: trajectories to drive instead of the scenario's file, in the columns of `Recording.from_frame`.
        overrides: scenario fields by dotted key, such as ``**{"stations.count": 7}``.

    Raises:
        InputError: scenario, policy, mechanism or one of the numbers is wrong; the message says what would be right.

    Example:
        >>> planned = plan("paper", "conditional", duration=5)
        >>> [len(planned.with_seed(seed).run().auctions) for seed in (0, 1)]
        [5, 5]
    """
    scenario = Scenario.load(scenario, **overrides)
    duration = scenario.duration_s if duration is None else duration
    check_times(seed, duration, warmup)
    if recording is not None and scenario.traffic.kind != "recorded":
        raise InputError(f"recording: the traffic of '{scenario.name}' is not recorded, so none can be given")
    found = find_policy(policy)
    chosen = find_mechanism(mechanism_for(found, scenario, mechanism))
    information = information_for(found, scenario)
    # What the run depends on is hashed before anything is read or run: a file that changes meanwhile is not recorded
    # as if the run had used its new content.
    hashes = {
        "scenario_sha256": hashlib.sha256(scenario.model_dump_json().encode()).hexdigest(),
        "data_sha256": scenario.data_hashes() if recording is None else {},
        "code_sha256": code_hashes(found, chosen),
        "weights_sha256": getattr(found, "weights_sha256", None),
    }
    frame = trajectories = None
    if scenario.traffic.kind == "recorded":
        if recording is None:
            trajectories = recording_of(scenario.traffic)
        else:
            frame = standard_frame(recording)
            hashes["data_sha256"] = {RECORDING_FILE: frame_hash(frame)}
            trajectories = Recording.from_frame(frame, max_gap_s=scenario.traffic.max_gap_s)
    # Objects are copied now: what their owner does with them later does not change the plan.
    return Plan(
        scenario,
        _own(found, "policy"),
        _own(chosen, "mechanism"),
        information,
        seed,
        float(duration),
        float(warmup),
        trajectories,
        frame,
        hashes,
    )


def simulate(
    scenario: str | Path | Scenario,
    policy: str | PricingPolicy = "random",
    seed: int = 0,
    duration: float | None = None,
    warmup: float = 0.0,
    mechanism: str | Mechanism | None = None,
    recording: pd.DataFrame | None = None,
    progress: Callable[[float], None] | None = None,
    **overrides: Any,
) -> Result:
    """Run a scenario under a pricing policy: ``plan(...).run(progress)``.

    Args:
        scenario: a shipped name, a path, or a `Scenario`.
        policy: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or any object with ``price``, of
            which a deep copy is run.
        seed: fixes everything that does not depend on prices; two policies with one seed meet the same requests.
        duration: length of the run, s; that of the scenario if None.
        warmup: the summary leaves out what is requested before this time, s.
        mechanism: who wins and what is paid, by name or as an object; the policy's own, else ``msb``, if None.
        recording: trajectories to drive instead of the scenario's file, in the columns of `Recording.from_frame`.
        progress: called with the simulated time, s, at every priced auction.
        overrides: scenario fields by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        The run's tables and summary.

    Warns:
        EmptyMarketWarning: no auction asked for a price; the message says why.

    Raises:
        InputError: scenario, policy, mechanism or one of the numbers is wrong; the message says what would be right.
        RunError: the policy or mechanism failed while it ran.

    Example:
        >>> bool(simulate("paper", policy="conditional", duration=5).auctions["winner_kind"].notna().all())
        True
    """
    return plan(scenario, policy, seed, duration, warmup, mechanism, recording, **overrides).run(progress)


def drive(simulation: Simulation, policy: PricingPolicy, progress: Callable[[float], None] | None = None) -> None:
    """Let a policy price every auction of a simulation that asks for it.

    Args:
        simulation: a simulation at its start.
        policy: a policy that has been reset.
        progress: called with the simulated time, s, at every priced auction.

    Raises:
        RunError: the policy or mechanism failed.
    """
    listen(simulation, policy)
    for auction in simulation:
        simulation.settle(ask_price(policy, auction.observation, auction.task.id))
        if progress is not None:
            progress(simulation.now)


def listen(simulation: Simulation, policy: PricingPolicy) -> None:
    """Let a policy that has ``feedback`` hear the outcome of every auction that it prices."""
    if callable(getattr(policy, "feedback", None)):
        simulation.auctioneer.feedback = lambda outcome: give_feedback(policy, outcome)


def _own(found: Any, what: str) -> Any:
    with blamed(f"{what} {policy_label(found)}: a deep copy", PolicyError):
        return copy.deepcopy(found)
