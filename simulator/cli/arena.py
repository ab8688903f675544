"""The command that runs all systems on the same worlds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import (
    Cluster,
    Duration,
    Force,
    Jobs,
    Out,
    ScenarioName,
    Seeds,
    Sets,
    Warmup,
    executor_of,
    load,
    slug,
    whole,
)
from simulator.cli.terminal import bar, print_result, print_rows, printable, tell_recording

if TYPE_CHECKING:
    import pandas as pd

ARENA_KIND = "arena"
"""Kind of an arena's folder in its manifest."""


def arena(
    scenario: ScenarioName,
    systems: Annotated[
        str,
        typer.Option(
            "--systems",
            metavar="A,B,C",
            help="Systems: names, mechanisms, POLICY@MECHANISM, or all. Default: all.",
        ),
    ] = "",
    seeds: Seeds = 4,
    duration: Duration = None,
    warmup: Warmup = 0.0,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds",
            metavar="N",
            parser=whole,
            help="Rounds that each audit clears again, spread over the first world.",
        ),
    ] = 100,
    sets: Sets = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Run all systems on the same worlds, and audit each.

    Writes arena.csv, runs.csv, arena.png and arena.html: welfare and who has
    it, messages, latency, and what each system claims and holds. All systems
    are compared with the first. An interrupted arena continues if you repeat
    the command.
    """
    from simulator.errors import OutputError, need
    from simulator.files import check, folder, replacing
    from simulator.record.result import SCENARIO_FILE
    from simulator.study.arena import INCENTIVES, arena as run_arena
    from simulator.study.statistics import p_text
    from simulator.study.systems import systems_for
    from simulator.view.arena import arena_page, draw_arena, number
    from simulator.view.escape import without_formulas

    need("matplotlib")
    loaded = load(scenario, sets)
    named = [name.strip() for name in systems.split(",") if name.strip()]
    found = systems_for(named, loaded)
    directory = Path("outputs") / slug(f"{loaded.name}-arena") if out is None else folder(out)
    if not directory.name or directory.name == "..":
        raise OutputError(f"{out}: has no name of its own; name a folder for the results")
    check(directory, force, ARENA_KIND)
    tell_recording(loaded)
    # Next to the folder and not in it: the folder appears only when the arena is complete.
    journal = directory.with_name(f".{directory.name}.runs")
    title = f"{loaded.name}, {seeds} worlds"
    with (
        executor_of(cluster, jobs) as executor,
        bar(f"{loaded.name}, {len(found)} systems", len(found) * (seeds + 1)) as step,
    ):
        done = run_arena(
            loaded,
            list(found),
            seeds,
            duration,
            warmup,
            jobs,
            lambda count, _: step(float(count)),
            journal,
            rounds,
            executor,
        )
    table, runs = done
    with replacing(directory, force, ARENA_KIND) as new:
        new.mkdir()
        without_formulas(table.reset_index()).to_csv(new / "arena.csv", index=False)
        without_formulas(runs.reset_index()).to_csv(new / "runs.csv", index=False)
        (new / SCENARIO_FILE).write_text(loaded.to_yaml(directory.resolve()), encoding="utf-8")
        draw_arena(table, new / "arena.png", title)
        about = {name: system.about for name, system in found.items() if system.about}
        (new / "arena.html").write_text(arena_page(table, title, about), encoding="utf-8")
    first = str(table.index[0])
    rows = [
        (str(name), number(row["welfare"], 1), number(row["ratio"], 3), number(row["ratio_ci"], 3),
         p_text(row["p_corrected"]), number(row["completed_share"], 3), number(row["latency_mean"], 2),
         number(row["messages"], 1))
        for name, row in table.iterrows()
    ]  # fmt: skip
    outcomes = ("system", "welfare", "ratio", "±", "p", "done", "latency", "messages")
    print_rows(outcomes, rows, f"{title}: outcomes", right=1)
    print()  # noqa: T201
    incentives = [
        (str(name), number(row["welfare_providers"], 1), number(row["welfare_vehicles"], 1),
         number(row["welfare_platform"], 1), number(row["gain_share"], 2), number(row["loss_share"], 2),
         p_text(row["selection_p"]))
        for name, row in table.iterrows()
    ]  # fmt: skip
    shares = ("system", "providers", "vehicles", "platform", "gains", "loses", "select p")
    print_rows(shares, incentives, "who has the welfare, and incentives", right=1)
    print()  # noqa: T201
    meanings = (
        ("welfare", "values at actual latency and accuracy less costs, per run; mean over worlds"),
        ("ratio", f"welfare divided by that of {first}, with its 95 % interval over worlds"),
        ("p", "p-value of the paired t test of the ratio, corrected by Holm's method"),
        ("done", "share of tasks whose result came in time"),
        ("latency", "mean latency of these tasks, s"),
        ("messages", "messages per task between the mechanism and the participants"),
        ("providers", "part of the welfare that providers have; vehicles and platform: their parts"),
        ("gains", INCENTIVES["gain_share"]),
        ("loses", INCENTIVES["loss_share"]),
        ("select p", INCENTIVES["selection_p"]),
    )
    print_rows(("column", "meaning"), meanings)
    print()  # noqa: T201
    for sentence in _of_claims(table, rounds):
        print(printable(sentence))  # noqa: T201
    print_result(directory)
    # The arena is there. A journal that stays costs nothing.
    for file in (journal, journal.with_name(f"{journal.name}.audits")):
        with contextlib.suppress(OSError):
            file.unlink()


def _of_claims(table: pd.DataFrame, rounds: int) -> Iterator[str]:
    """Yield what the audits have shown of the claims. A column of yes would hide the one no."""
    held = {str(name): value for name, value in table["claims_held"].items()}
    broken = [name for name, value in held.items() if value == 0.0]
    untested = [name for name, value in held.items() if math.isnan(value)]
    where = f"in {rounds} rounds, spread over the first world, per system"
    yield f"A claim did not hold {where}: {', '.join(broken)}." if broken else f"No claim failed {where}."
    if untested:
        yield f"Some claims were not tested: {', '.join(untested)}."
