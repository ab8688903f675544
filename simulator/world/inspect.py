"""What a scenario covers, found without a run: its recording, its roads, its mechanism."""

from __future__ import annotations

from typing import NamedTuple

from simulator.errors import InputError
from simulator.market.plugins import find_mechanism
from simulator.providers.fleet import Fleet
from simulator.scenario.scenario import Scenario
from simulator.traffic.network import Network
from simulator.traffic.recording import recording_of


class Inspection(NamedTuple):
    """What was found in a scenario.

    Attributes:
        facts: what it covers, in a few words; empty if there is nothing to say.
        problems: what is wrong, one sentence each; empty if nothing is.
    """

    facts: str
    problems: list[str]


def inspect(scenario: Scenario) -> Inspection:
    """Look at what a scenario names outside its own fields: recording, roads, mechanism."""
    facts, problems = "", list[str]()
    if scenario.market.mechanism is not None:
        try:
            find_mechanism(scenario.market.mechanism)
        except InputError as error:
            problems.append(str(error))
    try:
        facts = _traffic(scenario)
    except InputError as error:
        problems.append(str(error))
    return Inspection(facts, problems)


def _traffic(scenario: Scenario) -> str:
    traffic = scenario.traffic
    if traffic.kind == "recorded":
        recording = recording_of(traffic)
        return f"{recording.vehicles} vehicles, {len(recording.time)} positions, {recording.end:g} s"
    if traffic.kind == "generated":
        network = Network(traffic, Fleet(scenario))
        return f"signals at {', '.join(network.junctions()) or 'no node'}; entries {', '.join(network.entries)}"
    return ""
