"""What a scenario may say of traffic: rounds without roads, a recording, or generated roads, arrivals and signals."""

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
    """No roads: round k is at k times `every_s` with vehicle k, everything is drawn afresh, nobody queues."""

    kind: Literal["rounds"]
    every_s: Period = 1.0
    """Seconds from one round to the next."""
    uav_factor_log_sd: LogSd = 1.0
    """Log-sd of the public factor, mean 1, that divides every stage time of the UAV."""
    ground_factor_log_sd: LogSd = 0.3
    """Log-sd of the public factor, mean 1, that divides every stage time of all ground stations."""

    has_places: ClassVar[bool] = False

    def rounds_to_seconds(self, rounds: float) -> float:
        """Return how long a number of rounds takes, s."""
        return rounds * self.every_s


class RecordedTraffic(TrafficKind):
    """Traffic from a recording in SUMO's floating-car format (XML, CSV or Parquet, .gz or not)."""

    kind: Literal["recorded"]
    file: str
    """Path of the recording; `package:NAME` is one that is shipped."""
    max_gap_s: Positive = 5.0
    """Longest gap that is interpolated, s; after a longer one the vehicle has left and enters again."""
    reference_speed_mps: Positive = 8.0
    """Speed at which a vehicle is expected to leave a coverage, at least, m/s."""

    @property
    def data_file(self) -> str:
        """The recording."""
        return self.file


class FourWay(Model):
    """Four arms that meet at one junction at the origin: north, east, south, west."""

    layout: Literal["four_way"] = "four_way"
    arm_m: Metres = 300.0
    """Length of each arm, from the centre, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class TJunction(Model):
    """Three arms that meet at one junction at the origin: east, south, west."""

    layout: Literal["t_junction"]
    arm_m: Metres = 300.0
    """Length of each arm, from the centre, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class Grid(Model):
    """Rows and columns of junctions with arms all around; the middle of the grid is the origin."""

    layout: Literal["grid"]
    rows: Annotated[Whole, Field(ge=1, le=20)] = 3
    """Junctions from south to north."""
    columns: Annotated[Whole, Field(ge=1, le=20)] = 3
    """Junctions from west to east."""
    block_m: Metres = 250.0
    """Distance from one junction to the next, m."""
    arm_m: Metres = 200.0
    """Length of the arms around the grid, m."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""


class Edge(Model):
    """One road of an edge list, in both directions unless it is one-way."""

    begin: str
    """Node at which it begins."""
    end: str
    """Node at which it ends."""
    lanes: Annotated[Whole, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Speed = 13.9
    """Speed limit, m/s."""
    one_way: bool = False
    """No lanes lead back."""


SHORTEST_M = 0.1
"""Least length of a road, m."""


class EdgeList(Model):
    """Roads of one's own: nodes by place and the edges between them; where three or more meet there is a signal."""

    layout: Literal["edges"]
    nodes: dict[str, tuple[Real, Real]]
    """Places of the nodes, [m east, m north]; vehicles enter and leave at nodes with one neighbour."""
    edges: tuple[Edge, ...]
    """The roads."""

    @model_validator(mode="after")
    def _edges_join_nodes(self) -> EdgeList:
        ways: set[tuple[str, str]] = set()
        problems = []
        for number, edge in enumerate(self.edges):
            unknown = [side for side in ("begin", "end") if getattr(edge, side) not in self.nodes]
            for side in unknown:
                node = getattr(edge, side)
                offer = f"there is no node '{node}'; {nearest(node, self.nodes)}"
                problems.append(Problem(("edges", number, side), offer))
            if unknown:
                continue
            if math.dist(self.nodes[edge.begin], self.nodes[edge.end]) < SHORTEST_M:
                close = f"'{edge.begin}' and '{edge.end}' are less than {SHORTEST_M:g} m apart"
                problems.append(Problem(("edges", number), close))
            for way in ((edge.begin, edge.end),) if edge.one_way else ((edge.begin, edge.end), (edge.end, edge.begin)):
                if way in ways and not (problems and problems[-1].path == ("edges", number)):
                    problems.append(
                        Problem(("edges", number), f"the road from '{way[0]}' to '{way[1]}' is given twice")
                    )
                ways.add(way)
        refuse(*problems)
        return self


