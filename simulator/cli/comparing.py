"""The command that compares, and what it shares with the one that puts parts of a comparison together."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.options import (
    BidderNames,
    Cluster,
    Duration,
    Force,
    Jobs,
    Out,
    PartOf,
    ScenarioName,
    Seeds,
    Sets,
    Warmup,
    bidders_of,
    executor_of,
    load,
    slug,
)
from simulator.cli.terminal import bar, note, print_comparison, print_result, printable, tell_part, tell_recording

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario
    from simulator.study.compare import Comparison
    from simulator.study.contenders import Contender

COMPARISON_KIND = "comparison"
"""Kind of a comparison's folder in its manifest."""

# The report of a comparison must open at once. With these limits it has about four megabytes for `four_way`.
PAGE_POLICIES, PAGE_S = 6, 3600.0
"""Largest number of policies, and largest length of each run, s, in the report of a comparison."""

FigureOption = Annotated[
    Path | None,
    typer.Option("--figure", metavar="FILE", help="Draw the comparison into this file too: .png, .svg or .pdf."),
]
PaperTable = Annotated[
    str | None,
    typer.Option("--to", metavar="latex|markdown", help="Print a table for a paper: intervals, the best in bold."),
]


def compare(
    scenario: ScenarioName,
    policies: Annotated[
        str, typer.Option("--policies", metavar="A,B,C", help="Policies. Each is compared with the first.")
    ] = "",
    seeds: Seeds = 5,
    duration: Duration = None,
    warmup: Warmup = 0.0,
    sets: Sets = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=V1,V2",
            help="Make the comparison at each value of a field, such as stations.count=3,5. Can be repeated. "
            "KEY,KEY=V:W,V:W moves two fields together.",
        ),
    ] = None,
    loads: Annotated[
        str | None,
        typer.Option(
            "--load",
            metavar="L1,L2",
            help="Make the comparison at each load: a factor on the number of tasks, at the same traffic.",
        ),
    ] = None,
    demands: Annotated[
        str | None,
        typer.Option(
            "--demand",
            metavar="D1,D2",
            help="Make the comparison at each demand: a factor on the arrivals of vehicles.",
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", metavar="M", help="Figure that is compared: surplus, realised, latency, lost_share, ..."
        ),
    ] = "surplus",
    figure: FigureOption = None,
    to: PaperTable = None,
    mechanisms: Annotated[
        str | None,
        typer.Option(
            "--mechanisms", metavar="M,N", help="Run every policy in each of these mechanisms that has a seat for it."
        ),
    ] = None,
    bidders: BidderNames = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    part: PartOf = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Compare policies and mechanisms in the same worlds.

    Writes comparison.csv, runs.csv, comparison.png and report.html.
    The report shows the first six policies in the world of seed 0, for at most
    an hour. With --grid it shows the first value of each field.
    With --load or --demand, comparison.png shows all figures against it.
    An interrupted comparison continues if you repeat the command.
    """
    from simulator.study.compare import compare as compare_policies

    asked = Asked(
        scenario, policies, seeds, duration, warmup, sets, grid, loads, demands, metric, mechanisms, bidders
    )  # fmt: skip
    directory = asked.directory(out)
    if part is not None:
        _do_part(asked, part, directory, jobs, cluster, {"--figure": figure, "--to": to, "--force": force or None})
        return
    # Next to the folder and not in it: the folder appears only when the comparison is complete.
    journal = directory.with_name(f".{directory.name}.runs")
    with executor_of(cluster, jobs) as executor:

        def made(step: Callable[[float], None]) -> Comparison:
            return compare_policies(
                **asked.arguments,
                jobs=jobs,
                progress=lambda done, _: step(float(done)),
                journal=journal,
                metric=metric,
                executor=executor,
            )

        finish(asked, made, directory, force, figure, to)
    # The comparison is there. A journal that stays costs nothing.
    with contextlib.suppress(OSError):
        journal.unlink()


@dataclass(frozen=True)
class Asked:
    """A comparison as it was asked for, each option as it was typed."""

    scenario: str
    policies: str
    seeds: int
    duration: float | None
    warmup: float
    sets: list[str] | None
    grid: list[str] | None
    loads: str | None
    demands: str | None
    metric: str
    mechanisms: str | None
    bidders: list[str] | None

    def noted(self) -> dict[str, Any]:
        """Return the options as JSON has them."""
        return asdict(self)

    @cached_property
    def loaded(self) -> Scenario:
        """The scenario with the changes of ``--set``."""
        return load(self.scenario, self.sets)

    @cached_property
    def points(self) -> dict[str, list[Any]]:
        """The grid, with what ``--load`` and ``--demand`` ask for."""
        from simulator.errors import InputError
        from simulator.scenario.overrides import parse_grid

        scaled = _scaled(self.loaded, self.loads, self.demands).items()
        found: dict[str, list[Any]] = {}
        for key, values in (*(parse_grid(text) for text in self.grid or ()), *scaled):
            if key in found:
                raise InputError(f"--grid: {key} is moved twice; give all its values at once")
            found[key] = values
        return found

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `simulator.study.design.Design`."""
        rules = None if self.mechanisms is None else _names(self.mechanisms)
        return {
            "scenario": self.loaded, "policies": _names(self.policies), "seeds": self.seeds, "duration": self.duration,
            "warmup": self.warmup, "grid": self.points, "mechanisms": rules, "bidders": bidders_of(self.bidders),
        }  # fmt: skip

    @cached_property
    def contenders(self) -> list[Contender]:
        """Pairs of a policy and a mechanism."""
        from simulator.errors import SkippedWarning
        from simulator.study.contenders import contenders

        # Only counts and labels here: the comparison itself says what it leaves out.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkippedWarning)
            return contenders(self.arguments["policies"], self.arguments["mechanisms"])

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.contenders) * self.seeds * math.prod(map(len, self.points.values()))

    def directory(self, out: Path | None) -> Path:
        """Return the folder of the comparison.

        Args:
            out: what ``--out`` says.
        """
        from simulator.errors import OutputError
        from simulator.files import folder

        if out is None:
            return Path("outputs") / slug(f"{self.loaded.name}-compare")
        # The journal and the parts are next to it, under a name that follows from its own.
        named = folder(out) if out.name not in ("", "..") else folder(out).resolve()
        if not named.name:
            raise OutputError(f"{out}: has no name of its own; name a folder for the results")
        return named


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _do_part(
    asked: Asked, part: str, directory: Path, jobs: int, cluster: str | None, later: dict[str, object]
) -> None:
    """Do one part of a comparison.

    Args:
        asked: the comparison.
        part: the part, as text.
        directory: folder of the comparison that the parts make.
        jobs: number of parallel processes.
        cluster: address of a cluster.
        later: options of the comparison and not of a part, with their values.
    """
    from simulator.errors import InputError
    from simulator.study.design import Design
    from simulator.study.part_folder import COMPARE, noted_command
    from simulator.study.parts import Part, run_part
    from simulator.study.tabulate import metric_of

    chosen = Part.read(part)
    for option, value in later.items():
        if value is not None:
            given = option if value is True else f"{option} {value}"
            raise InputError(f"{given}: a part makes no table; give it to `dmsb merge`")
    folder = directory.with_name(f"{directory.name}.parts")
    tell_recording(asked.loaded)
    # What is wrong with the comparison is told before anything is written.
    metric_of(asked.metric)
    design = Design(**asked.arguments)
    chosen.check(len(design.points) * design.seeds)
    count = sum(chosen.has(design.place(cell)) for cell in design.cells)
    with (
        executor_of(cluster, jobs) as executor,
        noted_command(folder, COMPARE, asked.noted() | {"parts": chosen.of}),
        bar(f"{asked.loaded.name}, part {chosen}", count) as step,
    ):
        run_part(design, chosen, folder, jobs, lambda done, _: step(float(done)), executor)
    print(printable(f"part {chosen}: {count} of {asked.runs} runs; when all parts are done: dmsb merge {folder}"))  # noqa: T201
    print_result(folder / chosen.file)


