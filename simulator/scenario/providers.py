"""What a scenario may say of ground stations and UAVs: places, equipment, radio, accuracy, bidding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.scenario.fields import (
    Bidding,
    Count,
    Decibels,
    LogSd,
    Model,
    NonNegative,
    Period,
    Positive,
    Problem,
    Real,
    Span,
    Spread,
    Whole,
    refuse,
)


class RandomGains(Model):
    """The paper's channel: gains drawn afresh for each link, log-normal, whatever the distance."""

    model: Literal["random"] = "random"
    snr_db: Decibels = 15.0
    """Median signal-to-noise ratio at one power unit, dB."""
    spread_db: Spread = 4.0
    """Standard deviation of the gain of a link, dB."""


class DistanceRadio(Model):
    """Log-distance path loss with shadowing that is a fixed function of place, and fading drawn for each link."""

    model: Literal["distance"] = "distance"
    snr_db: Decibels = 25.0
    """Signal-to-noise ratio at one power unit at the reference distance, dB."""
    reference_m: Positive = 50.0
    """Reference distance, m."""
    exponent: Annotated[Real, Field(gt=0, le=10)] = 3.0
    """Path-loss exponent."""
    shadowing_db: Spread = 4.0
    """Standard deviation of the shadowing over places, dB."""
    correlation_m: Positive = 30.0
    """Distance over which the shadowing stays alike, m."""
    spread_db: Spread = 2.0
    """Standard deviation of the fading of a link, dB."""


class AirRadio(Model):
    """Free space from above, less a loss that depends on the line of sight (Al-Hourani, by elevation angle)."""

    model: Literal["air"] = "air"
    snr_db: Decibels = 25.0
    """Signal-to-noise ratio at one power unit at the reference distance with a line of sight, dB."""
    reference_m: Positive = 100.0
    """Reference distance, m."""
    exponent: Annotated[Real, Field(gt=0, le=10)] = 2.0
    """Path-loss exponent."""
    a: Positive = 9.61
    """First environment parameter of the line-of-sight probability (9.61: urban)."""
    b: Positive = 0.16
    """Second environment parameter of the line-of-sight probability, 1/degree (0.16: urban)."""
    line_of_sight_loss_db: Spread = 1.0
    """Excess loss with a line of sight, dB."""
    blocked_loss_db: Spread = 20.0
    """Excess loss without a line of sight, dB."""
    correlation_m: Positive = 30.0
    """Distance over which the line of sight stays alike, m."""
    spread_db: Spread = 1.0
    """Standard deviation of the fading of a link, dB."""


Radio = Annotated[RandomGains | DistanceRadio | AirRadio, Field(discriminator="model")]


class PowerLawAccuracy(Model):
    """Error 1 - R = scale U^(1/shape), U uniform."""

    model: Literal["power-law"] = "power-law"
    scale: Annotated[Real, Field(gt=0, le=1)] = 0.5
    """Largest error."""
    shape: Positive = 6.0
    """Inverse of the exponent of U; above twice the accuracy exponent the match value has a finite variance."""
    pixels: Annotated[Whole, Field(gt=0, le=1_000_000_000)] | None = None
    """With k pixels, the accuracy is the matched share, Binomial(k, R)/k, of (7) and (8)."""


class LogNormalAccuracy(Model):
    """Error 1 - R log-normal."""

    model: Literal["log-normal"] = "log-normal"
    median_error: Annotated[Real, Field(gt=0, le=1)] = 0.34
    """Median error."""
    log_sd: LogSd = 0.15
    """Standard deviation of the logarithm of the error."""
    pixels: Annotated[Whole, Field(gt=0, le=1_000_000_000)] | None = None
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
    bidding: Bidding = Field(default={"all": "truthful"})
    """How they bid: `truthful` or `shade=FACTOR` (FACTOR times the value), for all or by provider name."""

    @model_validator(mode="after")
    def _placed_or_counted(self) -> Providers:
        if self.placed is not None and self.count is not None:
            refuse(Problem((), "says both 'count' and 'placed'; keep one of them"))
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
            refuse(Problem((), "has no ground station; set 'count' to 1 or more"))
        return self


class Uavs(Providers):
    """The hovering UAVs: `radius_m` is the footprint on the ground."""

    ring_m: NonNegative = 0.0
    """Radius of the ring, m."""
    altitude_m: Positive = 100.0
    """Height above the road, m."""
    report_s: Period = 10.0
    """Seconds from one report of a UAV, and so from one renewal of its bid, to the next."""
    bids_on: Literal["report", "conditions", "value"] = "report"
    """What a UAV bids on: its last report, the public conditions, or its true value, which it is not to know."""
    radio: Radio = AirRadio()
    """Radio model of their links."""
    accuracy: Accuracy = LogNormalAccuracy()
    """Distribution of their accuracy."""
