"""The result of a run: its tables, its summary, and the folder that holds both."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from simulator.errors import OutputError
from simulator.files import PAGE, folder, recover, replacing
from simulator.market.contracts import Column
from simulator.record.check import own_columns, read_run, read_table
from simulator.record.relations import check_summary, check_tables
from simulator.record.schema import TABLES
from simulator.record.summary import NEEDED, summarise
from simulator.record.writer import TableWriter, release_memory
from simulator.scenario.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

RUN_FILE, SCENARIO_FILE, RECORDING_FILE = "run.json", "scenario.yaml", "recording.parquet"

TABLE_FILES = {name: f"{name}.parquet" for name in TABLES}
"""Files of the tables, by the name of the table."""

RUN_KIND = "run"
"""Kind of a run's folder in its manifest."""


class Source(Protocol):
    """What makes or reads a table."""

    def __call__(self) -> pd.DataFrame:
        """Return the table."""
        ...


class Stored(NamedTuple):
    """A table in a file.

    Attributes:
        file: the Parquet file.
        name: name of the table.
        extra: columns that mechanism and policy have added.
        mark: `_mark` of the file when the result was made.
    """

    file: Path
    name: str
    extra: Sequence[Column]
    mark: tuple[int, ...] | None

    def __call__(self, only: Collection[str] | None = None) -> pd.DataFrame:
        """Read the table.

        Args:
            only: names of the columns that are wanted; None for all.

        Raises:
            OutputError: it has changed since, it cannot be read, or a column is missing or holds what it cannot.
        """
        # Another run may have taken the folder: half of its tables beside half of these would say something wrong.
        if _mark(self.file) != self.mark:
            raise OutputError(f"{self.file}: the file has changed since this result was read; load the folder again")
        return read_table(self.file, self.name, self.extra, only)


def stored_tables(
    directory: Path, run: dict[str, Any], marks: Mapping[str, tuple[int, ...] | None] | None = None
) -> dict[str, Stored]:
    """Return the tables of a run folder by name. Each is read when it is first used.

    Args:
        directory: the run folder.
        run: content of run.json.
        marks: marks of the files by name, from before run.json was read; None to take them now.

    Raises:
        OutputError: run.json declares columns that are none.
    """
    marks = _marks(directory) if marks is None else marks
    return {
        name: Stored(directory / file, name, own_columns(directory, run, name), marks[file])
        for name, file in TABLE_FILES.items()
    }


def _marks(directory: Path) -> dict[str, tuple[int, ...] | None]:
    """Return the marks of the files of a run folder, by their names."""
    return {file: _mark(directory / file) for file in (RUN_FILE, SCENARIO_FILE, *TABLE_FILES.values())}


