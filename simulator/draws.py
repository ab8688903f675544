"""All randomness of a world: one seed, and one generator per purpose.

A random number depends on (seed, purpose, key) only. Two runs with the same seed therefore draw the same numbers for
the same request, whatever their policies do. Creating a generator takes about 8 microseconds. Requests are therefore
drawn in blocks, with one generator per block.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Stream: TypeAlias = Callable[[str], np.random.Generator]
"""Function from the name of a quantity to the generator of that quantity."""


def generator(seed: int, purpose: str, *key: int) -> np.random.Generator:
    """Return the random generator of one purpose.

    Args:
        seed: the seed of the run.
        purpose: what the numbers are for. Generators of different purposes are independent.
        key: further integers >= 0, such as the number of a block of vehicles.
    """
    # crc32 gives the same number in every process; Python's hash() of a text does not.
    # PCG64 is named because numpy may change the algorithm behind default_rng().
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *key])))


def stream(seed: int, purpose: str, *key: int) -> Stream:
    """Return a function that gives each quantity of a block its own generator.

    Args:
        seed: the seed of the run.
        purpose: what the numbers of the block are for.
        key: further integers >= 0, such as the number of the block.
    """
    # With one generator for all quantities, one more provider would change what every later quantity draws.
    return lambda quantity: generator(seed, f"{purpose}.{quantity}", *key)
