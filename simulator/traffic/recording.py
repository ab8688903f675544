"""Recordings: SUMO floating-car data from XML, CSV, Parquet or a DataFrame, as trajectories of vehicles."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import RecordingError, RecordingWarning, shown
from simulator.files.reading import BadNumberError, number, numbers
from simulator.model import BoolArray, FloatArray, IntArray, TextArray
from simulator.traffic.plausible import INVALID_POSITION, axis_problem, degree_problem, impossible, unit_problem
from simulator.traffic.recording_file import NUMBERS, PERSON_ROW, SHORT, read_frame, require

if TYPE_CHECKING:
    import pandas as pd

FARTHEST_M = 1e9
"""Largest coordinate, m. Map coordinates are below 1e8. Squares of far larger ones overflow float64."""

PEDESTRIAN_TYPES = ("pedestrian", "person", "ped_pedestrian", "DEFAULT_PEDTYPE", "DEFAULT_CONTAINERTYPE")
"""Types of persons and containers. They decide if neither the XML tag nor the edge does."""

XML_ENDINGS = (".xml", ".xml.gz")
"""Ends of names of files in which the tag tells vehicles from persons."""

FAR_APART = 10.0
"""Median time between two samples, divided by the longest gap, above which times are not in seconds."""

WALKING_MPS = 3.0
"""Speed that hardly any person walks, m/s."""

CLOCK_ROUNDING_S = 1e-6
"""Largest difference between two equal times, s. Times in a file have at most six decimal places."""


@dataclass(frozen=True)
class Recording:
    """The trajectories of vehicles, one after another, each in the order of time.

    Attributes:
        origin: time of the first step in the clock of the source, s. All other times count from it.
        names: name of each vehicle in the source. A vehicle that left and entered again appears twice.
        start: index of the first sample of each vehicle, and the number of samples, shape (vehicles + 1,).
        time: times of the samples, s, shape (samples,).
        x: positions, m east, shape (samples,).
        y: positions, m north, shape (samples,).
        speed: speeds, m/s, shape (samples,).
        lane: lanes, shape (samples,); empty text where the source has none.
        left_out: numbers of rows that were left out or mended, by reason.
    """

    origin: float
    names: list[str]
    start: IntArray
    time: FloatArray
    x: FloatArray
    y: FloatArray
    speed: FloatArray
    lane: TextArray
    left_out: dict[str, int]

    @classmethod
    def read(cls, path: Path, max_gap_s: float) -> Recording:
        """Read a recording from a file.

        Args:
            path: file whose name ends in .xml, .csv, .xml.gz, .csv.gz or .parquet.
            max_gap_s: longest gap that is interpolated, s. After a longer gap a vehicle leaves and enters again.

        Raises:
            RecordingError: the file cannot be read, or it has no vehicle.

        Warns:
            RecordingWarning: rows were left out or mended. The message counts them.
        """
        frame, left_out = read_frame(path)
        return cls.from_frame(frame, left_out, max_gap_s=max_gap_s, source=str(path))

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        left_out: dict[str, int] | None = None,
        *,
        max_gap_s: float = 5.0,
        source: str = "DataFrame",
    ) -> Recording:
        """Make a recording from a DataFrame with the columns of SUMO's floating-car data.

        Args:
            frame: one row per vehicle and step. The columns time, id, x and y are required; speed, angle, lane and type
                are optional. Names may have SUMO's prefixes. A row without an id marks an empty step.
            left_out: numbers of rows that the reader has already left out, by reason.
            max_gap_s: longest gap that is interpolated, s. After a longer gap a vehicle leaves and enters again.
            source: source of the rows, for messages.

        Raises:
            RecordingError: a required column is missing or does not hold numbers, no vehicle is left, or the clock
                does not count seconds.

        Warns:
            RecordingWarning: rows were left out or mended. The message counts them.
        """
        import pandas as pd

        counts = dict(left_out or {})
        frame = _clean(standard_frame(frame, source), counts, source)
        origin = float(frame.attrs["origin"])
        # Rows are sorted by vehicle and time. They are cut at each new vehicle and at each gap that is too long.
        codes, names = pd.factorize(frame["id"].to_numpy(dtype=object))
        order = np.lexsort((frame["time"].to_numpy(), codes))
        time = frame["time"].to_numpy()[order] - origin
        vehicle = codes[order]
        same = np.diff(vehicle) == 0
        gap = same & (np.diff(time) > max_gap_s + CLOCK_ROUNDING_S)
        _count(counts, f"gap longer than {max_gap_s:g} s, after which the vehicle enters again", int(gap.sum()))
        joined = same & ~gap
        # Where nearly all steps are gaps, the clock does not count seconds. The units are then told by the gaps too.
        told = same if 2 * int(joined.sum()) < int(same.sum()) else joined
        jump, units_fit = _check_movement(frame, order, time, told, source)
        jump &= joined
        step = float(np.median(np.diff(time)[same])) if same.any() else 0.0
        if told is same and (not units_fit or step > FAR_APART * max_gap_s):
            raise RecordingError(
                f"{source}: most samples of a vehicle are {step:g} s apart, and max_gap_s is {max_gap_s:g}; "
                "times may be milliseconds or frames, so divide them, or raise traffic.max_gap_s"
            )
        _count(counts, "movement that nobody can drive, after which the vehicle enters again", int(jump.sum()))
        breaks = np.flatnonzero(~joined | jump) + 1
        start = np.concatenate([[0], breaks])
        # Vehicles are numbered by entry time, then by name: the order of the rows in the source does not count.
        labels = names[vehicle[start]]
        numbering = np.lexsort((labels.astype(str), time[start]))
        stop = np.concatenate([breaks, [len(time)]])
        pieces = np.concatenate([np.arange(start[v], stop[v]) for v in numbering])
        rows = order[pieces]
        bounds = np.concatenate([[0], np.cumsum((stop - start)[numbering])])
        x, y = frame["x"].to_numpy()[rows], frame["y"].to_numpy()[rows]
        time = time[pieces]
        speed = _speeds(frame, rows, time, x, y, bounds, counts)
        lane = frame["lane"].to_numpy(dtype=object)[rows] if "lane" in frame else np.full(len(rows), "", dtype=object)
        if units_fit and not {"type", "edge"} & set(frame.columns) and not source.lower().endswith(XML_ENDINGS):
            _warn_of_walkers(time, x, y, bounds, source)
        for sentence, count in counts.items():
            warnings.warn(f"{source}: {count} x {sentence}", RecordingWarning, stacklevel=2)
        return cls(origin, [str(name) for name in labels[numbering]], bounds, time, x, y, speed, lane, counts)

    @property
    def vehicles(self) -> int:
        """The number of vehicles. One that enters again counts again."""
        return len(self.names)

    @property
    def end(self) -> float:
        """The time of the last sample, s."""
        return float(self.time.max())

    def samples(self, vehicle: int) -> slice:
        """Return the slice of the samples of a vehicle.

        Args:
            vehicle: id of the vehicle.
        """
        return slice(int(self.start[vehicle]), int(self.start[vehicle + 1]))


def standard_frame(frame: pd.DataFrame, source: str = "DataFrame") -> pd.DataFrame:
    """Return the columns of a recording under their short names, numbers as float64 and names as text.

    Args:
        frame: rows of floating-car data.
        source: source of the rows, for messages.

    Raises:
        RecordingError: a required column is missing, a column appears twice, or a value has the wrong type.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise RecordingError(f"{source}: a recording must be a DataFrame, not {shown(frame)}")
    frame = _named(frame, source).copy()
    for name in frame.columns:
        if name in NUMBERS:
            frame[name] = _numbers(frame[name], name, source)
        else:
            frame[name] = _texts(frame[name], name, source)
    return frame


