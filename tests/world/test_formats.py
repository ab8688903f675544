"""The recipes of the documentation for recordings of other programs, run on small files in their published columns."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from simulator.traffic.recording import Recording
from tests.world.formats import SPEEDS_MPS, place, write

PAGE = Path(__file__).parent.parent.parent / "docs" / "start" / "formats.md"
RECIPES = {
    code.split('.to_csv("')[1].split('"')[0]: code
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
}


def test_every_format_that_is_promised_has_its_recipe() -> None:
    assert set(RECIPES) == {
        "ind.csv", "ngsim.fcd.csv", "pneuma.fcd.csv", "interaction.fcd.csv", "vissim.fcd.csv", "ns2.fcd.csv",
    }  # fmt: skip


@pytest.mark.parametrize("made", RECIPES)
def test_a_recipe_gives_the_vehicles_their_places_and_speeds(made: str, tmp_path: Path) -> None:
    """Nothing is said about units, axes or jumps, and every position is the one that was written."""
    write(tmp_path)
    subprocess.run([sys.executable, "-W", "error", "-c", RECIPES[made]], cwd=tmp_path, check=True, timeout=120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = Recording.read(tmp_path / made, 5.0)
    assert sorted(name.split("@")[0] for name in recording.names) == sorted(SPEEDS_MPS)
    first = dict(zip((name.split("@")[0] for name in recording.names), range(2), strict=True))
    x0, y0 = (0.0, 20.0) if made == "pneuma.fcd.csv" else (0.0, 0.0)  # metres from its first position
    for name, vehicle in first.items():
        rows = recording.samples(vehicle)
        assert recording.speed[rows] == pytest.approx(SPEEDS_MPS[name], rel=1e-3)
        for time, x, y in zip(recording.time[rows], recording.x[rows], recording.y[rows], strict=True):
            assert (x + x0, y + y0) == pytest.approx(place(name, time), abs=0.01)
