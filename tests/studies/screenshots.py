"""Pictures of the report: ``python -m tests.studies.screenshots [FOLDER]``, at desktop and phone width, light and dark.

Needs Chromium. The first is also written to ``docs/report.png``, which tops the README and the site. Look at all of
them after a change of the page.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from simulator import simulate
from simulator.view.report.write import write_report
from tests.view.browser import DESKTOP, PHONE, Look, browser

PICTURE = Path(__file__).parents[2] / "docs" / "report.png"
"""Picture at the top of the README."""


class Shot(NamedTuple):
    """One picture: what is opened, at which moment, and what is done before it is taken."""

    scenario: str
    policies: tuple[str, ...]
    moment: str
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = DESKTOP
    dark: bool = False
    whole: bool = False


SHOTS = {
    "report": Shot("four_way", ("conditional",), "#t=1803", ("n",), (1440, 1320)),
    "report-whole": Shot("four_way", ("conditional",), "#t=1805", ("a", "g", "w"), whole=True),
    "report-dark": Shot("grid", ("conditional",), "#t=905", dark=True),
    "report-phone": Shot("braunschweig", ("conditional",), "#t=905", ("f",), PHONE),
    "report-phone-dark": Shot("four_way", ("conditional",), "#t=1805", ("a",), PHONE, dark=True, whole=True),
    "report-paper": Shot("paper", ("conditional",), "#task=100"),
    "report-key": Shot("four_way", ("conditional",), "#t=1805", ("?",)),
    "compare": Shot("four_way", ("conditional", "myopic", "spa"), "#t=1805", ("a",), whole=True),
    "compare-phone": Shot("four_way", ("conditional", "myopic", "spa"), "#t=1805", ("a",), PHONE, whole=True),
}


def main(folder: Annotated[Path, typer.Argument(help="Where the pictures go.")] = Path("outputs/screenshots")) -> None:
    """Take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as opened, TemporaryDirectory() as place:
        for name, shot in SHOTS.items():
            path = Path(place) / "-".join((shot.scenario, *shot.policies, "report.html"))
            if not path.exists():
                write_report({policy: simulate(shot.scenario, policy, explain=True) for policy in shot.policies}, path)
            look = Look(opened, path, shot.moment, shot.size, shot.dark)
            for key in shot.keys:
                look.press(key)
            look.page.wait_for_timeout(300)
            look.page.screenshot(path=folder / f"{name}.png", full_page=shot.whole)
            look.page.close()
            typer.echo(folder / f"{name}.png")
    shutil.copyfile(folder / "report.png", PICTURE)


if __name__ == "__main__":
    typer.run(main)
