"""Files that are read: regular ones only, each of a bounded size, so that no pipe, device or bomb holds a command up.

Every function here raises `OSError`, whose ``strerror`` says what is wrong, or `ValueError`. The caller adds the name
of the file and what would be right.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import math
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MIB, GIB = 1 << 20, 1 << 30

MOST_SCENARIO_BYTES = 2 * MIB
"""Largest scenario file: 30,000 placed stations. The YAML library reads 100 kB per second, so that it takes 20 s."""

MOST_JSON_BYTES = 16 * MIB
"""Largest JSON file: run.json, training.json, meta.json."""

MOST_LOG_BYTES = 1 * GIB
"""Largest metrics.csv of a training; a row has about 100 bytes."""

MOST_RECORDING_BYTES = 16 * GIB
"""Largest recording as XML or CSV after decompression: 120 million rows of a vehicle in SUMO's XML."""

MOST_TABLE_BYTES = 16 * GIB
"""Largest table in Parquet, a recording or a table of a run, as it stands in memory."""

MOST_FOLD = 200
"""Largest ratio of decompressed to compressed size.

Floating-car data in which nobody moves at all expand 156-fold, which is the most that was measured. Long runs of one
byte, of which bombs are made, reach the 1,032 that deflate can.
"""

FREE_BYTES = 64 * MIB
"""Below this decompressed size the ratio does not matter."""

BATCH_ROWS = 1 << 16
"""Rows of Parquet that are decoded at a time."""

MISSING = ("", "nan", "na", "n/a", "null", "none")
"""What stands for a number that is not there, in small or capital letters."""

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DECIMAL_COMMA = r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?"
_BLANKS = " \t"


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading, but no folder, pipe, socket or device, which could block or never end.

    Raises:
        OSError: it is not there, cannot be read, or is not a regular file.
    """
    try:
        _refuse_special(path.stat())
        # What has been replaced by a pipe since would block without O_NONBLOCK.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        stream = os.fdopen(os.open(path, flags), "rb")
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None
    try:
        _refuse_special(os.fstat(stream.fileno()))
    except OSError:
        stream.close()
        raise
    return stream


def _refuse_special(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "it is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file of at most ``most`` bytes.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger.
    """
    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size > most:
            raise _too_large(most)
        data = stream.read(most + 1) or b""
    if len(data) > most:
        raise _too_large(most)
    return data


def read_text(path: Path, most: int) -> str:
    """Read a regular file of at most ``most`` bytes of UTF-8.

    Raises:
        OSError: it cannot be read, is not a regular file, is larger, or is not UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "not UTF-8 text") from None


def read_json(path: Path, most: int = MOST_JSON_BYTES) -> Any:
    """Read JSON from a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger than ``most`` bytes.
        ValueError: it is not JSON, or has NaN or infinity in it, which JSON does not know.
    """
    return parse_json(read_text(path, most))


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a regular file, read piece by piece.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has NaN or infinity in it, which JSON does not know.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _too_large(most: int) -> OSError:
    size = f"{most / GIB:.4g} GiB" if most >= GIB else f"{most / MIB:.4g} MiB" if most >= MIB else f"{most} bytes"
    return OSError(errno.EFBIG, f"it is larger than {size}")


class _Bounded(io.RawIOBase):
    """A stream that ends in an error once it has given more than it may.

    Args:
        inner: the stream.
        packed: the file that ``inner`` decompresses; None if it decompresses nothing.
        most: the bytes that it may give.
    """

    def __init__(self, inner: io.BufferedReader | gzip.GzipFile, packed: io.BufferedReader | None, most: int) -> None:
        self._inner, self._packed, self._most, self._given = inner, packed, most, 0

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return the number of bytes."""
        data = self._inner.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self._given += len(data)
        if self._given > self._most:
            raise _too_large(self._most)
        if self._packed is not None and self._given > max(FREE_BYTES, MOST_FOLD * self._packed.tell()):
            raise OSError(errno.EFBIG, f"it expands more than {MOST_FOLD}-fold, which no recording does")
        return len(data)

    def close(self) -> None:
        """Close what it reads from."""
        super().close()
        self._inner.close()
        if self._packed is not None:
            self._packed.close()


def open_expanded(path: Path, most: int) -> io.BufferedReader:
    """Open a file, decompressed if its name ends in .gz; reading more than ``most`` bytes from it is an error.

    Raises:
        OSError: it is not there, cannot be read, or is not a regular file.
    """
    file = open_regular(path)
    if not path.name.lower().endswith(".gz"):
        return io.BufferedReader(_Bounded(file, None, most), 1 << 18)
    return io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=file), file, most), 1 << 18)


