"""The command ``dmsb``: parses, calls, prints."""

from __future__ import annotations

import io
import math
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import InputError, RunError
from simulator.terminal import (
    bar,
    note,
    print_claims,
    print_comparison,
    print_rows,
    print_summary,
    show_warning,
    steps_bar,
    training_bar,
)

if TYPE_CHECKING:
    from simulator.result import Result
    from simulator.scenario import Scenario

app = typer.Typer(
    name="dmsb",
    help="Auctions for vehicle-twin tasks at an intersection: run scenarios, swap pricing policies, read the traces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped scenario or the path of a YAML file.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field, such as stations.count=7.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The folder to write; it is the run folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it exists.")]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, not '{text}'") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number of seconds, not '{text}'") from None


Duration = Annotated[float | None, typer.Option("--duration", metavar="S", parser=_seconds, help="Length of a run, s.")]
Warmup = Annotated[
    float,
    typer.Option("--warmup", metavar="S", parser=_seconds, help="Leave out of the summary what comes before, s."),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", parser=_whole, help="Fixes all that does not depend on prices.")
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", parser=_whole, help="Worlds, by seeds 0 to N-1.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", parser=_whole, help="Processes side by side.")]


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
    from simulator.errors import check_times
    from simulator.result import check_output, folder
    from simulator.run import prepare, simulate

    loaded = _load(scenario, sets)
    length = loaded.duration_s if duration is None else duration
    check_times(seed, length, warmup)
    prepare(loaded, policy, None)
    directory = folder(out) if out is not None else Path("outputs") / _slug(f"{loaded.name}-{policy}-s{seed}")
    check_output(directory, force)
    with bar(f"{loaded.name}, {policy}", length) as progress:
        result = simulate(loaded, policy, seed=seed, duration=duration, warmup=warmup, progress=progress)
    result.save(directory, force)
    mechanism = "" if loaded.market.mechanism is None else f", mechanism {loaded.market.mechanism}"
    print_summary(result.summary, f"{loaded.name}, policy {policy}{mechanism}, seed {seed}, {length:g} s")
    print(_report({policy: result}, directory) if report else directory)  # noqa: T201


@app.command()
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

    The report shows the first world, and the first point of a grid, under every policy.

    Cut off and started again with the same arguments, it goes on where it was.
    """
    from simulator.extras import need
    from simulator.result import check_output, folder, whole_folder
    from simulator.run import simulate
    from simulator.scenario_file import dump_scenario, load_scenario, parse_grid
    from simulator.study.compare import compare as compare_policies
    from simulator.view.figures import comparison

    need("matplotlib", "study")
    loaded = _load(scenario, sets)
    names = [name.strip() for name in policies.split(",") if name.strip()]
    directory = folder(out) if out is not None else Path("outputs") / _slug(f"{loaded.name}-compare")
    check_output(directory, force)
    points = dict(parse_grid(text) for text in grid or ())
    journal = directory.with_name(f".{directory.name}.runs")
    runs_in_all = len(names) * seeds * math.prod(map(len, points.values()))
    with bar(f"{loaded.name}, {len(names)} policies", runs_in_all) as step:
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
    check_output(directory, force)
    with whole_folder(directory) as part:
        table.to_csv(part / "comparison.csv")
        runs.to_csv(part / "runs.csv")
        (part / "scenario.yaml").write_text(dump_scenario(loaded, directory.resolve()), encoding="utf-8")
        comparison(table, part / "comparison.png", f"{loaded.name}, {seeds} worlds")
        first = loaded if not points else load_scenario(loaded, {key: values[0] for key, values in points.items()})
        _report({name: simulate(first, name, 0, duration, warmup) for name in names}, part)
    journal.unlink(missing_ok=True)
    print_comparison(table, f"{loaded.name}, {seeds} worlds; ± is half a 95 % interval")
    print(directory)  # noqa: T201


@app.command()
def train(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO[,SCENARIO]", help="What it is trained on, side by side if several.")
    ],
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="diffusion, sac, ppo, or one of your own.")],
    steps: Annotated[int, typer.Option("--steps", metavar="N", parser=_whole, help="Environment steps in all.")],
    seed: Seed = 0,
    sets: Sets = None,
    hyper: Annotated[
        list[str] | None, typer.Option("--hyper", metavar="KEY=VALUE", help="A hyperparameter, such as gamma=0.9.")
    ] = None,
    evaluate_every: Annotated[
        int, typer.Option("--evaluate-every", metavar="N", parser=_whole, help="Steps between two evaluations.")
    ] = 20_000,
    held_out: Annotated[
        int, typer.Option("--held-out", metavar="N", parser=_whole, help="Held-out worlds a scenario to evaluate in.")
    ] = 2,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write metrics for TensorBoard too.")] = False,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
) -> None:
    """Train a policy: checkpoints, metrics.csv, and the best weights by held-out worlds."""
    from simulator.errors import OutputError
    from simulator.result import folder
    from simulator.scenario_file import parse_assignment
    from simulator.study.train import train as train_policy

    names = [name.strip() for name in scenario.split(",") if name.strip()]
    loaded = [_load(name, sets) for name in names]
    label = "+".join(one.name for one in loaded)
    directory = folder(out) if out is not None else Path("outputs") / _slug(f"{label}-{policy}-training-s{seed}")
    if directory.exists() and not resume:
        raise OutputError(f"{directory} exists already; go on with it (--resume), or name another folder")
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


@app.command()
def audit(
    scenario: ScenarioName,
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="As for run.")],
    seed: Seed = 0,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", parser=_whole, help="Priced rounds that are played again.")
    ] = 1_000,
    sets: Sets = None,
) -> None:
    """Is this auction safe? Misreports, shills, identities, the UAV's profit, adverse selection."""
    from simulator.study.audit import audit as audit_auction

    loaded = _load(scenario, sets)
    found = audit_auction(loaded, policy, seed=seed, rounds=rounds)
    rows = [(row.property, row.verdict, f"{row.number:.4g}", row.meaning) for row in found.findings]
    print_rows(
        ("property", "", "number", "what it is"),
        rows,
        f"{loaded.name}, policy {policy}: {found.rounds:,} rounds played again",
    )
    for example in dict.fromkeys(row.example for row in found.findings if row.example):
        print(f"- {example}")  # noqa: T201


@app.command()
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
    from simulator.extras import need
    from simulator.result import folder
    from simulator.study.paper.reproduce import reproduce as reproduce_figures
    from simulator.view.paper import draw

    need("matplotlib", "study")
    where = folder(out) if out is not None else None
    with steps_bar(f"{scale} scale") as progress:
        directory = reproduce_figures(figures, scale, jobs, where, progress, draw)
    if "claims" in figures:
        print_claims(directory / "claims.csv")
    print(directory)  # noqa: T201


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; default: report.html in the run folder.")
    ] = None,
) -> None:
    """One HTML file to look at a run: a replay, charts, tables; it opens offline."""
    from simulator.errors import OutputError
    from simulator.result import Result, folder
    from simulator.view.report.write import write_report

    directory = folder(run_dir)
    result = Result.load(directory)
    runs = {str(result.run["policy"]): result}
    if out is None:
        print(_report(runs, directory))  # noqa: T201
        return
    path = folder(out)
    if path.exists():
        raise OutputError(f"{path} exists already; name another with --out, or remove it")
    write_report(runs, path)
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
    from simulator.result import Result, folder
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
    from simulator.scenario import Scenario
    from simulator.scenario_file import shipped_scenarios, shipped_text

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

    from simulator.plugins import known_policies

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
    from simulator.plugins import find_mechanism
    from simulator.scenario_file import data_path, scenario_problems
    from simulator.scenario_traffic import GeneratedTraffic, RecordedTraffic
    from simulator.world.fleet import Fleet
    from simulator.world.recording import Recording
    from simulator.world.roads import Network

    problems = scenario_problems(file)
    for problem in problems:
        note(f"error: {problem}")
    if problems:
        raise typer.Exit(2)
    loaded = _load(file, None)
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
    from simulator.scenario_schema import scenario_fields

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
        from simulator.faults import describe

        note(f"error: unexpected {describe(error)}; with DMSB_DEBUG=1 the traceback is shown")
        sys.exit(1)


def _load(scenario: str, sets: list[str] | None) -> Scenario:
    from simulator.scenario_file import load_scenario, parse_assignment

    return load_scenario(scenario, dict(parse_assignment(text) for text in sets or ()))


def _report(runs: dict[str, Result], directory: Path) -> Path:
    from simulator.result import REPORT_FILE
    from simulator.view.report.write import write_report

    write_report(runs, directory / REPORT_FILE)
    return directory / REPORT_FILE


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text)[-200:]


if __name__ == "__main__":
    main()
