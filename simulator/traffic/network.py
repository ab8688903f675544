"""The road network: junctions, lanes, signals, turns, and the stretches that vehicles drive."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.errors import ScenarioError, nearest
from simulator.providers.fleet import Fleet
from simulator.scenario.traffic import EdgeList, FourWay, GeneratedTraffic, Grid, TJunction
from simulator.traffic.lanes import Lane
from simulator.traffic.plans import MOVEMENTS, Movement, Plan, Road, protected_lefts, two_phases
from simulator.traffic.stretch import Stretch

if TYPE_CHECKING:
    import networkx as nx

LANE_M = 3.2
"""Width of a lane, m."""

KERB_M = 5.0
"""Distance from the outermost crossing lane to a stop line, m."""

LEAST_ROADS_OF_A_JUNCTION = 3
"""Least number of neighbours of a node with a signal."""


class StopLine(NamedTuple):
    """The line at which vehicles wait for a signal.

    Attributes:
        junction: name of the junction.
        group: name of the signal group.
        left: end of the line at the middle of the road, m east and m north.
        right: end of the line at the kerb, m east and m north.
    """

    junction: str
    group: str
    left: tuple[float, float]
    right: tuple[float, float]


def road_graph(roads: FourWay | TJunction | Grid | EdgeList) -> nx.DiGraph:
    """Return the roads as a directed graph.

    Args:
        roads: layout of the scenario.

    Returns:
        A graph whose nodes have ``x`` and ``y``, m, and whose edges have ``lanes`` and ``speed_mps``, m/s.
    """
    # Here and not above: its import takes a fifth of the start of a run, and runs without roads do not need it.
    import networkx as nx

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
    """Return the name of a junction by its place in the grid."""
    return "junction" if single else f"junction-{row + 1}-{column + 1}"


class Network:
    """The roads of a scenario: entries, turns, lanes, signal plans and stretches.

    Args:
        traffic: traffic of the scenario.
        fleet: providers.

    Attributes:
        graph: roads as a directed graph.
        signals: settings of the signals.
        entries: roads by which vehicles enter, by the name of the node at their start.

    Raises:
        ScenarioError: vehicles cannot enter or leave, or a rate is given for an entry that does not exist.
    """

    def __init__(self, traffic: GeneratedTraffic, fleet: Fleet) -> None:
        self.graph = road_graph(traffic.roads)
        self._fleet, self._turning, self.signals = fleet, traffic.turning, traffic.signals
        # A node with one neighbour is at the edge of the map. Its road may be one-way.
        self._ends = [node for node in self.graph if len(self._neighbours(node)) == 1]
        self.entries: dict[str, Road] = {
            node: (node, next(self.graph.successors(node))) for node in self._ends if self.graph.out_degree(node)
        }
        self._check(traffic)
        self._signalised = {node for node in self.graph if len(self._neighbours(node)) >= LEAST_ROADS_OF_A_JUNCTION}
        self._places = {node: (float(x), float(self.graph.nodes[node]["y"])) for node, x in self.graph.nodes(data="x")}
        self._headings: dict[Road, tuple[float, float]] = {}
        self._turns: dict[tuple[Road, Road], Movement] = {}
        self._lanes: dict[Road, list[Lane]] = {}
        self._plans: dict[str, Plan] = {}
        self._stretches: dict[tuple[Road | None, int, Road, int], Stretch] = {}
        self._choices: dict[Road, list[tuple[float, Road]]] = {}

    def _neighbours(self, node: str) -> set[str]:
        """Return the nodes to which or from which a road leads."""
        return {*self.graph.predecessors(node), *self.graph.successors(node)}

    def _check(self, traffic: GeneratedTraffic) -> None:
        """Check that vehicles can enter, that they can leave, and that arrival rates name entries.

        Raises:
            ScenarioError: one of these does not hold.
        """
        import networkx as nx

        exits = {node for node in self._ends if self.graph.in_degree(node)}
        if not self.entries:
            raise ScenarioError(
                "traffic.roads: no vehicle can enter; a node with one neighbour needs a road that leads away from it"
            )
        for entry in self.entries:
            # No vehicle turns back, so the entry itself is not a way out.
            if not (nx.descendants(self.graph, entry) & exits) - {entry}:
                raise ScenarioError(
                    f"traffic.roads: a vehicle that enters at '{entry}' cannot leave the map; "
                    "roads must lead from there to another node with one neighbour"
                )
        rates = traffic.arrivals.rate_per_h
        for name in rates if isinstance(rates, dict) else ():
            if name not in self.entries:
                offer = nearest(name, self.entries)
                raise ScenarioError(f"traffic.arrivals.rate_per_h: there is no entry '{name}'; {offer}")

    def junctions(self) -> list[str]:
        """Return the names of the junctions with signals."""
        return [node for node in self.graph if node in self._signalised]

    def stop_lines(self) -> list[StopLine]:
        """Return the stop line of every road that ends at a signal."""
        found = []
        for begin, end, lanes in self.graph.edges(data="lanes"):
            if end not in self._signalised:
                continue
            road = (begin, end)
            ahead_x, ahead_y = self._heading(road)
            x, y = self._line(road, 0)[1]
            near, far = 0.5 * LANE_M, (lanes - 0.5) * LANE_M
            places = ((x - near * ahead_y, y + near * ahead_x), (x + far * ahead_y, y - far * ahead_x))
            found.append(StopLine(end, self.plan(end).group(road), *places))
        return found

    @cached_property
    def _west(self) -> float:
        """The place of the westernmost junction, m east."""
        return min(self._places[node][0] for node in self.junctions())

    def cycle_begin(self, junction: str) -> float:
        """Return the time at which the first cycle of a junction begins, s.

        Args:
            junction: name of the junction.
        """
        # In a green wave a cycle begins later by the time that the wave needs from the westernmost junction.
        wave = self.signals.wave_mps
        return self.signals.offset_s + ((self._places[junction][0] - self._west) / wave if wave is not None else 0.0)

    def plan(self, junction: str) -> Plan:
        """Return the signal plan of a junction.

        Args:
            junction: name of the junction.
        """
        if junction not in self._plans:
            # North and south have one half of the cycle, east and west the other.
            roads: list[Road] = list(self.graph.in_edges(junction))
            axes = {road: 0 if abs(self._heading(road)[1]) >= abs(self._heading(road)[0]) else 1 for road in roads}
            make = protected_lefts if self._turning.left_rule == "protected" else two_phases
            self._plans[junction] = make(self.signals, self.cycle_begin(junction), axes)
        return self._plans[junction]

    def next_road(self, road: Road, turn: float) -> Road | None:
        """Return the road on which a vehicle continues at the end of a road.

        Args:
            road: current road.
            turn: uniform random number from 0 to 1, which decides among the turns by their shares.

        Returns:
            The next road, or None where the vehicle leaves the map.
        """
        if road not in self._choices:
            # No vehicle turns back.
            onward = [(road[1], node) for node in self.graph.successors(road[1]) if node != road[0]]
            turns = [self._turn(road, other) for other in onward]
            # Roads in the same direction have its share together.
            shares = np.array([getattr(self._turning, turn) / turns.count(turn) for turn in turns])
            # If all remaining turns have share 0, they are equally likely.
            if shares.sum() == 0.0:
                shares = np.ones(len(onward))
            self._choices[road] = list(zip((np.cumsum(shares) / shares.sum()).tolist(), onward, strict=True))
        # Rounding may leave the last cumulative share below 1. A turn above it takes the last road.
        choices = self._choices[road]
        return next((onward for share, onward in choices if turn < share), choices[-1][1] if choices else None)

    def has_stop_line(self, road: Road) -> bool:
        """Return whether a signal can stop vehicles at the end of a road.

        Args:
            road: the road.
        """
        return road[1] in self._signalised

    def movement(self, route: list[Road], number: int) -> Movement:
        """Return what a vehicle does at the end of a road of its route.

        Args:
            route: roads of the route.
            number: index of the road. At the end of the last one the vehicle goes straight on.
        """
        return self._turn(route[number], route[number + 1]) if number + 1 < len(route) else "straight"

    def choose_lane(self, road: Road, movement: Movement) -> int:
        """Return the lane that a vehicle takes on a road: of those for its movement, the one with the shortest queue.

        Without a stop line it is the rightmost lane.

        Args:
            road: the road.
            movement: what the vehicle does at its end.
        """
        lanes = self._lanes_of(road)
        if not lanes:
            return self.rightmost_lane(road)
        return min(self._lanes_for(len(lanes), movement), key=lambda lane: (lanes[lane].waiting, lanes[lane].last_s))

    def rightmost_lane(self, road: Road) -> int:
        """Return the rightmost lane of a road.

        Args:
            road: the road.
        """
        return int(self.graph.edges[road]["lanes"]) - 1

    def _lanes_for(self, count: int, movement: Movement) -> range:
        """Return the lanes for a movement. Lane 0 is the leftmost."""
        rule = self._turning.left_rule
        if count == 1 or rule == "free":
            return range(count)
        if movement == "left":
            return range(1)
        if movement == "right":
            return range(count - 1, count)
        # A phase of their own needs a lane of their own.
        return range(1, count) if rule == "protected" else range(count)

    def stretch(self, before: Road | None, lane_before: int, road: Road, lane: int) -> Stretch:
        """Return the stretch along a lane of a road.

        Args:
            before: previous road of the vehicle; None if it has just entered.
            lane_before: lane on the previous road.
            road: the road.
            lane: lane on the road.

        Returns:
            The stretch to the end of the lane. It begins at the stop line of the previous lane, if there is one.
        """
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
        """Return the lanes of a road before a stop line; none where vehicles do not stop."""
        if road not in self._lanes:
            count = int(self.graph.edges[road]["lanes"]) if road[1] in self._signalised else 0
            plan = self.plan(road[1]) if count else None
            greens = {} if plan is None else {movement: plan.green(road, movement) for movement in MOVEMENTS}
            self._lanes[road] = lanes = [Lane(greens) for _ in range(count)]
            opposite = self._opposite(road) if count and self._turning.left_rule == "permissive" else None
            if opposite is not None:
                opposing = tuple(self._lanes_of(opposite))
                for lane in lanes:
                    lane.opposing = opposing
                    # Of two opposing roads, the one that leads north or east goes first.
                    lane.first_among_lefts = not self._turning.lefts_cross or sum(self._heading(road)) > 0.0
        return self._lanes[road]

    def _opposite(self, road: Road) -> Road | None:
        """Return the road that comes to the same junction from ahead; None if there is none."""
        ahead_x, ahead_y = self._heading(road)
        found: list[tuple[float, Road]] = []
        for other in self.graph.in_edges(road[1]):
            onward_x, onward_y = self._heading(other)
            found.append((ahead_x * onward_x + ahead_y * onward_y, other))
        cosine, other = min(found)
        return other if cosine < math.cos(math.radians(135.0)) else None

    def _heading(self, road: Road) -> tuple[float, float]:
        """Return the unit vector of the direction of a road."""
        if road not in self._headings:
            (x, y), (end_x, end_y) = self._places[road[0]], self._places[road[1]]
            length = math.hypot(end_x - x, end_y - y)
            self._headings[road] = (end_x - x) / length, (end_y - y) / length
        return self._headings[road]

    def _line(self, road: Road, lane: int) -> list[tuple[float, float]]:
        """Return the start and the end of a lane, m east and m north.

        It lies to the right of the middle of the road. It keeps clear of the junctions at both ends.
        """
        begin, end = self._places[road[0]], self._places[road[1]]
        ahead_x, ahead_y = self._heading(road)
        right = (lane + 0.5) * LANE_M
        length = math.dist(begin, end)
        clear = [self._clearance(node) for node in road]
        # On a road shorter than its junctions, a tenth of the length remains for driving.
        if sum(clear) > 0.9 * length:
            clear = [part * 0.9 * length / sum(clear) for part in clear]
        return [
            (x + right * ahead_y + along * ahead_x, y - right * ahead_x + along * ahead_y)
            for (x, y), along in ((begin, clear[0]), (end, -clear[1]))
        ]

    def _clearance(self, node: str) -> float:
        """Return the distance from a node to the stop lines around it, m; 0 at the edge of the map."""
        if len(self._neighbours(node)) == 1:
            return 0.0
        widest = max(int(lanes) for _, _, lanes in self.graph.in_edges(node, data="lanes"))
        return widest * LANE_M + KERB_M

    def _turn(self, road: Road, other: Road) -> Movement:
        """Return the turn from one road into another."""
        if (road, other) not in self._turns:
            self._turns[road, other] = self._turn_of(road, other)
        return self._turns[road, other]

    def _turn_of(self, road: Road, other: Road) -> Movement:
        """Return the turn from one road into another, by the angle between them."""
        # The angle is positive to the left.
        (ahead_x, ahead_y), (onward_x, onward_y) = self._heading(road), self._heading(other)
        angle = math.degrees(
            math.atan2(ahead_x * onward_y - ahead_y * onward_x, ahead_x * onward_x + ahead_y * onward_y)
        )
        if abs(angle) < 45.0:
            return "straight"
        return "left" if angle > 0 else "right"
