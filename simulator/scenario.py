"""What a scenario may say: typed fields with units, defaults and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from simulator.errors import nearest

TASK_KINDS = ("ar_navigation", "pedestrian_detection", "entertainment_3d")
"""The vehicle-twin tasks of the paper."""


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number")
    return value


def _span(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise PydanticCustomError("span", "must be [low, high] with low <= high")
    return span


def _plain_span(span: tuple[float, float]) -> Any:
    return span[0] if span[0] == span[1] else list(span)


def _for_all(value: Any) -> Any:
    return {"all": value} if isinstance(value, str) else value


def _bidding_rule(value: str) -> str:
    if value != "truthful":
        factor = re.fullmatch(r"shade=(\d+(?:\.\d+)?)", value)
        if factor is None:
            raise PydanticCustomError("bidding", "must be 'truthful' or 'shade=FACTOR' such as shade=0.9")
    return value


Real = Annotated[float, BeforeValidator(_no_boolean)]
Positive = Annotated[Real, Field(gt=0)]
NonNegative = Annotated[Real, Field(ge=0)]
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]
Span = Annotated[
    tuple[Positive, Positive], BeforeValidator(_span), AfterValidator(_ordered), PlainSerializer(_plain_span)
]
"""A positive number, or [low, high] from which a value is drawn uniformly."""
Bidding = Annotated[dict[str, Annotated[str, AfterValidator(_bidding_rule)]], BeforeValidator(_for_all)]
"""A bidding rule, or rules by provider name with `all` for the others."""


class Model(BaseModel):
    """Base of every part of a scenario: frozen, nothing unknown, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _offer_nearest_field(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_field",
                        "has no field '{field}'; {offer}",
                        {"field": str(key), "offer": nearest(str(key), cls.model_fields)},
                    )
        return data


class RandomGains(Model):
    """The paper's channel: gains drawn afresh for each link, log-normal, whatever the distance."""

    model: Literal["random"] = "random"
    snr_db: Real = 15.0
    """Median signal-to-noise ratio at one power unit, dB."""
    spread_db: NonNegative = 4.0
    """Standard deviation of the gain of a link, dB."""


class DistanceRadio(Model):
    """Log-distance path loss with shadowing that is a fixed function of place, and fading drawn for each link."""

    model: Literal["distance"] = "distance"
    snr_db: Real = 25.0
    """Signal-to-noise ratio at one power unit at the reference distance, dB."""
    reference_m: Positive = 50.0
    """Reference distance, m."""
    exponent: Positive = 3.0
    """Path-loss exponent."""
    shadowing_db: NonNegative = 4.0
    """Standard deviation of the shadowing over places, dB."""
    correlation_m: Positive = 30.0
    """Distance over which the shadowing stays alike, m."""
    spread_db: NonNegative = 2.0
    """Standard deviation of the fading of a link, dB."""


class AirRadio(Model):
    """Free space from above, less a loss that depends on the line of sight (Al-Hourani, by elevation angle)."""

    model: Literal["air"] = "air"
    snr_db: Real = 25.0
    """Signal-to-noise ratio at one power unit at the reference distance with a line of sight, dB."""
    reference_m: Positive = 100.0
    """Reference distance, m."""
    exponent: Positive = 2.0
    """Path-loss exponent."""
    a: Positive = 9.61
    """First environment parameter of the line-of-sight probability (9.61: urban)."""
    b: Positive = 0.16
    """Second environment parameter of the line-of-sight probability, 1/degree (0.16: urban)."""
    line_of_sight_loss_db: NonNegative = 1.0
    """Excess loss with a line of sight, dB."""
    blocked_loss_db: NonNegative = 20.0
    """Excess loss without a line of sight, dB."""
    correlation_m: Positive = 30.0
    """Distance over which the line of sight stays alike, m."""
    spread_db: NonNegative = 1.0
    """Standard deviation of the fading of a link, dB."""


Radio = Annotated[RandomGains | DistanceRadio | AirRadio, Field(discriminator="model")]


