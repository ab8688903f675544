"""The radio map: what a link between a place and each provider is worth, up and down."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from simulator.draws import Draws
from simulator.errors import ScenarioError, shown
from simulator.model import BoolArray, FloatArray, IntArray
from simulator.model.channel import UNIT_DBM, noise_dbm, snr_ratio
from simulator.model.latency import Budget, Modem
from simulator.providers.fleet import Equipment, Fleet
from simulator.providers.kept import Kept
from simulator.providers.radio.contract import Antennas, RadioModel
from simulator.scenario.radio import RADIOS, BudgetRadio, OwnRadio, Radio
from simulator.scenario.scenario import Scenario

PLACES_BYTES = 16 * 2**20
"""Largest memory of the results at places, bytes. On generated roads all requests come from the same few places."""

MODEM_BYTES = 2 * 2**20
"""Largest memory of what is kept by neighbours, bytes."""

PLACE_BYTES = 400
"""Memory of a kept result besides its arrays, bytes: the place, the ids and the objects around the arrays."""


@functools.cache
def _model_class(name: str) -> Callable[[Any, Antennas, Sequence[np.random.Generator]], RadioModel]:
    """Return the class of a radio model by the name of its entry point.

    Raises:
        ScenarioError: it cannot be imported.
    """
    (entry,) = entry_points(group=RADIOS, name=name)
    try:
        found: Callable[[Any, Antennas, Sequence[np.random.Generator]], RadioModel] = entry.load()
    except Exception as error:  # a package of somebody else may fail in any way
        raise ScenarioError(
            f"radio model '{name}' cannot be loaded from {entry.value}: {type(error).__name__}: {shown(str(error))}"
        ) from None
    return found


class RadioMap:
    """Signal-to-noise ratios of every provider at a place, without the fading of the single link.

    Args:
        scenario: scenario with the radio models.
        fleet: providers.
        equipment: their bandwidths and powers, fields of shape (..., providers).
        draws: randomness of the run, for shadowing and lines of sight.

    Attributes:
        modem: what links make of their signal-to-noise ratio.
        along_path: whether the downlink of each provider has the gain of the place where it begins, shape (providers,).
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, equipment: Equipment, draws: Draws) -> None:
        generators, uavs = fleet.generators(draws, "radio"), fleet.uavs
        kinds = (
            (scenario.uavs.radio, slice(0, uavs), scenario.uavs.altitude_m),
            (scenario.stations.radio, slice(uavs, fleet.size), 0.0),
        )
        parts = [
            _Part(
                radio, Antennas(fleet.x[columns], fleet.y[columns], altitude), equipment, columns, generators[columns]
            )
            for radio, columns, altitude in kinds
        ]
        self.modem = modem_of(scenario, fleet)
        self.along_path: BoolArray = np.concatenate(
            [np.full(len(part.antennas.x), part.along_path) for part in parts], dtype=np.bool_
        )
        interfered = any(part.interferes for part in parts)

        def at(x: float, y: float, ids: bytes) -> Budget:
            """Return the budget of links at a place, to providers whose ids are given as bytes."""
            providers = np.frombuffer(ids, dtype=np.int64)
            if not ids:
                return Budget(np.empty((2, 0)))
            flying = int(providers.searchsorted(uavs))
            found = [
                part.at(x, y, links)
                for part, links in zip(parts, (providers[:flying], providers[flying:] - uavs), strict=True)
                if len(links)
            ]
            snr = np.concatenate([one for one, _ in found], axis=-1)
            if not interfered:
                return Budget(snr)
            quiet = [np.zeros(one.shape) if disturbed is None else disturbed for one, disturbed in found]
            return Budget(snr, np.concatenate(quiet, axis=-1))

        self._at = Kept(at, _bytes_of, PLACES_BYTES)

        def modems(ids: bytes) -> Modem:
            """Return what the links to providers make of their ratio, whose ids are given as bytes."""
            assert self.modem is not None
            return self.modem.of(np.frombuffer(ids, dtype=np.int64))

        # Places have the same few neighbours again and again.
        self._modems = Kept(modems, lambda modem: PLACE_BYTES + 5 * modem.share.nbytes, MODEM_BYTES)

    def modem_of(self, providers: IntArray) -> Modem | None:
        """Return what the links to providers make of their ratio; None if all reach Shannon's bound.

        Args:
            providers: ids of the providers.
        """
        return None if self.modem is None else self._modems(providers.tobytes())

    def at(self, x: float, y: float, providers: IntArray) -> Budget:
        """Return the budgets of the links to providers at one power unit.

        Args:
            x: place, m east.
            y: place, m north.
            providers: ids of the providers, ascending.
        """
        return self._at(x, y, providers.tobytes())


