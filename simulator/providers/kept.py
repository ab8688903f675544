"""Results that are kept for later, as many as fit into a given memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Kept(Generic[Result]):
    """A function that keeps its results. When they need more memory than is allowed, the oldest go.

    Args:
        make: the function. Its results depend on its arguments only.
        bytes_of: function from a result to its memory, bytes.
        most_bytes: largest memory of the results, bytes.

    Attributes:
        bytes: memory of the results that are kept, bytes.
    """

    # A result has numbers for each provider that covers a place, so a fixed number of results bounds no memory.
    def __init__(self, make: Callable[..., Result], bytes_of: Callable[[Result], int], most_bytes: int) -> None:
        self._make, self._bytes_of, self._most = make, bytes_of, most_bytes
        self._results: dict[Hashable, Result] = {}
        self.bytes = 0

    def __call__(self, *key: Hashable) -> Result:
        """Return the result for some arguments.

        Args:
            key: arguments of the function.
        """
        found = self._results.get(key)
        if found is None:
            found = self._results[key] = self._make(*key)
            self.bytes += self._bytes_of(found)
            while self.bytes > self._most and len(self._results) > 1:
                self.bytes -= self._bytes_of(self._results.pop(next(iter(self._results))))
        return found
