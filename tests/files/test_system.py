"""What the system refuses: one sentence, and nothing half written."""

from __future__ import annotations

import errno
import os
import re
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import simulate
from simulator.errors import OutputError
from simulator.files import check, renames, replacing
from tests.files.results import results
from tests.kills import forked, tree


def test_a_file_system_without_links_or_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(renames, "_call", lambda: None)
    monkeypatch.setattr(os, "link", refuse)
    with replacing(tmp_path / "a") as new:
        new.write_text("1")
    with pytest.raises(OutputError, match="exists already"), replacing(tmp_path / "a") as new:
        new.write_text("2")
    assert tree(tmp_path) == {"a": b"1"}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can go into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk; each command meets it while it writes."""
    run = simulate("paper", "conditional", duration=30)
    page = "x" * 100_000
    before = results(tmp_path / "run", one="1")
    commands: dict[str, Callable[[], object]] = {
        "out": lambda: run.save("a/b/out"),
        "run": lambda: results(Path("run"), force=True, big="x" * 100_000),
        "page": lambda: write_page("page.html", page),
    }
    for command in commands.values():

        def limited(command: Callable[[], object] = command) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
            command()

        ended = forked(limited, tmp_path)
        assert ended.code == 2, ended.message
        assert re.fullmatch(r"(a/b/out|run|page\.html): cannot be written \(.*File too large.*\)", ended.message)
        assert sorted(tree(tmp_path)) == ["run", "run/files.json", "run/one.txt"]
    assert (before / "one.txt").read_text() == "1"


def write_page(name: str, text: str) -> None:
    with replacing(Path(name)) as new:
        new.write_text(text)


def test_no_permission_is_one_sentence_before_anything_runs(open_folder: Path) -> None:
    (open_folder / "locked").mkdir(mode=0o555)

    def refused(command: Callable[[], object]) -> None:
        if os.geteuid() == 0:
            os.setuid(65534)  # nobody
        command()

    for command in (
        lambda: check(Path("locked/a/out"), kind="run"),
        lambda: results(Path("locked/out"), one="1"),
    ):
        ended = forked(lambda command=command: refused(command), open_folder)  # type: ignore[misc]
        assert ended.code == 2, ended.message
        assert re.fullmatch(
            r"locked/(a/)?out: cannot be written \(no permission to write in /.*/locked\)", ended.message
        )
    assert sorted(tree(open_folder)) == ["locked"]


def test_names_that_nothing_can_have(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"xxx: cannot be written \(File name too long\)"):
        check(tmp_path / ("x" * 300))
    for wrong in (Path(), Path("/"), tmp_path / ".."):
        with pytest.raises(OutputError, match="must name what to write, such as outputs/mine"):
            check(wrong)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="loop/out: cannot be written"):
        results(tmp_path / "loop" / "out", one="1")
    assert sorted(tree(tmp_path)) == ["loop"]


def test_a_working_directory_that_has_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()

    def command() -> None:
        (tmp_path / "gone").rmdir()
        results(Path("out"), one="1")

    ended = forked(command, tmp_path / "gone")
    assert ended == (False, 2, "out: cannot be written (No such file or directory)")
