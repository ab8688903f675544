"""Replacing: what is never replaced, and what `--force` replaces."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.errors import OutputError
from simulator.files import MANIFEST, check, discard, not_ours, output, renames, replacing, signed, unsigned
from tests.files.results import own, results
from tests.kills import tree


@pytest.fixture(params=["renameat2", "two renames"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system that can rename with flags, and one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(renames, "_call", lambda: None)
    return str(request.param)


def a_file(path: Path) -> None:
    path.write_text("mine")


def a_folder(path: Path) -> None:
    own(path, thesis_txt="mine")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_a_folder(path: Path) -> None:
    path.with_name("there").mkdir()
    path.symlink_to("there")


def another_run(path: Path) -> None:
    results(path, one="1")


APPEARS: tuple[Callable[[Path], None], ...] = (
    a_file, Path.mkdir, a_folder, a_link_to_nothing, a_link_to_a_folder, another_run,
)  # fmt: skip


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("what", APPEARS)
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_name_that_appears_while_something_is_written_is_not_replaced(
    what: Callable[[Path], None], is_folder: bool, tmp_path: Path
) -> None:
    path, seen = tmp_path / "out", dict[str, bytes | None]()

    def write() -> None:
        with replacing(path, kind="run" if is_folder else None) as new:
            if is_folder:
                new.mkdir()
                (new / "a").write_text("new")
            else:
                new.write_text("new")
            what(path)
            seen.update({name: data for name, data in tree(tmp_path).items() if ".dmsb-" not in name})

    with pytest.raises(OutputError, match="out exists already; name another"):
        write()
    assert tree(tmp_path) == seen
    with pytest.raises(OutputError, match="out exists already; name another"):
        check(path, kind="run")
    assert tree(tmp_path) == seen


def added(folder: Path, name: str) -> None:
    results(folder, one="1")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")


def changed(folder: Path) -> None:
    results(folder, one="1", two="2")
    (folder / "two.txt").write_text("mine")


def linked(folder: Path) -> None:
    results(folder, one="1", two="2")
    (folder / "one.txt").rename(folder.with_name("elsewhere"))
    (folder / "one.txt").symlink_to(folder.with_name("elsewhere"))


def a_page(folder: Path, data: bytes) -> None:
    results(folder, one="1")
    (folder / "report.html").write_bytes(data)


def a_pipe(folder: Path) -> None:
    results(folder, one="1")
    os.mkfifo(folder / "p")


def a_manifest_that_is_a_pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / MANIFEST)


KEPT: dict[str, tuple[Callable[[Path], object], str]] = {
    "one's own comparison.csv": (lambda path: own(path, comparison_csv="a,b"), r"dmsb did not write comparison\.csv"),
    "one's own run.json": (lambda path: own(path, run_json="{}"), r"dmsb did not write run\.json"),
    "one's own files.json": (lambda path: own(path, files_json="{}"), r"dmsb did not write files\.json"),
    "a folder with the name of a table": (
        lambda path: added(path, "events.parquet/thesis.txt"),
        r"dmsb did not write events\.parquet;",
    ),
    "a file more": (lambda path: added(path, "thesis.txt"), r"dmsb did not write thesis\.txt"),
    "a changed file": (changed, r"two\.txt was changed after dmsb wrote it"),
    "a file that is elsewhere now": (linked, r"dmsb did not write one\.txt"),
    "a pipe": (a_pipe, r"dmsb did not write p;"),
    "a manifest that is a pipe": (a_manifest_that_is_a_pipe, r"dmsb did not write files\.json"),
    "one's own page": (lambda path: a_page(path, b"<html>mine</html>"), r"dmsb did not write report\.html"),
    "a changed page": (lambda path: a_page(path, b"x" + signed("page")), r"dmsb did not write report\.html"),
    "another kind": (lambda path: results(path, "comparison"), "it holds a comparison, not a run"),
    "an empty folder": (lambda path: path.mkdir(), "dmsb did not write it"),
    "a file": (lambda path: path.write_text("mine"), "it is not a folder"),
    "a link to a run": (
        lambda path: path.symlink_to(results(path.with_name("run"), one="1")), "it is not a folder"),
}  # fmt: skip


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("case", KEPT)
def test_force_keeps_what_this_program_did_not_write(case: str, tmp_path: Path) -> None:
    """Neither the early refusal nor the one at the end deletes or renames anything."""
    make, message = KEPT[case]
    make(tmp_path / "out")
    for name in (".out.old-123", ".out.part-123", ".dmsb-1-1-00000000-0000000000000000"):
        own(tmp_path / name, thesis_txt="mine", owner_json='{"program": "dmsb"}')
    before = tree(tmp_path)
    with pytest.raises(OutputError, match=rf"out is not replaced, because {message}"):
        check(tmp_path / "out", force=True, kind="run")
    with pytest.raises(OutputError, match=rf"out is not replaced, because {message}"):
        results(tmp_path / "out", force=True, one="new")
    with pytest.raises(OutputError, match="out exists already"):
        results(tmp_path / "out", one="new")
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("system")
def test_force_replaces_what_this_program_wrote(tmp_path: Path) -> None:
    out = results(tmp_path / "out", one="1", two="2")
    (out / "report.html").write_bytes(signed("a page"))
    (out / "one.txt").unlink()  # less than there was is no loss
    results(out, force=True, three="3")
    assert sorted(tree(tmp_path)) == ["out", "out/files.json", "out/three.txt"]
    assert not_ours(out, "run") is None
    assert json.loads((out / MANIFEST).read_text()) == {
        "program": "dmsb",
        "kind": "run",
        "files": {"three.txt": "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"},
    }


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("moment", ["while it writes", "between the look and the swap"])
def test_force_keeps_what_is_added_in_the_meantime(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = results(tmp_path / "out", one="1")
    swap = renames.exchange

    def add() -> None:
        (out / "thesis.txt").write_text("mine")

    def late(new: Path, path: Path) -> bool:
        monkeypatch.setattr(output, "exchange", swap)
        add()
        return swap(new, path)

    def write() -> None:
        with replacing(out, force=True, kind="run") as new:
            new.mkdir()
            if moment == "while it writes":
                add()
            else:
                monkeypatch.setattr(output, "exchange", late)

    with pytest.raises(OutputError, match=r"not replaced, because dmsb did not write thesis\.txt"):
        write()
    assert sorted(tree(tmp_path)) == ["out", "out/files.json", "out/one.txt", "out/thesis.txt"]


def test_what_is_replaced_without_a_test_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(OutputError, match=r"x exists already; name another$"), replacing(tmp_path / "x", force=True):
        pass


def test_a_page_is_known_by_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for data, reason in (
        (signed("a page"), None),
        (b"", "dmsb did not write it"),
        (b"<html></html>", "dmsb did not write it"),
        (signed("a page") + b"\n", "dmsb did not write it"),
        (b"<" + signed("a page"), "it was changed after dmsb wrote it"),
    ):
        path.write_bytes(data)
        assert unsigned(path) == reason
    path.unlink()
    path.mkdir()
    assert unsigned(path) == "it is not a file"


def test_what_could_not_be_removed_is_kept_by_name(tmp_path: Path) -> None:
    out = results(tmp_path / "out", one="1")
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not replaced, because dmsb did not write thesis\.txt"):
        discard(out, not_ours)
    (out / "thesis.txt").unlink()
    discard(out, not_ours)
    assert list(tmp_path.iterdir()) == []
