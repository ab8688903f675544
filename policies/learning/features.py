"""Inputs of all networks: numbers on a logarithmic scale, except for flags and shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError
from simulator.market.contracts import MARKET_CONDITIONS, VECTOR_BIDS, PriceScale
from simulator.model import FloatArray

if TYPE_CHECKING:
    from simulator.market.contracts import Observation, Seat

FLOOR = 1e-3
"""Number that is added before the logarithm, so that 0 has a finite logarithm."""

LEAST_SD = 1e-2
"""Smallest standard deviation by which a feature is divided."""

LINEAR = ("0/1", "share")
"""Units whose numbers stay as they are."""


@dataclass(frozen=True)
class Inputs:
    """What a network sees.

    Attributes:
        names: names of the features, in order.
        linear: whether each feature stays as it is instead of becoming its logarithm.
    """

    names: tuple[str, ...]
    linear: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.names)

    def scaled(self, vectors: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """Return observations on a logarithmic scale, except for flags and shares.

        Args:
            vectors: observations, shape (..., features or more). What is beyond the last feature is left out.

        Returns:
            Features, shape (..., features).
        """
        # Times, loads, values and bids matter by their ratios, and a logarithm turns ratios into differences. Of a flag
        # it would only be another scale.
        vectors = np.asarray(vectors[..., : len(self)], dtype=np.float64)
        return np.where(self.linear, vectors, np.log(np.maximum(vectors, 0.0) + FLOOR))


# Bids enter by rank, not by name, so the price does not depend on who made which bid. Their number is fixed, so one set
# of weights serves any number of stations.
NAMES = (*MARKET_CONDITIONS, *(f"bid_{number}" for number in range(1, VECTOR_BIDS + 1)))
"""Names of the features of a price in order: the public conditions, then the visible bids by rank."""

PRICE_INPUTS = Inputs(NAMES, tuple(unit in LINEAR for unit, _ in MARKET_CONDITIONS.values()) + (False,) * VECTOR_BIDS)
"""What a network that sets a price scaling factor sees."""


ROUND = "round"
"""Name of the number in a seat's state that counts the steps of a sequence. At 0 a sequence begins."""


def check_sequence(inputs: Inputs) -> None:
    """Refuse a seat that does not count the steps of a sequence.

    Raises:
        InputError: it does not.
    """
    if ROUND not in inputs.names:
        raise InputError(
            f"policy gpt: needs a seat whose state has '{ROUND}', which is 0 where a sequence begins; "
            "take the mechanism double-dutch or madda"
        )


def inputs_of(seat: Seat) -> Inputs:
    """Return what a network in a seat sees: the conditions and bids for a price, else the numbers of the seat's state.

    Args:
        seat: the seat.
    """
    if isinstance(seat.space, PriceScale):
        return PRICE_INPUTS
    # A network has one length, so a column with one number per provider is left out.
    state = [column for column in seat.state if not column.per_provider]
    return Inputs(tuple(column.name for column in state), tuple(column.unit in LINEAR for column in state))


def vector_of(observation: Observation, inputs: Inputs) -> npt.NDArray[np.floating[Any]]:
    """Return an observation as an array, before any scale.

    Args:
        observation: what a policy sees.
        inputs: what its network sees.
    """
    if inputs == PRICE_INPUTS:
        return observation.vector()
    return np.array([float(observation.state[name]) for name in inputs.names])
