"""Every command is killed before each of its file operations. What is left must be nothing, the old, or the new.

The command that is run again leaves what one leaves that was not killed. No staging folder stays, and nothing of a
person's is touched.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import gc
import importlib.util
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest

import simulator.run as run_module
import simulator.world.plan as plan_module
from simulator import Result, Scenario
from simulator.cli import app as cli, comparing
from simulator.errors import OutputError
from simulator.files import renames, replacing
from simulator.record.schema import TABLES
from simulator.study import design, price_training, tabulate, train
from simulator.study.journal import Figures
from simulator.study.paper import figures, plan, reproduce, runs
from simulator.study.worlds import KeptWorlds
from simulator.view import figures as drawings
from simulator.view.report import payload as payloads, write as pages
from simulator.view.report.payload import Payload
from simulator.world.plan import Plan
from simulator.world.simulation import Demand
from tests.fields import fields
from tests.kills import Command, forked, kills, tree
from tests.quick import quick

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra learn")

SMALL = {"market.contract_rounds": 100, "duration_s": 3.0}

STRANGER = ".dmsb-1-2-0123abcd-0123456789abcdef"

MINE = {
    "thesis.txt": "mine",
    ".out.old-123/thesis.txt": "mine",
    ".out.part-123/thesis.txt": "mine",
    f"{STRANGER}/owner.json": '{"program": "dmsb", "host": "elsewhere", "pid": 1, "started": 2, "target": "out"}',
    f"{STRANGER}/old/thesis.txt": "mine",
    ".dmsb-notes/owner.json": "{}",
}
"""What a person has next to the target; nothing of it may change."""


@functools.cache
def small() -> Scenario:
    return Scenario.load("paper", **fields(SMALL))


@functools.cache
def result(policy: str, seed: int = 0) -> Result:
    """A run with its tables: what a simulation computes has no part in how files are written."""
    found = real_plan(small(), policy, seed).run()
    for name in TABLES:
        getattr(found, name)
    assert found.summary["tasks"] > 0
    return found


real_plan, real_page, real_evaluated = run_module.plan, pages.page, price_training.evaluated


@functools.cache
def prepared(policy: str) -> Plan:
    return real_plan(small(), policy)


@functools.cache
def drawn(seed: int) -> Demand:
    return prepared("conditional").with_seed(seed).demand(2**30)


class Ready:
    """A plan whose runs have been made."""

    def __init__(self, policy: str, seed: int = 0) -> None:
        self.policy, self.seed = policy, seed
        self.duration, self.hashes = prepared(policy).duration, prepared(policy).hashes
        self.recording = None
        self.policy_decides, self.mechanism = prepared(policy).policy_decides, prepared(policy).mechanism

    def with_seed(self, seed: int) -> Ready:
        return Ready(self.policy, seed)

    def at_most(self, duration: float) -> Ready:
        return self

    def demand(self, most_bytes: int) -> Demand:
        return drawn(self.seed)

    def run(self, progress: object = None, demand: object = None) -> Result:
        return result(self.policy, self.seed)

    def run_into(
        self, directory: Path, force: bool, progress: object, page: Callable[[Result], bytes] | None
    ) -> Result:
        return prepared(self.policy).with_seed(self.seed).run_into(directory, force, None, page)


class Stopped:
    """A clock of a run that stands still."""

    def figures(self) -> dict[str, object]:
        return {"started": "2026-01-01T00:00:00+00:00", "wall_s": 0.0, "cpu_s": 0.0}


@functools.cache
def page(names: tuple[str, ...]) -> str:
    return real_page({name: result(name) for name in names})


def packed(found: Mapping[str, Result], note: str = "", *_: object) -> Payload:
    """What stands for the data of a page."""
    runs = [{"name": name} for name in found]
    return Payload({"runs": runs, "note": note, "begin": 0.0, "end": 1e9, "duration": 1e9}, "")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder, in memory where that can be."""
    memory = Path("/dev/shm")
    gc.freeze()  # so that the collector of a child does not go through, and copy, all that was there before
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
    gc.unfreeze()


