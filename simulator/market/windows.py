"""Requests that wait for the end of a window, in which a mechanism clears them together."""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy

from simulator.clock import until
from simulator.market.auction import Auction


class Windows:
    """The windows of a mechanism. Their ends are multiples of their length.

    A window whose end nobody waits for does not exist: an empty market makes no events.

    Args:
        env: the SimPy environment.
        every_s: length of a window, s, above 0.
        most_lots: number of requests at which a window closes before its end; 0 for no limit.
        close: function that is called with what waits when a window closes.

    Attributes:
        waiting: auctions that wait.
    """

    def __init__(
        self, env: simpy.Environment, every_s: float, most_lots: int, close: Callable[[list[Auction]], None]
    ) -> None:
        self.waiting: list[Auction] = []
        self._env, self._every_s, self._most_lots, self._on_close = env, every_s, most_lots, close
        self._number = self._opened = 0

    def take(self, auction: Auction) -> None:
        """Let a new request wait, and close the window if as many wait as are cleared together.

        Args:
            auction: auction of the request.
        """
        self.wait_again(auction)
        if 0 < self._most_lots <= len(self.waiting):
            self._number -= 1  # what comes before its end opens it again
            self._close(self._opened)

    def wait_again(self, auction: Auction) -> None:
        """Let an auction wait for the next window that closes.

        Args:
            auction: an auction that has not been sold.
        """
        if not self.waiting:
            self._open()
        self.waiting.append(auction)

    def _open(self) -> None:
        """Let the window close at the next multiple of its length."""
        # A quotient may be rounded down at the end of the window that has just closed: no window comes twice.
        self._number = max(math.floor(self._env.now / self._every_s), self._number) + 1
        wake = until(self._env, self._number * self._every_s)
        assert wake.callbacks is not None
        self._opened += 1
        opened = self._opened
        wake.callbacks.append(lambda _: self._close(opened))

    def _close(self, opened: int) -> None:
        """Hand over what waits.

        Args:
            opened: which opening of a window this is the end of. It may have been closed before its end.
        """
        if opened == self._opened and self.waiting:
            waiting, self.waiting = self.waiting, []
            self._on_close(waiting)
