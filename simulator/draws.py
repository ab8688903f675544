"""All randomness of a world: one seed, and generators keyed by what they are for.

Each number depends on (seed, purpose, key) only. Two runs with one seed therefore draw the same numbers for the same
request, whatever the policy did in between. What belongs to a provider has the name of the provider in its key. So one
more provider changes no number of another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


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

    def generator(self, purpose: str, *key: int | str) -> np.random.Generator:
        """Return a new generator for one purpose.

        Args:
            purpose: what the numbers are for; the streams of different purposes are independent.
            key: further whole numbers and names, such as a block of vehicles and a provider.
        """
        # A generator takes about 8 microseconds to make: requests are drawn in blocks, with one generator per block.
        words = [self.seed, _word(purpose), *(_word(part) if isinstance(part, str) else part for part in key)]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


@lru_cache(maxsize=4096)
def _word(text: str) -> int:
    """Return a text as a number of 64 bits."""
    # With 32 bits, two of 600 names would collide in one of 24,000 scenarios, and draw the same numbers.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