@pytest.fixture
def template(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a person has there.

    What a command computes and prints is there already, so that a kill meets writing only.
    """
    for policy in ("conditional", "spa"):
        prepared(policy), page((policy,)), result(policy, 1), drawn(0), drawn(1)
    page(("conditional", "spa"))
    monkeypatch.setattr(plan_module, "RunClock", Stopped)
    for module in (cli, comparing):
        monkeypatch.setattr(module, "load", lambda scenario, sets: small())
    monkeypatch.setattr(run_module, "simulate", lambda scenario, policy, seed=0, *_, **__: result(policy, seed))
    monkeypatch.setattr(design, "find_policy", lambda policy: policy)
    monkeypatch.setattr(design, "try_out", lambda planned: None)
    for module in (design, run_module):
        monkeypatch.setattr(module, "plan", lambda scenario, policy, seed=0, *_, **__: Ready(policy, seed))
    monkeypatch.setattr(cli, "print_summary", lambda summary, title: None)
    monkeypatch.setattr(comparing, "print_comparison", lambda *_: None)
    monkeypatch.setattr(tabulate, "corrected", lambda values: values)  # its library collects garbage at every call
    monkeypatch.setattr(drawings, "comparison", lambda table, path, *_: path.write_bytes(b"a picture"))
    for module in (pages, payloads):
        monkeypatch.setattr(module, "payload", packed)
    monkeypatch.setattr(
        pages,
        "_page",
        lambda data, means: page(tuple(one["name"] for one in data.head["runs"])) + data.head["note"],
    )
    folder = scratch / "template"
    for name, text in MINE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def mine(folder: Path) -> dict[str, bytes | None]:
    places = {name.partition("/")[0] for name in MINE} | {"out/thesis.txt"}
    return {name: data for name, data in tree(folder).items() if name.startswith(tuple(places))}


def staged(folder: Path) -> list[str]:
    return [name for name in tree(folder) if ".dmsb-" in name and not name.startswith((STRANGER, ".dmsb-notes"))]


Left = dict[str, dict[str, bytes | None]]


def part(folder: Path, targets: tuple[str, ...]) -> Left:
    """What has some names, without what differs from run to run."""
    volatile = {"metrics.csv": without_seconds, "about.json": without_minutes}
    return {name: tree(folder / name, volatile) for name in targets if (folder / name).exists()}


def without_seconds(data: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode())))
    return json.dumps([row[:1] + row[2:] for row in rows]).encode()


def without_minutes(data: bytes) -> bytes:
    return json.dumps({key: value for key, value in json.loads(data).items() if key != "minutes"}).encode()


def hold(
    command: Command,
    template: Path,
    scratch: Path,
    *targets: str,
    again: Command | None = None,
    grows: bool = False,
    at_least: int = 5,
) -> None:
    """Kill a command at every operation and hold what is left, and what another call makes of it, to the rules.

    Args:
        command: what is killed.
        template: the folder before.
        scratch: where copies go.
        targets: what the command writes.
        again: the call afterwards; the same command if None.
        grows: whether the target is a folder that grows, such as a training. All others are absent, old, or new.
        at_least: how many operations there must be, so that a harness that sees none does not pass.
    """
    done = scratch / "done"
    shutil.copytree(template, done, symlinks=True)
    with contextlib.chdir(done):
        command()
    before, old, new = mine(template), part(template, targets), part(done, targets)
    assert new.keys() == set(targets)
    assert new != old
    assert mine(done) == before
    assert staged(done) == []
    count = 0
    (scratch / "kills").mkdir()
    for what, folder in kills(command, template, scratch / "kills"):
        count += 1
        assert mine(folder) == before, what
        left = part(folder, targets)
        assert grows or left in (old, new), what
        with contextlib.chdir(folder):
            if left == new and not grows:
                with contextlib.suppress(OutputError):
                    (again or command)()
                # The call may have been refused, and so has deleted nothing. The next one there clears away.
                with replacing(Path(targets[0]).with_name("else")) as other:
                    other.write_text("else")
            else:
                (again or command)()
        assert part(folder, targets) == new, what
        assert mine(folder) == before, what
        assert staged(folder) == [], what
    assert count >= at_least


@pytest.fixture(params=quick(["renameat2"], ["renameat2", "two renames"]))
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system that can exchange two names at once, and one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(renames, "_call", lambda: None)
    return str(request.param)


def run(policy: str = "conditional", out: str = "out", force: bool = False, report: bool = False) -> Command:
    return lambda: cli.run("paper", policy, out=Path(out), force=force, report=report)


def test_a_run(template: Path, scratch: Path) -> None:
    hold(run(report=True), template, scratch, "out", at_least=30)


@pytest.mark.slow
def test_a_run_below_folders_that_are_not_there(template: Path, scratch: Path) -> None:
    hold(run(out="a/b/out"), template, scratch, "a/b/out", at_least=30)


def test_a_run_in_the_place_of_another(template: Path, scratch: Path, system: str) -> None:
    result("spa").save(template / "out")
    pages.write_report({"spa": result("spa")}, template / "out" / "report.html")
    # With two renames there is a moment in which nothing has the name; then the old run comes back.
    hold(run(force=True), template, scratch, "out", grows=system == "two renames", at_least=40)


def test_a_comparison(template: Path, scratch: Path) -> None:
    hold(comparison("conditional,spa"), template, scratch, "out", at_least=25)


@pytest.mark.slow
def test_a_comparison_in_the_place_of_another(template: Path, scratch: Path) -> None:
    assert forked(comparison("spa"), template) == (False, 0, "")
    hold(comparison("conditional,spa", force=True), template, scratch, "out", at_least=30)


def comparison(policies: str, force: bool = False) -> Command:
    return lambda: comparing.compare("paper", policies, seeds=2, out=Path("out"), force=force)


@pytest.mark.parametrize("to", quick(["perfetto", "csv"], ["perfetto", "csv", "jsonl", "sumo-fcd"]))
def test_an_export(template: Path, scratch: Path, to: str) -> None:
    if to == "sumo-fcd":
        real_plan("four_way", "conditional", duration=60).run().save(template / "run")
    else:
        result("conditional").save(template / "run")
    target = {"perfetto": "run.perfetto.json", "csv": "run-csv", "jsonl": "run.events.jsonl", "sumo-fcd": "run.fcd.xml"}
    hold(lambda: cli.export(Path("run"), to), template, scratch, target[to], at_least=8)


@pytest.mark.parametrize(("out", "force"), [(None, False), ("page.html", False), ("page.html", True)])
def test_a_report(template: Path, scratch: Path, out: str | None, force: bool) -> None:
    result("conditional").save(template / "run")
    target = out or "run/report.html"
    if out is None or force:  # there is an older page
        pages.write_report({"spa": result("spa")}, template / target)
    hold(lambda: cli.report(Path("run"), Path(out) if out else None, force), template, scratch, target, at_least=8)


TINY = f"{Path(__file__).parents[1] / 'tiny_policy.py'}:Tiny"


@functools.cache
def surplus(policy: str, seed: int) -> Figures:
    return real_evaluated(small(), policy, seed, KeptWorlds())


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes of ten rounds, and evaluations that have been done before."""
    monkeypatch.setattr(price_training, "ROUNDS_PER_EPISODE", 10.0)
    for module in (price_training, runs):
        monkeypatch.setattr(
            module, "evaluated", lambda scenario, policy, seed, worlds: surplus(getattr(policy, "label", policy), seed)
        )


def training(resume: bool = False) -> Command:
    return lambda: train.train(
        [small()], TINY, 20, out=Path("out"), resume=resume and Path("out").exists(), evaluate_every=10, held_out=1
    )


@pytest.mark.slow
@needs_torch
@pytest.mark.usefixtures("brief")
def test_a_training(template: Path, scratch: Path) -> None:
    hold(training(), template, scratch, "out", again=training(True), grows=True, at_least=90)
    done = scratch / "done" / "out"
    assert (done / "best" / "arrays.safetensors").read_bytes() != (
        done / "deployed" / "arrays.safetensors"
    ).read_bytes()


@pytest.mark.slow
@needs_torch
@pytest.mark.usefixtures("brief")
def test_a_training_that_was_killed_and_is_killed_again(template: Path, scratch: Path, system: str) -> None:
    def kill(*_: object) -> None:
        if Path("out/last").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    assert forked(training(), template, kill).killed
    (template / "out" / "thesis.txt").write_text("mine")
    hold(training(True), template, scratch, "out", grows=True, at_least=45)


@pytest.mark.slow
@needs_torch
@pytest.mark.usefixtures("brief")
def test_a_figure_of_the_paper(template: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "torch" not in sys.modules:  # which is asked for one thread only, and takes seconds to import
        stub: Any = ModuleType("torch")
        stub.__spec__, stub.set_num_threads = importlib.util.find_spec("torch"), lambda number: None
        monkeypatch.setitem(sys.modules, "torch", stub)
    learners = {"tiny": plan.Learner("Tiny", TINY)}
    monkeypatch.setattr(figures, "LEARNERS", learners)
    monkeypatch.setattr(runs, "LEARNERS", learners)
    monkeypatch.setattr(figures, "RULES", {"SPA": "spa"})
    monkeypatch.setattr(runs, "scenario_at", lambda point: small())
    code = runs.code_hash()
    monkeypatch.setattr(runs, "code_hash", lambda: code)
    monkeypatch.setitem(plan.SCALES, "quick", plan.Scale(10, 10, 10, 10, 1, 1, 1, 1, 1, 3))

    def command() -> None:
        reproduce.reproduce(["fig3"], out=Path("out"), draw=draw)

    def kill(*_: object) -> None:  # the test of trainings kills them at every other moment
        if (trained / "last").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    name = runs.Training("tiny", "base", (plan.BASE,), 0, 10, True, 1).name(code)
    trained = template / ".out.work-quick" / name
    assert forked(command, template, kill).killed
    hold(command, template, scratch, "out", f".out.work-quick/{name}", grows=True, at_least=40)


def draw(name: str, _: object, folder: Path) -> None:
    (folder / f"{name}.png").write_bytes(b"a picture")
