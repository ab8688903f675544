"""Reading of recordings from XML, CSV and Parquet into one DataFrame. Messages name the line of an error."""

from __future__ import annotations

import contextlib
import gzip
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from xml.parsers import expat

import numpy as np

from simulator.errors import RecordingError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = ("time", "id", "x", "y", "speed", "angle", "lane", "type")
"""Columns of a recording, with units s, name, m, m, m/s, degrees clockwise from north, name and name."""

CHUNK_BYTES = 1 << 20

CUT_OFF = (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)


def read_frame(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of a recording, and the numbers of rows that were left out, by reason.

    Args:
        path: file whose name ends in .xml, .csv, .xml.gz, .csv.gz or .parquet.

    Raises:
        RecordingError: the file does not exist, is damaged, or is not a recording.
    """
    try:
        is_there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_there = False
    if not is_there:
        raise RecordingError(f"{path}: there is no such recording")
    stem = path.name.lower().removesuffix(".gz")
    readers: dict[str, Callable[[Path], tuple[pd.DataFrame, dict[str, int]]]] = {
        ".xml": _read_xml,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    for ending, reader in readers.items():
        if stem.endswith(ending):
            return reader(path)
    raise RecordingError(f"{path}: the name of a recording must end in .xml, .csv (also .gz) or .parquet")


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


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
        self._read = 0
        self._step_starts: list[int] = []
        self._step_times: list[float] = []
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
            with _open(self._path) as stream:
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
            raise self._error(f"the file is cut off or damaged ({error})") from None

    def _error(self, message: str, line: int | None = None) -> RecordingError:
        return RecordingError(f"{self._path}:{line or self._parser.CurrentLineNumber}: {message}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "vehicle":
            self._rows.append(attributes)
        elif tag == "timestep":
            self._step_starts.append(self._read + len(self._rows))
            self._step_times.append(self._moment(attributes))
        elif tag in ("person", "container"):
            self.left_out[f"row of a {tag}, left out"] = self.left_out.get(f"row of a {tag}, left out", 0) + 1
        elif self._root is None and tag != "fcd-export":
            raise self._error(f"<{tag}> is no floating-car data; the root must be <fcd-export>")
        self._root = self._root or tag

    def _moment(self, attributes: dict[str, str]) -> float:
        try:
            return float(attributes["time"])
        except KeyError:
            raise self._error("<timestep> has no attribute 'time'") from None
        except ValueError:
            raise self._error(f"time must be a number, not {attributes['time']!r}") from None

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
        for name in ("id", "x", "y"):
            if columns[name].null_count:
                row = columns[name].is_null().to_pylist().index(True)
                raise self._error(f"<vehicle> has no attribute '{name}'", self._line_of_row(self._read + row))
        for name in ("x", "y", "speed", "angle"):
            try:
                columns[name] = columns[name].cast(pa.float64())
            except pa.ArrowInvalid:
                row, value = next((row, text) for row, text in enumerate(columns[name]) if not _is_number(text))
                line = self._line_of_row(self._read + row)
                raise self._error(f"{name} must be a number, not {value.as_py()!r}", line) from None
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


def _is_number(text: pa.StringScalar) -> bool:
    import pyarrow as pa

    try:
        text.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd

    names = {"vehicle_id": str, "id": str}
    try:
        with _open(path) as stream:
            separator = ";" if b";" in stream.readline() else ","
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, sep=separator, dtype=names, low_memory=False, index_col=False)
    except pd.errors.ParserWarning:
        raise RecordingError(f"{path}: its rows have more columns than its first line has names") from None
    except pd.errors.ParserError as error:
        raise RecordingError(f"{path}: this is no CSV with ';' or ',' between its columns ({error})") from None
    except (pd.errors.EmptyDataError, ValueError, OverflowError, EOFError, zlib.error, OSError) as error:
        raise RecordingError(f"{path}: the file is empty, cut off or damaged ({error})") from None
    return frame, {}


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd

    try:
        return pd.read_parquet(path), {}
    except Exception as error:
        raise RecordingError(f"{path}: this is no Parquet file, or it is damaged ({error})") from None