def parquet_names(path: Path) -> list[str]:
    """Return the names of all columns of a Parquet file.

    Raises:
        OSError: it cannot be read, or is not a regular file.
        Exception: it is damaged (whatever pyarrow raises).
    """
    import pyarrow.parquet as pq

    with open_regular(path) as stream:
        return list(pq.read_schema(stream).names)


def read_parquet(path: Path, columns: Collection[str]) -> pa.Table:
    """Read some columns of a Parquet file; text comes as plain strings.

    Args:
        path: the file.
        columns: the columns that are wanted; those that the file does not have are left out.

    Raises:
        OSError: it cannot be read, is not a regular file, or would take more memory than `MOST_TABLE_BYTES`.
        Exception: it is damaged (whatever pyarrow raises).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_regular(path) as stream:
        fields = [field for field in pq.read_schema(stream) if field.name in columns]
        stream.seek(0)
        # A dictionary keeps a long text once, however often it stands in the column.
        texts = [field.name for field in fields if not pa.types.is_nested(field.type)]
        file = pq.ParquetFile(stream, read_dictionary=texts, page_checksum_verification=True)
        names = [field.name for field in fields]
        # What the file says of its pages is not asked: pyarrow aborts the process where that is damaged.
        if 8 * file.metadata.num_rows * len(names) > MOST_TABLE_BYTES:
            raise _too_large(MOST_TABLE_BYTES)
        batches, taken = [], 0
        for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            taken += sum(map(_decoded_bytes, batch.columns))
            if taken > MOST_TABLE_BYTES:
                raise _too_large(MOST_TABLE_BYTES)
            batches.append(batch)
        table = pa.Table.from_batches(batches, file.schema_arrow if not batches else None)
        table.validate(full=True)
    plain = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(plain, names=table.column_names)


def _decoded_bytes(column: pa.Array) -> int:
    """Return the bytes of a column with its text written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    try:
        lengths = pc.binary_length(column.dictionary)
    except pa.ArrowNotImplementedError:
        return int(column.nbytes)
    return 8 * len(column) + int(pc.sum(pc.take(lengths, column.indices)).as_py() or 0)


def is_number(value: object) -> bool:
    """Return whether a value from JSON is a finite number that float64 can hold; true and false are none."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def is_whole(value: object) -> bool:
    """Return whether a value from JSON is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(text: str) -> float:
    """Return the number that a text says, by the one rule for CSV and XML: NaN if it says that there is none.

    A number has digits 0 to 9, a decimal point if any, and an exponent if any. Blanks around it do not matter. Nothing
    else is a number: no thousands separator, no "1_000", no "0x10", no "inf", nothing beyond the range of float64.

    Raises:
        ValueError: it says something else; the message is the end of a sentence, ``must be a number, not ...``.

    Example:
        >>> number(" -1.5e3 "), number("")
        (-1500.0, nan)
    """
    bare = text.strip(_BLANKS)
    if bare.lower() in MISSING:
        return math.nan
    if re.fullmatch(_NUMBER, bare, re.ASCII) and math.isfinite(value := float(bare)):
        return value
    shown = repr(text) if len(text) <= 100 else f"{text[:100]!r}..."
    if re.fullmatch(_DECIMAL_COMMA, bare, re.ASCII):
        raise ValueError(f"must be a number with a decimal point, not {shown} with a decimal comma")
    raise ValueError(f"must be a number, not {shown}")


def numbers(texts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return the numbers that a column of texts says, by the rule of `number`, as float64; null where there is none.

    Raises:
        BadNumberError: one of them is not a number; it has the row and the end of a sentence.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # Quick, and right where every number is finite: the library's own "inf" and "nan" are not.
        quick = pc.cast(texts, pa.float64())
        if pc.all(pc.is_finite(quick)).as_py() is not False:
            return quick
    except pa.ArrowInvalid:
        pass
    bare = pc.ascii_trim(texts, _BLANKS)
    missing = pc.is_in(pc.ascii_lower(bare), pa.array(MISSING, bare.type))
    bare = pc.if_else(missing, pa.scalar(None, bare.type), bare)
    fits = pc.match_substring_regex(bare, f"^(?:{_NUMBER})$")
    if pc.all(fits).as_py() is not False:
        found = pc.cast(pc.replace_substring_regex(bare, r"^\+", ""), pa.float64())
        fits = pc.is_finite(found)
        if pc.all(fits).as_py() is not False:
            return found
    row = pc.index(fits, False).as_py()
    try:
        number(texts[row].as_py())
    except ValueError as error:
        raise BadNumberError(row, str(error)) from None
    raise AssertionError("the two rules for numbers differ")  # pragma: no cover


class BadNumberError(ValueError):
    """A text in a column that is not a number.

    Attributes:
        row: its row, from 0.
    """

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row
