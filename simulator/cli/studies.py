"""Commands that make many runs: audit, toll, reproduce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import (
    POLICY_HELP,
    BidderNames,
    Cluster,
    Jobs,
    MechanismName,
    Out,
    ScenarioName,
    Seed,
    Seeds,
    Sets,
    bidders_of,
    executor_of,
    load,
    whole,
)
from simulator.cli.streams import need_working_directory
from simulator.cli.terminal import (
    bar,
    print_claims,
    print_result,
    print_rows,
    printable,
    steps_bar,
    tell_recording,
)

if TYPE_CHECKING:
    pass


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
    multipliers: Annotated[
        int,
        typer.Option(
            "--multipliers",
            metavar="N",
            parser=whole,
            help="Number of factors from 0 to 3 on the truth that a participant tries; 0 for 13 factors up to 10.",
        ),
    ] = 0,
    sets: Sets = None,
) -> None:
    """Test what a mechanism claims, and whether bidders can gain by false bids.

    Clears rounds again with misreports, with second bids under false names,
    and with exchanged bids. Tests for adverse selection too. A star marks what
    the mechanism claims.
    """
    from simulator.market.plugins import default_policy
    from simulator.study.audit import audit as audit_auction
    from simulator.study.incentives import MULTIPLIERS, grid_of_multipliers

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
        multipliers=grid_of_multipliers(multipliers) if multipliers else MULTIPLIERS,
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