class PowerLawAccuracy(Model):
    """Error 1 - R = scale U^(1/shape), U uniform."""

    model: Literal["power-law"] = "power-law"
    scale: Annotated[Real, Field(gt=0, le=1)] = 0.5
    """Largest error."""
    shape: Positive = 6.0
    """Inverse of the exponent of U; above twice the accuracy exponent the match value has a finite variance."""
    pixels: Annotated[int, Field(gt=0)] | None = None
    """With k pixels, the accuracy is the matched share, Binomial(k, R)/k, of (7) and (8)."""


class LogNormalAccuracy(Model):
    """Error 1 - R log-normal."""

    model: Literal["log-normal"] = "log-normal"
    median_error: Annotated[Real, Field(gt=0, le=1)] = 0.34
    """Median error."""
    log_sd: NonNegative = 0.15
    """Standard deviation of the logarithm of the error."""
    pixels: Annotated[int, Field(gt=0)] | None = None
    """With k pixels, the accuracy is the matched share, Binomial(k, R)/k, of (7) and (8)."""


Accuracy = Annotated[PowerLawAccuracy | LogNormalAccuracy, Field(discriminator="model")]


class Place(Model):
    """Where one provider stands, and what sets it apart from its kind."""

    name: Annotated[str, Field(min_length=1)]
    """Name, unique among all providers."""
    x: Real
    """Position, m east."""
    y: Real
    """Position, m north."""
    radius_m: Positive | None = None
    """Coverage radius on the ground, m; that of its kind if not given."""
    uplink_mhz: Span | None = None
    """Uplink bandwidth, MHz; that of its kind if not given."""
    downlink_mhz: Span | None = None
    """Downlink bandwidth, MHz; that of its kind if not given."""
    power_units: Span | None = None
    """Transmit power, units of 100 mW; that of its kind if not given."""
    gpu_units: Span | None = None
    """GPU speed, 1e9 /s; that of its kind if not given."""
    cpu_units: Span | None = None
    """CPU speed, 1e9 bit/s; that of its kind if not given."""


class Providers(Model):
    """What ground stations and UAVs have in common; a span is drawn once a world, or once a round in `rounds`."""

    count: Count | None = None
    """How many; where `placed` lists them, leave it out."""
    placed: tuple[Place, ...] | None = None
    """Each one with its place, instead of a ring."""
    center: tuple[Real, Real] = (0.0, 0.0)
    """Centre of the ring, m."""
    ring_m: NonNegative = 140.0
    """Radius of the ring, m."""
    first_angle_deg: Real = 0.0
    """Direction of the first one on the ring, degrees from east, counter-clockwise."""
    radius_m: Positive = 220.0
    """Coverage radius on the ground, m."""
    uplink_mhz: Span = (20.0, 60.0)
    """Uplink bandwidth B^u, MHz."""
    downlink_mhz: Span = (20.0, 60.0)
    """Downlink bandwidth B^d, MHz."""
    power_units: Span = (1.0, 10.0)
    """Transmit power p^d, units of 100 mW."""
    gpu_units: Span = (0.5, 2.0)
    """GPU speed f^g, 1e9 /s."""
    cpu_units: Span = (0.5, 2.0)
    """CPU speed f^c, 1e9 bit/s."""
    bidding: Bidding = {"all": "truthful"}
    """How they bid: `truthful` or `shade=FACTOR` (FACTOR times the value), for all or by provider name."""

    @model_validator(mode="after")
    def _placed_or_counted(self) -> Providers:
        if self.placed is not None and self.count is not None:
            raise PydanticCustomError("placement", "says both 'count' and 'placed'; keep one of them")
        return self

    def total(self) -> int:
        """How many providers of this kind there are."""
        return len(self.placed) if self.placed is not None else (self.count or 0)

    def bid_factor(self, name: str) -> float:
        """What the provider of that name multiplies its value with when it bids; 1 is truthful."""
        rule = self.bidding.get(name, self.bidding.get("all", "truthful"))
        return 1.0 if rule == "truthful" else float(rule.removeprefix("shade="))


