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
        # A generator takes about 5 microseconds to make: requests are drawn in blocks, with one generator per block.
        words = [*_words(self.seed), *_words(purpose)]
        for part in key:
            words += _words(part)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(np.array(words, dtype=np.uint32))))


@lru_cache(maxsize=4096)
def _words(part: int | str) -> tuple[int, ...]:
    """Return a whole number >= 0, or the hash of a text, as words of 32 bits, the lowest first.

    That is what numpy makes of a whole number, in half of the time.
    """
    # With 32 bits, two of 600 names would collide in one of 24,000 scenarios, and draw the same numbers.
    number = int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest()) if isinstance(part, str) else part
    count = max(1, -(-number.bit_length() // 32))
    return tuple((number >> 32 * place) & 0xFFFFFFFF for place in range(count))
