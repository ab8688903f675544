"""Radio models whose noise is part of the gain: they return the signal-to-noise ratio at one power unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.model import BoolArray, FloatArray, IntArray
from simulator.model.channel import distance_snr_db, line_of_sight_probability
from simulator.providers.radio.contract import Antennas
from simulator.providers.radio.place_field import PlaceField
from simulator.scenario.radio import AirRadio, DistanceRadio, RandomGains


class Random:
    """The paper's channel: no place matters, and each link has its own fading."""

    def __init__(self, settings: RandomGains, antennas: Antennas, generators: Sequence[np.random.Generator]) -> None:
        self._snr_db = settings.snr_db

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the median ratio, which is the same everywhere."""
        return np.full(len(links), self._snr_db)


class Distance:
    """Log-distance path loss with shadowing over places."""

    def __init__(self, settings: DistanceRadio, antennas: Antennas, generators: Sequence[np.random.Generator]) -> None:
        self._settings, self._antennas = settings, antennas
        self._shadowing = PlaceField(generators, settings.correlation_m)

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the ratios at a place, with their shadowing."""
        mean = _ratio_db(self._settings, self._antennas, x, y, links)
        return np.asarray(mean + self._settings.shadowing_db * self._shadowing.at(x, y, links))


class Air:
    """Path loss from above, with an excess loss that depends on the line of sight."""

    def __init__(self, settings: AirRadio, antennas: Antennas, generators: Sequence[np.random.Generator]) -> None:
        self._settings, self._antennas = settings, antennas
        self._field = PlaceField(generators, settings.correlation_m)

    def line_of_sight(self, x: float, y: float, links: IntArray) -> BoolArray:
        """Tell which of some UAVs are in sight of a place, shape (links,)."""
        antennas = self._antennas
        elevation = np.degrees(np.arctan2(antennas.altitude_m, antennas.ground_m(x, y, links)))
        probability = line_of_sight_probability(elevation, self._settings.a, self._settings.b)
        # A number uniform on 0..1 is below the probability with that probability. Because the field changes slowly,
        # nearby places mostly have the same line of sight.
        return np.asarray(self._field.share(x, y, links) < probability)

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the ratios at a place, in or out of sight."""
        settings = self._settings
        loss = np.where(self.line_of_sight(x, y, links), settings.line_of_sight_loss_db, settings.blocked_loss_db)
        return np.asarray(_ratio_db(settings, self._antennas, x, y, links) - loss)


def _ratio_db(
    settings: DistanceRadio | AirRadio, antennas: Antennas, x: float, y: float, links: IntArray
) -> FloatArray:
    """Return the mean signal-to-noise ratios at one power unit by the length of the links, dB."""
    distance = np.sqrt((antennas.x[links] - x) ** 2 + (antennas.y[links] - y) ** 2 + antennas.altitude_m**2)
    return distance_snr_db(distance, settings.snr_db, settings.reference_m, settings.exponent)
