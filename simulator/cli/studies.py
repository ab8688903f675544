"""Commands that make many runs: compare, audit, toll, reproduce."""

from __future__ import annotations

import contextlib
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import (
    POLICY_HELP,
    BidderNames,
    Cluster,
    Duration,
    Force,
    Jobs,
    MechanismName,
    Out,
    ScenarioName,
    Seed,
    Seeds,
    Sets,
    Warmup,
    bidders_of,
    executor_of,
    load,
    slug,
    whole,
)
from simulator.cli.streams import need_working_directory
from simulator.cli.terminal import (
    bar,
    print_claims,
    print_comparison,
    print_result,
    print_rows,
    printable,
    steps_bar,
    tell_recording,
)
from simulator.cli.terminal import note as tell

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario

COMPARISON_KIND = "comparison"
"""Kind of a comparison's folder in its manifest."""

# The report of a comparison must open at once. With these limits it has about four megabytes for `four_way`.
PAGE_POLICIES, PAGE_S = 6, 3600.0
"""Largest number of policies, and largest length of each run, s, in the report of a comparison."""


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
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Draw the comparison into this file too: .png, .svg or .pdf."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="latex|markdown", help="Print a table for a paper: intervals, the best in bold."),
    ] = None,
    mechanisms: Annotated[
        str | None,
        typer.Option(
            "--mechanisms", metavar="M,N", help="Run every policy in each of these mechanisms that has a seat for it."
        ),
    ] = None,
    bidders: BidderNames = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
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
    from simulator.errors import InputError, SkippedWarning, nearest, need
    from simulator.files import PAGE, check, folder, replacing
    from simulator.record.result import SCENARIO_FILE
    from simulator.run import plan
    from simulator.scenario.overrides import parse_grid
    from simulator.scenario.scenario import Scenario
    from simulator.study.compare import compare as compare_policies
    from simulator.study.compare import grid_points, metric_of
    from simulator.study.contenders import contenders
    from simulator.study.ranks import disagreements
    from simulator.view.escape import without_formulas
    from simulator.view.figures import check_picture, comparison, not_a_picture_of_ours
    from simulator.view.load_figure import draw_load, told
    from simulator.view.paper_tables import PAPER_TABLES
    from simulator.view.report.means import means
    from simulator.view.report.write import signed_page

    # Before the runs, so that a missing package does not cost them.
    need("matplotlib")
    loaded = load(scenario, sets)
    names = [name.strip() for name in policies.split(",") if name.strip()]
    rules = None if mechanisms is None else [name.strip() for name in mechanisms.split(",") if name.strip()]
    answers = bidders_of(bidders)
    # Only counts and labels here: the comparison itself says what it leaves out.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedWarning)
        compared = contenders(names, rules)
    column, title = metric_of(metric), f"{loaded.name}, {seeds} worlds"
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{loaded.name}-compare")
    check(directory, force, COMPARISON_KIND)
    if to is not None and to not in PAPER_TABLES:
        raise InputError(f"--to: there is no format '{to}'; {nearest(to, PAPER_TABLES)}")
    if figure is not None:
        check_picture(figure, force)
    points = dict(parse_grid(text) for text in grid or ())
    points |= _scaled(loaded, loads, demands)
    # Next to the folder and not in it: the folder appears only when the comparison is complete.
    journal = directory.with_name(f".{directory.name}.runs")
    runs_in_all = len(compared) * seeds * math.prod(map(len, points.values()))
    # The runs of the report are made a second time: the comparison keeps only their figures, not their tables.
    tell_recording(loaded)
    with (
        executor_of(cluster, jobs) as executor,
        bar(f"{loaded.name}, {len(compared)} policies", runs_in_all + len(compared[:PAGE_POLICIES])) as step,
    ):
        table, runs = compare_policies(
            loaded,
            names,
            seeds=seeds,
            duration=duration,
            warmup=warmup,
            jobs=jobs,
            progress=lambda done, _: step(float(done)),
            grid=points,
            journal=journal,
            mechanisms=rules,
            bidders=answers,
            metric=metric,
            executor=executor,
        )
        shown_point = grid_points(points)[0]
        first = Scenario.load(loaded, **dict(shown_point))
        note = "".join(f"{key} = {value}; " for key, value in shown_point) + "the world of seed 0"
        if len(compared) > PAGE_POLICIES:
            note += f"; the first {PAGE_POLICIES} of {len(compared)} policies"
        looked_at = {}
        for number, one in enumerate(compared[:PAGE_POLICIES]):
            planned = plan(
                first, one.policy, 0, duration, warmup, mechanism=one.mechanism, bidders=answers, explain=True
            )
            looked_at[one.label] = planned.at_most(warmup + PAGE_S).run()
            step(float(runs_in_all + number + 1))
    # A grid of a load alone has a figure of its own.
    against_load = len(points) == 1 and bool(loads or demands) and len(next(iter(points.values()))) > 1

    def draw(path: Path) -> None:
        if against_load:
            draw_load(table, runs, path, title, column)
        else:
            comparison(table, path, title, column)

    page = signed_page(looked_at, note, means(table, column, dict(shown_point)))
    with replacing(directory, force, COMPARISON_KIND) as new:
        new.mkdir()
        without_formulas(table.reset_index()).to_csv(new / "comparison.csv", index=False)
        without_formulas(runs.reset_index()).to_csv(new / "runs.csv", index=False)
        (new / SCENARIO_FILE).write_text(loaded.to_yaml(directory.resolve()), encoding="utf-8")
        draw(new / "comparison.png")
        (new / PAGE).write_bytes(page)
    # The comparison is there. A journal that stays costs nothing.
    with contextlib.suppress(OSError):
        journal.unlink()
    if figure is not None:
        with replacing(figure, force, foreign=not_a_picture_of_ours) as new:
            draw(new)
    if to is None:
        notes = [*disagreements(runs), *([told(runs)] if against_load else [])]
        print_comparison(table, title, column, first.traffic.kind == "recorded", notes)
    else:
        # Only the table, so that it can be piped into a file.
        print(PAPER_TABLES[to](table, column))  # noqa: T201
        tell(str(directory))
        return
    print_result(directory)


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


