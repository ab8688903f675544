"""``dmsb report``, ``dmsb run --report`` and the report of ``dmsb compare``: where pages go, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from simulator import InputError, simulate
from simulator.cli import app as cli, comparing
from simulator.errors import OutputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return simulate("four_way", "conditional", duration=120).save(tmp_path / "run")


def head(page: Path) -> dict[str, object]:
    """What a page says of its runs."""
    text = page.read_text(encoding="utf-8").split('id="head">')[1].split("</script>")[0]
    found: dict[str, object] = json.loads(text)
    return found


def test_a_run_with_a_report_ends_in_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second time over a folder that has a page
        cli.run("paper", "conditional", duration=20.0, out=tmp_path / "r", force=True, report=True)
        assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "r" / "report.html")
    assert head(tmp_path / "r" / "report.html")["scenario"] == "paper"
    assert [file.name for file in tmp_path.iterdir()] == ["r"]


def test_a_report_of_a_run_that_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.report(folder)
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    first = (folder / "report.html").read_bytes()
    cli.report(folder)  # it is made from the folder, and so may be made again
    assert (folder / "report.html").read_bytes() == first
    other = folder.parent / "sub" / "page.html"
    cli.report(folder, out=other)
    assert other.read_bytes() == first
    with pytest.raises(OutputError, match=r"page\.html exists already; name another, or replace it with --force"):
        cli.report(folder, out=other)
    cli.report(folder, out=other, force=True)
    with pytest.raises(OutputError, match="sub is not replaced, because it is not a file"):
        cli.report(folder, out=other.parent, force=True)
    assert sorted(file.name for file in folder.parent.iterdir()) == ["run", "sub"]


def edited(table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return edit


def without(key: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        run = json.loads((folder / "run.json").read_text())
        del run[key]
        (folder / "run.json").write_text(json.dumps(run))

    return edit


EDITED = {
    "tasks upside down": (edited("tasks", lambda table: table[::-1]), "row i of the table tasks must be task i"),
    "auctions of fewer": (edited("auctions", lambda table: table[:5]), "row i of the table auctions must be task i"),
    "a bidder that is not there": (
        edited("bids", lambda table: table.assign(provider=99)), "bids.provider must be from 0 to 6, not 99 to 99"),
    "a bidder below none": (edited("bids", lambda table: table.assign(provider=-1)), "must be from 0 to 6, not -1"),
    "bids in disorder": (edited("bids", lambda table: table[::-1]), "bids must be sorted by task"),
    "providers of another world": (
        edited("providers", lambda table: table[::-1]), "row i of the table providers must be provider i"),
    "no mechanism": (without("mechanism"), "run.json: 'mechanism' must be text, not missing"),
    "no duration": (without("duration"), "run.json: 'duration' must be a number of seconds > 0, not missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITED)
def test_a_folder_that_has_been_edited_is_refused_in_a_sentence(folder: Path, case: str) -> None:
    edit, message = EDITED[case]
    edit(folder)
    with pytest.raises((InputError, OutputError), match=message):
        cli.report(folder)
    assert not (folder / "report.html").exists()


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file", "."):
        with pytest.raises(OutputError, match="this is not a run folder"):
            cli.report(tmp_path / name)


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path: Path, folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"policy": "\ud800"}))
    cli.report(folder)
    assert "\\ud800" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_comparison_has_a_page_of_its_first_world(tmp_path: Path) -> None:
    rules = ["conditional", "spa", *(f"constant:1.{number}" for number in range(1, 7))]
    comparing.compare(
        "paper", ",".join(rules), seeds=2, duration=30.0, warmup=5.0, grid=["stations.count=3,4"], out=tmp_path / "c"
    )
    found = head(tmp_path / "c" / "report.html")
    runs, ground = found["runs"], found["ground"]
    assert isinstance(runs, list)
    assert isinstance(ground, dict)
    assert [run["name"] for run in runs] == rules[:6]
    assert len(ground["providers"]) == 4
    assert (found["seed"], found["duration"], found["warmup"]) == (0, 30.0, 5.0)
    table = pd.read_csv(tmp_path / "c" / "runs.csv").set_index(["stations.count", "policy", "seed"])
    for run in runs:
        assert run["summary"]["surplus_mean"] == pytest.approx(table.loc[(3, run["name"], 0), "surplus_mean"])
