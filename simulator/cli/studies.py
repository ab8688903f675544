"""The commands that make many runs: compare, train, audit, reproduce."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.options import (
    Duration,
    Force,
    Jobs,
    Out,
    ScenarioName,
    Seed,
    Seeds,
    Sets,
    Warmup,
    load,
    slug,
    whole,
)
from simulator.cli.terminal import bar, print_claims, print_comparison, print_rows, steps_bar, training_bar

COMPARISON_KIND = "comparison"
"""Kind of a comparison's folder in its manifest."""

PAGE_POLICIES, PAGE_S = 6, 3600.0
"""What of a comparison goes into its report: it is to open at once, some four megabytes for `four_way`."""


def compare(
    scenario: ScenarioName,
    policies: Annotated[str, typer.Option("--policies", metavar="A,B,C", help="Compared with the first of them.")],
    seeds: Seeds = 5,
    duration: Duration = None,
    warmup: Warmup = 0.0,
    sets: Sets = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid", metavar="KEY=V1,V2", help="Repeat all at each value of a field, such as stations.count=3,5."
        ),
    ] = None,
    jobs: Jobs = 1,
    out: Out = None,
    force: Force = False,
) -> None:
    """Run the same worlds under each policy: comparison.csv, runs.csv, comparison.png and report.html.

    The report shows the world of seed 0, at the first point of a grid, an hour of it, under the first six policies.
    Cut off and started again with the same arguments, it goes on where it was.
    """
    from simulator.errors import need
    from simulator.files import PAGE, check, folder, replacing
    from simulator.record.result import SCENARIO_FILE
    from simulator.run import simulate
    from simulator.scenario.overrides import parse_grid
    from simulator.scenario.scenario import Scenario
    from simulator.study.compare import compare as compare_policies
    from simulator.view.figures import comparison
    from simulator.view.report.write import signed_page

    need("matplotlib", "study")
    loaded = load(scenario, sets)
    names = [name.strip() for name in policies.split(",") if name.strip()]
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{loaded.name}-compare")
    check(directory, force, COMPARISON_KIND)
    points = dict(parse_grid(text) for text in grid or ())
    journal = directory.with_name(f".{directory.name}.runs")
    runs_in_all = len(names) * seeds * math.prod(map(len, points.values()))
    with bar(f"{loaded.name}, {len(names)} policies", runs_in_all + len(names[:PAGE_POLICIES])) as step:
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
        )
        first = Scenario.load(loaded, **{key: values[0] for key, values in points.items()})
        length = min(first.duration_s if duration is None else duration, warmup + PAGE_S)
        note = "".join(f"{key} = {values[0]}; " for key, values in points.items()) + "the world of seed 0"
        if len(names) > PAGE_POLICIES:
            note += f"; the first {PAGE_POLICIES} of {len(names)} policies"
        looked_at = {}
        for number, name in enumerate(names[:PAGE_POLICIES]):
            looked_at[name] = simulate(first, name, 0, length, warmup)
            step(float(runs_in_all + number + 1))
    page = signed_page(looked_at, note)
    with replacing(directory, force, COMPARISON_KIND) as new:
        new.mkdir()
        table.to_csv(new / "comparison.csv")
        runs.to_csv(new / "runs.csv")
        (new / SCENARIO_FILE).write_text(loaded.to_yaml(directory.resolve()), encoding="utf-8")
        comparison(table, new / "comparison.png", f"{loaded.name}, {seeds} worlds")
        (new / PAGE).write_bytes(page)
    with contextlib.suppress(OSError):  # the comparison is there; a journal that stays costs nothing
        journal.unlink()
    print_comparison(table, f"{loaded.name}, {seeds} worlds; ± is half a 95 % interval")
    print(directory)  # noqa: T201


def train(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO[,SCENARIO]", help="What it is trained on, side by side if several.")
    ],
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="diffusion, sac, ppo, or one of your own.")],
    steps: Annotated[int, typer.Option("--steps", metavar="N", parser=whole, help="Environment steps in all.")],
    seed: Seed = 0,
    sets: Sets = None,
    hyper: Annotated[
        list[str] | None, typer.Option("--hyper", metavar="KEY=VALUE", help="A hyperparameter, such as gamma=0.9.")
    ] = None,
    evaluate_every: Annotated[
        int, typer.Option("--evaluate-every", metavar="N", parser=whole, help="Steps between two evaluations.")
    ] = 20_000,
    held_out: Annotated[
        int, typer.Option("--held-out", metavar="N", parser=whole, help="Held-out worlds a scenario to evaluate in.")
    ] = 2,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write metrics for TensorBoard too.")] = False,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
) -> None:
    """Train a policy: checkpoints, metrics.csv, and the best weights by held-out worlds."""
    from simulator.files import folder
    from simulator.scenario.overrides import parse_assignment
    from simulator.study.train import train as train_policy

    names = [name.strip() for name in scenario.split(",") if name.strip()]
    loaded = [load(name, sets) for name in names]
    label = "+".join(one.name for one in loaded)
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{label}-{policy}-training-s{seed}")
    with training_bar(f"{label}, {policy}", steps) as progress:
        best = train_policy(
            loaded,
            policy,
            steps,
            seed=seed,
            out=directory,
            resume=resume,
            evaluate_every=evaluate_every,
            held_out=held_out,
            hyper=dict(parse_assignment(text) for text in hyper or ()),
            tensorboard=tensorboard,
            progress=progress,
        )
    print(best)  # noqa: T201


def audit(
    scenario: ScenarioName,
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="As for run.")],
    seed: Seed = 0,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", parser=whole, help="Priced rounds that are played again.")
    ] = 1_000,
    sets: Sets = None,
) -> None:
    """Is this auction safe? Misreports, shills, identities, the UAV's profit, adverse selection."""
    from simulator.study.audit import audit as audit_auction

    loaded = load(scenario, sets)
    found = audit_auction(loaded, policy, seed=seed, rounds=rounds)
    rows = [(row.property, row.verdict, f"{row.number:.4g}", row.meaning) for row in found.findings]
    print_rows(
        ("property", "", "number", "what it is"),
        rows,
        f"{loaded.name}, policy {policy}: {found.rounds:,} rounds played again",
    )
    for example in dict.fromkeys(row.example for row in found.findings if row.example):
        print(f"- {example}")  # noqa: T201


def reproduce(
    figures: Annotated[list[str], typer.Argument(metavar="FIGURE...", help="fig3, fig4, fig5, fig6, claims.")],
    scale: Annotated[
        str, typer.Option("--scale", metavar="quick|paper", help="Minutes, or hours with narrow intervals.")
    ] = "quick",
    jobs: Jobs = 1,
    out: Out = None,
) -> None:
    """The paper's figures and claims, from runs of this simulator: CSV, PNG, SVG.

    Cut off and started again, it goes on where it was.
    """
    from simulator.errors import need
    from simulator.files import folder
    from simulator.study.paper.reproduce import reproduce as reproduce_figures
    from simulator.view.paper import draw

    need("matplotlib", "study")
    where = folder(out) if out is not None else None
    with steps_bar(f"{scale} scale") as progress:
        directory = reproduce_figures(figures, scale, jobs, where, progress, draw)
    if "claims" in figures:
        print_claims(directory / "claims.csv")
    print(directory)  # noqa: T201
