"""Fixed parts of the map of a report: roads, stop lines and providers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from simulator.errors import InputError
from simulator.providers.fleet import Fleet
from simulator.record.result import Result
from simulator.scenario.scenario import Scenario
from simulator.traffic.network import LANE_M, Network

TABLE_RADIUS_M = 100.0
"""Radius of the circle on which providers are drawn in a scenario without a map, m."""


def ground(result: Result, groups: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the map of a run: kind of traffic, lane width, roads, stop lines and providers, in m.

    Args:
        result: the run.
        groups: junction and name of each signal group. A stop line refers to its group by the index in this list.

    Raises:
        InputError: the table of providers is not that of the scenario.
    """
    scenario = result.scenario
    fleet = Fleet(scenario)
    if fleet.names != result.providers["name"].astype(str).tolist():
        # The page finds a provider by its row number, so an edited table would put names in wrong places.
        raise InputError("report: the table providers is not that of the scenario")
    roads, stop_lines = _roads(scenario, fleet, groups)
    return {
        "kind": scenario.traffic.kind,
        "lane_m": LANE_M,
        "roads": roads,
        "stop_lines": stop_lines,
        "providers": _providers(result, fleet),
    }


def _roads(
    scenario: Scenario, fleet: Fleet, groups: Sequence[tuple[str, str]]
) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Return the roads and the stop lines.

    Returns:
        Roads and stop lines. A road is x and y of its begin, x and y of its end, and its number of lanes. The lanes lie
        to the right of this line. A stop line has a signal group, a left end and a right end.
    """
    # A recording has no roads. The page draws where its vehicles have driven.
    if scenario.traffic.kind != "generated":
        return [], []
    # No table of a run holds the roads, so they are built from the scenario again.
    network = Network(scenario.traffic, fleet)
    nodes = network.graph.nodes
    roads = [
        [nodes[begin]["x"], nodes[begin]["y"], nodes[end]["x"], nodes[end]["y"], lanes]
        for begin, end, lanes in network.graph.edges(data="lanes")
    ]
    stop_lines = [
        {"group": groups.index((line.junction, line.group)), "left": line.left, "right": line.right}
        for line in network.stop_lines()
        if (line.junction, line.group) in groups
    ]
    return roads, stop_lines


def _providers(result: Result, fleet: Fleet) -> list[dict[str, Any]]:
    """Return name, kind, place, altitude and radius of coverage of each provider, in the order of ids."""
    placeless = not result.scenario.traffic.has_places
    altitude = result.scenario.uavs.altitude_m
    found = []
    for number, name in enumerate(fleet.names):
        uav = bool(fleet.is_uav[number])
        # In `rounds` nobody has a place and everybody is covered, so there is no radius to draw.
        x, y = _place_at_the_table(number, fleet) if placeless else (float(fleet.x[number]), float(fleet.y[number]))
        place = {"x": x, "y": y, "radius": None if placeless else float(fleet.radius_m[number])}
        found.append({"name": name, "uav": uav, "altitude": altitude if uav else 0.0, **place})
    return found


def _place_at_the_table(number: int, fleet: Fleet) -> tuple[float, float]:
    """Return the place of a provider in a scenario without a map, on a circle around the requests.

    UAVs are at the top, 0.6 rad apart. Stations are centred at the bottom and at most 0.7 rad apart.
    """
    # All stations share an arc of 4 rad, however many there are: the top is left for the UAVs.
    stations = fleet.size - fleet.uavs
    if number < fleet.uavs:
        angle = math.pi / 2 + (number - (fleet.uavs - 1) / 2) * 0.6
    else:
        angle = -math.pi / 2 + (number - fleet.uavs - (stations - 1) / 2) * min(0.7, 4.0 / max(stations, 1))
    return TABLE_RADIUS_M * math.cos(angle), TABLE_RADIUS_M * math.sin(angle)
