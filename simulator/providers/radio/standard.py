"""Radio models with a line-of-sight state: 3GPP's for stations and from above, and Al-Hourani's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.model import BoolArray, FloatArray, IntArray
from simulator.model.channel import line_of_sight_probability
from simulator.model.path_loss import (
    free_space_db,
    macro_cell_db,
    macro_from_above_db,
    macro_sight_from_above,
    macro_spread_from_above_db,
    micro_from_above_db,
    micro_sight_from_above,
    micro_spread_from_above_db,
    sight_in_streets,
    street_canyon_db,
)
from simulator.providers.radio.contract import Antennas
from simulator.providers.radio.place_field import PlaceField
from simulator.scenario.radio import AlHouraniRadio, BudgetRadio, UmaAvRadio, UmaRadio, UmiAvRadio, UmiRadio

MICRO_M, MACRO_M = (10.0, 13.0), (37.0, 50.0)
"""Correlation lengths of the shadowing in and out of sight (TR 38.901, table 7.5-6), m.

TR 36.777 gives none, so the aerial models have those of the cells that they look down on.
"""

MICRO_DECAY_M, MACRO_DECAY_M = 36.0, 63.0
"""Distances p in the probability of a line of sight (TR 38.901, table 7.4.2-1), m."""


class Shadowing(NamedTuple):
    """The shadowing of a model, in sight and out of sight.

    Attributes:
        spread_db: standard deviations, dB.
        correlation_m: correlation lengths, m.
    """

    spread_db: tuple[float, float]
    correlation_m: tuple[float, float]


class SightedRadio:
    """Base of models in which each link is in sight or not, and has loss and shadowing of that state.

    A subclass has `shadowing`, `sight` and `losses_db`. The state is a fixed function of the place, with a correlation
    length of its own, and so are the two shadowings.
    """

    def __init__(self, settings: BudgetRadio, antennas: Antennas, generators: Sequence[np.random.Generator]) -> None:
        self._settings, self._antennas = settings, antennas
        shadowing = self.shadowing()
        self._spread = [spread if settings.shadowing else 0.0 for spread in shadowing.spread_db]
        self._state = PlaceField(generators, settings.sight_correlation_m)
        self._seen, self._hidden = (PlaceField(generators, one, "exponential") for one in shadowing.correlation_m)

    def shadowing(self) -> Shadowing:
        """Return standard deviations and correlation lengths of the shadowing."""
        raise NotImplementedError

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of a line of sight by the distances on the ground."""
        raise NotImplementedError

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the path losses in and out of sight by the distances on the ground, dB."""
        raise NotImplementedError

    def line_of_sight(self, x: float, y: float, links: IntArray) -> BoolArray:
        """Tell which providers are in sight of a place, shape (links,).

        Args:
            x: place, m east.
            y: place, m north.
            links: indices of the antennas.
        """
        return self._in_sight(x, y, links, self._antennas.ground_m(x, y, links))

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the received power over the sent power of links, with their shadowing, dB, shape (links,).

        Args:
            x: place, m east.
            y: place, m north.
            links: indices of the antennas.
        """
        ground_m = self._antennas.ground_m(x, y, links)
        seen, hidden = self.losses_db(ground_m)
        seen = seen + self._spread[0] * self._seen.at(x, y, links)
        hidden = hidden + self._spread[1] * self._hidden.at(x, y, links)
        return -np.where(self._in_sight(x, y, links, ground_m), seen, hidden)

    def _in_sight(self, x: float, y: float, links: IntArray, ground_m: FloatArray) -> BoolArray:
        """Tell which providers are in sight of a place at given distances on the ground, shape (links,)."""
        return np.asarray(self._state.share(x, y, links) < self.sight(ground_m))


class StreetCanyon(SightedRadio):
    """UMi street canyon of TR 38.901."""

    _settings: UmiRadio

    def shadowing(self) -> Shadowing:
        """Return those of table 7.4.1-1 and table 7.5-6."""
        return Shadowing((4.0, 7.82), MICRO_M)

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of table 7.4.2-1."""
        return sight_in_streets(ground_m, MICRO_DECAY_M)

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the losses of table 7.4.1-1."""
        settings = self._settings
        return street_canyon_db(ground_m, settings.height_m, settings.vehicle_m, settings.carrier_ghz)


class MacroCell(SightedRadio):
    """UMa of TR 38.901."""

    _settings: UmaRadio

    def shadowing(self) -> Shadowing:
        """Return those of table 7.4.1-1 and table 7.5-6."""
        return Shadowing((4.0, 6.0), MACRO_M)

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of table 7.4.2-1."""
        return sight_in_streets(ground_m, MACRO_DECAY_M)

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the losses of table 7.4.1-1."""
        settings = self._settings
        return macro_cell_db(ground_m, settings.height_m, settings.vehicle_m, settings.carrier_ghz)


# The tables of TR 36.777 are for an aerial user and a base station in the street. For a UAV that serves and a vehicle
# below it they are an approximation.
class MicroFromAbove(SightedRadio):
    """UMi-AV of TR 36.777."""

    _settings: UmiAvRadio

    def shadowing(self) -> Shadowing:
        """Return those of table B-3."""
        return Shadowing(micro_spread_from_above_db(self._antennas.altitude_m), MICRO_M)

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of table B-1."""
        return micro_sight_from_above(ground_m, self._antennas.altitude_m)

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the losses of table B-2."""
        settings = self._settings
        return micro_from_above_db(ground_m, self._antennas.altitude_m, settings.vehicle_m, settings.carrier_ghz)


class MacroFromAbove(SightedRadio):
    """UMa-AV of TR 36.777."""

    _settings: UmaAvRadio

    def shadowing(self) -> Shadowing:
        """Return those of table B-3."""
        return Shadowing(macro_spread_from_above_db(self._antennas.altitude_m), MACRO_M)

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of table B-1."""
        return macro_sight_from_above(ground_m, self._antennas.altitude_m)

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the losses of table B-2."""
        settings = self._settings
        return macro_from_above_db(ground_m, self._antennas.altitude_m, settings.vehicle_m, settings.carrier_ghz)


class AlHourani(SightedRadio):
    """Free space, an excess loss by the state, and a line of sight by the elevation."""

    _settings: AlHouraniRadio

    def shadowing(self) -> Shadowing:
        """Return none: the excess losses are means that contain it."""
        return Shadowing((0.0, 0.0), MICRO_M)

    def sight(self, ground_m: FloatArray) -> FloatArray:
        """Return the probability of equation (5) of the source."""
        elevation = np.degrees(np.arctan2(self._antennas.altitude_m, ground_m))
        return line_of_sight_probability(elevation, self._settings.a, self._settings.b)

    def losses_db(self, ground_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return free space plus the excess losses."""
        settings = self._settings
        free = free_space_db(np.hypot(ground_m, self._antennas.altitude_m - settings.vehicle_m), settings.carrier_ghz)
        return free + settings.line_of_sight_loss_db, free + settings.blocked_loss_db
