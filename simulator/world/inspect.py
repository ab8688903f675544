"""A check of a scenario without a run: its recording, its roads, its mechanism and its bidders."""

from __future__ import annotations

from typing import NamedTuple

from simulator.errors import InputError
from simulator.market.plugins import find_mechanism, strategies_of
from simulator.providers.fleet import Fleet
from simulator.scenario.scenario import Scenario
from simulator.traffic.network import Network
from simulator.traffic.scenario_recording import recording_of, run_length
from simulator.world.fitting import covered, describe, stand


class Inspection(NamedTuple):
    """The result of `inspect`.

    Attributes:
        facts: size of the recording, or signals and entries of the roads; none for a scenario without places.
        problems: one sentence for each problem; empty if there is none.
    """

    facts: list[str]
    problems: list[str]


def inspect(scenario: Scenario) -> Inspection:
    """Check what the fields of a scenario refer to: recording, roads, mechanism and bidders.

    Args:
        scenario: a scenario whose fields are valid.
    """
    # All parts are tried, so that one command shows every problem.
    facts, problems = list[str](), list[str]()
    if scenario.market.mechanism is not None:
        try:
            find_mechanism(scenario.market.mechanism)
        except InputError as error:
            problems.append(str(error))
    try:
        strategies_of(Fleet(scenario))
    except InputError as error:
        problems.append(str(error))
    try:
        facts = _traffic(scenario)
    except InputError as error:
        problems.append(str(error))
    return Inspection(facts, problems)


def _traffic(scenario: Scenario) -> list[str]:
    """Return the facts about the traffic of a scenario."""
    traffic = scenario.traffic
    if traffic.kind == "recorded":
        recording = recording_of(traffic)
        run_length(scenario, recording)
        fleet = Fleet(scenario)
        return f"{describe(recording)}; {stand(fleet)}; {covered(recording, fleet)}".split("; ")
    if traffic.kind == "generated":
        network = Network(traffic, Fleet(scenario))
        return [f"signals at {', '.join(network.junctions()) or 'no node'}", f"entries {', '.join(network.entries)}"]
    return []
