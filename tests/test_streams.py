"""The command where it cannot speak or write: full, closed and broken streams, no permission, no working directory.

One process imports everything once and forks a child per command and circumstance; a few real processes follow.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator import Result, simulate
from tests.fields import fields
from tests.forked import import_what_is_used, run_command

SHORT = ("--set", "market.contract_rounds=100")
TINY = ("--set", "duration_s=500", "--hyper", "worlds=2", "--hyper", "width=4", "--hyper", "warmup=20",
        "--hyper", "batch=8", "--hyper", "capacity=1000", "--evaluate-every", "40", "--held-out", "1")  # fmt: skip

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "paper", "--duration", "3", *SHORT, "--out", "{out}/run"),
    "run with a report": ("run", "paper", "--duration", "3", *SHORT, "--out", "{out}/reported", "--report"),
    "compare": ("compare", "paper", "--policies", "spa,random", "--seeds", "2", "--duration", "3", *SHORT,
                "--out", "{out}/compare"),
    "train": ("train", "paper", "--policy", "sac", "--steps", "40", *SHORT, *TINY, "--out", "{out}/train"),
    "audit": ("audit", "paper", "--policy", "spa", "--rounds", "5", "--long-run", "0", *SHORT),
    "report": ("report", "{done}", "--out", "{out}/page/page.html"),
    "export": ("export", "{done}", "--to", "jsonl", "--out", "{out}/events.jsonl"),
    "export csv": ("export", "{done}", "--to", "csv", "--out", "{out}/csv"),
    "scenarios": ("scenarios",),
    "scenarios --show": ("scenarios", "--show", "paper"),
    "policies": ("policies",),
    "validate": ("validate", "paper"),
    "schema": ("schema",),
    "--help": ("--help",),
    "run --help": ("run", "--help"),
}  # fmt: skip
"""Commands that succeed."""

WRONG: dict[str, tuple[str, ...]] = {
    "no command": ("rnu",),
    "no scenario": ("run", "papr"),
    "no file": ("validate", "{out}/none.yaml"),
    "no run": ("report", "{out}"),
    "no format": ("export", "{done}", "--to", "xlsx"),
}
"""Commands whose input is wrong."""

HEAVY = ("audit", "compare", "train", "run with a report")
"""Commands that take longest: they are tried where most goes wrong at once."""

HEAVY_IN = ("nothing special", "both full", "all closed", "stdout broken", "working directory deleted")

LEFT = {"run": "run/run.json", "run with a report": "reported/report.html", "compare": "compare/comparison.csv",
        "train": "train/best/meta.json", "report": "page/page.html", "export": "events.jsonl",
        "export csv": "csv/tasks.csv"}  # fmt: skip
"""What a command leaves when it is done."""

if importlib.util.find_spec("torch") is None:
    del COMMANDS["train"]

Set = Callable[[Path], None]


def _full(number: int) -> Set:
    def set_up(place: Path) -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), number)

    return set_up


def _closed(*numbers: int) -> Set:
    def set_up(place: Path) -> None:
        for number in numbers:
            os.close(number)
            # As Python does at its start.
            setattr(sys, ("stdin", "stdout", "stderr")[number], None)

    return set_up


def _broken(number: int) -> Set:
    """A pipe whose reader has left."""

    def set_up(place: Path) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, number)

    return set_up


def _read_only(place: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 1)


def _deleted(place: Path) -> None:
    (place / "gone").mkdir()
    os.chdir(place / "gone")
    (place / "gone").rmdir()


def _both(one: Set, two: Set) -> Set:
    def set_up(place: Path) -> None:
        one(place)
        two(place)

    return set_up


CIRCUMSTANCES: dict[str, Set] = {
    "nothing special": lambda place: None,
    "stdout full": _full(1),
    "stderr full": _full(2),
    "both full": _both(_full(1), _full(2)),
    "stdout closed": _closed(1),
    "stderr closed": _closed(2),
    "all closed": _closed(0, 1, 2),
    "stdout broken": _broken(1),
    "stderr broken": _broken(2),
    "stdout not to be written": _read_only,
    "working directory deleted": _deleted,
}


def cases(circumstance: str) -> dict[str, tuple[str, ...]]:
    heavy = circumstance in HEAVY_IN
    return {name: command for name, command in (COMMANDS | WRONG).items() if heavy or name not in HEAVY}


def expected(circumstance: str, name: str) -> int:
    """Exit code: 2 for wrong input whatever the streams; 1 where output that was asked for is lost."""
    lost = circumstance in ("stdout full", "both full", "stdout not to be written")
    return 2 if name in WRONG or (name, circumstance) == ("train", "working directory deleted") else int(lost)


def child(arguments: tuple[str, ...], set_up: Set, place: Path) -> None:
    """Run a command in this forked process, as a shell would start it; never returns."""
    code = 70
    try:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(place / name, os.O_CREAT | os.O_WRONLY, 0o600), number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        os.chdir(place)
        set_up(place)
        code = run_command(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        (place / "crash").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def forked(arguments: tuple[str, ...], set_up: Set, place: Path) -> dict[str, Any]:
    place.mkdir(parents=True)
    process = os.fork()
    if process == 0:
        child(arguments, set_up, place)
    begin = time.monotonic()
    done, status = 0, 0
    while not done and time.monotonic() - begin < 30.0:
        done, status = os.waitpid(process, os.WNOHANG)
        time.sleep(0.002)
    if not done:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    found = {
        name: (place / name).read_text() if (place / name).exists() else "" for name in ("stdout", "stderr", "crash")
    }
    return {**found, "code": os.waitstatus_to_exitcode(status) if done else "hangs"}


def drive(folder: Path) -> None:
    """Fork a child per command and circumstance, and print what came of each as JSON."""
    import_what_is_used()
    done = simulate("paper", "spa", duration=3, **fields({"market.contract_rounds": 100})).save(folder / "done")
    results = {}
    for circumstance, set_up in CIRCUMSTANCES.items():
        for name, command in cases(circumstance).items():
            place = folder / circumstance / name
            out = folder / "out" / circumstance / name
            out.mkdir(parents=True)
            arguments = tuple(part.format(out=out, done=done) for part in command)
            results[f"{circumstance}: {name}"] = forked(arguments, set_up, place)
    (folder / "results.json").write_text(json.dumps(results))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("streams")
    code = f"from pathlib import Path\nfrom tests.test_streams import drive\ndrive(Path({str(folder)!r}))"
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, env=environment, stdin=subprocess.DEVNULL)
    return json.loads((folder / "results.json").read_text()), folder


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
def test_every_command_ends_well_in_every_circumstance(circumstance: str, results: tuple[dict[str, Any], Path]) -> None:
    found, folder = results
    wrong = {}
    for name in cases(circumstance):
        result = found[f"{circumstance}: {name}"]
        errors = [line for line in result["stderr"].splitlines() if line.startswith("error: ")]
        left = LEFT.get(name) if result["code"] in (0, 1) else None
        problems = {
            "crash": result["crash"],
            "code": result["code"] if result["code"] != expected(circumstance, name) else "",
            "stderr": result["stderr"] if "Traceback" in result["stderr"] or "unexpected" in result["stderr"] else "",
            "sentences": errors if len(errors) != told(circumstance, name) else "",
            "lost": "" if left is None or (folder / "out" / circumstance / name / left).is_file() else left,
            "half": leftovers(folder / "out" / circumstance / name),
        }
        if any(problems.values()):
            wrong[name] = {what: said for what, said in problems.items() if said}
    assert wrong == {}


def told(circumstance: str, name: str) -> int:
    """How many sentences stand on standard error, which must be one where something is wrong and it can be written."""
    if circumstance in ("stderr full", "both full", "stderr closed", "all closed", "stderr broken"):
        return 0
    return int(expected(circumstance, name) > 0)


def leftovers(folder: Path) -> list[str]:
    """What a writer would leave that was stopped half-way."""
    return [path.name for path in folder.rglob("*") if path.name.startswith(".") and path.parent == folder]


def test_the_sentence_names_what_is_not_lost(results: tuple[dict[str, Any], Path]) -> None:
    found, folder = results
    said = found["stdout full: run"]["stderr"]
    out = folder / "out" / "stdout full" / "run" / "run"
    assert said == f"error: the output cannot be written (No space left on device); the result is in {out}\n"
    assert len(Result.load(out).auctions) == 3
    assert found["stdout full: schema"]["stderr"] == "error: the output cannot be written (No space left on device)\n"
    assert (
        found["stdout not to be written: schema"]["stderr"]
        == "error: the output cannot be written (Bad file descriptor)\n"
    )


def test_a_file_never_gets_the_descriptor_of_a_closed_stream(results: tuple[dict[str, Any], Path]) -> None:
    """Or else what is printed would stand in a result."""
    found, folder = results
    for circumstance in ("stdout closed", "stderr closed", "all closed"):
        assert found[f"{circumstance}: run"]["code"] == 0
        Result.load(folder / "out" / circumstance / "run" / "run").check()


COMMAND = [sys.executable, "-m", "dmsb"]
RUN = ("run", "paper", "--duration", "3", *SHORT)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra learn")
def test_a_training_without_a_working_directory_does_not_reach_torch(tmp_path: Path) -> None:
    """Its libraries end the process where there is none."""
    (tmp_path / "gone").mkdir()
    done = shell(f"cd gone; rmdir ../gone; dmsb train paper --policy sac --steps 9 --out {tmp_path / 't'}", tmp_path)
    sentence = "error: the working directory has been deleted; change to one that is there\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command line in a real shell, with what a real end of the interpreter adds."""
    text = line.replace("dmsb", " ".join(COMMAND))
    return subprocess.run(["bash", "-c", text], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_real_processes_end_alike(tmp_path: Path) -> None:
    """What Python does at its end, when streams are flushed once more, must change neither code nor silence."""
    run = " ".join(RUN)
    full = shell(f"dmsb {run} --out a > /dev/full", tmp_path)
    message = "error: the output cannot be written (No space left on device); the result is in a\n"
    assert (full.returncode, full.stderr) == (1, message)
    full = shell(f"dmsb {run} --out b > /dev/full 2> /dev/full", tmp_path)
    assert (full.returncode, full.stdout, full.stderr) == (1, "", "")
    closed = shell(f"dmsb {run} --out c >&- 2>&- <&-", tmp_path)
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")
    head = shell("dmsb schema | head -1; exit ${PIPESTATUS[0]}", tmp_path)
    assert (head.returncode, head.stderr, len(head.stdout.splitlines())) == (0, "", 1)
    wrong = shell("dmsb run papr 2> /dev/full", tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    for name in ("a", "b", "c"):
        Result.load(tmp_path / name).check()


def test_a_working_directory_that_has_been_deleted_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = shell(f"cd gone; rmdir ../gone; dmsb {' '.join(RUN)}", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: outputs/paper-conditional-s0: cannot be written (")
    assert done.stderr.endswith(" (the working directory has been deleted; change to one that is there)\n")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_that_does_not_block_takes_everything(tmp_path: Path) -> None:
    """Some programs make the pipe of their children so; a full one then is an error to be waited out."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-c", "import simulator.cli.streams as s; s.Streams(); print('x' * 1_000_000)"]
    with subprocess.Popen(command, stdout=writer) as process:
        os.close(writer)
        time.sleep(0.3)  # it fills
        with open(reader, "rb") as stream:  # noqa: PTH123
            assert len(stream.read()) == 1_000_001
    assert process.returncode == 0


NOBODY = 65534


def _nobody(place: Path) -> None:
    """Give up the rights of the superuser, to whom no permission matters."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def without_permission(folder: Path, cases: list[list[str]]) -> None:
    """Fork a child per command, which may read and write little; everything is imported before."""
    done = simulate("paper", "sac", duration=3, **fields({"market.contract_rounds": 100}))
    done.save(folder / "imported")
    import simulator.cli.app
    import simulator.view.export
    from simulator.view.report.write import page

    page({"imported": Result.load(folder / "imported")})
    simulator.cli.app.app(["validate", "paper"], standalone_mode=False)
    (folder / "results.json").write_text(
        json.dumps([forked(tuple(case), _nobody, folder / str(number)) for number, case in enumerate(cases)])
    )


def test_without_permission_there_is_one_sentence_and_no_trace(tmp_path: Path) -> None:
    """Files that cannot be read and folders that cannot be written, by somebody who is not the superuser."""
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    done = simulate("paper", "spa", duration=3, **fields({"market.contract_rounds": 100})).save(tmp_path / "done")
    secret, recording, locked, odd = (tmp_path / name for name in ("s.yaml", "s.csv", "locked", "odd"))
    secret.write_text("name: secret\n")
    recording.write_text("time,id,x,y\n")
    for path in (locked, odd, tmp_path / "work"):
        path.mkdir()
    for path in done.iterdir():
        path.chmod(0o644)
    for path in (done, tmp_path / "work"):
        path.chmod(0o755)
    run = ("run", "paper", "--duration", "3", *SHORT)
    cases = {
        ("validate", str(secret)): "s.yaml: cannot be read (Permission denied)",
        ("run", "braunschweig", "--set", f"traffic.file={recording}", "--out", str(tmp_path / "never")):
            "s.csv: the recording cannot be read (Permission denied)",
        ("report", str(done), "--out", str(locked / "page" / "p.html")): "p.html: cannot be written (no permission to",
        (*run, "--out", str(locked / "run")): "cannot be written (",
        (*run, "--out", str(odd / "run")): "cannot be written (",
        ("report", str(odd)): "odd' is not readable",
        (*run, "--policy", f"sac:weights={odd}"): "odd: the weights cannot be read (Permission denied)",
        (*run, "--policy", f"{odd}/p.py:Mine"): "p.py cannot be read (Permission denied)",
    }  # fmt: skip
    kept = {secret: 0, recording: 0, done / "tasks.parquet": 0, locked: 0o555, odd: 0}
    for path, mode in kept.items():
        path.chmod(mode)
    code = "import sys, json\nfrom pathlib import Path\nfrom tests.test_streams import without_permission\n"
    code += "without_permission(Path(sys.argv[1]), json.loads(sys.argv[2]))"
    try:
        command = [sys.executable, "-c", code, str(tmp_path / "work"), json.dumps(list(cases))]
        subprocess.run(command, capture_output=True, check=True, timeout=120)
    finally:
        for path in kept:
            path.chmod(0o755)
    results = json.loads((tmp_path / "work" / "results.json").read_text())
    for (case, wanted), found in zip(cases.items(), results, strict=True):
        assert (found["code"], found["stdout"], found["crash"]) == (2, "", ""), (case, found)
        assert found["stderr"].startswith("error: "), case
        assert wanted in found["stderr"], (case, found)
        assert len(found["stderr"].splitlines()) == 1, case
    assert list(locked.iterdir()) == list(odd.iterdir()) == []


def test_a_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    """An escape sequence in a scenario that somebody sends must not reach the screen of who runs it."""
    text = (Path(__file__).parents[1] / "scenarios" / "paper.yaml").read_text(encoding="utf-8")
    (tmp_path / "odd.yaml").write_text(text.replace("name: paper", 'name: "odd\\e]0;mine\\a\\e[2J"'))
    for line in ("validate odd.yaml", f"run odd.yaml --duration 3 {' '.join(SHORT)} --out run"):
        done = shell(f"dmsb {line}", tmp_path)
        assert done.returncode == 0, done.stderr
        assert "odd ]0;mine" in done.stdout
        assert not set(done.stdout + done.stderr) & {"\x1b", "\x07"}
