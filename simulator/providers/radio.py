"""Signal-to-noise ratios at a place: one radio model for the ground stations, one for the UAVs."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from simulator.draws import Draws
from simulator.model import BoolArray, FloatArray
from simulator.model.channel import distance_snr_db, line_of_sight_probability, plane_wave_field, snr_ratio
from simulator.providers.fleet import Fleet
from simulator.scenario.providers import AirRadio, DistanceRadio, RandomGains
from simulator.scenario.scenario import Scenario

PLACES_KEPT = 4096
"""Places whose radio map is kept: on a generated road all vehicles ask at the same few."""

WAVES = 32
"""Plane waves that a field over places is made of."""


class PlaceField:
    """Standard normal fields over places, one a provider: fixed functions of place for a seed."""

    def __init__(self, rng: np.random.Generator, fields: int, correlation_m: float) -> None:
        # The characteristic function of a normal wave vector is a Gaussian correlation over distance.
        draws = [(rng.standard_normal((WAVES, 2)), rng.uniform(0.0, 2.0 * math.pi, WAVES)) for _ in range(fields)]
        self._waves = np.array([waves for waves, _ in draws]).reshape(fields, WAVES, 2) / correlation_m
        self._phases = np.array([phases for _, phases in draws]).reshape(fields, WAVES)

    def at(self, x: float, y: float) -> FloatArray:
        """Value of each field there, shape (fields,)."""
        return plane_wave_field(x, y, self._waves, self._phases)


class Radio:
    """What the radio map says of every provider at a place; the fading of a link comes on top.

    Args:
        scenario: the scenario with its radio models.
        fleet: the providers.
        draws: the randomness of the run, which fixes shadowing and lines of sight.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, draws: Draws) -> None:
        self._fleet = fleet
        self._parts = [
            _part(radio, fleet, columns, altitude, draws.generator("radio", number))
            for number, (radio, columns, altitude) in enumerate(
                (
                    (scenario.uavs.radio, slice(0, fleet.uavs), scenario.uavs.altitude_m),
                    (scenario.stations.radio, slice(fleet.uavs, fleet.size), 0.0),
                )
            )
        ]

        @lru_cache(maxsize=PLACES_KEPT)
        def at(x: float, y: float) -> FloatArray:
            return snr_ratio(np.concatenate([part.unit_snr_db(x, y) for part in self._parts]))

        self._at = at

    def unit_snr(self, x: float, y: float) -> FloatArray:
        """Ratio of signal to noise of each provider at one power unit without fading, not in dB, shape (providers,)."""
        return self._at(x, y)


class _Random:
    def __init__(self, radio: RandomGains, count: int) -> None:
        self._snr_db = np.full(count, radio.snr_db)

    def unit_snr_db(self, x: float, y: float) -> FloatArray:
        return self._snr_db


class _Distance:
    def __init__(
        self, radio: DistanceRadio, x: FloatArray, y: FloatArray, altitude_m: float, rng: np.random.Generator
    ) -> None:
        self._radio, self._x, self._y, self._altitude_m = radio, x, y, altitude_m
        self._shadowing = PlaceField(rng, len(x), radio.correlation_m)
        self._snr_db = radio.snr_db

    def unit_snr_db(self, x: float, y: float) -> FloatArray:
        radio = self._radio
        distance = np.sqrt((self._x - x) ** 2 + (self._y - y) ** 2 + self._altitude_m**2)
        mean = distance_snr_db(distance, self._snr_db, radio.reference_m, radio.exponent)
        return np.asarray(mean + radio.shadowing_db * self._shadowing.at(x, y))


class _Air:
    def __init__(
        self, radio: AirRadio, x: FloatArray, y: FloatArray, altitude_m: float, rng: np.random.Generator
    ) -> None:
        self._radio, self._x, self._y, self._altitude_m = radio, x, y, altitude_m
        self._field = PlaceField(rng, len(x), radio.correlation_m)
        self._snr_db = radio.snr_db

    def line_of_sight(self, x: float, y: float) -> BoolArray:
        """Whether each UAV is in sight: a normal field over places below the quantile of the probability."""
        elevation = np.degrees(np.arctan2(self._altitude_m, np.hypot(self._x - x, self._y - y)))
        probability = line_of_sight_probability(elevation, self._radio.a, self._radio.b)
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
    rng: np.random.Generator,
) -> _Random | _Distance | _Air:
    x, y = fleet.x[columns], fleet.y[columns]
    if isinstance(radio, RandomGains):
        return _Random(radio, len(x))
    if isinstance(radio, DistanceRadio):
        return _Distance(radio, x, y, altitude_m, rng)
    return _Air(radio, x, y, altitude_m, rng)
