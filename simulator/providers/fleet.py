"""All providers of a world as arrays: ids, places, coverage, equipment and bid factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.draws import Draws
from simulator.model import BoolArray, FloatArray, IntArray
from simulator.model.latency import transfer_s
from simulator.scenario.providers import Place, Providers
from simulator.scenario.scenario import Scenario

EQUIPMENT = ("uplink_mhz", "downlink_mhz", "power_units", "gpu_units", "cpu_units")
"""Fields of the scenario that describe equipment. Each is a span from which a value is drawn."""


class Equipment(NamedTuple):
    """The radio and computing equipment of providers.

    Attributes:
        bandwidth_mhz: uplink bandwidth B^u and downlink bandwidth B^d, MHz, shape (2, ..., providers).
        power_units: transmit power p^d, units of 100 mW, shape (..., providers).
        gpu_units: GPU speed f^g, 1e9 /s, shape (..., providers).
        cpu_units: CPU speed f^c, 1e9 bit/s, shape (..., providers).
    """

    bandwidth_mhz: FloatArray
    power_units: FloatArray
    gpu_units: FloatArray
    cpu_units: FloatArray

    def rows(self) -> FloatArray:
        """Return all fields as one array, shape (5, ..., providers), in the order of `EQUIPMENT`."""
        return np.stack([*self.bandwidth_mhz, self.power_units, self.gpu_units, self.cpu_units])


class Fleet:
    """All providers by id. The U UAVs have the ids 0 to U-1, the ground stations the ids from U on.

    Args:
        scenario: scenario that lists the providers.

    Attributes:
        uavs: number U of UAVs.
        size: number of providers.
        names: names of the providers.
        is_uav: which providers are UAVs, shape (providers,).
        x: positions, m east, shape (providers,).
        y: positions, m north, shape (providers,).
        radius_m: coverage radii on the ground, m, shape (providers,).
        owners: owners of the providers.
        migration_s: time in which the twin of a vehicle moves to each provider, s, shape (providers,).
        bidders: names of the bidders that answer for the providers, with their parameters.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.uavs = scenario.uavs.total()
        self.names = [*scenario.uav_names(), *scenario.station_names()]
        self.size = len(self.names)
        self.is_uav: BoolArray = np.arange(self.size) < self.uavs
        groups = ((scenario.uavs, self.names[: self.uavs]), (scenario.stations, self.names[self.uavs :]))
        places = [place for providers, _ in groups for place in _places(providers)]
        self.x = np.array([place[0] for place in places])
        self.y = np.array([place[1] for place in places])
        self.radius_m = np.array([place[2] for place in places])
        self._circles = np.stack([self.x, self.y, self.radius_m])
        backhaul = [rate for providers, _ in groups for rate in _backhaul(providers)]
        self.migration_s = transfer_s(scenario.tasks.twin_mb, np.array(backhaul))
        self.owners = [providers.owners.get(name, name) for providers, names in groups for name in names]
        self.bidders = [providers.bidder_of(name) for providers, names in groups for name in names]
        self._low, self._high = {}, {}
        for field in EQUIPMENT:
            spans = np.array([span for providers, _ in groups for span in _spans(providers, field)]).reshape(-1, 2)
            self._low[field], self._high[field] = spans[:, 0], spans[:, 1]

    def generators(self, draws: Draws, purpose: str, *key: int) -> list[np.random.Generator]:
        """Return a generator of each provider, by id. It does not depend on the other providers.

        Args:
            draws: randomness of the world.
            purpose: what the numbers are for.
            key: further whole numbers, such as a block of requests.
        """
        return [draws.generator(purpose, *key, name) for name in self.names]

    def circles(self, providers: IntArray | Sequence[int] | None = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return positions, m east and m north, and coverage radii of providers, m.

        Args:
            providers: their ids; None for all.
        """
        x, y, radius_m = self._circles if providers is None else self._circles.take(providers, axis=1)
        return x, y, radius_m

    def draw_equipment(self, generators: Sequence[np.random.Generator], shape: tuple[int, ...] = ()) -> Equipment:
        """Draw equipment uniformly from the spans of the scenario.

        Args:
            generators: generator of each provider, by id.
            shape: shape of the draw for each provider; () for one value.

        Returns:
            Equipment, fields of shape (*shape, providers).
        """
        drawn = np.stack([rng.random((len(EQUIPMENT), *shape)) for rng in generators], axis=-1)
        uplink, downlink, *others = (
            self._low[field] + (self._high[field] - self._low[field]) * share
            for field, share in zip(EQUIPMENT, drawn, strict=True)
        )
        return Equipment(np.stack([uplink, downlink]), *others)


def _places(providers: Providers) -> list[tuple[float, float, float]]:
    """Return position and coverage radius of each provider of a kind: m east, m north, m."""
    if providers.placed is not None:
        return [(place.x, place.y, place.radius_m or providers.radius_m) for place in providers.placed]
    count, (center_x, center_y) = providers.total(), providers.center
    angles = [math.radians(providers.first_angle_deg) + 2 * math.pi * n / count for n in range(count)]
    return [
        (
            center_x + providers.ring_m * math.cos(angle),
            center_y + providers.ring_m * math.sin(angle),
            providers.radius_m,
        )
        for angle in angles
    ]


def _backhaul(providers: Providers) -> list[float]:
    """Return the rate of the backhaul of each provider of a kind, Mbit/s: its own, else that of its kind."""
    if providers.placed is None:
        return [providers.backhaul_mbps] * providers.total()
    return [place.backhaul_mbps or providers.backhaul_mbps for place in providers.placed]


def _spans(providers: Providers, field: str) -> list[tuple[float, float]]:
    """Return the span of a field for each provider of a kind: its own, else that of its kind."""
    of_kind = getattr(providers, field)
    places: tuple[Place | None, ...] = providers.placed or (None,) * providers.total()
    return [getattr(place, field) or of_kind if place is not None else of_kind for place in places]
