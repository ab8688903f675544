"""Random fields over places: what is in the way of a link is the same whenever a vehicle comes to a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from simulator.model import FloatArray, IntArray
from simulator.model.channel import plane_wave_field

WAVES = 32
"""Number of plane waves in a random field over places."""


class PlaceField:
    """Standard normal random fields over places, one per provider.

    Each field is a fixed function of place: a vehicle that comes to a place again finds the same value.

    Args:
        generators: generator of each field.
        correlation_m: correlation length l, m.
        shape: correlation over a distance d: `gaussian` exp(-d^2 / (2 l^2)), or `exponential` exp(-d / l).
    """

    def __init__(
        self,
        generators: Sequence[np.random.Generator],
        correlation_m: float,
        shape: Literal["gaussian", "exponential"] = "gaussian",
    ) -> None:
        # The correlation of a sum of random plane waves is the characteristic function of the wave vector. Normal wave
        # vectors give a Gaussian correlation, and vectors of a bivariate Cauchy distribution an exponential one.
        fields = len(generators)
        waves, phases = np.empty((fields, WAVES, 2)), np.empty((fields, WAVES))
        for field, rng in enumerate(generators):
            waves[field], phases[field] = rng.standard_normal((WAVES, 2)), rng.uniform(0.0, 2.0 * math.pi, WAVES)
            if shape == "exponential":
                waves[field] /= np.abs(rng.standard_normal((WAVES, 1)))
        # One array, so that the fields of a few providers are copied once: x and y of the wave vectors, and phases.
        self._fields = np.stack([*(waves / correlation_m).transpose(2, 0, 1), phases], axis=1)

    def at(self, x: float, y: float, fields: IntArray) -> FloatArray:
        """Return the values of fields at a place, shape (fields,).

        Args:
            x: place, m east.
            y: place, m north.
            fields: indices of the fields.
        """
        chosen = self._fields if len(fields) == len(self._fields) else self._fields.take(fields, axis=0)
        return plane_wave_field(x, y, chosen[:, :2].swapaxes(1, 2), chosen[:, 2])

    def share(self, x: float, y: float, fields: IntArray) -> FloatArray:
        """Return the values of fields at a place as numbers uniform on 0..1, shape (fields,).

        Args:
            x: place, m east.
            y: place, m north.
            fields: indices of the fields.
        """
        return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in self.at(x, y, fields).tolist()])
