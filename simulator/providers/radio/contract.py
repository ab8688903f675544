"""The contract of a radio model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from simulator.model import FloatArray, IntArray


class Antennas(NamedTuple):
    """The antennas of the providers of one kind.

    Attributes:
        x: positions, m east, shape (providers,).
        y: positions, m north, shape (providers,).
        altitude_m: height of a UAV above the road, m; 0 for stations, whose model says how high they are.
    """

    x: FloatArray
    y: FloatArray
    altitude_m: float

    def ground_m(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the distances of antennas from a place, on the ground, m, shape (links,).

        Args:
            x: place, m east.
            y: place, m north.
            links: indices of the antennas.
        """
        return np.hypot(self.x.take(links) - x, self.y.take(links) - y)


class RadioModel(Protocol):
    """The gains between places and the providers of one kind. A model is a fixed function of the place.

    It is made with the settings of the scenario, the antennas, and one random generator per provider.
    """

    def __init__(self, settings: Any, antennas: Antennas, generators: Sequence[np.random.Generator]) -> None: ...

    def gain_db(self, x: float, y: float, links: IntArray) -> FloatArray:
        """Return the received power over the sent power of links, without the fading of a single task, dB.

        Models without a noise of their own, such as `distance`, return the signal-to-noise ratio at one power unit.

        Args:
            x: place, m east.
            y: place, m north.
            links: indices of the antennas at the other end. A place in a city needs those that cover it.

        Returns:
            Gains, dB, shape (links,). The gain of a link must not depend on which others are asked for.
        """
        ...
