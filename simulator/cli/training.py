"""The command that trains policies."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.options import SWITCH, Cluster, Jobs, Out, PartOf, Sets, executor_of, load, slug, whole
from simulator.cli.streams import need_working_directory
from simulator.cli.terminal import bar, note, print_result, print_rows, printable, tell_recording, training_bar
from simulator.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from simulator.scenario.scenario import Scenario

CURVE_FIGURE = "curve.png"
"""Name of the picture of a learning curve."""


def train(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO[,SCENARIO]", help="Scenario to train on. Several are trained on at the same time."
        ),
    ],
    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            parser=whole,
            help="Number of environment steps: auctions that ask for a price, or decisions of the seat. Of a "
            "mechanism, the number of updates.",
        ),
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="P",
            help="diffusion, sac, ppo, dqn, gpt, foresight, or your own with a method train. Without it the "
            "mechanism is trained: myerson-net, regret-net, or yours.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", parser=whole, help="Seed of the training.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="N", parser=whole, help="Number of trainings; above 1, their seeds are 0 to N-1."
        ),
    ] = 1,
    mechanism: Annotated[
        str | None,
        typer.Option(
            "--mechanism",
            metavar="M",
            help="Mechanism whose seat the policy takes. Default: msb, which wants prices.",
        ),
    ] = None,
    seat: Annotated[
        str | None, typer.Option("--seat", metavar="S", help="Seat of the mechanism. Default: the only one.")
    ] = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    part: PartOf = None,
    sets: Sets = None,
    hyper: Annotated[
        list[str] | None,
        typer.Option(
            "--hyper", metavar="KEY=VALUE", help="Change a hyperparameter, such as gamma=0.9. Can be repeated."
        ),
    ] = None,
    evaluate_every: Annotated[
        int,
        typer.Option(
            "--evaluate-every",
            metavar="N",
            parser=whole,
            help="Number of steps between two evaluations. One comes before the first step.",
        ),
    ] = 20_000,
    reward: Annotated[
        str,
        typer.Option(
            "--reward",
            metavar="R",
            help="What a step earns: own (the surplus by the own terms of the task), surplus, or realised.",
        ),
    ] = "own",
    device: Annotated[
        str, typer.Option("--device", metavar="D", help="Where PyTorch trains: cpu, cuda, or auto.")
    ] = "cpu",
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out", metavar="N", parser=whole, help="Number of held-out worlds per scenario in an evaluation."
        ),
    ] = 2,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", metavar=SWITCH, help="Write the metrics for TensorBoard too.")
    ] = False,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", metavar=SWITCH, help="Continue from the last checkpoint in the folder.")
    ] = False,
) -> None:
    """Train a policy for a seat: the price of msb, or the seat of --mechanism.

    Writes metrics.csv, checkpoints, the weights that are best in held-out
    worlds, and a picture of the learning curve. With --seeds, each training has
    a folder, and the curve has an interval over trainings.
    """
    from simulator.errors import need
    from simulator.files import folder
    from simulator.scenario.overrides import parse_assignment
    from simulator.study.train import train as train_policy
    from simulator.study.training_tasks import reference_of
    from simulator.study.trainings import curve_of, train_seeds

    need_working_directory()
    if seeds > 1:
        # Before hours of training, so that a missing package does not cost them.
        need("matplotlib")
    names = [name.strip() for name in scenario.split(",") if name.strip()]
    if not names:
        raise InputError(f"SCENARIO '{scenario}': must name one or more scenarios, such as paper,four_way")
    loaded = [load(name, sets) for name in names]
    for one in loaded:
        tell_recording(one)
    if seeds < 1:
        raise InputError(f"--seeds {seeds}: must be a whole number of trainings, 1 or more")
    if seeds > 1 and seed:
        raise InputError(f"--seed {seed}: several trainings have the seeds 0 to {seeds - 1}; leave --seed out")
    for option, value in {"--cluster": cluster, "--part": part}.items():
        if seeds == 1 and value is not None:
            raise InputError(f"{option} {value}: is for trainings of several seeds; give --seeds, or leave it out")
    label = "+".join(one.name for one in loaded)
    what = ", ".join(filter(None, (policy, mechanism)))
    last = f"s{seed}" if seeds == 1 else f"{seeds}-seeds"
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{label}-{what}-training-{last}")
    reference = reference_of(policy, mechanism, loaded[0])
    options: dict[str, Any] = {
        "evaluate_every": evaluate_every,
        "held_out": held_out,
        "hyper": dict(parse_assignment(text, "--hyper", "gamma=0.9") for text in hyper or ()),
        "tensorboard": tensorboard,
        "reward": reward,
        "device": device,
    }
    if mechanism is not None or seat is not None:
        options |= {"mechanism": mechanism, "seat": seat}
    if part is not None:
        if resume:
            raise InputError("--resume: an interrupted part continues in any case; leave it out")
        asked = {
            "label": label, "scenarios": names, "sets": sets, "policy": policy, "what": what, "steps": steps,
            "seeds": seeds, "reference": reference, **options,
        }  # fmt: skip
        _do_part(part, loaded, asked, directory, jobs, cluster, options)
    elif seeds == 1:
        with training_bar(f"{label}, {what}", steps, reference) as progress:
            result = train_policy(
                loaded, policy, steps, seed=seed, out=directory, resume=resume, report=progress, **options
            )
        _draw(
            [directory],
            curve_of([directory]),
            directory,
            f"{label}, {what}",
            (_figure_of(reference, reward), reference),
        )
        print_result(result)
    else:
        with (
            executor_of(cluster, jobs) as executor,
            bar(f"{label}, {seeds} trainings of {what}", seeds) as step,
        ):
            curve = train_seeds(
                loaded, policy, steps, seeds, directory, jobs, resume, lambda done, _: step(float(done)), executor,
                **options,
            )  # fmt: skip
        show_trainings(label, what, curve, directory, seeds, reference, reward)


def _do_part(
    part: str,
    scenarios: list[Scenario],
    asked: dict[str, Any],
    directory: Path,
    jobs: int,
    cluster: str | None,
    options: dict[str, Any],
) -> None:
    """Do one part of several trainings.

    Args:
        part: the part, as text.
        scenarios: what is trained on.
        asked: what all parts have in common.
        directory: folder of the trainings.
        jobs: number of parallel processes.
        cluster: address of a cluster.
        options: further arguments of `simulator.study.train.train`.
    """
    from simulator.study.part_folder import TRAIN, noted_command
    from simulator.study.parts import Part
    from simulator.study.trainings import train_part

    chosen, seeds = Part.read(part), asked["seeds"]
    chosen.check(seeds, "trainings")
    with (
        executor_of(cluster, jobs) as executor,
        noted_command(directory, TRAIN, asked | {"parts": chosen.of}),
        bar(f"{asked['label']}, part {chosen}", len(chosen.of_all(seeds))) as step,
    ):
        done = train_part(
            chosen, scenarios, asked["policy"], asked["steps"], seeds, directory, jobs,
            lambda done, _: step(float(done)), executor, **options,
        )  # fmt: skip
    print(printable(f"part {chosen}: {done} of {seeds} trainings; when all parts are done: dmsb merge {directory}"))  # noqa: T201
    print_result(directory)


def _figure_of(reference: str, reward: str) -> str:
    """Return what an evaluation divides by that of its reference."""
    if reference == "conditional":
        return "realised surplus" if reward == "realised" else "surplus"
    return "revenue" if reference == "myerson" else "reward"


def show_trainings(
    label: str, what: str, curve: pd.DataFrame, directory: Path, seeds: int, reference: str, reward: str
) -> None:
    """Print and draw the learning curve of several trainings.

    Args:
        label: names of the scenarios.
        what: the policy or mechanism.
        curve: the curve.
        directory: folder of the trainings.
        seeds: number of trainings.
        reference: policy or mechanism to which the ratios are.
        reward: what a step of a price earns.
    """
    from simulator.study.trainings import training_folder

    rows = [
        (f"{row.steps:,}", f"{row.trainings}", f"{row.ratio:.4f}", f"{row.ratio_ci:.4f}")
        for row in curve.itertuples(index=False)
    ]
    figure = _figure_of(reference, reward)
    about = f"ratio: {figure} divided by that of {reference}, in held-out worlds; ± over trainings"
    print(f"{printable(label)}, {printable(what)}; {about}")  # noqa: T201
    print_rows(("steps", "trainings", "ratio", "±"), rows)
    folders = [training_folder(directory, seed) for seed in range(seeds)]
    _draw(folders, curve, directory, f"{label}, {what}", (figure, reference))
    print_result(directory)


def _draw(folders: list[Path], curve: pd.DataFrame, directory: Path, title: str, figure: tuple[str, str]) -> None:
    """Draw the learning curve of some trainings, if there is one and matplotlib is installed."""
    from simulator.study.trainings import evaluations
    from simulator.view.curves import learning_curve

    # A training that was stopped before its first evaluation has no curve.
    if not find_spec("matplotlib"):
        note("the learning curve is not drawn: that needs matplotlib, pip install 'dmsb[study]'")
    elif len(curve):
        learning_curve([evaluations(one) for one in folders], curve, directory / CURVE_FIGURE, title, figure)