def _bytes_of(budget: Budget) -> int:
    """Return the memory of a kept budget, bytes."""
    return PLACE_BYTES + sum(array.nbytes for array in budget if array is not None)


class _Part:
    """The radio model of one kind of provider, with noise and interference."""

    def __init__(
        self,
        radio: Radio,
        antennas: Antennas,
        equipment: Equipment,
        columns: slice,
        generators: Sequence[np.random.Generator],
    ) -> None:
        name = radio.name if isinstance(radio, OwnRadio) else radio.model
        self._model = _model_class(name)(radio, antennas, generators)
        self.antennas, self.along_path = antennas, bool(radio.along_path)
        self._unit_db: FloatArray = np.zeros(len(antennas.x))
        self._coupling: FloatArray | None = None
        if isinstance(radio, BudgetRadio):
            up, down = equipment.bandwidth_mhz[:, columns]
            noise = noise_dbm(up, radio.noise_figure_db), noise_dbm(down, radio.vehicle_noise_figure_db)
            self._unit_db = UNIT_DBM - np.stack(noise)
            if radio.activity > 0.0:
                self._coupling = _coupling(radio, equipment.power_units[columns], down, noise[1])
        self.interferes = self._coupling is not None

    def at(self, x: float, y: float, links: IntArray) -> tuple[FloatArray, FloatArray | None]:
        """Return ratios at one power unit, and interference over noise, up and down, each of shape (2, links).

        Without activity there is no interference.
        """
        # Who disturbs a link need not cover the place.
        needed = links if self._coupling is None else np.arange(len(self.antennas.x))
        gain_db = np.asarray(self._model.gain_db(x, y, needed), dtype=np.float64)
        disturbed = None
        if self._coupling is not None:
            disturbed = np.zeros((2, len(links)))
            disturbed[1] = (self._coupling @ snr_ratio(gain_db))[links]
            gain_db = gain_db[links]
        # One ratio for both directions, unless the model has a noise that grows with the bandwidth.
        return np.broadcast_to(snr_ratio(gain_db + self._unit_db.take(links, axis=-1)), (2, len(links))), disturbed


def _coupling(radio: BudgetRadio, power_units: FloatArray, bandwidth_mhz: FloatArray, noise: FloatArray) -> FloatArray:
    """Return the interference over noise in each downlink, per gain of each disturbing link.

    The shape is (providers, providers), with the disturbed provider first.
    The mean power of the other providers on the carrier is spread evenly over their bandwidth. What vehicles send to
    other providers is left out.
    """
    providers = np.arange(len(power_units))
    shares_carrier = (providers[:, None] % radio.reuse == providers % radio.reuse) & (providers[:, None] != providers)
    overlap = np.minimum(1.0, bandwidth_mhz[:, None] / bandwidth_mhz)
    sent = radio.activity * power_units * snr_ratio(UNIT_DBM - noise)[:, None] * overlap
    return np.asarray(np.where(shares_carrier, sent, 0.0))


def modem_of(scenario: Scenario, fleet: Fleet) -> Modem | None:
    """Return what links make of their ratio; None if all links reach Shannon's bound.

    Args:
        scenario: scenario with the radio models.
        fleet: providers.
    """
    kinds = ((scenario.uavs.radio, fleet.uavs), (scenario.stations.radio, fleet.size - fleet.uavs))
    if not any(isinstance(radio, BudgetRadio) for radio, _ in kinds):
        return None
    rows = [
        (radio.shannon_share, radio.ceiling_bps_hz, radio.uplink_overhead, radio.downlink_overhead)
        if isinstance(radio, BudgetRadio)
        else (1.0, np.inf, 0.0, 0.0)
        for radio, count in kinds
        for _ in range(count)
    ]
    share, ceiling, up, down = np.array(rows).T
    return Modem(share, ceiling, np.stack([up, down]))
