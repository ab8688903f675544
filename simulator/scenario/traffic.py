"""Settings of the traffic: independent rounds, a recording, or generated roads, arrivals and signals."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from simulator.errors import nearest
from simulator.scenario.fields import (
    LogSd,
    Metres,
    Model,
    NonNegative,
    Period,
    Positive,
    Problem,
    Real,
    Speed,
    Whole,
    refuse,
)


class TrafficKind(Model):
    """What every kind of traffic can be asked, so that nobody needs to know its class."""

    has_places: ClassVar[bool] = True
    """Vehicles and providers have places: there are coverage, attachment and queues."""
    has_roads: ClassVar[bool] = False
    """The roads and signals are known, not only where vehicles were."""

    @property
    def data_file(self) -> str | None:
        """The data file that the traffic is read from; None if there is none."""
        return None

    def rounds_to_seconds(self, rounds: float) -> float | None:
        """Return how long a number of requests takes, s; None where the traffic decides when requests come."""
        return None


class Rounds(TrafficKind):
    """Independent rounds without roads: one vehicle per round, new draws, and no queues.

    Round k takes place at the time k times `every_s`, with vehicle k.
    """

    kind: Literal["rounds"]
    every_s: Period = 1.0
    """Time from one round to the next, s."""
    uav_factor_log_sd: LogSd = 1.0
    """Standard deviation of ln(F). F is a public factor with mean 1 that divides the stage times of a UAV."""
    ground_factor_log_sd: LogSd = 0.3
    """Standard deviation of ln(F). F is a public factor with mean 1 that divides all stations' stage times."""

    has_places: ClassVar[bool] = False

    def rounds_to_seconds(self, rounds: float) -> float:
        """Return how long a number of rounds takes, s."""
        return rounds * self.every_s


class RecordedTraffic(TrafficKind):
    """Recorded traffic in SUMO's floating-car format: XML or CSV, also gzipped (.gz), or Parquet."""

    kind: Literal["recorded"]
    file: str
    """Path of the recording, relative to the scenario file. `package:NAME` is a shipped recording."""
    max_gap_s: Positive = 5.0
    """Longest gap that is interpolated, s. After a longer gap the vehicle has left and enters again."""
    reference_speed_mps: Positive = 8.0
    """Least speed in the forecast of how long a provider will cover a vehicle, m/s."""

    @property
    def data_file(self) -> str:
        """The recording."""
        return self.file


class FourWay(Model):
    """One junction at the origin with four arms: north, east, south and west."""

    layout: Literal["four_way"] = "four_way"
    arm_m: Metres = 300.0
    """Length of each arm from the centre of the junction, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class TJunction(Model):
    """One junction at the origin with three arms: east, south and west."""

    layout: Literal["t_junction"]
    arm_m: Metres = 300.0
    """Length of each arm from the centre of the junction, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class Grid(Model):
    """Rows and columns of junctions around the origin, with an arm at each end of a row or column."""

    layout: Literal["grid"]
    rows: Annotated[Whole, Field(ge=1, le=50)] = 3
    """Number of rows, from south to north."""
    columns: Annotated[Whole, Field(ge=1, le=50)] = 3
    """Number of columns, from west to east."""
    block_m: Metres = 250.0
    """Distance from one junction to the next, m."""
    arm_m: Metres = 200.0
    """Length of the arms around the grid, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class Edge(Model):
    """One road of a list of edges."""

    begin: str
    """Name of the node at which the road begins."""
    end: str
    """Name of the node at which the road ends."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""
    one_way: bool = False
    """True if the road has no lanes from its end back to its begin."""


SHORTEST_M = 0.1
"""Least length of a road, m."""