def _named(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    require(frame.columns, source)
    frame = frame.rename(columns=SHORT)
    return frame[[name for name in dict.fromkeys(SHORT.values()) if name in frame.columns]]


def _clean(frame: pd.DataFrame, counts: dict[str, int], source: str) -> pd.DataFrame:
    """Keep the rows of vehicles with valid positions, one per vehicle and step, and count all others."""
    import pandas as pd

    timed = frame["time"].notna() & np.isfinite(frame["time"])
    _count(counts, "row without a time, left out", int((~timed).sum()))
    frame = frame[timed]
    # Empty steps at the start still set the clock, so the origin is taken before they go.
    origin = frame["time"].min()
    known = frame["id"].notna() & (frame["id"].astype(str) != "")
    # A row with a position but no id is a damaged vehicle. A row with neither marks an empty step.
    _count(counts, "row without a vehicle id, left out", int((~known & frame["x"].notna()).sum()))
    frame = frame[known]
    for name in ("id", "lane", "type"):
        if name in frame:
            frame[name] = frame[name].fillna("")
    walking = _walking(frame)
    _count(counts, PERSON_ROW, int(walking.sum()))
    frame = frame[~walking]
    valid = np.ones(len(frame), dtype=np.bool_)
    for name in ("x", "y"):
        place = frame[name].to_numpy()
        valid &= np.isfinite(place) & (place != INVALID_POSITION)
    _count(counts, "row without a valid position, left out", int((~valid).sum()))
    frame = frame[valid]
    for name in ("x", "y"):
        farthest = float(frame[name].abs().max()) if len(frame) else 0.0
        if farthest > FARTHEST_M:
            raise RecordingError(f"{source}: {name} must be from -{FARTHEST_M:g} to {FARTHEST_M:g} m, not {farthest:g}")
    twice = frame.duplicated(["time", "id"])
    _count(counts, "second row of a vehicle in one step, left out", int(twice.sum()))
    frame = frame[~twice]
    if frame.empty:
        raise RecordingError(f"{source}: the recording holds no vehicle")
    # Only within a vehicle: many programs write one vehicle after another.
    disordered = int((frame.groupby("id", sort=False)["time"].diff() < 0.0).sum())
    _count(counts, "step of a vehicle back in time, sorted", disordered)
    frame = pd.DataFrame(frame)
    frame.attrs["origin"] = origin
    return frame


def _numbers(column: pd.Series, name: str, source: str) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    if column.dtype == np.float64:
        return column
    if column.dtype.kind in "mMbc":
        raise RecordingError(f"{source}: {name} must be numbers, not {column.dtype}")
    try:
        if isinstance(column.dtype, pd.StringDtype):
            found = numbers(pa.array(column, pa.string(), from_pandas=True)).to_numpy(zero_copy_only=False)
            return pd.Series(found, index=column.index)
        if column.dtype.kind in "iuf":
            return pd.Series(column.to_numpy(np.float64, na_value=np.nan), index=column.index)
        return column.map(_number_of, na_action="ignore").astype(np.float64)
    except BadNumberError as error:
        raise RecordingError(f"{source}, row {column.index[error.row]}: {name} {error}") from None
    except (ValueError, TypeError, OverflowError):
        row, value = next((row, value) for row, value in column.items() if not _is_number(value))
        raise RecordingError(f"{source}, row {row}: {name} must be a number, not {shown(value)}") from None


def _texts(column: pd.Series, name: str, source: str) -> pd.Series:
    import pandas as pd

    if isinstance(column.dtype, pd.StringDtype):
        return column
    bad = column[column.map(lambda value: isinstance(value, bytes))]
    if len(bad):
        raise RecordingError(f"{source}, row {bad.index[0]}: {name} must be text, not {shown(bad.iloc[0])}; decode it")
    try:
        return column.map(str, na_action="ignore").astype("str")
    except UnicodeEncodeError:
        raise RecordingError(f"{source}: {name} must be text, but half a character stands in it") from None


def _number_of(value: object) -> float:
    """Return a cell of a DataFrame as a number: text by the rule for CSV, all else as Python does."""
    return number(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    try:
        _number_of(value)
    except (ValueError, TypeError, OverflowError):
        return value is None
    return True


def _walking(frame: pd.DataFrame) -> pd.Series:
    """Tell which rows are persons or containers.

    SUMO's tables mix them with vehicles. They have an edge but no lane, or one of the types in `PEDESTRIAN_TYPES`. In
    XML the tag tells, so the reader gives neither column.
    """
    import pandas as pd

    walking = pd.Series(False, index=frame.index)
    if "lane" in frame and "edge" in frame:
        walking |= (frame["lane"] == "") & frame["edge"].notna() & (frame["edge"].astype(object) != "")
    if "type" in frame:
        walking |= frame["type"].isin(PEDESTRIAN_TYPES)
    return walking


def _check_movement(
    frame: pd.DataFrame, order: IntArray, time: FloatArray, joined: BoolArray, source: str
) -> tuple[BoolArray, bool]:
    """Return which steps nobody can drive, and whether units are m, s and m/s. Warn if they are not.

    Args:
        frame: rows of the recording.
        order: rows by vehicle and time.
        time: times in this order, s.
        joined: whether two rows in this order belong to one trajectory, shape (rows - 1,).
        source: source of the rows, for messages.

    Raises:
        RecordingError: positions are degrees.
    """
    empty = np.full(len(order), np.nan)
    x, y, speed, angle = (
        frame[name].to_numpy(dtype=np.float64)[order] if name in frame else empty
        for name in ("x", "y", "speed", "angle")
    )
    problem = degree_problem(x, y, speed)
    if problem is not None:
        raise RecordingError(f"{source}: {problem}")
    units = unit_problem(time, x, y, speed, joined)
    for sentence in (units, axis_problem(time, x, y, angle, joined)):
        if sentence is not None:
            warnings.warn(f"{source}: {sentence}", RecordingWarning, stacklevel=4)
    # With wrong units every step may be one that nobody can drive.
    if units is not None:
        return np.zeros(len(joined), dtype=np.bool_), False
    return impossible(time, x, y, joined), True


def _warn_of_walkers(time: FloatArray, x: FloatArray, y: FloatArray, bounds: IntArray, source: str) -> None:
    """Warn if some trajectories look like those of persons, and no column tells them apart."""
    steps = np.diff(time, append=np.inf)
    steps[bounds[1:] - 1] = np.inf
    metres = np.hypot(np.diff(x, append=0.0), np.diff(y, append=0.0))
    metres[bounds[1:] - 1] = 0.0
    fastest = np.maximum.reduceat(metres / np.where(steps > 0.0, steps, np.inf), bounds[:-1])
    driven = np.add.reduceat(metres, bounds[:-1])
    walkers = int(((fastest < WALKING_MPS) & (driven > 10.0)).sum())
    if walkers:
        # Frames that are read as seconds make everybody slow.
        frames = ", or times may be frames" if walkers == int((driven > 10.0).sum()) else ""
        warnings.warn(
            f"{source}: {walkers} of {len(bounds) - 1} trajectories are never faster than {WALKING_MPS:g} m/s "
            f"and may be persons{frames}; a column 'type' or 'edge' would tell",
            RecordingWarning,
            stacklevel=3,
        )


def _speeds(
    frame: pd.DataFrame,
    rows: IntArray,
    time: FloatArray,
    x: FloatArray,
    y: FloatArray,
    bounds: IntArray,
    counts: dict[str, int],
) -> FloatArray:
    """Return the recorded speeds, m/s.

    A missing speed is the distance to the next sample divided by the time to it. At the last sample it is the distance
    from the sample before divided by the time from it.
    """
    speed = frame["speed"].to_numpy(dtype=np.float64)[rows] if "speed" in frame else np.full(len(rows), np.nan)
    absent = ~np.isfinite(speed)
    if not absent.any():
        return speed
    _count(counts, "sample without a speed, taken from its positions", int(absent.sum()))
    # A vehicle with one sample has no way at all. Its speed is 0.
    derived = np.zeros(len(rows))
    if len(rows) > 1:
        derived[:-1] = np.hypot(np.diff(x), np.diff(y)) / np.where(np.diff(time) > 0, np.diff(time), np.inf)
    last = bounds[1:] - 1
    alone = np.diff(bounds) == 1
    derived[last] = np.where(alone, 0.0, derived[last - 1])
    return np.where(absent, derived, speed)


def _count(counts: dict[str, int], sentence: str, number: int) -> None:
    if number > 0:
        counts[sentence] = counts.get(sentence, 0) + number