class Stations(Providers):
    """The ground base stations."""

    radio: Radio = DistanceRadio()
    """Radio model of their links."""
    accuracy: Accuracy = PowerLawAccuracy()
    """Distribution of their accuracy."""

    @model_validator(mode="after")
    def _at_least_one(self) -> Stations:
        if self.total() < 1:
            raise PydanticCustomError("no_stations", "has no ground station; set 'count' to 1 or more")
        return self


class Uavs(Providers):
    """The hovering UAVs: `radius_m` is the footprint on the ground."""

    ring_m: NonNegative = 0.0
    """Radius of the ring, m."""
    altitude_m: Positive = 100.0
    """Height above the road, m."""
    report_s: Positive = 10.0
    """Seconds from one report of a UAV, and so from one renewal of its bid, to the next."""
    radio: Radio = AirRadio()
    """Radio model of their links."""
    accuracy: Accuracy = LogNormalAccuracy()
    """Distribution of their accuracy."""


class Rounds(Model):
    """No roads: round k is at k times `every_s` with vehicle k, everything is drawn afresh, nobody queues."""

    kind: Literal["rounds"]
    every_s: Positive = 1.0
    """Seconds from one round to the next."""
    uav_factor_log_sd: NonNegative = 1.0
    """Log-sd of the public factor, mean 1, that divides every stage time of the UAV."""
    ground_factor_log_sd: NonNegative = 0.3
    """Log-sd of the public factor, mean 1, that divides every stage time of all ground stations."""


class RecordedTraffic(Model):
    """Traffic from a recording in SUMO's floating-car format (XML, CSV or Parquet, .gz or not)."""

    kind: Literal["recorded"]
    file: str
    """Path of the recording; `package:NAME` is one that is shipped."""
    max_gap_s: Positive = 5.0
    """Longest gap that is interpolated, s; after a longer one the vehicle has left and enters again."""
    reference_speed_mps: Positive = 8.0
    """Speed at which a vehicle is expected to leave a coverage, at least, m/s."""


