"""Reading of recordings from XML, CSV and Parquet into one DataFrame. Messages name the line of an error."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import itertools
import warnings
import zlib
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

import numpy as np

from simulator.errors import RecordingError
from simulator.files.reading import (
    MOST_RECORDING_BYTES,
    BadNumberError,
    number,
    numbers,
    open_expanded,
    open_regular,
    parquet_names,
    read_parquet,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = ("time", "id", "x", "y", "speed", "angle", "lane", "type")
"""Columns of a recording, with units s, name, m, m, m/s, degrees clockwise from north, name and name."""

REQUIRED = ("time", "id", "x", "y")
NUMBERS = ("time", "x", "y", "speed", "angle")

SHORT = {name: name for name in (*COLUMNS, "edge")} | {
    f"{prefix}_{name}": name for prefix in ("timestep", "vehicle") for name in (*COLUMNS, "edge")
}
"""Columns of a file that a recording is made of, and their short names: SUMO's tables have a prefix."""

PERSON_ROW = "row of a person or container, left out"
"""Reason for which a row is not that of a vehicle."""

CHUNK_BYTES, CHUNK_ROWS = 1 << 20, 1 << 18

MOST_OTHERS = 10_000
"""Elements that are neither steps nor vehicles, persons or containers; a file of nothing else would never end."""

CUT_OFF = (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)