class EdgeList(Model):
    """A list of nodes and edges. A node at which three or more roads meet has a signal."""

    layout: Literal["edges"]
    nodes: dict[str, tuple[Real, Real]]
    """Place of each node, [m east, m north]. Vehicles enter and leave at nodes with one neighbour."""
    edges: tuple[Edge, ...]
    """The roads between the nodes."""

    @model_validator(mode="after")
    def _edges_join_nodes(self) -> EdgeList:
        ways: set[tuple[str, str]] = set()
        # All problems are collected, so that a person can correct the file in one go.
        problems = []
        for number, edge in enumerate(self.edges):
            unknown = [side for side in ("begin", "end") if getattr(edge, side) not in self.nodes]
            for side in unknown:
                node = getattr(edge, side)
                offer = f"there is no node '{node}'; {nearest(node, self.nodes)}"
                problems.append(Problem(("edges", number, side), offer))
            if unknown:
                continue
            # A road needs a direction, which two nodes at one place do not give.
            if math.dist(self.nodes[edge.begin], self.nodes[edge.end]) < SHORTEST_M:
                close = f"'{edge.begin}' and '{edge.end}' are less than {SHORTEST_M:g} m apart"
                problems.append(Problem(("edges", number), close))
            for way in ((edge.begin, edge.end),) if edge.one_way else ((edge.begin, edge.end), (edge.end, edge.begin)):
                # A road that is given twice in both directions is one problem, not two.
                if way in ways and not (problems and problems[-1].path == ("edges", number)):
                    problems.append(
                        Problem(("edges", number), f"the road from '{way[0]}' to '{way[1]}' is given twice")
                    )
                ways.add(way)
        refuse(*problems)
        return self


class Turning(Model):
    """Shares of the vehicles that turn left, go straight on or turn right at a junction.

    If a junction lacks a direction, the shares of the others are scaled to the sum 1.
    """

    left: NonNegative = 0.2
    """Share of the vehicles that turn left."""
    straight: Annotated[Real, Field(gt=0)] = 0.6
    """Share of the vehicles that go straight on."""
    right: NonNegative = 0.2
    """Share of the vehicles that turn right."""
    left_rule: Literal["permissive", "protected", "free"] = "free"
    """How left turns meet oncoming traffic.

    With `permissive` they have green with it and wait for a gap. With `protected` they have a phase of their own. With
    `free` they do not meet it.
    """
    critical_gap_s: Positive = 4.5
    """Least gap in the oncoming traffic that a left turn accepts, s (HCM 2010, 4.5 s for permitted left turns)."""
    follow_up_s: Positive = 2.5
    """Headway of two left turns that use one gap, s (HCM 2010, 2.5 s)."""
    lefts_cross: bool = True
    """Whether the ways of opposing left turns cross, as at a narrow junction: then one of the two goes first."""


class Signals(Model):
    """Fixed-time signals at every junction: half of the cycle for north and south, half for east and west."""

    cycle_s: Period = 60.0
    """Length of the cycle, s."""
    yellow_s: NonNegative = 3.0
    """Length of the yellow after each green, s."""
    all_red_s: NonNegative = 2.0
    """Time after each yellow in which all signals are red, s."""
    offset_s: Real = 0.0
    """Time at which the first cycle begins, s."""
    # A junction's cycle begins later by its distance from the westernmost junction divided by this speed.
    wave_mps: Positive | None = None
    """Speed of a green wave from west to east, m/s. If not given, all cycles begin together."""
    saturation_headway_s: Period = 2.0
    """Saturation headway: time between two vehicles of a discharging queue, s."""
    startup_lost_s: NonNegative = 2.0
    """Start-up lost time: green before a queue begins to move, s."""
    yellow_used_s: NonNegative = 2.0
    """Part of the yellow in which vehicles still cross, s."""
    left_green_s: Positive = 7.0
    """Green of the left turns where they have a phase of their own, s."""

    @model_validator(mode="after")
    def _some_green(self) -> Signals:
        if self.yellow_used_s > self.yellow_s:
            used = f"must be at most yellow_s, {self.yellow_s:g}, not {self.yellow_used_s:g}"
            refuse(Problem(("yellow_used_s",), used))
        if self.green_s < self.startup_lost_s + self.saturation_headway_s:
            left = f"leave {self.green_s:.3g} s of green per phase, too little for one vehicle; make cycle_s longer"
            refuse(Problem((), left))
        return self

    @property
    def green_s(self) -> float:
        """Length of the green of each of the two phases, s."""
        return self.cycle_s / 2 - self.yellow_s - self.all_red_s


