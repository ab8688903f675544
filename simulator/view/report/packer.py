"""Columns of numbers as one block of bytes, as the page unpacks them."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.model import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

FINEST_S = 1e-6
"""Finest resolution of a time in a page, s. An hour has 10 microseconds, and a day 100."""

TIMES = ("time", "entered", "left", "requested", "ended")
"""Columns of times that reach farthest: stages are between a request and the end of its task."""

MOST_TICKS = 2**31 - 1
NO_TIME = -(2**31)
"""Number of ticks that stands for a time that never came."""


class Packer:
    """Columns of numbers, one after the other.

    A column has one of these types: ``f8``, ``f4``, ``i4``, ``u2``, ``u1`` as numpy names them, or ``t4``. That is a
    time: ticks of `tick_s` since `begin`, each minus the one before, as 32-bit integers that wrap around. The digits
    of a time that nobody sees would be half of a page.

    Args:
        begin: time of tick 0, s.
        tables: tables whose times are packed. The farthest from tick 0 decides how long a tick is.

    Attributes:
        begin: time of tick 0, s.
        tick_s: length of a tick, s.
    """

    def __init__(self, begin: float, tables: Sequence[pd.DataFrame]) -> None:
        self.begin = begin
        times = [table[name].to_numpy() for table in tables for name in table if name in TIMES]
        farthest = max((np.abs(one[np.isfinite(one)] - begin).max(initial=0.0) for one in times), default=0.0)
        digits = math.ceil(math.log10(max(farthest / MOST_TICKS, FINEST_S)) - 1e-9)
        self.tick_s = float(f"1e{digits}")
        self._parts: list[bytes] = []
        self._at = 0

    def add(self, table: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, list[Any]]:
        """Add columns of a table, and return type, first byte and number of rows of each by name."""
        return {name: self._add(table[name], kind) for name, kind in columns.items()}

    def _add(self, column: pd.Series, kind: str) -> list[Any]:
        """Add one column, and return its type, first byte and number of rows."""
        # Little-endian: typed arrays of JavaScript have the byte order of the processor, which is nearly always this.
        # Each column begins at a multiple of 8 bytes, because a Float64Array cannot begin anywhere else.
        values = (column.cat.codes if column.dtype == "category" else column).to_numpy()
        data = (self._ticks(values.astype(np.float64)) if kind == "t4" else values.astype(f"<{kind}")).tobytes()
        place = [kind, self._at, len(column)]
        data += bytes(-len(data) % 8)
        self._parts.append(data)
        self._at += len(data)
        return place

    def _ticks(self, times: FloatArray) -> IntArray:
        """Return times as ticks, each minus the one before."""
        # Only a signal that changed long before is farther: it has changed before the part, whenever that was.
        ticks = np.clip(np.round((times - self.begin) / self.tick_s), -MOST_TICKS, MOST_TICKS)
        whole = np.where(np.isnan(times), NO_TIME, ticks).astype(np.int64)
        # The upper half is dropped: a difference that does not fit wraps around, and so does the sum in the page.
        return np.diff(whole, prepend=0).astype(np.uint64).astype("<u4")

    def text(self) -> str:
        """Return all columns, compressed, as base64 text."""
        # Without a time stamp the same run gives the same bytes.
        return base64.b64encode(gzip.compress(b"".join(self._parts), 6, mtime=0)).decode("ascii")