def read_frame(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of a recording, and the numbers of rows that were left out, by reason.

    Args:
        path: file whose name ends in .xml, .csv, .xml.gz, .csv.gz or .parquet.

    Raises:
        RecordingError: the file does not exist, is damaged, or is not a recording.
    """
    try:
        open_regular(path).close()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise RecordingError(f"{path}: there is no such recording") from None
        raise RecordingError(f"{path}: the recording cannot be read ({error.strerror})") from None
    stem = path.name.lower().removesuffix(".gz")
    readers: dict[str, Callable[[Path], tuple[pd.DataFrame, dict[str, int]]]] = {
        ".xml": _read_xml,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    for ending, reader in readers.items():
        if stem.endswith(ending):
            try:
                return reader(path)
            except MemoryError:
                raise RecordingError(f"{path}: the recording is larger than the memory of this machine") from None
    raise RecordingError(f"{path}: the name of a recording must end in .xml, .csv (also .gz) or .parquet")


def require(names: Iterable[object], source: str) -> None:
    """Make sure that a table has the columns of a recording, each once, by their own or by SUMO's names.

    Raises:
        RecordingError: one is missing, or there twice.
    """
    names = list(names)
    short = [SHORT.get(str(name), str(name)) for name in names]
    for name in dict.fromkeys(SHORT.values()):
        if short.count(name) > 1:
            raise RecordingError(f"{source}: there are two columns '{name}'; leave one of them out")
    missing = [name for name in REQUIRED if name not in short]
    if missing:
        raise RecordingError(
            f"{source}: there is no column '{missing[0]}' "
            f"(or SUMO's '{'timestep' if missing[0] == 'time' else 'vehicle'}_{missing[0]}'); "
            f"a recording needs {', '.join(REQUIRED)}, and has {', '.join(map(str, names)) or 'nothing'}"
        )


def _read_xml(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    reader = _XmlReader(path)
    return reader.read(), reader.left_out


class _XmlReader:
    """The reader of an XML recording.

    It parses the file chunk by chunk and turns the attributes of each chunk into columns.
    """

    # Columns of Arrow take less memory than an XML tree or a list of all rows.

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = self._new_parser(self._start)
        self._parser.EntityDeclHandler = self._entity
        self._root: str | None = None
        self._rows: list[dict[str, str]] = []
        self._read = self._others = 0
        self._step_starts = array("q")
        self._step_times = array("d")
        self._parts: list[pa.Table] = []
        self.left_out: dict[str, int] = {}

    def read(self) -> pd.DataFrame:
        import pandas as pd
        import pyarrow as pa

        self._feed(self._parser, self._flush)
        if self._read and (not self._step_starts or self._step_starts[0] > 0):
            raise self._error("<vehicle> stands outside a <timestep>", self._line_of_row(0))
        frame = pa.concat_tables(self._parts).to_pandas() if self._parts else pd.DataFrame(columns=COLUMNS)
        lengths = np.diff([*self._step_starts, self._read])
        frame["time"] = np.repeat(np.array(self._step_times), lengths)
        # An extra row without a vehicle: an empty first step still sets the clock.
        frame.loc[len(frame), "time"] = min(self._step_times, default=np.nan)
        return frame

    @staticmethod
    def _new_parser(start: Callable[[str, dict[str, str]], None]) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        return parser

    def _feed(self, parser: expat.XMLParserType, after_chunk: Callable[[], None]) -> None:
        try:
            with open_expanded(self._path, MOST_RECORDING_BYTES) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    parser.Parse(chunk, False)
                    after_chunk()
            parser.Parse(b"", True)
            after_chunk()
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            reason = "the file is cut off or empty" if what in CUT_OFF else f"this is no XML ({what})"
            raise self._error(reason, error.lineno) from None
        except RecordingError:
            raise
        except (EOFError, zlib.error, OSError, LookupError, ValueError) as error:
            raise self._error(_fault(error)) from None

    def _error(self, message: str, line: int | None = None) -> RecordingError:
        return RecordingError(f"{self._path}:{line or self._parser.CurrentLineNumber}: {message}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "vehicle":
            self._rows.append(attributes)
        elif tag == "timestep":
            self._step_starts.append(self._read + len(self._rows))
            self._step_times.append(self._moment(attributes))
        elif tag in ("person", "container"):
            self.left_out[PERSON_ROW] = self.left_out.get(PERSON_ROW, 0) + 1
        elif self._root is None and tag != "fcd-export":
            raise self._error(f"<{tag}> is no floating-car data; the root must be <fcd-export>")
        else:
            self._others += 1
            if self._others > MOST_OTHERS:
                raise self._error(
                    f"<{tag}> is no floating-car data, and there are {MOST_OTHERS:,} such elements before"
                )
        self._root = self._root or tag

    def _moment(self, attributes: dict[str, str]) -> float:
        try:
            return number(attributes["time"])
        except KeyError:
            raise self._error("<timestep> has no attribute 'time'") from None
        except ValueError as error:
            raise self._error(f"time {error}") from None

    def _entity(self, name: str, *_: object) -> None:
        raise self._error(f"the entity '{name}' has no place in a recording")

    def _flush(self) -> None:
        """Turn the rows of the last chunk into columns."""
        import pyarrow as pa

        rows, self._rows = self._rows, []
        if not rows:
            return
        texts = pa.array(rows, pa.struct([(name, pa.string()) for name in COLUMNS[1:]]))
        columns = dict(zip(COLUMNS[1:], texts.flatten(), strict=True))
        # The tag has told that these are vehicles. A type such as `personal_car` must not tell otherwise.
        del columns["type"]
        for name in ("id", "x", "y"):
            if columns[name].null_count:
                row = columns[name].is_null().to_pylist().index(True)
                raise self._error(f"<vehicle> has no attribute '{name}'", self._line_of_row(self._read + row))
        for name in ("x", "y", "speed", "angle"):
            try:
                columns[name] = numbers(columns[name])
            except BadNumberError as error:
                raise self._error(f"{name} {error}", self._line_of_row(self._read + error.row)) from None
        self._parts.append(pa.table(columns))
        self._read += len(rows)

    def _line_of_row(self, row: int) -> int:
        """Return the line of a vehicle in the file."""
        # Only a message needs a line, so the file is read once more. Keeping the lines of all rows would take memory.
        lines: list[int] = []

        def start(tag: str, _: dict[str, str]) -> None:
            if tag == "vehicle":
                lines.append(parser.CurrentLineNumber)

        def enough() -> None:
            if len(lines) > row:
                raise StopIteration

        parser = self._new_parser(start)
        with contextlib.suppress(StopIteration, RecordingError):
            self._feed(parser, enough)
        return lines[row]


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd

    try:
        with open_expanded(path, MOST_RECORDING_BYTES) as stream:
            separator = ";" if b";" in stream.readline(CHUNK_BYTES) else ","
        with open_expanded(path, MOST_RECORDING_BYTES) as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # All columns come as text, so that one rule says what is a number and no name is taken for one.
            pieces = pd.read_csv(
                stream, sep=separator, dtype=str, keep_default_na=False, na_values=[""], index_col=False,
                chunksize=CHUNK_ROWS,
            )  # fmt: skip
            # A blank after a comma belongs to the separator, not to a name.
            parts = [_csv_part(piece.rename(columns=str.strip), path, separator) for piece in pieces]
    except RecordingError:
        raise
    except pd.errors.ParserWarning:
        raise RecordingError(f"{path}: its rows have more columns than its first line has names") from None
    except pd.errors.ParserError as error:
        raise RecordingError(f"{path}: this is no CSV with ';' or ',' between its columns ({error})") from None
    except pd.errors.EmptyDataError:
        raise RecordingError(f"{path}: the file is empty") from None
    except (ValueError, OverflowError, EOFError, zlib.error, OSError) as error:
        raise RecordingError(f"{path}: {_fault(error)}") from None
    return pd.concat(parts, ignore_index=True), {}


def _csv_part(part: pd.DataFrame, path: Path, separator: str) -> pd.DataFrame:
    """Return the columns of a recording among some rows of a CSV file, numbers as float64."""
    import pyarrow as pa

    require(part.columns, str(path))
    part = part[[name for name in part.columns if name in SHORT]].copy()
    for name in part.columns:
        if SHORT[name] in NUMBERS:
            try:
                found = numbers(pa.array(part[name], pa.string(), from_pandas=True))
            except BadNumberError as error:
                line = _line_of_csv_row(path, separator, int(part.index[error.row]))
                raise RecordingError(f"{path}:{line}: {SHORT[name]} {error}") from None
            part[name] = found.to_numpy(zero_copy_only=False)
    return part


def _line_of_csv_row(path: Path, separator: str, row: int) -> int:
    """Return the line of a row by reading up to it again; blank lines and line breaks in quotes make it differ."""
    with open_expanded(path, MOST_RECORDING_BYTES) as stream, contextlib.suppress(csv.Error, StopIteration):
        lines = csv.reader(io.TextIOWrapper(stream, "utf-8", newline=""), delimiter=separator)
        filled = (line for line in lines if len(line) > 1 or "".join(line).strip())
        next(itertools.islice(filled, row + 1, None))  # the names are in the first
        return lines.line_num
    return row + 2


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    try:
        require(parquet_names(path), str(path))
        return read_parquet(path, SHORT).to_pandas(), {}
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise RecordingError(f"{path}: {_fault(error)}") from None
        raise RecordingError(f"{path}: this is no Parquet file, or it is damaged ({error})") from None


def _fault(error: Exception) -> str:
    """Return what is wrong with a file that could not be read to its end."""
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return f"the recording cannot be read ({error.strerror})"
    return f"the file is cut off or damaged ({error})"