MOST_PER_H = 36_000.0
"""Highest rate of arrivals, vehicles/h."""

Rate = Annotated[Real, Field(ge=0, le=MOST_PER_H)]
"""Vehicles per hour, at most ten per second."""


# Without a tag, pydantic would report a wrong rate twice: once as a number and once as a mapping.
def _rates_kind(value: Any) -> str:
    return "by entry" if isinstance(value, dict) else "everywhere"


Rates = Annotated[
    Annotated[Rate, Tag("everywhere")] | Annotated[dict[str, Rate], Tag("by entry")], Discriminator(_rates_kind)
]


class Arrivals(Model):
    """Arrivals of vehicles at the entries of the roads."""

    rate_per_h: Rates = 600.0
    """Vehicles per hour at each entry, or by name of the entry. Entries that are not named have rate 0."""
    scale: Annotated[Real, Field(gt=0, le=100)] = 1.0
    """Factor on all rates."""
    process: Literal["poisson", "headway", "even"] = "poisson"
    """Gaps between vehicles: `poisson` exponential, `headway` a least headway plus exponential, `even` equal."""
    min_headway_s: NonNegative = 1.5
    """Least headway of the process `headway`, s."""
    profile: tuple[tuple[NonNegative, Annotated[Real, Field(ge=0, le=100)]], ...] = ((0.0, 1.0),)
    """Factor on the rates over time: [s, factor] pairs in order of time, with straight lines between them."""

    @model_validator(mode="after")
    def _in_order(self) -> Arrivals:
        # The factors are interpolated over time, so no two of them may have the same time.
        times = [time for time, _ in self.profile]
        if not times or times != sorted(set(times)):
            refuse(Problem(("profile",), "must be [s, factor] pairs in increasing order of time"))
        # Rate and factor are each in range, but their product can still be a rate that no run can bear.
        rates = self.rate_per_h.values() if isinstance(self.rate_per_h, dict) else (self.rate_per_h,)
        most = self.scale * max(rates, default=0.0) * max(factor for _, factor in self.profile)
        if most > MOST_PER_H:
            refuse(
                Problem(("profile",), f"makes a rate of {most:g} vehicles an hour; at most {MOST_PER_H:g} can enter")
            )
        return self


class GeneratedTraffic(TrafficKind):
    """Generated vehicles on a network of roads with fixed-time signals."""

    kind: Literal["generated"]
    roads: Annotated[FourWay | TJunction | Grid | EdgeList, Field(discriminator="layout")] = FourWay()
    """The network of roads."""
    arrivals: Arrivals = Arrivals()
    """The arrivals of vehicles."""
    turning: Turning = Turning()
    """The shares of vehicles that turn."""
    signals: Signals = Signals()
    """The signal plans."""
    speed_sd: Annotated[Real, Field(ge=0, le=0.3)] = 0.08
    """Standard deviation of the ratio of a vehicle's free speed to the speed limit."""
    jam_spacing_m: Positive = 7.5
    """Distance from one standing vehicle to the next, m."""
    acceleration_mps2: Positive | None = None
    """Acceleration beyond a stop line of a vehicle that has stood before it, m/s^2. By default it is not limited."""

    has_roads: ClassVar[bool] = True

    @model_validator(mode="after")
    def _green_for_all(self) -> GeneratedTraffic:
        signals = self.signals
        if self.turning.left_rule == "protected":
            # Each half of the cycle has two phases, with a clearance after each.
            rest = signals.green_s - signals.left_green_s - signals.yellow_s - signals.all_red_s
            for name, green in (("left_green_s", signals.left_green_s), ("cycle_s", rest)):
                if green < signals.startup_lost_s + signals.saturation_headway_s:
                    left = f"leaves {green:.3g} s of green for a phase, too little for one vehicle"
                    refuse(Problem(("signals", name), left))
        return self


Traffic: TypeAlias = Annotated[Rounds | RecordedTraffic | GeneratedTraffic, Field(discriminator="kind")]
