"""The command that trains policies."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli.options import SWITCH, Cluster, Jobs, Out, Sets, executor_of, load, slug, whole
from simulator.cli.streams import need_working_directory
from simulator.cli.terminal import bar, note, print_result, print_rows, printable, tell_recording, training_bar
from simulator.errors import InputError

CURVE_FIGURE = "curve.png"
"""Name of the picture of a learning curve."""


def train(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO[,SCENARIO]", help="Scenario to train on. Several are trained on at the same time."
        ),
    ],
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="P",
            help="diffusion, sac, ppo, dqn, foresight, or a policy of your own that has a method train.",
        ),
    ],
    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            parser=whole,
            help="Number of environment steps. A step is an auction that asks for a price.",
        ),
    ],
    seed: Annotated[int, typer.Option("--seed", metavar="N", parser=whole, help="Seed of the training.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="N", parser=whole, help="Number of trainings; above 1, their seeds are 0 to N-1."
        ),
    ] = 1,
    jobs: Jobs = 1,
    cluster: Cluster = None,
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
    """Train a pricing policy.

    Writes metrics.csv, checkpoints, the weights that are best in held-out
    worlds, and a picture of the learning curve. With --seeds, each training has
    a folder, and the curve has an interval over trainings.
    """
    from simulator.errors import need
    from simulator.files import folder
    from simulator.scenario.overrides import parse_assignment
    from simulator.study.train import train as train_policy
    from simulator.study.trainings import curve_of, evaluations, train_seeds, training_folder
    from simulator.view.curves import learning_curve

    need_working_directory()
    if seeds > 1:
        # Before hours of training, so that a missing package does not cost them.
        need("matplotlib")
    names = [name.strip() for name in scenario.split(",") if name.strip()]
    loaded = [load(name, sets) for name in names]
    for one in loaded:
        tell_recording(one)
    if seeds < 1:
        raise InputError(f"--seeds {seeds}: must be a whole number of trainings, 1 or more")
    if seeds > 1 and seed:
        raise InputError(f"--seed {seed}: several trainings have the seeds 0 to {seeds - 1}; leave --seed out")
    if seeds == 1 and cluster is not None:
        raise InputError(f"--cluster {cluster}: distributes trainings of several seeds; give --seeds, or leave it out")
    label = "+".join(one.name for one in loaded)
    last = f"s{seed}" if seeds == 1 else f"{seeds}-seeds"
    directory = folder(out) if out is not None else Path("outputs") / slug(f"{label}-{policy}-training-{last}")
    options: dict[str, Any] = {
        "evaluate_every": evaluate_every,
        "held_out": held_out,
        "hyper": dict(parse_assignment(text) for text in hyper or ()),
        "tensorboard": tensorboard,
        "reward": reward,
        "device": device,
    }
    if seeds == 1:
        with training_bar(f"{label}, {policy}", steps) as progress:
            result = train_policy(
                loaded, policy, steps, seed=seed, out=directory, resume=resume, report=progress, **options
            )
        folders = [directory]
        curve = curve_of(folders)
    else:
        with (
            executor_of(cluster, jobs) as executor,
            bar(f"{label}, {seeds} trainings of {policy}", seeds) as step,
        ):
            curve = train_seeds(
                loaded, policy, steps, seeds, directory, jobs, resume, lambda done, _: step(float(done)), executor,
                **options,
            )  # fmt: skip
        folders, result = [training_folder(directory, number) for number in range(seeds)], directory
        rows = [
            (f"{row.steps:,}", f"{row.trainings}", f"{row.ratio:.4f}", f"{row.ratio_ci:.4f}")
            for row in curve.itertuples(index=False)
        ]
        about = "ratio: surplus divided by that of conditional, in held-out worlds; ± over trainings"
        print(f"{printable(label)}, {printable(policy)}; {about}")  # noqa: T201
        print_rows(("steps", "trainings", "ratio", "±"), rows)
    # A training that was stopped before its first evaluation has no curve.
    if not find_spec("matplotlib"):
        note("the learning curve is not drawn: that needs matplotlib, pip install 'dmsb[study]'")
    elif len(curve):
        title = f"{label}, {policy}"
        learning_curve([evaluations(one) for one in folders], curve, directory / CURVE_FIGURE, title)
    print_result(result)
