"""Roads: a graph of junctions and lanes, who may go where, and the stretches that vehicles drive."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import networkx as nx
import numpy as np

from simulator.errors import ScenarioError, nearest
from simulator.model.signals import EffectiveGreen
from simulator.providers.fleet import Fleet
from simulator.scenario.traffic import EdgeList, FourWay, GeneratedTraffic, Grid, Signals, TJunction
from simulator.traffic.stretch import Lane, Road, Stretch

LANE_M = 3.2
"""Width of a lane, m."""

KERB_M = 5.0
"""Distance from the outermost crossing lane to a stop line, m."""

LEAST_ROADS_OF_A_JUNCTION = 3
"""Where as many roads meet there is a signal."""

PHASES = ("1", "2")


class StopLine(NamedTuple):
    """Where vehicles wait for a signal.

    Attributes:
        junction: the junction.
        group: the signal group that it obeys.
        left: its end at the middle of the road, m east and north.
        right: its end at the kerb, m east and north.
    """

    junction: str
    group: str
    left: tuple[float, float]
    right: tuple[float, float]


def road_graph(roads: FourWay | TJunction | Grid | EdgeList) -> nx.DiGraph:
    """The roads as a directed graph: nodes with ``x`` and ``y`` in m, edges with ``lanes`` and ``speed_mps``."""
    graph: nx.DiGraph = nx.DiGraph()
    if isinstance(roads, EdgeList):
        for name, (x, y) in roads.nodes.items():
            graph.add_node(name, x=x, y=y)
        for edge in roads.edges:
            graph.add_edge(edge.begin, edge.end, lanes=edge.lanes, speed_mps=edge.speed_mps)
            if not edge.one_way:
                graph.add_edge(edge.end, edge.begin, lanes=edge.lanes, speed_mps=edge.speed_mps)
        return graph
    rows, columns, block = (roads.rows, roads.columns, roads.block_m) if isinstance(roads, Grid) else (1, 1, 0.0)
    single = rows == columns == 1
    for row in range(rows):
        for column in range(columns):
            place = {"x": (column - (columns - 1) / 2) * block, "y": (row - (rows - 1) / 2) * block}
            graph.add_node(_junction(row, column, single), **place)
    kind: dict[str, Any] = {"lanes": roads.lanes, "speed_mps": roads.speed_mps}
    for row in range(rows):
        for column in range(columns):
            here = _junction(row, column, single)
            for side, (up, over) in {"north": (1, 0), "east": (0, 1), "south": (-1, 0), "west": (0, -1)}.items():
                beside = (row + up, column + over)
                if 0 <= beside[0] < rows and 0 <= beside[1] < columns:
                    other = _junction(*beside, single)
                elif isinstance(roads, TJunction) and side == "north":
                    continue
                else:
                    other = side if single else f"{side}-{column + 1 if up else row + 1}"
                    x, y = graph.nodes[here]["x"] + over * roads.arm_m, graph.nodes[here]["y"] + up * roads.arm_m
                    graph.add_node(other, x=x, y=y)
                graph.add_edge(here, other, **kind)
                graph.add_edge(other, here, **kind)
    return graph


def _junction(row: int, column: int, single: bool) -> str:
    return "junction" if single else f"junction-{row + 1}-{column + 1}"


class Network:
    """The roads of a scenario: entries, turns, lanes, signal plans and stretches; coverage is computed once a stretch.

    Args:
        traffic: the scenario's traffic.
        fleet: the providers.

    Attributes:
        graph: the roads.
        entries: the roads by which vehicles enter, by the name of their begin.
    """

    def __init__(self, traffic: GeneratedTraffic, fleet: Fleet) -> None:
        self.graph = road_graph(traffic.roads)
        self._fleet, self._turning, self.signals = fleet, traffic.turning, traffic.signals
        self._ends = [node for node in self.graph if len(set(nx.all_neighbors(self.graph, node))) == 1]
        self.entries: dict[str, Road] = {
            node: (node, next(self.graph.successors(node))) for node in self._ends if self.graph.out_degree(node)
        }
        self._check(traffic)
        self._signalised = {
            node for node in self.graph if len(set(nx.all_neighbors(self.graph, node))) >= LEAST_ROADS_OF_A_JUNCTION
        }
        self._lanes: dict[Road, list[Lane]] = {}
        self._stretches: dict[tuple[Road | None, int, Road, int], Stretch] = {}
        self._choices: dict[Road, list[tuple[float, Road]]] = {}

    def _check(self, traffic: GeneratedTraffic) -> None:
        """Make sure that vehicles can enter, and that who enters can leave.

        Raises:
            ScenarioError: they cannot, or a rate is given for an entry that does not exist.
        """
        exits = {node for node in self._ends if self.graph.in_degree(node)}
        if not self.entries:
            raise ScenarioError("traffic.roads: no vehicle can enter: there is no node with one neighbour and a way in")
        for entry in self.entries:
            if not (nx.descendants(self.graph, entry) & exits) - {entry}:
                raise ScenarioError(f"traffic.roads: from the entry '{entry}' no way leads out of the map")
        rates = traffic.arrivals.rate_per_h
        for name in rates if isinstance(rates, dict) else ():
            if name not in self.entries:
                offer = nearest(name, self.entries)
                raise ScenarioError(f"traffic.arrivals.rate_per_h: there is no entry '{name}'; {offer}")

    def junctions(self) -> list[str]:
        """The signalised junctions."""
        return [node for node in self.graph if node in self._signalised]

    def phase(self, road: Road) -> int:
        """The phase of its junction in which a road has green: 0 for north-south, 1 for east-west."""
        ahead_x, ahead_y = self._heading(road)
        return 0 if abs(ahead_y) >= abs(ahead_x) else 1

    def stop_lines(self) -> list[StopLine]:
        """The stop line of every road that ends at a signal, across its lanes."""
        found = []
        for begin, end, lanes in self.graph.edges(data="lanes"):
            if end not in self._signalised:
                continue
            road = (begin, end)
            ahead_x, ahead_y = self._heading(road)
            x, y = self._line(road, 0)[1]
            near, far = 0.5 * LANE_M, (lanes - 0.5) * LANE_M
            places = ((x - near * ahead_y, y + near * ahead_x), (x + far * ahead_y, y - far * ahead_x))
            found.append(StopLine(end, PHASES[self.phase(road)], *places))
        return found

    def cycle_begin(self, junction: str) -> float:
        """When a junction's first cycle begins, s."""
        wave = self.signals.wave_mps
        west = min(self.graph.nodes[node]["x"] for node in self.junctions())
        return self.signals.offset_s + ((self.graph.nodes[junction]["x"] - west) / wave if wave is not None else 0.0)

    def next_road(self, road: Road, turn: float) -> Road | None:
        """Where a vehicle goes at a road's end by a number drawn from 0 to 1; None where it leaves the map."""
        if road not in self._choices:
            onward = [(road[1], node) for node in self.graph.successors(road[1]) if node != road[0]]
            shares = np.array([self._turn_share(road, other) for other in onward])
            if shares.sum() == 0.0:
                shares = np.ones(len(onward))
            self._choices[road] = list(zip((np.cumsum(shares) / shares.sum()).tolist(), onward, strict=True))
        choices = self._choices[road]
        return next((onward for share, onward in choices if turn < share), choices[-1][1] if choices else None)

    def shortest_lane(self, road: Road) -> int:
        """The lane of a road whose last vehicle crosses first; the rightmost where vehicles leave the map."""
        lanes = self._lanes_of(road)
        if not lanes:
            return int(self.graph.edges[road]["lanes"]) - 1
        if len(lanes) == 1:
            return 0
        return min(range(len(lanes)), key=lambda lane: lanes[lane].last_s)

    def stretch(self, before: Road | None, lane_before: int, road: Road, lane: int) -> Stretch:
        """The stretch along a road's lane, from the stop line of the lane before it."""
        key = (before, lane_before, road, lane)
        if key not in self._stretches:
            corners = [*(self._line(before, lane_before)[1:] if before is not None else []), *self._line(road, lane)]
            x, y = [corner[0] for corner in corners], [corner[1] for corner in corners]
            at = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
            lanes = self._lanes_of(road)
            ahead = lanes[lane] if lanes else None
            label = f"{road[0]}>{road[1]}_{lane}"
            speed = float(self.graph.edges[road]["speed_mps"])
            self._stretches[key] = Stretch(road, label, x, y, at.tolist(), speed, ahead, self._fleet)
        return self._stretches[key]

    def _lanes_of(self, road: Road) -> list[Lane]:
        """The lanes of a road before a stop line; none where vehicles leave the map or drive on."""
        if road not in self._lanes:
            count = int(self.graph.edges[road]["lanes"]) if road[1] in self._signalised else 0
            self._lanes[road] = [
                Lane(effective_green(self.signals, self.cycle_begin(road[1]), self.phase(road))) for _ in range(count)
            ]
        return self._lanes[road]

    def _heading(self, road: Road) -> tuple[float, float]:
        begin, end = (self.graph.nodes[node] for node in road)
        length = math.hypot(end["x"] - begin["x"], end["y"] - begin["y"])
        return (end["x"] - begin["x"]) / length, (end["y"] - begin["y"]) / length

    def _line(self, road: Road, lane: int) -> list[tuple[float, float]]:
        """Begin and end of a lane: to the right of the road's middle, and clear of the junctions at its ends."""
        begin, end = (self.graph.nodes[node] for node in road)
        ahead_x, ahead_y = self._heading(road)
        right = (lane + 0.5) * LANE_M
        length = math.hypot(end["x"] - begin["x"], end["y"] - begin["y"])
        clear = [self._clearance(node) for node in road]
        if sum(clear) > 0.9 * length:
            clear = [part * 0.9 * length / sum(clear) for part in clear]
        return [
            (node["x"] + right * ahead_y + along * ahead_x, node["y"] - right * ahead_x + along * ahead_y)
            for node, along in ((begin, clear[0]), (end, -clear[1]))
        ]

    def _clearance(self, node: str) -> float:
        if len(set(nx.all_neighbors(self.graph, node))) == 1:
            return 0.0
        widest = max(int(lanes) for _, _, lanes in self.graph.in_edges(node, data="lanes"))
        return widest * LANE_M + KERB_M

    def _turn_share(self, road: Road, other: Road) -> float:
        (ahead_x, ahead_y), (onward_x, onward_y) = self._heading(road), self._heading(other)
        angle = math.degrees(
            math.atan2(ahead_x * onward_y - ahead_y * onward_x, ahead_x * onward_x + ahead_y * onward_y)
        )
        if abs(angle) < 45.0:
            return self._turning.straight
        return self._turning.left if angle > 0 else self._turning.right


def effective_green(signals: Signals, cycle_begin_s: float, phase: int) -> EffectiveGreen:
    """The effective green of a phase: without the start-up lost time, with the yellow that is still used."""
    return EffectiveGreen(
        signals.cycle_s,
        cycle_begin_s + phase * signals.cycle_s / 2 + signals.startup_lost_s,
        signals.green_s - signals.startup_lost_s + signals.yellow_used_s,
        signals.saturation_headway_s,
    )
