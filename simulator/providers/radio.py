"""The radio map: signal-to-noise ratios at a place, from one radio model for stations and one for UAVs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from simulator.draws import Draws
from simulator.model import BoolArray, FloatArray
from simulator.model.channel import distance_snr_db, line_of_sight_probability, plane_wave_field, snr_ratio
from simulator.providers.fleet import Fleet
from simulator.scenario.providers import AirRadio, DistanceRadio, RandomGains
from simulator.scenario.scenario import Scenario

PLACES_KEPT = 4096
"""Number of places whose results are kept. On generated roads all requests come from the same few places."""

WAVES = 32
"""Number of plane waves in a random field over places."""


class PlaceField:
    """Standard normal random fields over places, one per provider.

    Each field is a fixed function of place: a vehicle that comes to a place again finds the same value.

    Args:
        generators: generator of each field.
        correlation_m: correlation length, m. The correlation over a distance d is exp(-d^2 / (2 correlation_m^2)).
    """

    def __init__(self, generators: Sequence[np.random.Generator], correlation_m: float) -> None:
        # The correlation of a sum of random plane waves is the characteristic function of the wave vector. Normal wave
        # vectors give a Gaussian correlation.
        fields = len(generators)
        draws = [(rng.standard_normal((WAVES, 2)), rng.uniform(0.0, 2.0 * math.pi, WAVES)) for rng in generators]
        self._waves = np.array([waves for waves, _ in draws]).reshape(fields, WAVES, 2) / correlation_m
        self._phases = np.array([phases for _, phases in draws]).reshape(fields, WAVES)

    def at(self, x: float, y: float) -> FloatArray:
        """Return the value of each field at a place, shape (fields,).

        Args:
            x: place, m east.
            y: place, m north.
        """
        return plane_wave_field(x, y, self._waves, self._phases)


class Radio:
    """The signal-to-noise ratio of every provider at a place, without the fading of the single link.

    Args:
        scenario: scenario with the radio models.
        fleet: providers.
        draws: randomness of the run, for shadowing and lines of sight.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, draws: Draws) -> None:
        self._fleet, generators = fleet, fleet.generators(draws, "radio")
        self._parts = [
            _part(radio, fleet, columns, altitude, generators[columns])
            for radio, columns, altitude in (
                (scenario.uavs.radio, slice(0, fleet.uavs), scenario.uavs.altitude_m),
                (scenario.stations.radio, slice(fleet.uavs, fleet.size), 0.0),
            )
        ]

        # The cache belongs to this object. A cache on the method would keep every object alive.
        @lru_cache(maxsize=PLACES_KEPT)
        def at(x: float, y: float) -> FloatArray:
            """Return the ratio of each provider at a place."""
            return snr_ratio(np.concatenate([part.unit_snr_db(x, y) for part in self._parts]))

        self._at = at

    def unit_snr(self, x: float, y: float) -> FloatArray:
        """Return the signal-to-noise ratio of each provider at one power unit, as a plain ratio, shape (providers,).

        Args:
            x: place, m east.
            y: place, m north.
        """
        return self._at(x, y)


class _Random:
    """The paper's channel: no place matters, and each link has its own fading."""

    def __init__(self, radio: RandomGains, count: int) -> None:
        self._snr_db = np.full(count, radio.snr_db)

    def unit_snr_db(self, x: float, y: float) -> FloatArray:
        return self._snr_db


class _Distance:
    """Log-distance path loss with shadowing over places."""

    def __init__(
        self,
        radio: DistanceRadio,
        x: FloatArray,
        y: FloatArray,
        altitude_m: float,
        generators: Sequence[np.random.Generator],
    ) -> None:
        self._radio, self._x, self._y, self._altitude_m = radio, x, y, altitude_m
        self._shadowing = PlaceField(generators, radio.correlation_m)
        self._snr_db = radio.snr_db

    def unit_snr_db(self, x: float, y: float) -> FloatArray:
        radio = self._radio
        distance = np.sqrt((self._x - x) ** 2 + (self._y - y) ** 2 + self._altitude_m**2)
        mean = distance_snr_db(distance, self._snr_db, radio.reference_m, radio.exponent)
        return np.asarray(mean + radio.shadowing_db * self._shadowing.at(x, y))


class _Air:
    """Path loss from above, with an excess loss that depends on the line of sight."""

    def __init__(
        self,
        radio: AirRadio,
        x: FloatArray,
        y: FloatArray,
        altitude_m: float,
        generators: Sequence[np.random.Generator],
    ) -> None:
        self._radio, self._x, self._y, self._altitude_m = radio, x, y, altitude_m
        self._field = PlaceField(generators, radio.correlation_m)
        self._snr_db = radio.snr_db

    def line_of_sight(self, x: float, y: float) -> BoolArray:
        """Tell which UAVs are in sight of a place, shape (UAVs,)."""
        elevation = np.degrees(np.arctan2(self._altitude_m, np.hypot(self._x - x, self._y - y)))
        probability = line_of_sight_probability(elevation, self._radio.a, self._radio.b)
        # Phi(field) is uniform on 0..1, so it is below the probability with that probability. Because the field changes
        # slowly, nearby places mostly have the same line of sight.
        share = [0.5 * math.erfc(-value / math.sqrt(2.0)) for value in self._field.at(x, y).tolist()]
        return np.asarray(share < probability)

    def unit_snr_db(self, x: float, y: float) -> FloatArray:
        radio = self._radio
        distance = np.sqrt((self._x - x) ** 2 + (self._y - y) ** 2 + self._altitude_m**2)
        free = distance_snr_db(distance, self._snr_db, radio.reference_m, radio.exponent)
        return np.asarray(free - np.where(self.line_of_sight(x, y), radio.line_of_sight_loss_db, radio.blocked_loss_db))


def _part(
    radio: RandomGains | DistanceRadio | AirRadio,
    fleet: Fleet,
    columns: slice,
    altitude_m: float,
    generators: Sequence[np.random.Generator],
) -> _Random | _Distance | _Air:
    """Return the radio model of one kind of provider."""
    x, y = fleet.x[columns], fleet.y[columns]
    if isinstance(radio, RandomGains):
        return _Random(radio, len(x))
    if isinstance(radio, DistanceRadio):
        return _Distance(radio, x, y, altitude_m, generators)
    return _Air(radio, x, y, altitude_m, generators)
