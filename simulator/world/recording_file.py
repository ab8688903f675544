"""Reading the three file formats of a recording into one DataFrame, with the line of what is wrong."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, cast
from xml.parsers import expat

from simulator.errors import RecordingError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("time", "id", "x", "y", "speed", "angle", "lane", "type")
"""Columns of a recording: s, name, m, m, m/s, degrees clockwise from north, name, name."""

CHUNK_BYTES = 1 << 20

CUT_OFF = (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)

_Lists: TypeAlias = tuple[
    list[float], list[str], list[float], list[float], list[float], list[float], list[str], list[str]
]


def read_frame(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows of a recording and counts of what was left out.

    Raises:
        RecordingError: there is no such file, or it is damaged or no recording.
    """
    if not path.is_file():
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
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _read_xml(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd

    reader = _XmlReader(path)
    reader.read()
    return pd.DataFrame(reader.columns), reader.left_out


class _XmlReader:
    """Collects timestep/vehicle attributes; expat keeps the line number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EntityDeclHandler = self._entity
        self._time: float | None = None
        self._root: str | None = None
        self.left_out: dict[str, int] = {}
        self.columns: dict[str, list[float] | list[str]] = {}
        self._lists: _Lists = ([], [], [], [], [], [], [], [])

    def read(self) -> None:
        try:
            with _open(self._path) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    self._parser.Parse(chunk, False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            reason = "the file is cut off or empty" if what in CUT_OFF else f"this is no XML ({what})"
            raise RecordingError(f"{self._path}:{error.lineno}: {reason}") from None
        except (EOFError, zlib.error, OSError) as error:
            line = self._parser.CurrentLineNumber
            raise RecordingError(f"{self._path}:{line}: the file is cut off or damaged ({error})") from None
        self.columns = dict(zip(COLUMNS, self._lists, strict=True))

    def _error(self, message: str) -> RecordingError:
        return RecordingError(f"{self._path}:{self._parser.CurrentLineNumber}: {message}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "vehicle":
            self._vehicle(attributes)
        elif tag == "timestep":
            self._time = self._number("time", attributes, tag)
            if not self._lists[0]:
                self._row("", float("nan"), float("nan"), {})  # an empty first step still sets the clock
        elif tag in ("person", "container"):
            self.left_out[f"row of a {tag}, left out"] = self.left_out.get(f"row of a {tag}, left out", 0) + 1
        elif self._root is None and tag != "fcd-export":
            raise self._error(f"<{tag}> is no floating-car data; the root must be <fcd-export>")
        self._root = self._root or tag

    def _vehicle(self, attributes: dict[str, str]) -> None:
        if self._time is None:
            raise self._error("<vehicle> stands outside a <timestep>")
        try:
            self._row(attributes["id"], float(attributes["x"]), float(attributes["y"]), attributes)
        except KeyError as error:
            raise self._error(f"<vehicle> has no attribute {error}") from None
        except ValueError:
            for name in ("x", "y", "speed", "angle"):
                self._number(name, {name: "nan", **attributes}, "vehicle")
            raise

    def _row(self, name: str, x: float, y: float, attributes: dict[str, str]) -> None:
        speed, angle = float(attributes.get("speed", "nan")), float(attributes.get("angle", "nan"))
        times, names, xs, ys, speeds, angles, lanes, types = self._lists
        times.append(cast(float, self._time))
        names.append(name)
        xs.append(x)
        ys.append(y)
        speeds.append(speed)
        angles.append(angle)
        lanes.append(attributes.get("lane", ""))
        types.append(attributes.get("type", ""))

    def _number(self, name: str, attributes: dict[str, str], tag: str) -> float:
        if name not in attributes:
            raise self._error(f"<{tag}> has no attribute '{name}'")
        try:
            return float(attributes[name])
        except ValueError:
            raise self._error(f"{name} must be a number, not {attributes[name]!r}") from None

    def _entity(self, name: str, *_: object) -> None:
        raise self._error(f"the entity '{name}' has no place in a recording")


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd

    try:
        frame = pd.read_csv(path, sep=";", dtype={"vehicle_id": str, "id": str}, low_memory=False)
    except pd.errors.ParserError as error:
        raise RecordingError(f"{path}: this is no CSV with ';' between its columns ({error})") from None
    except (pd.errors.EmptyDataError, UnicodeDecodeError, EOFError, zlib.error, OSError) as error:
        raise RecordingError(f"{path}: the file is empty, cut off or damaged ({error})") from None
    return frame, {}


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path), {}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecordingError(f"{path}: this is no Parquet file, or it is damaged ({error})") from None
