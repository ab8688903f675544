"""One run from start to end: resolve and check everything that it needs, and run it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.clock import LONGEST_S, check_times
from simulator.errors import InputError, PolicyError
from simulator.market.contracts import Bidder, Mechanism, Policy
from simulator.market.plugins import (
    code_hashes,
    default_policy,
    find_mechanism,
    find_policy,
    information_for,
    mechanism_for,
    strategies_of,
)
from simulator.market.seats import misfit, take_seats
from simulator.providers.fleet import Fleet
from simulator.record.declarations import check_names
from simulator.record.result import RECORDING_FILE, Result, frame_hash
from simulator.scenario.scenario import Scenario
from simulator.traffic.recording import Recording, standard_frame
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.plan import Plan, own_copy

if TYPE_CHECKING:
    import pandas as pd


def plan(
    scenario: str | Path | Scenario,
    policy: str | Policy | None = None,
    seed: int = 0,
    duration: float | None = None,
    warmup: float = 0.0,
    mechanism: str | Mechanism | None = None,
    recording: pd.DataFrame | None = None,
    bidders: str | Bidder | Mapping[str, str | Bidder] | None = None,
    explain: bool = False,
    **overrides: Any,
) -> Plan:
    """Resolve and check everything that a run needs.

    Args:
        scenario: name of a shipped scenario, path of a file, or a `Scenario`.
        policy: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or a `Policy`. Each run uses a copy of
            an object. None is ``conditional`` in ``msb``. In another mechanism it is the policy that the mechanism
            names. If it names none, it is ``random``, and nobody without a seat.
        seed: seed of everything that does not depend on prices. Two policies with one seed meet the same requests.
        duration: length of the run, s; None for the duration of the scenario.
        warmup: time before which requests do not count in the summary, s.
        mechanism: mechanism by name or as an object; None for that of the policy, else ``msb``.
        recording: trajectories that replace the file of the scenario, with the columns of `Recording.from_frame`.
        bidders: bidder of all stations, or bidders by name of the provider; None for those of the scenario.
        explain: whether a policy that can explain its decisions does, in the columns ``why_<name>`` of `decisions`.
        overrides: fields of the scenario by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        The plan of the run.

    Raises:
        InputError: scenario, policy, mechanism or one of the numbers is wrong. The message says what would be right.

    Example:
        >>> planned = plan("paper", "conditional", duration=5)
        >>> [len(planned.with_seed(seed).run().auctions) for seed in (0, 1)]
        [5, 5]
    """
    scenario = Scenario.load(scenario, **overrides)
    # Before a recording is read, which may take a minute.
    check_times(seed, LONGEST_S if duration is None else duration, warmup)
    if recording is not None and scenario.traffic.kind != "recorded":
        raise InputError(f"recording: the traffic of '{scenario.name}' is not recorded; leave recording out")
    # Objects are copied now, so that later changes by their owner do not change the plan.
    found = own_copy(find_policy(default_policy(scenario, mechanism) if policy is None else policy), "policy")
    chosen = find_mechanism(mechanism_for(found, scenario, mechanism))
    check_names(chosen)
    reason = misfit(found, chosen)
    if reason is not None:
        raise PolicyError(reason)
    take_seats(found, chosen)
    information = information_for(found, scenario)
    asked = bidders if isinstance(bidders, Mapping) or bidders is None else {"stations": bidders}
    strategies = strategies_of(Fleet(scenario), asked)
    # The hashes come before anything is read or run. If a file changes in between, the run must not be recorded as if
    # it had used the new content.
    hashes = {
        "scenario_sha256": hashlib.sha256(scenario.model_dump_json().encode()).hexdigest(),
        "data_sha256": scenario.data_hashes() if recording is None else {},
        "code_sha256": code_hashes(found, chosen, *strategies),
        "weights_sha256": getattr(found, "weights_sha256", None) or getattr(chosen, "weights_sha256", None),
    }
    frame = trajectories = None
    if scenario.traffic.kind == "recorded":
        if recording is None:
            trajectories = recording_of(scenario.traffic)
        else:
            frame = standard_frame(recording)
            hashes["data_sha256"] = {RECORDING_FILE: frame_hash(frame)}
            trajectories = Recording.from_frame(frame, max_gap_s=scenario.traffic.max_gap_s)
    duration = run_length(scenario, trajectories) if duration is None else duration
    check_times(seed, duration, warmup)
    return Plan(
        scenario,
        found,
        own_copy(chosen, "mechanism"),
        own_copy(strategies, "bidders"),
        information,
        int(seed),
        float(duration),
        float(warmup),
        trajectories,
        frame,
        hashes,
        explain,
    )


def simulate(
    scenario: str | Path | Scenario,
    policy: str | Policy | None = None,
    seed: int = 0,
    duration: float | None = None,
    warmup: float = 0.0,
    mechanism: str | Mechanism | None = None,
    recording: pd.DataFrame | None = None,
    bidders: str | Bidder | Mapping[str, str | Bidder] | None = None,
    progress: Callable[[float], None] | None = None,
    explain: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    **overrides: Any,
) -> Result:
    """Run a scenario under a policy and a mechanism. It is short for ``plan(...).run(progress)``.

    With ``out`` it is short for ``plan(...).run_into(out, force, progress)``.

    Args:
        scenario: name of a shipped scenario, path of a file, or a `Scenario`.
        policy: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or a `Policy`. Each run uses a copy of
            an object. None is ``conditional`` in ``msb``. In another mechanism it is the policy that the mechanism
            names. If it names none, it is ``random``, and nobody without a seat.
        seed: seed of everything that does not depend on prices. Two policies with one seed meet the same requests.
        duration: length of the run, s; None for the duration of the scenario.
        warmup: time before which requests do not count in the summary, s.
        mechanism: mechanism by name or as an object; None for that of the policy, else ``msb``.
        recording: trajectories that replace the file of the scenario, with the columns of `Recording.from_frame`.
        progress: function that is called with the simulated time, s, after every decision.
        bidders: bidder of all stations, or bidders by name of the provider; None for those of the scenario.
        explain: whether a policy that can explain its decisions does, in the columns ``why_<name>`` of `decisions`.
        out: run folder into which the tables are written while the run goes on, so that a long run needs little memory;
            None to keep the tables in memory.
        force: whether an existing run folder may be replaced.
        overrides: fields of the scenario by dotted key, such as ``**{"stations.count": 7}``.

    Returns:
        The result, with tables and summary.

    Warns:
        EmptyMarketWarning: no auction asked for a price. The message says why.

    Raises:
        InputError: scenario, policy, mechanism or one of the numbers is wrong. The message says what would be right.
        RunError: the policy or the mechanism failed during the run.
        OutputError: ``out`` exists, or cannot be written.

    Example:
        >>> auctions = simulate("paper", policy="conditional", duration=5).auctions
        >>> auctions["task"].tolist()
        [0, 1, 2, 3, 4]
    """
    planned = plan(scenario, policy, seed, duration, warmup, mechanism, recording, bidders, explain, **overrides)
    return planned.run(progress) if out is None else planned.run_into(out, force, progress)
