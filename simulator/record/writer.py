"""Parquet files of tables, written whole or row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from simulator.market.contracts import Column
from simulator.record.schema import TABLES, table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS_PER_GROUP = 16_384
"""Rows of a row group of a file. Only the last group of a file has fewer."""


class TableWriter:
    """The Parquet file of a table. Its bytes do not depend on how many rows come at a time.

    Args:
        path: the file.
        name: name of the table.
        extra: columns that mechanism and policy add to the table.
    """

    def __init__(self, path: Path, name: str, extra: Sequence[Column] = ()) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        empty = table(name, {column.name: () for column in (*TABLES[name], *extra)}, extra)
        # The same schema for every part: what pyarrow finds in a column could depend on its rows.
        self._schema: pa.Schema = pa.Schema.from_pandas(empty, preserve_index=False)
        self._sink = path.open("wb")
        self._file = pq.ParquetWriter(self._sink, self._schema)
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file. What waits is lost if the block has failed, and so is the file."""
        # Also a full disk, which shows when the rest is written, leaves no open file.
        with self._sink, self._file:
            if kind is None:
                self._write_groups(least=1)

    def write(self, rows: pd.DataFrame) -> None:
        """Add rows.

        Args:
            rows: rows of the table, with all its columns in order.
        """
        import pyarrow as pa

        self._waiting.append(pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False))
        if sum(map(len, self._waiting)) >= ROWS_PER_GROUP:
            self._write_groups(least=ROWS_PER_GROUP)

    def _write_groups(self, least: int) -> None:
        """Write what waits as row groups, as long as it has a number of rows."""
        import pyarrow as pa

        # One chunk: pyarrow begins a new page with each chunk of a column.
        rows = pa.concat_tables(self._waiting).combine_chunks() if self._waiting else self._schema.empty_table()
        while len(rows) >= least:
            self._file.write_table(rows.slice(0, ROWS_PER_GROUP), row_group_size=ROWS_PER_GROUP)
            rows = rows.slice(ROWS_PER_GROUP)
        self._waiting = [rows.combine_chunks()] if len(rows) else []


def release_memory() -> None:
    """Give the memory that pyarrow holds but does not use back to the system."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