class FourWay(Model):
    """Four arms that meet at one junction at the origin: north, east, south, west."""

    layout: Literal["four_way"] = "four_way"
    arm_m: Positive = 300.0
    """Length of each arm, from the centre, m."""
    lanes: Annotated[int, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Positive = 13.9
    """Speed limit, m/s."""


class TJunction(Model):
    """Three arms that meet at one junction at the origin: east, south, west."""

    layout: Literal["t_junction"]
    arm_m: Positive = 300.0
    """Length of each arm, from the centre, m."""
    lanes: Annotated[int, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Positive = 13.9
    """Speed limit, m/s."""


class Grid(Model):
    """Rows and columns of junctions with arms all around; the middle of the grid is the origin."""

    layout: Literal["grid"]
    rows: Annotated[int, Field(ge=1, le=20)] = 3
    """Junctions from south to north."""
    columns: Annotated[int, Field(ge=1, le=20)] = 3
    """Junctions from west to east."""
    block_m: Positive = 250.0
    """Distance from one junction to the next, m."""
    arm_m: Positive = 200.0
    """Length of the arms around the grid, m."""
    lanes: Annotated[int, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Positive = 13.9
    """Speed limit, m/s."""


class Edge(Model):
    """One road of an edge list, in both directions unless it is one-way."""

    begin: str
    """Node at which it begins."""
    end: str
    """Node at which it ends."""
    lanes: Annotated[int, Field(ge=1, le=6)] = 1
    """Lanes in each direction."""
    speed_mps: Positive = 13.9
    """Speed limit, m/s."""
    one_way: bool = False
    """No lanes lead back."""


class EdgeList(Model):
    """Roads of one's own: nodes by place and the edges between them; where three or more meet there is a signal."""

    layout: Literal["edges"]
    nodes: dict[str, tuple[Real, Real]]
    """Places of the nodes, [m east, m north]; vehicles enter and leave at nodes with one neighbour."""
    edges: tuple[Edge, ...]
    """The roads."""

    @model_validator(mode="after")
    def _edges_join_nodes(self) -> EdgeList:
        for edge in self.edges:
            for node in (edge.begin, edge.end):
                if node not in self.nodes:
                    raise PydanticCustomError(
                        "unknown_node",
                        "there is no node '{node}'; {offer}",
                        {"node": node, "offer": nearest(node, self.nodes)},
                    )
            if self.nodes[edge.begin] == self.nodes[edge.end]:
                raise PydanticCustomError(
                    "no_length", "edges: '{a}' and '{b}' are at one place", {"a": edge.begin, "b": edge.end}
                )
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

    cycle_s: Positive = 60.0
    """Length of the cycle, s."""
    yellow_s: NonNegative = 3.0
    """Yellow after each green, s."""
    all_red_s: NonNegative = 2.0
    """All red after each yellow, s."""
    offset_s: Real = 0.0
    """When the first cycle begins, s."""
    wave_mps: Positive | None = None
    """Speed of a green wave from west to east: a junction's cycle begins later by its distance over it; m/s."""
    saturation_headway_s: Positive = 2.0
    """Headway at which a queue discharges, s."""
    startup_lost_s: NonNegative = 2.0
    """Green that is lost until a queue moves, s."""
    yellow_used_s: NonNegative = 2.0
    """Yellow in which vehicles still cross, s."""

    @model_validator(mode="after")
    def _some_green(self) -> Signals:
        if self.green_s < self.startup_lost_s + self.saturation_headway_s:
            raise PydanticCustomError(
                "no_green",
                "leave {green:.3g} s of green a phase, too little for one vehicle; make cycle_s longer",
                {"green": self.green_s},
            )
        return self

    @property
    def green_s(self) -> float:
        """Green of each of the two phases, s."""
        return self.cycle_s / 2 - self.yellow_s - self.all_red_s


class Arrivals(Model):
    """How vehicles enter at the ends of the roads."""

    rate_per_h: NonNegative | dict[str, NonNegative] = 600.0
    """Vehicles an hour at each entry, or by the entry's name."""
    process: Literal["poisson", "headway", "even"] = "poisson"
    """Poisson; headway: a least headway and an exponential rest; even: evenly spaced."""
    min_headway_s: NonNegative = 1.5
    """Least headway of the headway process, s."""
    profile: tuple[tuple[NonNegative, NonNegative], ...] = ((0.0, 1.0),)
    """Factor on the rates over time: [s, factor] in order of time, straight in between."""

    @model_validator(mode="after")
    def _in_order(self) -> Arrivals:
        times = [time for time, _ in self.profile]
        if not times or times != sorted(set(times)):
            raise PydanticCustomError("profile", "profile: must be [s, factor] pairs in increasing order of time")
        return self


class GeneratedTraffic(Model):
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


Traffic: TypeAlias = Annotated[Rounds | RecordedTraffic | GeneratedTraffic, Field(discriminator="kind")]


class TaskKind(Model):
    """One kind of vehicle-twin task."""

    share: NonNegative = 1.0
    """Share of the requests, relative to the other kinds."""
    deadline_s: Positive | None = None
    """Seconds after which the result is of no use; none if not given."""
    gpu_per_bit: Positive = 0.5
    """GPU work a bit e_p, 1/bit."""


class Tasks(Model):
    """What vehicles ask for."""

    size_mb: Span = (20.0, 40.0)
    """Input size D, MB; the result has the same size."""
    demand_log_sd: NonNegative = 0.8
    """Log-sd of what a request is worth to anyone (log-normal, mean 1)."""
    power_units: Span = (1.0, 10.0)
    """Transmit power p^u of the vehicle, units of 100 mW."""
    accuracy_cap: Annotated[Real, Field(gt=0, lt=1)] = 0.98
    """Accuracy above which a match value no longer grows."""
    kinds: dict[Literal["ar_navigation", "pedestrian_detection", "entertainment_3d"], TaskKind] = {
        "ar_navigation": TaskKind(),
        "pedestrian_detection": TaskKind(),
        "entertainment_3d": TaskKind(),
    }
    """The kinds of task that occur."""

    @model_validator(mode="after")
    def _some_kind(self) -> Tasks:
        if sum(kind.share for kind in self.kinds.values()) <= 0.0:
            raise PydanticCustomError("no_kinds", "kinds: at least one kind needs a share above 0")
        return self


class Market(Model):
    """The auction and its weights."""

    mechanism: str | None = None
    """Mechanism by name (`msb`, `second-price`, or one's own); none: the policy's own, else `msb`."""
    information: Literal["public", "masked", "all-bids", "clairvoyant"] | None = None
    """What the policy may see; none: what it declares, else `public`."""
    reference: Literal["stations", "all"] = "stations"
    """Over whom the max in (14) runs: the other ground stations, or literally all other providers."""
    uav_weight: Positive = 1.0
    """Weight zeta of the UAV's surplus."""
    latency_weight: Positive = 1.0
    """Weight omega_1 of the latency, s."""
    accuracy_weight: Positive = 0.1
    """Weight omega_2 of the accuracy."""
    accuracy_exponent: Positive = 2.0
    """Exponent beta of the accuracy."""
    history: Annotated[int, Field(ge=1)] = 5
    """T: over how many tasks a provider averages, this one included."""
    actions: Annotated[int, Field(ge=1)] = 20
    """|A|: size of the grid of price scaling factors 10^(a/|A|)."""
    contract_rounds: Annotated[int, Field(ge=1)] = 100_000
    """Rounds from which the contract bid (13) is computed: the last settled ones; in `rounds` a calibration draw."""
    load_window_s: Positive = 120.0
    """Window over which the load of the market is counted, s."""


class Scenario(Model):
    """A world and its market, complete; `Scenario.load` reads one."""

    name: Annotated[str, Field(min_length=1)]
    """Name; run folders are called after it."""
    about: str = ""
    """What the scenario shows."""
    duration_s: Positive = 3600.0
    """Length of a run, s."""
    traffic: Traffic
    """Who drives where."""
    stations: Stations
    """The ground base stations."""
    uavs: Uavs = Uavs(count=1)
    """The UAVs; `count: 0` for none."""
    tasks: Tasks = Tasks()
    """What vehicles ask for."""
    market: Market = Market()
    """The auction."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Scenario:
        names = [*self.uav_names(), *self.station_names()]
        for name in names:
            if names.count(name) > 1:
                raise PydanticCustomError(
                    "duplicate_name", "two providers are called '{name}'; give each a name of its own", {"name": name}
                )
        for part, own in (("stations", self.station_names()), ("uavs", self.uav_names())):
            for name in getattr(self, part).bidding:
                if name != "all" and name not in own:
                    raise PydanticCustomError(
                        "unknown_provider",
                        "no provider is called '{name}'; {offer}",
                        {"part": part, "name": name, "offer": nearest(name, own)},
                    )
        return self

    @model_validator(mode="after")
    def _rounds_have_no_places(self) -> Scenario:
        if isinstance(self.traffic, Rounds):
            radios = {"stations": self.stations.radio, "uavs": self.uavs.radio}
            for part, radio in radios.items():
                if radio.model != "random":
                    raise PydanticCustomError(
                        "no_places",
                        "{part}.radio.model: in 'rounds' nothing has a place, so it must be 'random', not '{model}'",
                        {"part": part, "model": radio.model},
                    )
        return self

    def uav_names(self) -> list[str]:
        """Names of the UAVs, by id from 0."""
        return _names(self.uavs, "u")

    def station_names(self) -> list[str]:
        """Names of the ground stations, by id from the number of UAVs."""
        return _names(self.stations, "s")

    @classmethod
    def load(cls, scenario: str | Path | Scenario, **overrides: Any) -> Scenario:
        """A shipped scenario by name or one from a YAML file, with overrides such as ``**{"stations.count": 7}``.

        Raises:
            ScenarioError: there is none of that name, or it says something a scenario may not say.
        """
        from simulator.scenario_file import load_scenario

        return load_scenario(scenario, overrides)


def _names(providers: Providers, prefix: str) -> list[str]:
    if providers.placed is not None:
        return [place.name for place in providers.placed]
    return [f"{prefix}{number}" for number in range(1, providers.total() + 1)]
