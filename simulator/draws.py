"""All randomness of a world: one seed, and generators keyed by what they are for.

Each number depends on (seed, purpose, key) only. Two runs with one seed therefore draw the same numbers for the same
request, whatever the policy did in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Stream: TypeAlias = Callable[[str], np.random.Generator]
"""Returns the generator of one quantity among those that are drawn together."""


@dataclass(frozen=True, slots=True)
class Draws:
    """The source of every random number of a world.

    Args:
        seed: the seed of the run, a whole number from 0 to 2**63 - 1.

    Example:
        >>> draws = Draws(7)
        >>> float(draws.generator("a", 1).random()) == float(draws.generator("a", 1).random())
        True
        >>> float(draws.generator("a", 1).random()) == float(draws.generator("b", 1).random())
        False
    """

    seed: int

    def generator(self, purpose: str, *key: int) -> np.random.Generator:
        """Return a new generator for one purpose.

        Args:
            purpose: what the numbers are for; the streams of different purposes are independent.
            key: further whole numbers, such as a block of vehicles.
        """
        # A generator takes about 8 microseconds to make: requests are drawn in blocks, with one generator per block.
        words = [self.seed, zlib.crc32(purpose.encode()), *key]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))

    def stream(self, purpose: str, *key: int) -> Stream:
        """Return a function from the name of a quantity to its own generator.

        Args:
            purpose: what the numbers are for.
            key: further whole numbers, such as a block of vehicles.
        """
        # One generator per quantity: one more provider does not shift what is drawn for other quantities.
        return lambda quantity: self.generator(f"{purpose}.{quantity}", *key)
