"""What stands still on the map of a report: roads, stop lines, providers, and where a market without a map is drawn."""

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
"""Where nobody has a place, providers are drawn on a circle of this radius around the requests, m."""


def ground(result: Result, groups: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The map of a run: ``kind`` (generated, recorded or rounds), providers, roads and stop lines, all in m.

    Args:
        result: the run.
        groups: junction and name of each signal group; a stop line has the index of its own.
    """
    scenario = result.scenario
    fleet = Fleet(scenario)
    if fleet.names != result.providers["name"].astype(str).tolist():
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
    """Roads as (x, y) of begin and end and a number of lanes to the right of the middle, and the stop lines."""
    if scenario.traffic.kind != "generated":
        return [], []
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
    """Name, kind, place, height and radius of each provider, by id."""
    placeless = not result.scenario.traffic.has_places
    altitude = result.scenario.uavs.altitude_m
    found = []
    for number, name in enumerate(fleet.names):
        uav = bool(fleet.is_uav[number])
        x, y = _place_at_the_table(number, fleet) if placeless else (float(fleet.x[number]), float(fleet.y[number]))
        place = {"x": x, "y": y, "radius": None if placeless else float(fleet.radius_m[number])}
        found.append({"name": name, "uav": uav, "altitude": altitude if uav else 0.0, **place})
    return found


def _place_at_the_table(number: int, fleet: Fleet) -> tuple[float, float]:
    """A place on a circle: UAVs over the top, stations around the rest."""
    stations = fleet.size - fleet.uavs
    if number < fleet.uavs:
        angle = math.pi / 2 + (number - (fleet.uavs - 1) / 2) * 0.6
    else:
        angle = -math.pi / 2 + (number - fleet.uavs - (stations - 1) / 2) * min(0.7, 4.0 / max(stations, 1))
    return TABLE_RADIUS_M * math.cos(angle), TABLE_RADIUS_M * math.sin(angle)