class Turning(Model):
    """Shares of the vehicles that turn at a junction; where a direction is missing the others share what is left."""

    left: NonNegative = 0.2
    """Share that turns left."""
    straight: Annotated[Real, Field(gt=0)] = 0.6
    """Share that goes straight on."""
    right: NonNegative = 0.2
    """Share that turns right."""


class Signals(Model):
    """Fixed-time signals at every junction: two phases, one for each axis, that split the cycle evenly."""

    cycle_s: Period = 60.0
    """Length of the cycle, s."""
    yellow_s: NonNegative = 3.0
    """Yellow after each green, s."""
    all_red_s: NonNegative = 2.0
    """All red after each yellow, s."""
    offset_s: Real = 0.0
    """When the first cycle begins, s."""
    wave_mps: Positive | None = None
    """Speed of a green wave from west to east: a junction's cycle begins later by its distance over it; m/s."""
    saturation_headway_s: Period = 2.0
    """Headway at which a queue discharges, s."""
    startup_lost_s: NonNegative = 2.0
    """Green that is lost until a queue moves, s."""
    yellow_used_s: NonNegative = 2.0
    """Yellow in which vehicles still cross, s."""

    @model_validator(mode="after")
    def _some_green(self) -> Signals:
        if self.yellow_used_s > self.yellow_s:
            used = f"must be at most yellow_s, {self.yellow_s:g}, not {self.yellow_used_s:g}"
            refuse(Problem(("yellow_used_s",), used))
        if self.green_s < self.startup_lost_s + self.saturation_headway_s:
            left = f"leave {self.green_s:.3g} s of green a phase, too little for one vehicle; make cycle_s longer"
            refuse(Problem((), left))
        return self

    @property
    def green_s(self) -> float:
        """Green of each of the two phases, s."""
        return self.cycle_s / 2 - self.yellow_s - self.all_red_s


MOST_PER_H = 36_000.0

Rate = Annotated[Real, Field(ge=0, le=MOST_PER_H)]
"""Vehicles an hour, at most ten a second."""


def _rates_kind(value: Any) -> str:
    return "by entry" if isinstance(value, dict) else "everywhere"


Rates = Annotated[
    Annotated[Rate, Tag("everywhere")] | Annotated[dict[str, Rate], Tag("by entry")], Discriminator(_rates_kind)
]


class Arrivals(Model):
    """How vehicles enter at the ends of the roads."""

    rate_per_h: Rates = 600.0
    """Vehicles an hour at each entry, or by the entry's name."""
    process: Literal["poisson", "headway", "even"] = "poisson"
    """Poisson; headway: a least headway and an exponential rest; even: evenly spaced."""
    min_headway_s: NonNegative = 1.5
    """Least headway of the headway process, s."""
    profile: tuple[tuple[NonNegative, Annotated[Real, Field(ge=0, le=100)]], ...] = ((0.0, 1.0),)
    """Factor on the rates over time: [s, factor] in order of time, straight in between."""

    @model_validator(mode="after")
    def _in_order(self) -> Arrivals:
        times = [time for time, _ in self.profile]
        if not times or times != sorted(set(times)):
            refuse(Problem(("profile",), "must be [s, factor] pairs in increasing order of time"))
        rates = self.rate_per_h.values() if isinstance(self.rate_per_h, dict) else (self.rate_per_h,)
        most = max(rates, default=0.0) * max(factor for _, factor in self.profile)
        if most > MOST_PER_H:
            refuse(
                Problem(("profile",), f"makes a rate of {most:g} vehicles an hour; at most {MOST_PER_H:g} can enter")
            )
        return self


class GeneratedTraffic(TrafficKind):
    """Vehicles on generated roads with fixed-time signals."""

    kind: Literal["generated"]
    roads: Annotated[FourWay | TJunction | Grid | EdgeList, Field(discriminator="layout")] = FourWay()
    """The roads."""
    arrivals: Arrivals = Arrivals()
    """Who enters when."""
    turning: Turning = Turning()
    """Who turns where."""
    signals: Signals = Signals()
    """The signals."""
    speed_sd: Annotated[Real, Field(ge=0, le=0.3)] = 0.08
    """Standard deviation of a vehicle's free speed, as a share of the speed limit."""
    jam_spacing_m: Positive = 7.5
    """Distance from one standing vehicle to the next, m."""

    has_roads: ClassVar[bool] = True


Traffic: TypeAlias = Annotated[Rounds | RecordedTraffic | GeneratedTraffic, Field(discriminator="kind")]