def finish(
    asked: Asked,
    made: Callable[[Callable[[float], None]], Comparison],
    directory: Path,
    force: bool,
    figure: Path | None,
    to: str | None,
) -> None:
    """Make a comparison, and write and print what it found.

    Args:
        asked: the comparison.
        made: function that makes it. It is handed a function that takes the number of finished runs.
        directory: folder for the results.
        force: whether results that are there are replaced.
        figure: file for another picture.
        to: format of the printed table.
    """
    from simulator.errors import InputError, nearest, need
    from simulator.files import PAGE, check, replacing
    from simulator.record.result import SCENARIO_FILE
    from simulator.run import plan
    from simulator.scenario.scenario import Scenario
    from simulator.study.design import grid_points
    from simulator.study.ranks import disagreements
    from simulator.study.tabulate import metric_of
    from simulator.view.escape import without_formulas
    from simulator.view.figures import check_picture, comparison, not_a_picture_of_ours
    from simulator.view.load_figure import draw_load, told
    from simulator.view.paper_tables import PAPER_TABLES
    from simulator.view.report.means import means
    from simulator.view.report.payload import payload
    from simulator.view.report.write import signed_page

    # Before the runs, so that a missing package does not cost them.
    need("matplotlib")
    loaded, compared, points = asked.loaded, asked.contenders, asked.points
    column, title = metric_of(asked.metric), f"{loaded.name}, {asked.seeds} worlds"
    check(directory, force, COMPARISON_KIND)
    if to is not None and to not in PAPER_TABLES:
        raise InputError(f"--to: there is no format '{to}'; {nearest(to, PAPER_TABLES)}")
    if figure is not None:
        results, picture = directory.resolve(), figure.resolve()
        if results == picture or results in picture.parents or picture in results.parents:
            raise InputError(f"--figure {figure}: the folder of the results is {directory}; name a file elsewhere")
        check_picture(figure, force)
    # The runs of the report are made a second time: the comparison keeps only their figures, not their tables.
    tell_recording(loaded)
    with bar(f"{loaded.name}, {len(compared)} policies", asked.runs + len(compared[:PAGE_POLICIES])) as step:
        table, runs = made(step)
        shown_point = grid_points(points)[0]
        first = Scenario.load(loaded, **dict(shown_point))
        below = "".join(f"{key} = {value}; " for key, value in shown_point) + "the world of seed 0"
        if len(compared) > PAGE_POLICIES:
            below += f"; the first {PAGE_POLICIES} of {len(compared)} policies"
        looked_at = {}
        for number, one in enumerate(compared[:PAGE_POLICIES]):
            planned = plan(
                first, one.policy, 0, asked.duration, asked.warmup,
                mechanism=one.mechanism, bidders=asked.arguments["bidders"], explain=True,
            )  # fmt: skip
            looked_at[one.label] = planned.at_most(asked.warmup + PAGE_S).run()
            step(float(asked.runs + number + 1))
    # A grid of a load alone has a figure of its own.
    against_load = len(points) == 1 and bool(asked.loads or asked.demands) and len(next(iter(points.values()))) > 1

    def draw(path: Path) -> None:
        if against_load:
            draw_load(table, runs, path, title, column)
        else:
            comparison(table, path, title, column)

    data = payload(looked_at, below)
    tell_part(data.part, (0.0, float(data.head["duration"])))
    page = signed_page(data, means(table, column, dict(shown_point)))
    with replacing(directory, force, COMPARISON_KIND) as new:
        new.mkdir()
        without_formulas(table.reset_index()).to_csv(new / "comparison.csv", index=False)
        without_formulas(runs.reset_index()).to_csv(new / "runs.csv", index=False)
        (new / SCENARIO_FILE).write_text(loaded.to_yaml(directory.resolve()), encoding="utf-8")
        draw(new / "comparison.png")
        (new / PAGE).write_bytes(page)
    if figure is not None:
        with replacing(figure, force, foreign=not_a_picture_of_ours) as new:
            draw(new)
    if to is None:
        notes = [*disagreements(runs), *([told(runs)] if against_load else [])]
        print_comparison(table, title, column, first.traffic.kind == "recorded", notes)
        print_result(directory)
    else:
        # Only the table, so that it can be piped into a file.
        print(PAPER_TABLES[to](table, column))  # noqa: T201
        note(str(directory))


def _scaled(scenario: Scenario, load: str | None, demand: str | None) -> dict[str, list[float]]:
    """Return the grid that the options --load and --demand ask for."""
    from simulator.errors import InputError
    from simulator.study.load import DEMAND_KEY, LOAD_KEY

    kind = scenario.traffic.kind
    if demand is not None and kind != "generated":
        offer = ", so its arrivals cannot be scaled; use --load" if kind == "recorded" else ", and nothing arrives"
        raise InputError(f"--demand: the traffic of '{scenario.name}' is {kind}{offer}")
    return {
        key: _factors(option, text)
        for option, key, text in (("--load", LOAD_KEY, load), ("--demand", DEMAND_KEY, demand))
        if text is not None
    }


def _factors(option: str, text: str) -> list[float]:
    """Read the factors of an option, such as ".5,1,2"."""
    from simulator.errors import InputError

    try:
        factors = [float(part) for part in text.split(",")]
    except ValueError:
        factors = []
    if not factors or not all(0.0 < factor < math.inf for factor in factors) or len(set(factors)) < len(factors):
        raise InputError(f"{option} {text}: must be different numbers above 0, such as .5,1,2")
    return sorted(factors)
