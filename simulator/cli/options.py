"""Options that several commands of ``dmsb`` share, and how a scenario and a folder are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.terminal import note
from simulator.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from simulator.scenario.scenario import Scenario

POLICY_HELP = (
    "Pricing policy: NAME[:VALUE], NAME[:k=v[:k=v]] or path.py:Class[:k=v]; by default conditional. "
    "`dmsb policies` lists the names."
)

# An empty metavar: without it Typer shows "<bool>", as if a switch needed a value.
SWITCH = ""

ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="Name of a shipped scenario, or path of a scenario file.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field, such as stations.count=7. Can be repeated."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results; by default a folder in outputs/.")
]
FigureFile = Annotated[
    Path | None,
    typer.Option("--figure", metavar="FILE", help="Draw traffic and coverage into this file: .png, .svg or .pdf."),
]
ForcePicture = Annotated[bool, typer.Option("--force", metavar=SWITCH, help="Replace the picture if dmsb drew it.")]
Force = Annotated[bool, typer.Option("--force", metavar=SWITCH, help="Replace an existing folder that dmsb wrote.")]


def whole(text: str) -> int:
    """Read a whole number that was typed."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, not '{text}'") from None


def seconds(text: str) -> float:
    """Read a number of seconds that was typed."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number of seconds, not '{text}'") from None


Duration = Annotated[
    float | None,
    typer.Option(
        "--duration", metavar="S", parser=seconds, help="Length of a run, s; by default the duration of the scenario."
    ),
]
Warmup = Annotated[
    float,
    typer.Option(
        "--warmup", metavar="S", parser=seconds, help="Leave tasks requested in the first S seconds out of the summary."
    ),
]
MechanismName = Annotated[
    str | None,
    typer.Option("--mechanism", metavar="M", help="Mechanism, written like a policy; by default that of the policy."),
]
BidderNames = Annotated[
    list[str] | None,
    typer.Option(
        "--bidders",
        metavar="[NAME=]B",
        help="Bidder of all stations, or of the provider NAME, such as exp3 or s3=shade:0.9. Can be repeated.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        parser=whole,
        help="Seed of the world: with one seed all policies meet the same requests.",
    ),
]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", parser=whole, help="Number of worlds, 2 or more: seeds 0 to N-1.")
]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", parser=whole, help="Number of parallel processes.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on a Dask cluster: tcp://HOST:PORT, a scheduler file, or local:N for N workers here.",
    ),
]

PartOf = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="K/N",
        help="Do only part K of N. `dmsb merge` puts the parts together.",
    ),
]


@contextmanager
def executor_of(address: str | None, jobs: int) -> Iterator[Executor | None]:
    """Yield what the options --cluster and --jobs ask for: an executor, or None for processes of this machine.

    Args:
        address: address of a cluster; None without one.
        jobs: number of parallel processes.

    Raises:
        InputError: both options are given, or no scheduler answers.
    """
    if address is None:
        yield None
        return
    if jobs != 1:
        raise InputError(f"--jobs {jobs}: a cluster has its own number of workers; leave --jobs or --cluster out")
    from simulator.study.cluster import cluster

    with cluster(address) as executor:
        if not executor.workers:
            note(f"{address} has no workers yet; the study begins with the first")
        yield executor


def load(scenario: str, sets: list[str] | None) -> Scenario:
    """Return the scenario of a name or path, changed by ``KEY=VALUE`` assignments."""
    from simulator.scenario.overrides import parse_assignment
    from simulator.scenario.scenario import Scenario

    return Scenario.load(scenario, **dict(parse_assignment(text) for text in sets or ()))


def slug(text: str) -> str:
    """Return a text as the name of a folder."""
    # File systems allow 255 bytes per name, and a temporary folder adds an ending. The end of the text is kept, because
    # it has the policy and the seed.
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text)[-200:]


def bidders_of(texts: list[str] | None) -> dict[str, str] | None:
    """Read what ``--bidders`` says: bidders by name of the provider, with ``stations`` for all of them.

    Args:
        texts: each ``BIDDER`` or ``NAME=BIDDER``.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, bidder = text.partition("=")
        # In NAME:k=v the first = belongs to a parameter.
        if equals and ":" not in name:
            found[name.strip()] = bidder.strip()
        else:
            found["stations"] = text.strip()
    return found or None
