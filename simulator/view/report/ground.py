"""What stands still on the map of a report: roads, stop lines, providers, and where a market without a map is drawn."""

from __future__ import annotations

import math
from typing import Any

from simulator.result import Result
from simulator.scenario import Scenario
from simulator.scenario_traffic import GeneratedTraffic, Rounds
from simulator.world.fleet import Fleet
from simulator.world.roads import LANE_M, Network

TABLE_RADIUS_M = 100.0
"""Where nobody has a place, providers are drawn on a circle of this radius around the requests, m."""


def ground(result: Result) -> dict[str, Any]:
    """The map of a run: ``kind`` (generated, recorded or rounds), providers, roads and stop lines, all in m."""
    scenario = result.scenario
    fleet = Fleet(scenario)
    roads, heads = _roads(scenario, fleet)
    return {
        "kind": scenario.traffic.kind,
        "lane_m": LANE_M,
        "roads": roads,
        "heads": heads,
        "providers": _providers(result, fleet),
    }


def _roads(scenario: Scenario, fleet: Fleet) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Roads as (x, y) of begin and end and a number of lanes to the right of the middle, and the stop lines."""
    if not isinstance(scenario.traffic, GeneratedTraffic):
        return [], []
    network = Network(scenario.traffic, fleet)
    nodes = network.graph.nodes
    roads = [
        [nodes[begin]["x"], nodes[begin]["y"], nodes[end]["x"], nodes[end]["y"], lanes]
        for begin, end, lanes in network.graph.edges(data="lanes")
    ]
    heads = [
        {"junction": line.junction, "group": line.group, "left": line.left, "right": line.right}
        for line in network.stop_lines()
    ]
    return roads, heads


def _providers(result: Result, fleet: Fleet) -> list[dict[str, Any]]:
    """Name, kind, place, radius and totals of each provider, by id."""
    rounds = isinstance(result.scenario.traffic, Rounds)
    altitude = result.scenario.uavs.altitude_m
    found = []
    for row in result.providers.to_dict("records"):
        number = int(row["provider"])
        uav = bool(fleet.is_uav[number])
        x, y = _place_at_the_table(number, fleet) if rounds else (float(fleet.x[number]), float(fleet.y[number]))
        place = {"x": x, "y": y, "radius": None if rounds else float(fleet.radius_m[number])}
        found.append({"name": str(row["name"]), "uav": uav, "altitude": altitude if uav else 0.0, **place})
    return found


def _place_at_the_table(number: int, fleet: Fleet) -> tuple[float, float]:
    """A place on a circle: UAVs over the top, stations around the rest."""
    stations = fleet.size - fleet.uavs
    if number < fleet.uavs:
        angle = math.pi / 2 + (number - (fleet.uavs - 1) / 2) * 0.6
    else:
        angle = -math.pi / 2 + (number - fleet.uavs - (stations - 1) / 2) * min(0.7, 4.0 / max(stations, 1))
    return TABLE_RADIUS_M * math.cos(angle), TABLE_RADIUS_M * math.sin(angle)
