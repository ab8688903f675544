"""The command ``dmsb``: parses, calls, prints."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.options import Duration, Force, Out, ScenarioName, Seed, Sets, Warmup, load, slug
from simulator.cli.studies import audit, compare, reproduce, train
from simulator.cli.terminal import bar, note, print_rows, print_summary, show_warning
from simulator.errors import InputError, RunError

app = typer.Typer(
    name="dmsb",
    help="Auctions for vehicle-twin tasks at an intersection: run scenarios, swap pricing policies, read the traces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"dmsb {version('dmsb')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(
    scenario: ScenarioName,
    policy: Annotated[
        str, typer.Option("--policy", metavar="P", help="NAME[:VALUE], NAME[:k=v[:k=v]] or path.py:Class[:k=v].")
    ] = "random",
    seed: Seed = 0,
    duration: Duration = None,
    warmup: Warmup = 0.0,
    sets: Sets = None,
    out: Out = None,
    force: Force = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write a page to look at too; its path is the last line.")
    ] = False,
) -> None:
    """Run a scenario under a pricing policy: a summary, and a folder with every event."""
    from simulator.clock import check_times
    from simulator.files import folder
    from simulator.record.result import REPORT_FILE, check_result_folder
    from simulator.run import prepare, simulate

    loaded = load(scenario, sets)
    length = loaded.duration_s if duration is None else duration
    check_times(seed, length, warmup)
    prepare(loaded, policy, None)
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{loaded.name}-{policy}-s{seed}")
    check_result_folder(directory, force)
    with bar(f"{loaded.name}, {policy}", length) as progress:
        result = simulate(loaded, policy, seed=seed, duration=duration, warmup=warmup, progress=progress)
    result.save(directory, force)
    mechanism = "" if loaded.market.mechanism is None else f", mechanism {loaded.market.mechanism}"
    print_summary(result.summary, f"{loaded.name}, policy {policy}{mechanism}, seed {seed}, {length:g} s")
    if report:
        from simulator.view.report.write import write_report

        write_report({policy: result}, directory / REPORT_FILE)
    print(directory / REPORT_FILE if report else directory)  # noqa: T201


for study in (compare, train, audit, reproduce):
    app.command()(study)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; default: report.html in the run folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """One HTML file to look at a run: a replay, charts, tables; it opens offline."""
    from simulator.errors import OutputError
    from simulator.files import folder
    from simulator.record.result import REPORT_FILE, Result
    from simulator.view.report.write import write_report

    directory = folder(run_dir)
    path = folder(out) if out is not None else directory / REPORT_FILE
    if out is not None and path.exists() and not force:
        raise OutputError(f"{path} exists already; name another with --out, or replace it with --force")
    result = Result.load(directory)
    write_report({str(result.run["policy"]): result}, path)
    print(path)  # noqa: T201


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run folder.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="perfetto, csv, sumo-fcd or jsonl.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="The file (of csv the folder); default: beside the run."),
    ] = None,
) -> None:
    """A run in another tool's format: Chrome trace events, CSV, floating-car data, events as JSON lines."""
    from simulator.files import folder
    from simulator.record.result import Result
    from simulator.view.export import beside
    from simulator.view.export import export as export_run

    directory = folder(run_dir)
    path = folder(out) if out is not None else beside(directory, to)
    export_run(Result.load(directory), to, path)
    print(path)  # noqa: T201


@app.command()
def scenarios(
    show: Annotated[str | None, typer.Option("--show", metavar="NAME", help="Print one of them.")] = None,
) -> None:
    """List the shipped scenarios."""
    from simulator.errors import ScenarioError, nearest
    from simulator.scenario.scenario import Scenario
    from simulator.scenario.shipped import shipped_scenarios, shipped_text

    known = shipped_scenarios()
    if show is None:
        print_rows(("scenario", "what it is"), [(name, Scenario.load(name).about) for name in known])
    elif show in known:
        print(shipped_text(show), end="")  # noqa: T201
    else:
        raise ScenarioError(f"there is no shipped scenario '{show}'; {nearest(show, known)}")


@app.command()
def policies() -> None:
    """List the pricing policies that are installed, and their parameters."""
    import inspect

    from simulator.market.plugins import known_policies

    rows = []
    for name, entry in known_policies().items():
        found = entry.load()
        parameters = [
            one.name if one.default is one.empty else f"{one.name}={one.default!r}"
            for one in inspect.signature(found).parameters.values()
        ]
        about = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")
        rows.append((name, ", ".join(parameters), about))
    print_rows(("policy", "parameters", "what it does"), rows)


@app.command()
def validate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A scenario file, or the name of a shipped one.")],
) -> None:
    """Say what is wrong with a scenario file, or that nothing is."""
    from simulator.market.plugins import find_mechanism
    from simulator.providers.fleet import Fleet
    from simulator.scenario.scenario import Scenario
    from simulator.scenario.shipped import data_path
    from simulator.scenario.traffic import GeneratedTraffic, RecordedTraffic
    from simulator.traffic.network import Network
    from simulator.traffic.recording import Recording

    problems = Scenario.problems(file)
    for problem in problems:
        note(f"error: {problem}")
    if problems:
        raise typer.Exit(2)
    loaded = load(file, None)
    found, failed = "", False
    if loaded.market.mechanism is not None:
        try:
            find_mechanism(loaded.market.mechanism)
        except InputError as error:
            note(f"error: {error}")
            failed = True
    try:
        if isinstance(loaded.traffic, RecordedTraffic):
            recording = Recording.read(data_path(loaded.traffic.file), loaded.traffic.max_gap_s)
            found = f" ({recording.vehicles} vehicles, {len(recording.time)} positions, {recording.end:g} s)"
        if isinstance(loaded.traffic, GeneratedTraffic):
            network = Network(loaded.traffic, Fleet(loaded))
            found = f" (signals at {', '.join(network.junctions()) or 'no node'}; entries {', '.join(network.entries)})"
    except InputError as error:
        note(f"error: {error}")
        failed = True
    if failed:
        raise typer.Exit(2)
    print(f"{loaded.name}: valid{found}")  # noqa: T201


@app.command()
def schema() -> None:
    """List every field of a scenario: default, what it may be, meaning with its unit."""
    from simulator.scenario.reference import scenario_fields

    for row in scenario_fields():
        print(f"{row.field}: {row.default}" + (f"  ({row.allowed})" if row.allowed else ""))  # noqa: T201
        print(f"    {row.meaning}")  # noqa: T201


def main() -> None:
    """Entry point: exit 0 if done, 1 if the run failed, 2 if the input was wrong."""
    warnings.showwarning = show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "±" still gets the table
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(130)
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # empty where the help has been shown instead
            note(f"error: {message}")
        sys.exit(2)
    except RunError as error:
        note(f"error: {error}")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("DMSB_DEBUG"):
            raise
        from simulator.market.guard import describe

        note(f"error: unexpected {describe(error)}; with DMSB_DEBUG=1 the traceback is shown")
        sys.exit(1)


if __name__ == "__main__":
    main()
