"""One run from start to end: find the policy, drive the simulation, keep what it left."""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
import platform
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.clock import check_times
from simulator.draws import generator
from simulator.errors import EmptyMarketWarning, InputError, PolicyError
from simulator.market.contracts import Information, Mechanism, PricingPolicy
from simulator.market.guard import ask_price, blamed, give_feedback, information_of, policy_label, reset_policy
from simulator.market.plugins import code_hashes, find_mechanism, find_policy
from simulator.record.result import RECORDING_FILE, Result, frame_hash
from simulator.record.schema import TABLES
from simulator.record.tables import Tables
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import standard_frame
from simulator.world.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("dmsb", "numpy", "pandas", "pyarrow", "pydantic", "simpy")


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
    """Run a scenario under a pricing policy.

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
        >>> auctions = simulate("paper", policy="conditional", duration=5).auctions
        >>> auctions["task"].tolist()
        [0, 1, 2, 3, 4]
    """
    scenario = Scenario.load(scenario, **overrides)
    duration = scenario.duration_s if duration is None else duration
    check_times(seed, duration, warmup)
    if recording is not None and scenario.traffic.kind != "recorded":
        raise InputError(f"recording: the traffic of '{scenario.name}' is not recorded, so none can be given")
    if recording is not None:
        recording = standard_frame(recording)
    policy, mechanism, information = prepare(scenario, policy, mechanism)
    begin, wall, cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
    simulation = Simulation(scenario, seed, duration, mechanism, information, recording)
    reset_policy(policy, scenario, generator(seed, "policy"))
    drive(simulation, policy, progress)
    tables = Tables(simulation.recorder, simulation.world, simulation.duration)
    run = {
        "scenario": scenario.name,
        "policy": policy_label(policy),
        "mechanism": policy_label(mechanism),
        "information": information,
        "seed": seed,
        "duration": float(duration),
        "warmup": float(warmup),
        "time_origin": simulation.world.time_origin,
        "started": begin.isoformat(timespec="seconds"),
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "scenario_sha256": hashlib.sha256(scenario.model_dump_json().encode()).hexdigest(),
        "data_sha256": scenario.data_hashes() if recording is None else {RECORDING_FILE: frame_hash(recording)},
        "code_sha256": code_hashes(policy, mechanism),
        "weights_sha256": getattr(policy, "weights_sha256", None),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "left_out": simulation.world.left_out,
    }
    result = Result(scenario, run, {name: getattr(tables, name) for name in TABLES}, recording)
    reason = result.why_no_auction()
    if reason is not None:
        warnings.warn(f"no auction asked for a price: {reason}", EmptyMarketWarning, stacklevel=2)
    return result


def drive(simulation: Simulation, policy: PricingPolicy, progress: Callable[[float], None] | None = None) -> None:
    """Let a policy price every auction of a simulation that asks for it."""
    if callable(getattr(policy, "feedback", None)):
        simulation.auctioneer.feedback = lambda outcome: give_feedback(policy, outcome)
    for auction in simulation:
        simulation.settle(ask_price(policy, auction.observation, auction.task.id))
        if progress is not None:
            progress(simulation.now)


def prepare(
    scenario: Scenario, policy: str | PricingPolicy, mechanism: str | Mechanism | None
) -> tuple[PricingPolicy, Mechanism, Information]:
    """Find policy and mechanism, and settle what the policy may see.

    Raises:
        PolicyError: one is not found, or the scenario contradicts what the policy declares.
    """
    found = find_policy(policy)
    if found is policy:
        with blamed(f"policy {policy_label(policy)}: a deep copy", PolicyError):
            found = copy.deepcopy(found)
    asked = scenario.market.mechanism if mechanism is None else mechanism
    declared = getattr(found, "mechanism", None)
    label = policy_label(found)
    if declared is not None and asked is not None:
        wanted = policy_label(asked) if not isinstance(asked, str) else asked
        raise PolicyError(
            f"market.mechanism = {wanted}: policy {label} brings its own mechanism, "
            f"{policy_label(declared) if not isinstance(declared, str) else declared}; leave market.mechanism out"
        )
    own, given = information_of(found), scenario.market.information
    if own is not None and given is not None and own != given:
        raise PolicyError(
            f"market.information = {given}: policy {label} declares that it needs '{own}'; leave market.information out"
        )
    information: Information = own or given or "public"
    chosen = asked if asked is not None else declared if declared is not None else "msb"
    with blamed(f"mechanism {policy_label(chosen)}: a deep copy", PolicyError):
        return found, copy.deepcopy(find_mechanism(chosen)), information
