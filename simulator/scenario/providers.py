"""Settings of ground stations and UAVs: places, equipment, radio, accuracy and bidding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.model.flight import propulsion_power
from simulator.scenario.fields import (
    Bidding,
    Count,
    LogSd,
    Model,
    NonNegative,
    Period,
    Positive,
    Problem,
    Real,
    Span,
    Whole,
    refuse,
)
from simulator.scenario.radio import AERIAL_M, AirRadio, DistanceRadio, Radio


class PowerLawAccuracy(Model):
    """Accuracy R with the error 1 - R = scale U^(1/shape), where U is uniform on [0, 1]."""

    model: Literal["power-law"] = "power-law"
    scale: Annotated[Real, Field(gt=0, le=1)] = 0.5
    """Largest error 1 - R."""
    shape: Positive = 6.0
    """Inverse of the exponent of U. The match value has finite variance if this exceeds 2 beta."""
    pixels: Annotated[Whole, Field(gt=0, le=1_000_000_000)] | None = None
    """Number k of pixels. If given, the accuracy is a share of matched pixels (7, 8), Binomial(k, R) / k."""


class LogNormalAccuracy(Model):
    """Accuracy R with a log-normal error 1 - R."""

    model: Literal["log-normal"] = "log-normal"
    median_error: Annotated[Real, Field(gt=0, le=1)] = 0.34
    """Median of the error 1 - R."""
    log_sd: LogSd = 0.15
    """Standard deviation of the logarithm of the error."""
    pixels: Annotated[Whole, Field(gt=0, le=1_000_000_000)] | None = None
    """Number k of pixels. If given, the accuracy is a share of matched pixels (7, 8), Binomial(k, R) / k."""


Accuracy = Annotated[PowerLawAccuracy | LogNormalAccuracy, Field(discriminator="model")]


class Place(Model):
    """One provider with a place of its own, and the settings in which it differs from its kind."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the provider, unique among all providers."""
    x: Real
    """Position east of the origin, m."""
    y: Real
    """Position north of the origin, m."""
    radius_m: Positive | None = None
    """Coverage radius on the ground, m. If not given, the value of its kind applies."""
    uplink_mhz: Span | None = None
    """Uplink bandwidth, MHz. If not given, the value of its kind applies."""
    downlink_mhz: Span | None = None
    """Downlink bandwidth, MHz. If not given, the value of its kind applies."""
    power_units: Span | None = None
    """Transmit power, units of 100 mW. If not given, the value of its kind applies."""
    gpu_units: Span | None = None
    """GPU speed, 1e9 /s. If not given, the value of its kind applies."""
    cpu_units: Span | None = None
    """CPU speed, 1e9 bit/s. If not given, the value of its kind applies."""
    backhaul_mbps: Positive | None = None
    """Rate of the backhaul, Mbit/s. If not given, the value of its kind applies."""


class Providers(Model):
    """Settings that ground stations and UAVs have in common.

    A value with a span is drawn once per provider and world. In `rounds` it is drawn again in each round.
    """

    count: Count | None = None
    """Number of providers on the ring. Leave it out if `placed` lists the providers."""
    placed: tuple[Place, ...] | None = None
    """List of the providers, each with its place, instead of the ring."""
    center: tuple[Real, Real] = (0.0, 0.0)
    """Centre of the ring, [m east, m north]."""
    ring_m: NonNegative = 140.0
    """Radius of the ring, m."""
    first_angle_deg: Real = 0.0
    """Direction of the first provider on the ring, degrees counter-clockwise from east."""
    radius_m: Positive = 220.0
    """Coverage radius on the ground, m."""
    uplink_mhz: Span = (20.0, 60.0)
    """Uplink bandwidth B^u, MHz: one number, or [low, high] for a uniform draw."""
    downlink_mhz: Span = (20.0, 60.0)
    """Downlink bandwidth B^d, MHz: one number, or [low, high] for a uniform draw."""
    power_units: Span = (1.0, 10.0)
    """Transmit power p^d, units of 100 mW: one number, or [low, high] for a uniform draw."""
    gpu_units: Span = (0.5, 2.0)
    """GPU speed f^g, 1e9 /s: one number, or [low, high] for a uniform draw."""
    cpu_units: Span = (0.5, 2.0)
    """CPU speed f^c, 1e9 bit/s: one number, or [low, high] for a uniform draw."""
    backhaul_mbps: Positive = 1_000.0
    """Rate of the backhaul, over which twins move to a provider, Mbit/s."""
    price_gpu_s: NonNegative = 0.0
    """What a second of the GPU costs the provider, in the unit of the values."""
    price_J: NonNegative = 0.0  # noqa: N815 - the joule has a capital letter
    """What a joule costs the provider, in the unit of the values.

    A task takes the energy of its downlink and, at a UAV, of hovering for as long as the task makes it stay.
    """
    bidding: Bidding = Field(default={"all": "truthful"})
    """Bidder for all, or by name with `all` for the others: `truthful`, `shade:FACTOR`, `exp3`, `patient`."""
    owners: dict[str, str] = Field(default={})
    """Owner of a provider, by its name. A provider that is not named here is its own owner."""

    @model_validator(mode="after")
    def _placed_or_counted(self) -> Providers:
        if self.placed is not None and self.count is not None:
            refuse(Problem((), "says both 'count' and 'placed'; keep one of them"))
        return self

    def total(self) -> int:
        """Return the number of providers of this kind."""
        return len(self.placed) if self.placed is not None else (self.count or 0)

    def bidder_of(self, name: str) -> str:
        """Return the bidder that answers for a provider, as text.

        Args:
            name: name of the provider.
        """
        return self.bidding.get(name, self.bidding.get("all", "truthful"))


