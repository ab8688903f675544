"""All randomness of the world: one seed, and generators keyed by what they are for.

Two runs with one seed draw the same numbers for the same request whatever the policy did in between, because each
number depends on (seed, purpose, key) only. A generator takes about 8 microseconds to make, so requests are drawn in
blocks, one generator a block.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Stream: TypeAlias = Callable[[str], np.random.Generator]
"""The generator of one quantity among those that are drawn together."""


def generator(seed: int, purpose: str, *key: int) -> np.random.Generator:
    """The generator of one purpose.

    Args:
        seed: the seed of the run.
        purpose: what the numbers are for; streams of different purposes are independent.
        key: further whole numbers, such as a block of vehicles.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *key])))


def stream(seed: int, purpose: str, *key: int) -> Stream:
    """A generator for each quantity of a block, so that one more provider shifts nothing that others draw."""
    return lambda quantity: generator(seed, f"{purpose}.{quantity}", *key)
