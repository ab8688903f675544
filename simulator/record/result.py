"""What a run leaves: its tables, its summary, and the folder that holds both."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import OutputError
from simulator.files import PAGE, folder, recover, replacing
from simulator.record.schema import SUMMARY, TABLES, table
from simulator.scenario.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

RUN_FILE, SCENARIO_FILE, RECORDING_FILE = "run.json", "scenario.yaml", "recording.parquet"

RUN_KIND = "run"
"""Kind of a run's folder in its manifest."""


class Result:
    """One run.

    Attributes:
        scenario: the complete scenario that was run.
        recording: the trajectories that were given as a DataFrame, None otherwise; saved beside the tables.
        run: seed, policy, mechanism, information, times, versions, hashes: what ``run.json`` holds.
        events: a row per event.
        auctions: a row per auction.
        bids: a row per invited provider of every auction.
        tasks: a row per task.
        vehicles: a row per vehicle.
        providers: a row per provider.
        paths: a row per change of motion, and one at the end of the run for who is still there.
        signals: a row per change of a signal.

    The tables are DataFrames, made when they are first looked at; `describe` says what each column is.
    """

    events: pd.DataFrame
    auctions: pd.DataFrame
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
        sources: Mapping[str, Callable[[], pd.DataFrame]],
        recording: pd.DataFrame | None = None,
    ) -> None:
        self.scenario, self.run, self.recording = scenario, run, recording
        self._sources = sources

    def __getattr__(self, name: str) -> pd.DataFrame:
        """A table, made and kept."""
        if name not in TABLES:
            raise AttributeError(f"a result has no attribute '{name}'; its tables are {', '.join(TABLES)}")
        frame = self._sources[name]()
        setattr(self, name, frame)
        return frame

    @property
    def summary(self) -> pd.Series:
        """The figures of the run, after its warm-up: see `simulator.record.schema.SUMMARY` for each."""
        import pandas as pd

        if "summary" not in self.run:
            self.run["summary"] = self._summarise()
        figures = {name: math.nan if value is None else value for name, value in self.run["summary"].items()}
        return pd.Series(figures, name=self.run["policy"], dtype="float64")

    def _summarise(self) -> dict[str, float | None]:
        warmup = self.run["warmup"]
        tasks = self.tasks[self.tasks["requested"] >= warmup]
        auctions = self.auctions[self.auctions["time"] >= warmup]
        status = tasks["status"].value_counts()
        latency = tasks.loc[tasks["status"] == "completed", "latency"]
        rho = auctions["rho"]
        surplus, best = auctions["surplus"].sum(), auctions["oracle_surplus"].sum()
        figures = {
            "tasks": len(tasks),
            **{name: int(status[name]) for name in ("completed", "lost", "unserved", "open")},
            "asked": int(auctions["asked"].sum()),
            "surplus_total": surplus,
            "surplus_mean": auctions["surplus"].mean(),
            "realised_mean": tasks["realised_surplus"].mean(),
            "oracle_share": surplus / best if best > 0.0 else math.nan,
            "uav_share": (auctions["winner_kind"] == "uav").mean(),
            "rho_mean": rho[rho < math.inf].mean(),
            "latency_mean": latency.mean(),
            "latency_p95": latency.quantile(0.95),
            "payments": auctions["payment"].sum(),
            "wall_s": self.run["wall_s"],
            "cpu_s": self.run["cpu_s"],
        }
        # JSON has neither NaN nor infinity: what a run cannot say stands as null, and so does what overflows.
        return {name: _json_number(figures[name]) for name in SUMMARY}

    @staticmethod
    def describe() -> pd.DataFrame:
        """Every column of every table: table, column, type, unit, meaning."""
        import pandas as pd

        rows = [(name, *column[:4]) for name, columns in TABLES.items() for column in columns]
        return pd.DataFrame(rows, columns=["table", "column", "type", "unit", "meaning"])

    def why_no_auction(self) -> str | None:
        """Why a run asked for no price at all, in a sentence; None if it did ask."""
        auctions = self.auctions
        if bool(auctions["asked"].any()):
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
            force: replace a run folder that is there, if nothing in it was changed or added.
            page: a page to look at, which becomes ``report.html``.

        Raises:
            OutputError: the folder exists, or cannot be written.
        """
        directory = folder(directory)
        tables, summary = {name: getattr(self, name) for name in TABLES}, self.summary
        with replacing(directory, force, RUN_KIND) as new:
            new.mkdir()
            for name, frame in tables.items():
                frame.to_parquet(new / f"{name}.parquet", engine="pyarrow", index=False)
            file = None
            if self.recording is not None:
                file = RECORDING_FILE
                self.recording.to_parquet(new / file, engine="pyarrow", index=False)
            text = self.scenario.to_yaml(directory.resolve(), file)
            (new / SCENARIO_FILE).write_text(text, encoding="utf-8")
            run = {**self.run, "summary": {name: _json_number(value) for name, value in summary.items()}}
            (new / RUN_FILE).write_text(json.dumps(run, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            if page is not None:
                (new / PAGE).write_bytes(page)
        return directory

    @classmethod
    def load(cls, directory: str | Path) -> Result:
        """Read a run folder.

        Raises:
            OutputError: it holds no run.
        """
        directory = folder(directory)
        try:
            recover(directory)
            run = json.loads((directory / RUN_FILE).read_text(encoding="utf-8"))
            figures = run["summary"]
            whole = (
                all(isinstance(run[name], str) for name in ("policy", "mechanism", "information", "scenario_sha256"))
                and all(_is_number(run[name]) for name in ("seed", "duration", "warmup", "time_origin"))
                and all(figures[name] is None or _is_number(figures[name]) for name in SUMMARY)
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise OutputError(f"{directory}: this is no run folder; it holds no whole {RUN_FILE}")
        scenario = Scenario.load(directory / SCENARIO_FILE)

        def source(name: str) -> Callable[[], pd.DataFrame]:
            return lambda: _read_table(directory, name)

        return cls(scenario, run, {name: source(name) for name in TABLES})


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of the rows of a DataFrame."""
    import pandas as pd

    return hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _read_table(directory: Path, name: str) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_parquet(directory / f"{name}.parquet", engine="pyarrow")
        return table(name, {column: frame[column] for column in frame.columns})
    except Exception as error:
        reason = f"there is no column {error}" if isinstance(error, KeyError) else error
        raise OutputError(f"{directory}: the table {name}.parquet cannot be read ({reason})") from None
