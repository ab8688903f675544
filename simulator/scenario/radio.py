"""Settings of the radio models: the paper's gains, log-distance models, and those of 3GPP."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from simulator.errors import nearest
from simulator.scenario.fields import Decibels, Model, NonNegative, Positive, Problem, Real, Spread, Whole, refuse

RADIOS = "dmsb.radios"
"""Group of the entry points of radio models."""


AERIAL_M = 22.5, 300.0
"""Altitudes for which the tables of TR 36.777 hold: above the first and up to the second, m."""


class RandomGains(Model):
    """The paper's channel: a log-normal gain drawn for each link, independent of the distance."""

    along_path: ClassVar[bool] = False

    model: Literal["random"] = "random"
    snr_db: Decibels = 15.0
    """Median of the signal-to-noise ratio at one power unit, dB."""
    spread_db: Spread = 4.0
    """Standard deviation of the gain of a link, dB."""


class DistanceRadio(Model):
    """Log-distance path loss, shadowing that is a fixed function of the place, and fading drawn for each link."""

    along_path: ClassVar[bool] = False

    model: Literal["distance"] = "distance"
    snr_db: Decibels = 25.0
    """Signal-to-noise ratio at one power unit and at the reference distance, dB."""
    reference_m: Positive = 50.0
    """Reference distance, m."""
    exponent: Annotated[Real, Field(gt=0, le=10)] = 3.0
    """Path-loss exponent."""
    shadowing_db: Spread = 4.0
    """Standard deviation of the shadowing over all places, dB."""
    correlation_m: Positive = 30.0
    """Correlation length l of the shadowing, m: the correlation at distance d is exp(-d^2 / (2 l^2))."""
    spread_db: Spread = 2.0
    """Standard deviation of the fading of a link, dB."""


class AirRadio(Model):
    """Free-space path loss plus an excess loss that depends on the line of sight (Al-Hourani et al. 2014)."""

    along_path: ClassVar[bool] = False

    model: Literal["air"] = "air"
    snr_db: Decibels = 25.0
    """Signal-to-noise ratio in free space at one power unit and at the reference distance, dB."""
    reference_m: Positive = 100.0
    """Reference distance, m."""
    exponent: Annotated[Real, Field(gt=0, le=10)] = 2.0
    """Path-loss exponent."""
    a: Positive = 9.61
    """Parameter a of the line-of-sight probability 1 / (1 + a exp(-b (elevation - a))); urban: 9.61."""
    b: Positive = 0.16
    """Parameter b of the line-of-sight probability, 1/degree; urban: 0.16."""
    line_of_sight_loss_db: Spread = 1.0
    """Excess loss with a line of sight, dB."""
    blocked_loss_db: Spread = 20.0
    """Excess loss without a line of sight, dB."""
    correlation_m: Positive = 30.0
    """Correlation length of the random field over places that decides the line of sight, m."""
    spread_db: Spread = 1.0
    """Standard deviation of the fading of a link, dB."""


Share = Annotated[Real, Field(ge=0, le=1)]
"""A number from 0 to 1."""


class BudgetRadio(Model):
    """Settings that the models with a link budget have in common: thermal noise, modulation, interference."""

    carrier_ghz: Annotated[Real, Field(ge=0.5, le=100)] = 3.5
    """Carrier frequency, GHz."""
    vehicle_m: Annotated[Real, Field(gt=1, lt=13)] = 1.5
    """Height of a vehicle's antenna, m."""
    noise_figure_db: Annotated[Real, Field(ge=0, le=30)] = 5.0
    """Noise figure of the provider's receiver, dB."""
    vehicle_noise_figure_db: Annotated[Real, Field(ge=0, le=30)] = 9.0
    """Noise figure of a vehicle's receiver, dB."""
    shannon_share: Annotated[Real, Field(gt=0, le=1)] = 0.75
    """Share of Shannon's bound that coding and modulation reach."""
    ceiling_bps_hz: Positive = 7.4063
    """Efficiency of the highest modulation, bit/s/Hz: 256QAM has 7.4063, 64QAM 5.5547."""
    uplink_overhead: Annotated[Real, Field(ge=0, lt=1)] = 0.08
    """Share of the uplink that control signals take."""
    downlink_overhead: Annotated[Real, Field(ge=0, lt=1)] = 0.14
    """Share of the downlink that control signals take."""
    reuse: Annotated[Whole, Field(ge=1, le=100)] = 3
    """Number of carriers. Every so many providers in the list, one has the same carrier."""
    activity: Share = 0.0
    """Share of the time in which the other providers on a carrier send. Their mean power disturbs downlinks."""
    shadowing: bool = True
    """Whether links have shadowing, with the standard deviations of the model."""
    sight_correlation_m: Positive = 50.0
    """Correlation length of the state "in sight" over places, m."""
    spread_db: Spread = 2.0
    """Standard deviation of the fading of a link, dB. It is drawn once for a task."""
    along_path: bool = False
    """Whether the downlink has the gain of the place where it begins, and not that of the request."""


class UmiRadio(BudgetRadio):
    """Urban micro cell in a street canyon, UMi of 3GPP TR 38.901: a station below the roofs."""

    model: Literal["umi"] = "umi"
    height_m: Annotated[Real, Field(gt=1, le=150)] = 10.0
    """Height of the station's antenna, m."""


class UmaRadio(BudgetRadio):
    """Urban macro cell, UMa of 3GPP TR 38.901: a station above the roofs."""

    model: Literal["uma"] = "uma"
    height_m: Annotated[Real, Field(gt=1, le=150)] = 25.0
    """Height of the station's antenna, m."""


class UmiAvRadio(BudgetRadio):
    """UMi-AV of 3GPP TR 36.777: an antenna at an altitude of 22.5 to 300 m above streets."""

    model: Literal["umi-av"] = "umi-av"


class UmaAvRadio(BudgetRadio):
    """UMa-AV of 3GPP TR 36.777: an antenna at an altitude of 22.5 to 300 m above roofs."""

    model: Literal["uma-av"] = "uma-av"


class AlHouraniRadio(BudgetRadio):
    """Free space plus an excess loss by the line of sight, which the elevation decides (Al-Hourani et al. 2014)."""

    model: Literal["al-hourani"] = "al-hourani"
    a: Positive = 9.61
    """Parameter a of the line-of-sight probability 1 / (1 + a exp(-b (elevation - a))); urban: 9.61."""
    b: Positive = 0.16
    """Parameter b of the line-of-sight probability, 1/degree; urban: 0.16."""
    line_of_sight_loss_db: NonNegative = 1.0
    """Excess loss with a line of sight, dB."""
    blocked_loss_db: NonNegative = 20.0
    """Excess loss without a line of sight, dB."""


class OwnRadio(BudgetRadio):
    """A radio model of another package, found by its entry point in the group `dmsb.radios`."""

    model: Literal["own"] = "own"
    name: str
    """Name of the entry point."""
    options: dict[str, bool | float | str] = Field(default={})
    """Settings of the model, by name."""

    @model_validator(mode="after")
    def _known(self) -> OwnRadio:
        known = sorted(entry_points(group=RADIOS).names)
        if self.name not in known:
            refuse(Problem(("name",), f"there is no radio model '{self.name}'; {nearest(self.name, known)}"))
        return self


# The field `model` selects one class, so that a message is about the fields of that class only.
Radio = Annotated[
    RandomGains | DistanceRadio | AirRadio | UmiRadio | UmaRadio | UmiAvRadio | UmaAvRadio | AlHouraniRadio | OwnRadio,
    Field(discriminator="model"),
]
"""Radio model of a kind of provider."""
