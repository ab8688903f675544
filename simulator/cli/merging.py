"""The command that puts the parts of a study together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.comparing import Asked, FigureOption, PaperTable, finish
from simulator.cli.options import Force
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.study.compare import Comparison


def merge(
    parts: Annotated[Path, typer.Argument(metavar="PARTS", help="Folder that --part has written.")],
    figure: FigureOption = None,
    to: PaperTable = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the results; by default that of the parts, without .parts."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Put the parts of a study together.

    Gives the result of the same command without --part: a comparison in the
    folder of --out, or the learning curve of several trainings in their own
    folder. Run it where the parts were started: files of scenarios and policies
    are named from there.
    """
    from simulator.files import folder
    from simulator.study.part_folder import TRAIN, checked, read_command

    # "." and ".." have no name from which that of the comparison could follow.
    parts = folder(parts) if parts.name not in ("", "..") else folder(parts).resolve()
    command, options = read_command(parts)
    if command == TRAIN:
        for option, value in {"--figure": figure, "--to": to, "--out": out, "--force": force or None}.items():
            if value is not None:
                given = option if value is True else f"{option} {value}"
                raise InputError(f"{given}: the parts of a training are put together in their own folder")
        _merge_trainings(parts, options)
        return
    from simulator.study.parts import merge as merged

    asked = checked(Asked, options, parts)

    def made(_: Callable[[float], None]) -> Comparison:
        return merged(parts, **asked.arguments, metric=asked.metric)

    name = parts.name.removesuffix(".parts")
    where = parts.with_name(name) if out is None and name not in ("", parts.name) else out
    finish(asked, made, asked.directory(where), force, figure, to)


def _merge_trainings(parts: Path, options: dict[str, Any]) -> None:
    """Make the learning curve of trainings that are all done."""
    from simulator.cli.training import CURVE_FIGURE, show_trainings
    from simulator.errors import need
    from simulator.files import check
    from simulator.study.part_folder import Trained, checked
    from simulator.study.trainings import merge_trainings
    from simulator.view.figures import not_a_picture_of_ours

    need("matplotlib")
    asked = checked(Trained, options, parts)
    # What cannot be written is refused before anything is.
    check(parts / CURVE_FIGURE, force=True, foreign=not_a_picture_of_ours)
    curve = merge_trainings(parts, asked.seeds, asked.steps)
    show_trainings(asked.label, asked.what, curve, parts, asked.seeds, asked.reference, asked.reward)
