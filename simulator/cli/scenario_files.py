"""Commands about scenario files: check one, fit one to a recording, list what one may say."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import FigureFile, ForcePicture, load
from simulator.cli.terminal import note, print_result, printable
from simulator.errors import InputError, RecordingWarning

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario


def validate(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Path of a scenario file, or name of a shipped scenario.")
    ],
    figure: FigureFile = None,
    force: ForcePicture = False,
) -> None:
    """Check a scenario file, and list everything that is wrong with it.

    For recorded traffic, prints the number of vehicles, ranges, speeds, and the
    share of covered positions.
    """
    from simulator.scenario.scenario import Scenario

    if figure is not None:
        _check_picture(figure, force)
    problems = Scenario.problems(file)
    for problem in problems:
        note(f"error: {problem}")
    if problems:
        raise typer.Exit(2)
    _tell_scenario(load(file, None), figure, force)


def _check_picture(figure: Path, force: bool) -> None:
    """Refuse a picture that could not be written, before anything is read."""
    from simulator.errors import need
    from simulator.view.figures import check_picture

    need("matplotlib")
    check_picture(figure, force)


def _tell_scenario(loaded: Scenario, figure: Path | None, force: bool) -> None:
    """Print what a scenario refers to, and draw the coverage of its recording."""
    from simulator.files import replacing
    from simulator.providers.fleet import Fleet
    from simulator.traffic.scenario_recording import recording_of
    from simulator.view.figures import coverage, not_a_picture_of_ours
    from simulator.world.inspect import inspect

    # What a file names (a mechanism, a recording, roads) is read too, because a run would fail on it.
    found = inspect(loaded)
    for problem in found.problems:
        note(f"error: {problem}")
    if found.problems:
        raise typer.Exit(2)
    print(printable(f"{loaded.name}: valid"))  # noqa: T201
    for fact in found.facts:
        print(printable(f"  {fact}"))  # noqa: T201
    if figure is None:
        return
    if loaded.traffic.kind != "recorded":
        raise InputError(f"--figure: the traffic of '{loaded.name}' is not recorded, so there is no map to draw")
    with replacing(figure, force, foreign=not_a_picture_of_ours) as place:
        coverage(recording_of(loaded.traffic), Fleet(loaded), place, loaded.name)


def new(
    recording: Annotated[
        Path, typer.Argument(metavar="RECORDING", help="Recorded traffic: .xml, .csv (also .gz) or .parquet.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Scenario file to write; by default RECORDING's name with .yaml."),
    ] = None,
    figure: FigureFile = None,
    force: ForcePicture = False,
) -> None:
    """Write a scenario file that is fitted to a recording.

    A ring of stations, or a lattice on a large map, and a UAV cover the traffic. The duration is that of the recording.
    """
    from simulator.files import check, folder, replacing
    from simulator.scenario.scenario import Scenario
    from simulator.scenario.yaml_text import read_value
    from simulator.traffic.recording import Recording
    from simulator.traffic.scenario_recording import run_length
    from simulator.world.fitting import scenario_text

    source = folder(recording)
    name = source.name.split(".")[0] or "recording"
    path = folder(out) if out is not None else Path(f"{name}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"--out {path}: the name of a scenario file must end in .yaml")
    check(path)
    if figure is not None:
        _check_picture(figure, force)
    read = Recording.read(source, 5.0)
    # Relative to the scenario file, so that both can be moved together.
    file = os.path.relpath(source.absolute(), path.absolute().parent)
    text = scenario_text(read, name, file, source)
    # Before it is written: a file that could not be read again must not stay.
    run_length(Scenario.model_validate(read_value(text, str(path))), read)
    with replacing(path) as place:
        place.write_text(text, encoding="utf-8")
    # What was left out has been said above, and the file is read once more.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingWarning)
        _tell_scenario(Scenario.load(path), figure, force)
    print_result(path)


def schema() -> None:
    """List every field of a scenario file: its default, allowed values, meaning and unit."""
    from simulator.scenario.reference import scenario_fields

    for row in scenario_fields():
        print(f"{row.field}: {row.default}" + (f"  ({row.allowed})" if row.allowed else ""))  # noqa: T201
        print(f"    {row.meaning}")  # noqa: T201
