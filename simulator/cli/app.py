"""Command line of ``dmsb``: parsing of arguments, calls of the library, printing of results."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.arena import arena
from simulator.cli.comparing import compare
from simulator.cli.installation import doctor
from simulator.cli.listing import bidders, mechanisms, policies, systems
from simulator.cli.merging import merge
from simulator.cli.options import (
    POLICY_HELP,
    SWITCH,
    BidderNames,
    Duration,
    Force,
    MechanismName,
    Out,
    ScenarioName,
    Seed,
    Sets,
    Warmup,
    bidders_of,
    load,
    seconds,
    slug,
)
from simulator.cli.scenario_files import new, schema, validate
from simulator.cli.streams import GONE, Streams, has_working_directory
from simulator.cli.studies import audit, reproduce, toll
from simulator.cli.terminal import (
    bar,
    note,
    print_result,
    print_rows,
    print_summary,
    show_warning,
    tell_part,
    tell_recording,
    where_it_is,
)
from simulator.cli.training import train
from simulator.errors import InputError, RunError

if TYPE_CHECKING:
    from simulator.record.result import Result

MOST_UNSERVED = 0.1
"""Share of unserved tasks above which a run says so."""

app = typer.Typer(
    name="dmsb",
    help="Simulate auctions for vehicle-twin tasks at road junctions: run scenarios, compare pricing policies, "
    "read the results.",
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
        bool,
        typer.Option(
            "--version", metavar=SWITCH, callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


# Commands import what they need inside: `dmsb --help` must not wait for pandas.
@app.command()
def run(
    scenario: ScenarioName,
    policy: Annotated[str | None, typer.Option("--policy", metavar="P", help=POLICY_HELP)] = None,
    mechanism: MechanismName = None,
    bidders: BidderNames = None,
    seed: Seed = 0,
    duration: Duration = None,
    warmup: Warmup = 0.0,
    sets: Sets = None,
    out: Out = None,
    force: Force = False,
    report: Annotated[
        bool,
        typer.Option("--report", metavar=SWITCH, help="Write an HTML report too. The last line printed is its path."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            metavar=SWITCH,
            help="Record the reasons of each decision in the table decisions. --report implies it.",
        ),
    ] = False,
) -> None:
    """Run a scenario under a policy and a mechanism.

    Prints a summary, and writes a folder with the tables of the run.
    """
    from simulator.files import PAGE, check, folder
    from simulator.market.guard import policy_label
    from simulator.record.result import RUN_KIND
    from simulator.run import plan

    loaded = load(scenario, sets)
    planned = plan(
        loaded, policy, seed, duration, warmup, mechanism, bidders=bidders_of(bidders), explain=explain or report
    )
    label = policy_label(planned.policy) if planned.policy_decides else policy_label(planned.mechanism)
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{loaded.name}-{label}-s{seed}")
    check(directory, force, RUN_KIND)
    tell_recording(loaded, planned.recording)
    page = None
    if report:
        from simulator.view.report.payload import payload
        from simulator.view.report.write import signed_page

        def page(made: Result) -> bytes:
            data = payload({label: made})
            tell_part(data.part, (0.0, planned.duration))
            return signed_page(data)

    with bar(f"{loaded.name}, {label}", planned.duration) as progress:
        result = planned.run_into(directory, force, progress, page)
    who = f"policy {label}, " if planned.policy_decides else ""
    what = policy_label(planned.mechanism)
    print_summary(result.summary, f"{loaded.name}, {who}mechanism {what}, seed {seed}, {planned.duration:g} s")
    # What a mechanism keeps from everybody, as a reserve does, is its rule and no fault of the scenario.
    unserved = result.summary[["not_covered", "not_invited", "no_bid"]].sum()
    tasks = result.summary["tasks"]
    if unserved > MOST_UNSERVED * tasks:
        note(
            f"warning: {unserved:,.0f} of {tasks:,.0f} tasks are unserved; not_covered, not_invited, no_bid say why; "
            "for a recording, `dmsb validate` says what share of it is covered"
        )
    print_result(directory / PAGE if report else directory)


for study in (compare, arena, train, audit, toll, reproduce, merge):
    app.command()(study)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write; by default report.html in the run folder."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", metavar=SWITCH, help="Replace FILE if it exists.")] = False,
    begin: Annotated[
        float | None,
        typer.Option("--from", metavar="S", parser=seconds, help="Beginning of what is shown in detail, s."),
    ] = None,
    end: Annotated[
        float | None, typer.Option("--to", metavar="S", parser=seconds, help="End of what is shown in detail, s.")
    ] = None,
) -> None:
    """Write an HTML report of a run.

    The report is one file with a replay, charts and tables.
    It opens without a network. If a run is too long for a page of 10 MB, the
    page shows its first part in detail, and counts and means of all of it.
    --from and --to choose another part.
    """
    from simulator.files import PAGE, check, folder, unsigned
    from simulator.market.plugins import NoPolicy
    from simulator.record.result import Result
    from simulator.view.report.write import write_report

    directory = folder(run_dir)
    # The page in the run folder is made from that folder, so that nothing is lost if it is made again.
    path, force = (directory / PAGE, True) if out is None else (folder(out), force)
    result = Result.load(directory)
    check(path, force, foreign=unsigned)
    policy, mechanism = str(result.run["policy"]), str(result.run["mechanism"])
    duration = float(result.run["duration"])
    if begin is not None and not 0.0 <= begin < duration:
        raise InputError(f"--from {begin:g}: must be from 0 to below {duration:g} s, the length of the run")
    if end is not None and not end > (begin or 0.0):
        raise InputError(f"--to {end:g}: must be above {begin or 0.0:g} s, where the part begins")
    part = begin or 0.0, duration if end is None else min(end, duration)
    name = mechanism if policy == NoPolicy.spec else policy
    tell_part(write_report({name: result}, path, force=force, part=part), part)
    print_result(path)


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="perfetto, csv, sumo-fcd or jsonl.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="PATH", help="File to write (for csv a folder); by default next to the run folder."
        ),
    ] = None,
) -> None:
    r"""Write a run in the format of another tool.

    perfetto: Chrome trace events, for ui.perfetto.dev.
    csv: one CSV file per table.
    sumo-fcd: floating-car data, as SUMO writes it.
    jsonl: one JSON object per event.

    In CSV, a text that begins with = + - @ or a control character has a single
    quote before it, because a spreadsheet would take it for a formula.
    In floating-car data, a character that XML cannot hold is written as its
    number, such as \x00.
    """
    from simulator.files import folder
    from simulator.record.result import Result
    from simulator.view.export import beside, export as export_run

    directory = folder(run_dir)
    result = Result.load(directory)
    path = folder(out) if out is not None else beside(directory, to)
    export_run(result, to, path)
    print_result(path)


@app.command()
def scenarios(
    show: Annotated[
        str | None, typer.Option("--show", metavar="NAME", help="Print the file of this scenario instead.")
    ] = None,
) -> None:
    """List the shipped scenarios."""
    from simulator.errors import ScenarioError, nearest
    from simulator.scenario.scenario import Scenario
    from simulator.scenario.shipped import shipped_scenarios, shipped_text

    known = shipped_scenarios()
    if show is None:
        print_rows(("scenario", "description"), [(name, Scenario.load(name).about) for name in known])
    elif show in known:
        print(shipped_text(show), end="")  # noqa: T201
    else:
        raise ScenarioError(f"there is no shipped scenario '{show}'; {nearest(show, known)}")


for other in (policies, mechanisms, bidders, systems, validate, new, schema, doctor):
    app.command()(other)


def main() -> None:
    """Run the command line: exit 0 if done, 1 if the run failed, 2 if the input was wrong."""
    streams = Streams()
    warnings.showwarning = show_warning
    code = _outcome()
    problem = streams.error()
    if problem is not None:
        note(f"error: the output cannot be written ({problem}){where_it_is()}")
        code = code or 1
    sys.exit(code)


def _outcome() -> int:
    """Call the command, tell what went wrong, and return the exit code."""
    try:
        return int(app(prog_name="dmsb", standalone_mode=False) or 0)
    except typer.Abort:
        return 130
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # empty where the help has been shown instead
            gone = "" if has_working_directory() or message == GONE else f" ({GONE})"
            note(f"error: {message}{gone}")
        return 2
    except RunError as error:
        if os.environ.get("DMSB_DEBUG"):
            raise
        note(f"error: {error}")
        return 1
    except MemoryError:
        note("error: this needs more memory than there is")
        return 1
    except Exception as error:
        if os.environ.get("DMSB_DEBUG"):
            raise
        if isinstance(error, FileNotFoundError) and not has_working_directory():
            note(f"error: {GONE}")
            return 2
        from simulator.market.guard import describe

        note(f"error: unexpected {describe(error)}; with DMSB_DEBUG=1 the traceback is shown")
        return 1


if __name__ == "__main__":
    main()