def _mark(file: Path) -> tuple[int, ...] | None:
    """Return what changes if a file is replaced or written to; None if there is no file."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


class Result:
    """The result of one run.

    The tables are DataFrames. Each is made when it is first used. `describe` documents their columns. `summary` has the
    figures of the run.

    Attributes:
        scenario: complete scenario of the run.
        recording: trajectories that were given as a DataFrame; None otherwise.
        run: content of ``run.json``: seed, policy, mechanism, information, times, versions and hashes.
        place: name of the folder for messages; ``this run`` if the result was not read from one.
        events: one row per event.
        auctions: one row per auction.
        decisions: one row per decision of a policy.
        bids: one row per auction and invited provider.
        tasks: one row per task.
        vehicles: one row per vehicle.
        providers: one row per provider.
        paths: one row per change of motion, and one at the end of the run per vehicle that is still there.
        signals: one row per change of a signal.
    """

    place: str = "this run"
    events: pd.DataFrame
    auctions: pd.DataFrame
    decisions: pd.DataFrame
    bids: pd.DataFrame
    tasks: pd.DataFrame
    vehicles: pd.DataFrame
    providers: pd.DataFrame
    paths: pd.DataFrame
    signals: pd.DataFrame

    def __init__(
        self,
        scenario: Scenario,
        run: dict[str, Any],
        sources: Mapping[str, Source],
        recording: pd.DataFrame | None = None,
    ) -> None:
        self.scenario, self.run, self.recording = scenario, run, recording
        self._sources = sources

    def __getattr__(self, name: str) -> pd.DataFrame:
        """Return a table, and keep it as an attribute."""
        if name not in TABLES:
            raise AttributeError(f"a result has no attribute '{name}'; its tables are {', '.join(TABLES)}")
        # Python calls this method only for a missing attribute. From now on it finds the table itself.
        frame = self._sources[name]()
        setattr(self, name, frame)
        return frame

    @property
    def summary(self) -> pd.Series:
        """The figures of the run after its warm-up. `simulator.record.summary.SUMMARY` documents each figure."""
        import pandas as pd

        if "summary" not in self.run:
            self.run["summary"] = self.summarise()
        figures = {name: math.nan if value is None else value for name, value in self.run["summary"].items()}
        return pd.Series(figures, name=self.run["policy"], dtype="float64")

    def summarise(self) -> dict[str, float | None]:
        """Return the figures that the tables give, in the order of `SUMMARY`, None for NaN."""
        tables = {name: self._some(name, of) for name, of in NEEDED.items()}
        release_memory()
        figures = summarise(self.run, self.scenario, tables)
        # JSON has neither NaN nor infinity: what a run cannot say stands as null, and so does what overflows.
        return {name: _json_number(value) for name, value in figures.items()}

    def _some(self, name: str, columns: Collection[str]) -> pd.DataFrame:
        """Return some columns of a table, or more, and do not keep them. A long run has tables of gigabytes."""
        source = self._sources[name]
        return source(columns) if name not in self.__dict__ and isinstance(source, Stored) else getattr(self, name)

    @staticmethod
    def describe() -> pd.DataFrame:
        """Return one row per column of the tables, with its table, name, type, unit and meaning."""
        import pandas as pd

        rows = [(name, c.name, c.type, c.unit, c.meaning) for name, columns in TABLES.items() for c in columns]
        return pd.DataFrame(rows, columns=["table", "column", "type", "unit", "meaning"])

    def why_no_auction(self) -> str | None:
        """Return a sentence that explains why no auction asked for a price; None if one did, or if none ever does."""
        auctions = self._some("auctions", ("asked", "m_uav_seconds"))
        # Where the mechanism has no seat, nobody is asked for a price.
        if bool(auctions["asked"].any()) or not self.run.get("seats", True):
            return None
        if len(auctions) == 0:
            if len(self.vehicles) == 0:
                if self.scenario.traffic.kind == "generated":
                    return "no vehicle entered: the run is too brief, or traffic.arrivals too few"
                return "no vehicle entered: the run is too brief, or the recording begins later"
            return (
                "no vehicle left the coverage of a station inside the map: the coverage radius may be too large "
                "for the roads, or no station covers them, or the run is too brief"
            )
        if len(self.scenario.uav_names()) == 0:
            return "the scenario has no UAV, so that the top station always wins"
        if auctions["m_uav_seconds"].isna().all():
            out = self.events["kind"].isin(["provider_out"]).any()
            if out:
                return f"no UAV that worked covered any of the {len(auctions)} requests; see outages and uavs"
            return f"no UAV covered any of the {len(auctions)} requests; see uavs.center, uavs.placed, uavs.radius_m"
        return (
            f"of {len(auctions)} requests none had two invited stations and a UAV: "
            "coverage radii may be too small, or backlogs exceed the time that vehicles stay"
        )

    def save(self, directory: str | Path, force: bool = False, page: bytes | None = None) -> Path:
        """Write the run folder: scenario.yaml, run.json, one Parquet file per table, and files.json with their hashes.

        The folder is complete or absent, also if the process is killed.

        Args:
            directory: the folder itself.
            force: whether an existing run folder may be replaced, if nothing in it was changed or added.
            page: HTML report of the run, which becomes ``report.html``; None for no report.

        Raises:
            OutputError: the folder exists, or cannot be written.
        """
        directory = folder(directory)
        tables = {name: getattr(self, name) for name in TABLES}
        with replacing(directory, force, RUN_KIND) as new:
            new.mkdir()
            for name, frame in tables.items():
                with TableWriter(new / f"{name}.parquet", name, own_columns(directory, self.run, name)) as writer:
                    writer.write(frame)
            self.write_rest(new, directory, page)
        return directory

    def write_rest(self, new: Path, directory: Path, page: bytes | None = None) -> None:
        """Write everything of the run folder but its tables.

        Args:
            new: folder in which the files stand until they are complete.
            directory: the folder as it will be called.
            page: HTML report of the run, which becomes ``report.html``; None for no report.
        """
        summary, file = self.summary, None
        if self.recording is not None:
            file = RECORDING_FILE
            self.recording.to_parquet(new / file, engine="pyarrow", index=False)
        (new / SCENARIO_FILE).write_text(self.scenario.to_yaml(directory.resolve(), file), encoding="utf-8")
        run = {**self.run, "summary": {name: _json_number(value) for name, value in summary.items()}}
        (new / RUN_FILE).write_text(json.dumps(run, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        if page is not None:
            (new / PAGE).write_bytes(page)

    def check(self) -> None:
        """Make sure that the tables belong together, because a folder may have been edited.

        Raises:
            OutputError: they do not; the message names the folder, the table and the column.
        """
        check_tables({name: getattr(self, name) for name in TABLES}, float(self.run["duration"]), self.place)
        check_summary({str(name): float(value) for name, value in self.summary.items()}, self.summarise(), self.place)

    @classmethod
    def load(cls, directory: str | Path) -> Result:
        """Read a run folder. Each table is read and checked when it is first used.

        Args:
            directory: the folder itself.

        Raises:
            OutputError: it does not hold a run, or one that was edited, or it was replaced meanwhile; the message names
                the file and the field.
        """
        directory = folder(directory)
        recover(directory)
        # Before anything is read: another run may take the folder at any moment.
        marks = _marks(directory)
        run = read_run(directory, RUN_FILE)
        scenario = Scenario.load(directory / SCENARIO_FILE)
        result = cls(scenario, run, stored_tables(directory, run, marks))
        if _marks(directory) != marks:
            raise OutputError(f"{directory}: the folder has changed while it was read; load it again")
        result.place = str(directory)
        return result


def frame_hash(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the rows of a DataFrame.

    Args:
        frame: the DataFrame. Its index does not count.
    """
    import pandas as pd

    return hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