def audit(
    scenario: ScenarioName,
    policy: Annotated[str | None, typer.Option("--policy", metavar="P", help=POLICY_HELP)] = None,
    mechanism: MechanismName = None,
    bidders: BidderNames = None,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", parser=whole, help="Number of worlds that the rounds are from.")
    ] = 1,
    long_run: Annotated[
        int,
        typer.Option(
            "--long-run",
            metavar="N",
            parser=whole,
            help="Number of worlds of complete runs in which one station bids untruthfully; 0 omits them.",
        ),
    ] = 8,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", parser=whole, help="Number of rounds to clear again.")
    ] = 1_000,
    sets: Sets = None,
) -> None:
    """Test what a mechanism claims, and whether bidders can gain by false bids.

    Clears rounds again with misreports, with second bids under false names,
    and with exchanged bids. Tests for adverse selection too. A star marks what
    the mechanism claims.
    """
    from simulator.market.plugins import default_policy
    from simulator.study.audit import audit as audit_auction

    loaded = load(scenario, sets)
    tell_recording(loaded)
    found = audit_auction(
        loaded,
        policy,
        seed=seed,
        rounds=rounds,
        mechanism=mechanism,
        seeds=seeds,
        long_run=long_run,
        bidders=bidders_of(bidders),
    )
    rows = [
        (row.property + (" *" if row.claimed else ""), row.verdict, f"{row.number:.4g}", row.meaning)
        for row in found.findings
    ]
    decides = policy or default_policy(loaded, mechanism)
    named = (("policy", None if decides == "none" else decides), ("mechanism", mechanism or loaded.market.mechanism))
    who = ", ".join(f"{what} {name}" for what, name in named if name)
    print_rows(
        ("property", "verdict", "number", "meaning"),
        rows,
        f"{loaded.name}, {who}: {found.rounds:,} rounds cleared again; * the mechanism claims this",
    )
    # One round can be the example of two properties: it is printed once.
    for example in dict.fromkeys(row.example for row in found.findings if row.example):
        print(printable(f"- {example}"))  # noqa: T201


def toll(
    scenario: ScenarioName,
    policy: Annotated[
        str, typer.Option("--policy", metavar="P", help="Policy that sets all other prices.")
    ] = "conditional",
    seeds: Seeds = 4,
    auctions: Annotated[
        int, typer.Option("--auctions", metavar="N", parser=whole, help="Number of auctions, over all worlds.")
    ] = 60,
    followed: Annotated[
        float, typer.Option("--followed", metavar="S", help="Time after an auction in which later tasks count, s.")
    ] = 60.0,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    sets: Sets = None,
) -> None:
    """Measure what a task at the UAV costs later tasks more than one at a station.

    Plays the same future twice after each of some auctions: once with a station
    as the winner, once with the UAV. The toll is the surplus that later tasks
    lose if the UAV wins, divided by the mean surplus of a task. It is theta of
    the policy foresight.
    """
    from simulator.study.toll import toll as measure

    loaded = load(scenario, sets)
    tell_recording(loaded)
    with executor_of(cluster, jobs) as executor, bar(f"{loaded.name}, {auctions} auctions", auctions) as step:
        found = measure(
            loaded,
            policy,
            seeds=seeds,
            auctions=auctions,
            followed_s=followed,
            jobs=jobs,
            progress=lambda done, _: step(float(done)),
            executor=executor,
        )
    rows = [
        ("surplus", f"{found.surplus:+.3f}", f"{found.surplus_ci:.3f}", "valued when the auctions settle"),
        ("realised", f"{found.realised:+.3f}", f"{found.realised_ci:.3f}", "at actual latency, 0 if lost or unserved"),
    ]
    count = len(found.branches)
    print_rows(
        ("toll by", "share", "±", "meaning"),
        rows,
        f"{loaded.name}, policy {printable(policy)}: {count} auctions in {seeds} worlds, {followed:g} s after each",
    )


def reproduce(
    figures: Annotated[
        list[str], typer.Argument(metavar="FIGURE...", help="Any of fig3, fig4, fig5, fig6 and claims.")
    ],
    scale: Annotated[
        str,
        typer.Option(
            "--scale", metavar="quick|paper", help="quick takes minutes; paper takes hours and has narrower intervals."
        ),
    ] = "quick",
    jobs: Jobs = 1,
    cluster: Cluster = None,
    out: Out = None,
) -> None:
    """Reproduce figures and claims of the paper with this simulator.

    Writes tables as CSV, and figures as PNG and SVG.
    An interrupted reproduction continues if you repeat the command.
    """
    from simulator.errors import need
    from simulator.files import folder
    from simulator.study.paper.reproduce import reproduce as reproduce_figures
    from simulator.view.paper import draw

    need_working_directory()
    need("matplotlib")
    where = folder(out) if out is not None else None
    # The study draws nothing itself, so that it does not depend on `view`: it is handed the function that draws.
    with executor_of(cluster, jobs) as executor, steps_bar(f"{scale} scale") as progress:
        directory = reproduce_figures(figures, scale, jobs, where, progress, draw, executor)
    if "claims" in figures:
        print_claims(directory / "claims.csv")
    print_result(directory)