class Stations(Providers):
    """The ground base stations."""

    radio: Radio = DistanceRadio()
    """Radio model of the links to these providers."""
    accuracy: Accuracy = PowerLawAccuracy()
    """Distribution of the accuracy of these providers."""

    @model_validator(mode="after")
    def _at_least_one(self) -> Stations:
        if self.total() < 1:
            refuse(Problem((), "has no ground station; set 'count' to 1 or more"))
        return self

    @model_validator(mode="after")
    def _radio_of_stations(self) -> Stations:
        # Their formulas have the height of a user in the air, and the angle at which a station sees it.
        if self.radio.model in ("umi-av", "uma-av", "al-hourani"):
            said = f"must be a model of stations, such as umi, uma or distance, not {self.radio.model}"
            refuse(Problem(("radio", "model"), said))
        return self


class Uavs(Providers):
    """The hovering UAVs, whose coverage radius is that of the footprint on the ground."""

    # A UAV hovers above the middle unless the scenario says otherwise; a ring is for several UAVs.
    ring_m: NonNegative = 0.0
    """Radius of the ring, m."""
    altitude_m: Positive = 100.0
    """Height above the road, m."""
    # Zeng, Xu and Zhang, "Energy minimization for wireless communication with rotary-wing UAV", IEEE Transactions on
    # Wireless Communications 18(4), 2019: P0 + Pi = 79.86 + 88.63 W at rest. The power of a computer would come on top.
    hover_w: NonNegative = round(float(propulsion_power(0.0)), 1)
    """Power that a UAV needs to hover, W: `propulsion_power` at 0 m/s by default."""
    report_s: Period = 10.0
    """Time from one report of a UAV to the next, s. A UAV renews its bid at each report."""
    report_tasks: Annotated[Whole, Field(ge=1, le=10_000)] = 20
    """Number of its last tasks over which a UAV averages in a report."""
    bids_on: Literal["report", "conditions", "value"] = "report"
    """Basis of a UAV's bid: its last `report`, the public `conditions`, or its true `value` as in (12b)."""
    radio: Radio = AirRadio()
    """Radio model of the links to these providers."""
    accuracy: Accuracy = LogNormalAccuracy()
    """Distribution of the accuracy of these providers."""

    @model_validator(mode="after")
    def _radio_of_uavs(self) -> Uavs:
        # Below and above, the formulas of TR 36.777 give probabilities that are none.
        low, high = AERIAL_M
        if self.radio.model in ("umi", "uma"):
            # Their base stations have a height of their own, so that of the UAV would have no effect.
            said = f"must be a model of UAVs, such as umi-av, uma-av or air, not {self.radio.model}"
            refuse(Problem(("radio", "model"), said))
        if self.radio.model in ("umi-av", "uma-av") and not low < self.altitude_m <= high:
            said = f"must be above {low:g} and at most {high:g} for the radio model {self.radio.model}"
            refuse(Problem(("altitude_m",), f"{said}, not {self.altitude_m:g}"))
        return self
