"""What a run folder must hold: run.json, and each column of each table."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.clock import LARGEST_SEED, LONGEST_S
from simulator.errors import OutputError, shown
from simulator.files.reading import is_number, is_whole, read_json, read_parquet
from simulator.market.contracts import INFORMATION, Column
from simulator.record.schema import TABLES, table
from simulator.record.summary import SUMMARY

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROUNDING_S = 1e-6
"""By how much a time may be below 0 or beyond the end of a run, s."""

ALWAYS = ("time", "requested")
"""Times that are never missing."""

FINITE_UNITS = ("m", "m/s", "MB")
"""Units of numbers that are never missing."""

IDS = ("task", "vehicle", "provider", "winner", "station_left")
"""Columns of ids, in which -1 is none; all other whole numbers count something."""


def read_run(directory: Path, name: str) -> dict[str, Any]:
    """Read run.json.

    Args:
        directory: the run folder.
        name: name of the file.

    Raises:
        OutputError: there is none, or it does not hold a run; the message names the field.
    """
    try:
        run = read_json(directory / name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{directory}: this is not a run folder; it holds no whole {name} ({reason})") from None
    if not isinstance(run, dict):
        raise OutputError(
            f"{directory}: this is not a run folder; its {name} must hold a JSON object, not {shown(run)}"
        )
    _check_run(directory / name, run)
    return run


def _check_run(file: Path, run: Mapping[str, Any]) -> None:
    def hold(name: str, right: bool, wanted: str) -> None:
        if not right:
            raise OutputError(f"{file}: '{name}' must be {wanted}, not {_found(run, name)}")

    for name in ("scenario", "policy", "mechanism", "scenario_sha256"):
        hold(name, isinstance(run.get(name), str), "text")
    hold("information", run.get("information") in INFORMATION, f"one of {', '.join(INFORMATION)}")
    hold("value_of", run.get("value_of") in ("provider", "vehicle"), "'provider' or 'vehicle'")
    hold("seed", is_whole(run.get("seed")) and 0 <= run["seed"] < LARGEST_SEED, "a whole number >= 0")
    duration, warmup = run.get("duration"), run.get("warmup")
    hold("duration", is_number(duration) and 0.0 < float(duration or 0.0) <= LONGEST_S, "a number of seconds > 0")
    inside = is_number(warmup) and 0.0 <= float(warmup or 0.0) < float(duration or 0.0)
    hold("warmup", inside, f"a number of seconds from 0 to below the duration {duration:g}")
    for name in ("time_origin", "wall_s", "cpu_s"):
        hold(name, is_number(run.get(name)), "a number of seconds")
    hashes = run.get("data_sha256")
    texts = isinstance(hashes, dict) and all(isinstance(text, str) for text in hashes.values())
    hold("data_sha256", texts, "a JSON object of texts")
    summary = run.get("summary")
    hold("summary", isinstance(summary, dict), "a JSON object of figures")
    for name in SUMMARY:
        value: Any = summary.get(name, math.nan) if isinstance(summary, dict) else None
        if not (value is None or is_number(value)):
            raise OutputError(f"{file}: 'summary.{name}' must be a number or null, not {_found(summary or {}, name)}")


def _found(fields: Mapping[str, Any], name: str) -> str:
    return shown(fields[name]) if name in fields else "missing"


def own_columns(directory: Path, run: Mapping[str, Any], name: str) -> tuple[Column, ...]:
    """Return the columns that the mechanism of a run has added to a table, as run.json declares them.

    Args:
        directory: the run folder, for the message.
        run: content of run.json.
        name: name of the table.

    Raises:
        OutputError: they are not declarations of columns.
    """
    declared = run.get("columns", {})
    declared = declared.get(name, []) if isinstance(declared, dict) else None
    if isinstance(declared, list) and all(map(_declares, declared)):
        return tuple(Column(*one) for one in declared)
    raise OutputError(
        f"{directory}: 'columns' in run.json must list [name, type, unit, meaning], not {shown(declared)}"
    )


def _declares(one: object) -> bool:
    """Tell whether a value from JSON declares a column of numbers."""
    return isinstance(one, list) and len(one) == 4 and all(isinstance(text, str) for text in one) and one[1] == "float"


def read_table(
    file: Path, name: str, extra: Sequence[Column] = (), only: Collection[str] | None = None
) -> pd.DataFrame:
    """Read a table of a run and hold each column to the schema.

    Columns that the schema does not have are not read.

    Args:
        file: the Parquet file.
        name: name of the table.
        extra: columns that the mechanism of the run has added.
        only: names of the columns that are wanted; None for all.

    Raises:
        OutputError: it cannot be read, or a column is missing or holds what it cannot; the message says which row.
    """
    columns = [column for column in (*TABLES[name], *extra) if only is None or column.name in only]
    try:
        found = read_parquet(file, {column.name for column in columns})
    except MemoryError:
        raise OutputError(f"{file}: the table is larger than the memory of this machine") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{file}: the table cannot be read as Parquet ({reason})") from None
    values = {}
    for column in columns:
        count = found.column_names.count(column.name)
        if count != 1:
            raise OutputError(f"{file}: there {'is no column' if count == 0 else 'are two columns'} '{column.name}'")
        try:
            values[column.name] = _VALUES[column.type](found[column.name], column)
        except _WrongError as error:
            raise OutputError(f"{file}: {column.name} must be {error}") from None
        found = found.drop_columns([column.name])  # a long table would otherwise be in memory twice
    return table(name, values, extra, only)


class _WrongError(Exception):
    """What a column must be, and what it is not: the end of a sentence."""


def _cell_error(wanted: str, values: Any, bad: Any) -> _WrongError:
    """Return the error about the first bad cell of a column."""
    row = int(np.flatnonzero(bad)[0])
    value = values[row]
    for plain in ("as_py", "item"):  # of pyarrow and of numpy
        value = getattr(value, plain)() if hasattr(value, plain) else value
    return _WrongError(f"{wanted}, not {shown(value)} (row {row})")


def _type_error(wanted: str, values: pa.ChunkedArray) -> _WrongError:
    """Return the error about the type of a column."""
    return _WrongError(f"{wanted}, not of the type {values.type}")


def _floats(values: pa.ChunkedArray, column: Column) -> Any:
    import pyarrow as pa

    kind = values.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise _type_error("numbers", values)
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    finite = np.isfinite(numbers)
    if column.unit in FINITE_UNITS and not finite.all():
        raise _cell_error("finite numbers", numbers, ~finite)
    if column.name in ALWAYS:
        bad = ~((numbers >= -ROUNDING_S) & (numbers <= LONGEST_S))
        if bad.any():
            raise _cell_error(f"seconds from 0 to {LONGEST_S:g}", numbers, bad)
    if column.unit == "s" and (numbers < -ROUNDING_S).any():
        raise _cell_error("seconds >= 0", numbers, numbers < -ROUNDING_S)
    return numbers


def _ints(values: pa.ChunkedArray, column: Column) -> Any:
    import pyarrow as pa

    kind, least = values.type, -1 if column.name in IDS else 0
    wanted = f"whole numbers >= {least}"
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise _type_error(wanted, values)
    # Through float64: ids are far below 2**53, and what was edited may have become one.
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    bad = ~((numbers >= least) & (numbers < 2.0**53) & (numbers == np.floor(numbers)))
    if bad.any():
        raise _cell_error(wanted, values, bad)
    return numbers.astype(np.int64)


def _bools(values: pa.ChunkedArray, column: Column) -> Any:
    import pyarrow as pa

    if not pa.types.is_boolean(values.type):
        raise _type_error("true or false", values)
    if values.null_count:
        raise _cell_error("true or false", values, values.is_null().to_numpy())
    return values.to_numpy()


def _texts(values: pa.ChunkedArray, column: Column) -> Any:
    return _as_texts(values).to_pandas()


def _as_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of texts as such, after a look at its type and for missing ones."""
    import pyarrow as pa

    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        if not (pa.types.is_null(values.type) and not len(values)):
            raise _type_error("text", values)
        values = values.cast(pa.string())
    if values.null_count:
        raise _cell_error("text", values, values.is_null().to_numpy())
    return values


def _categories(values: pa.ChunkedArray, column: Column) -> Any:
    import pandas as pd

    # Each text that occurs is looked up once: a text per row would be the largest memory of a long table.
    encoded = _as_texts(values).combine_chunks().dictionary_encode()
    known = pd.Index(column.categories).get_indexer(encoded.dictionary.to_pylist())
    codes = known[encoded.indices.to_numpy()]
    if (codes < 0).any():
        raise _cell_error(f"one of {', '.join(column.categories)}", values, codes < 0)
    return codes


_VALUES = {"float": _floats, "int": _ints, "bool": _bools, "text": _texts, "category": _categories}
