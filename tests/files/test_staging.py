"""Staging folders: whose they are, what of them is cleared away, and what comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.errors import OutputError
from simulator.files import check, clear, output, owners, renames
from tests.files.results import killed_while_it_writes, own, results, staged
from tests.kills import forked, tree

ROOT = Path(__file__).parents[2]


def test_a_refused_command_deletes_nothing_and_the_next_one_clears_away(tmp_path: Path) -> None:
    results(tmp_path / "out", one="1")
    killed_while_it_writes(tmp_path / "other")
    before = tree(tmp_path)
    assert len(staged(tmp_path)) == 1
    with pytest.raises(OutputError):
        results(tmp_path / "out", one="2")
    assert tree(tmp_path) == before
    results(tmp_path / "third", one="2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "third"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom simulator.files import replacing\n"
        "with replacing(Path('slow'), kind='run') as new:\n"
        "    new.mkdir()\n    print('writing', flush=True)\n    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            results(tmp_path / "out", one="1")
            assert len(staged(tmp_path)) == 1
        finally:
            process.kill()
    results(tmp_path / "second", one="1")
    assert staged(tmp_path) == []


def test_a_number_that_another_process_has_now_is_no_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's own process has the number, but it started at another moment than the one that was killed."""
    started = owners._started(os.getpid())
    monkeypatch.setattr(owners, "_started", lambda pid: started - 1)
    place = owners.make(tmp_path / "out")
    owners.sign(place, "out")
    assert not owners.is_stale(place)
    monkeypatch.undo()
    assert owners.is_stale(place) == (started > 0)
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    assert owners.owner_of(place) is None, "on another machine nobody knows whether it still runs"
    clear(tmp_path)
    assert place.exists()


def test_a_staging_folder_is_told_by_what_it_holds(tmp_path: Path) -> None:
    """Whatever looks like one, and was not made by this program on this machine, stays."""
    real = killed_while_it_writes(tmp_path / "out")
    about = json.loads((real / "owner.json").read_text())
    fakes = {
        ".dmsb-notes": about,
        real.name[:-1] + ("0" if real.name[-1] != "0" else "1"): about,
        f"{real.name}x": about,
    }
    for name, owner in fakes.items():
        own(tmp_path / name, owner_json=json.dumps(owner), thesis_txt="mine")
    kept = {name: data for name, data in tree(tmp_path).items() if not name.startswith(f"{real.name}/")}
    kept.pop(real.name)
    clear(tmp_path)
    assert tree(tmp_path) == kept
    real = killed_while_it_writes(tmp_path / "out")
    (real / "owner.json").unlink()  # not empty, and nothing says whose it is
    clear(tmp_path)
    assert (real / "new" / "half.txt").exists()


def test_a_result_in_a_staging_folder_to_which_somebody_added_stays(tmp_path: Path) -> None:
    """A person may still work in a folder when it is replaced, and save there a moment later."""
    results(tmp_path / "run", one="1")
    place = killed_while_it_writes(tmp_path / "out")
    shutil.rmtree(place / "new")
    (tmp_path / "run").rename(place / "new")
    (place / "new" / "thesis.txt").write_text("mine")
    before = tree(tmp_path)
    clear(tmp_path)
    assert tree(tmp_path) == before
    (place / "new" / "thesis.txt").unlink()
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("again", ["look", "write"])
def test_a_folder_whose_replacement_was_cut_short_comes_back(
    again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an exchange, a kill between the two renames leaves the old folder in the staging folder only."""
    monkeypatch.setattr(renames, "_call", lambda: None)
    out = results(tmp_path / "out", one="1")
    before = tree(tmp_path)

    def kill(_: Path, path: Path) -> bool:
        if not path.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    def write() -> None:
        monkeypatch.setattr(output, "put", kill)
        results(out, force=True, two="2")

    assert forked(write, tmp_path).killed
    assert not out.exists()
    with pytest.raises(OutputError, match="exists already"):
        check(out, kind="run") if again == "look" else results(out, two="2")
    assert (out / "one.txt").read_text() == "1"
    clear(tmp_path)
    assert tree(tmp_path) == before
