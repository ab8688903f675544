"""The command as people use it: every wrong input gives an exit code and one sentence, and writes nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from simulator import InputError, Result, simulate
from simulator.cli.options import slug
from simulator.cli.terminal import print_rows
from simulator.errors import OutputError
from simulator.record.schema import TABLES
from tests import forked

COMMAND = [sys.executable, "-m", "dmsb"]


def dmsb(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.dmsb(arguments, cwd, {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"})


POLICY_FILE = """
class Raises:
    def price(self, observation):
        raise ZeroDivisionError("on purpose")

class Low:
    def price(self, observation):
        return 0.5

class Nan:
    def price(self, observation):
        return float("nan")

class Text:
    def price(self, observation):
        return "high"

class Exits:
    def price(self, observation):
        raise SystemExit(0)

class NoPrice:
    pass

class Needs:
    def __init__(self, level):
        self.level = level
    def price(self, observation):
        return self.level

class BadReset:
    def reset(self, scenario, rng):
        raise KeyError("weights")
    def price(self, observation):
        return 1.0

class BadFeedback:
    def price(self, observation):
        return 1.0
    def feedback(self, outcome):
        raise IndexError("none")

class Nosy:
    information = "everything"
    def price(self, observation):
        return 1.0

class Wants:
    information = "masked"
    mechanism = "second-price"
    def price(self, observation):
        return 1.0

class Boundless:
    def clear(self, lots):
        from simulator.market.contracts import Ask, Award
        yield Ask("bid", lots)
        return [Award(lots[0], lots[0].invited[0], float("inf"))]
"""

RUN = ("run", "paper", "--duration", "5")
COMPARE = ("compare", "paper", "--policies", "spa,random")
BAD: dict[str, tuple[tuple[str, ...], int, str]] = {
    "unknown scenario": (("run", "braunschweg"), 2, r"no scenario 'braunschweg', .*; did you mean 'braunschweig'\?"),
    "missing scenario file": (("run", "no/such.yaml"), 2, r"no/such\.yaml: cannot be read \(No such file"),
    "unknown policy": ((*RUN, "--policy", "conditonal"), 2, r"no policy 'conditonal' .*did you mean 'conditional'\?"),
    "unknown policy parameter": ((*RUN, "--policy", "conditional:scal=1"), 2, r"no parameter 'scal'; it takes scale"),
    "policy argument of the wrong kind": ((*RUN, "--policy", "constant:high"), 2, r"rho must be .* number, not 'high'"),
    "policy argument out of range": ((*RUN, "--policy", "constant:0.5"), 2, r"number >= 1, not 0\.5"),
    "policy argument missing": ((*RUN, "--policy", "constant"), 2, r"policy 'constant': .*rho"),
    "two plain policy arguments": ((*RUN, "--policy", "constant:1:2"), 2, r"'2' must be key=value"),
    "unknown mechanism": ((*RUN, "--set", "market.mechanism=msbb"), 2, r"no mechanism 'msbb' .*did you mean 'msb'\?"),
    "mechanism contradicted": (
        (*RUN, "--policy", "spa", "--set", "market.mechanism=msb"), 2, r"policy spa brings its own mechanism"),
    "information contradicted": (
        (*RUN, "--policy", "oracle", "--set", "market.information=public"), 2, r"declares that it needs 'clairvoyant'"),
    "information contradicted by a file's policy": (
        (*RUN, "--policy", "p.py:Wants", "--set", "market.information=public"), 2, r"declares that it needs 'masked'"),
    "unknown field": (
        (*RUN, "--set", "stations.cuont=3"), 2, r"--set stations\.cuont: stations: .*did you mean 'count'"),
    "unknown part": ((*RUN, "--set", "statoins.count=3"), 2, r"--set statoins\.count: .*did you mean 'stations'"),
    "field below a value": ((*RUN, "--set", "duration_s.x=3"), 2, r"'duration_s' is a single value"),
    "wrong type": ((*RUN, "--set", "stations.count=few"), 2, r"--set stations\.count: .*integer.*, not 'few'"),
    "negative bandwidth": ((*RUN, "--set", "stations.uplink_mhz=-5"), 2, r"must be greater than 0, not -5"),
    "span upside down": ((*RUN, "--set", "tasks.size_mb=[40,20]"), 2, r"must be \[low, high\] with low <= high"),
    "no stations": ((*RUN, "--set", "stations.count=0"), 2, r"has no ground station; set 'count' to 1 or more"),
    "override without value": ((*RUN, "--set", "stations.count"), 2, r"must be key=value, such as stations\.count=7"),
    "override that is no YAML": ((*RUN, "--set", "tasks.size_mb=[20"), 2, r"'\[20' cannot be read as a value"),
    "nan duration": (("run", "paper", "--duration", "nan"), 2, r"duration: must be a number of seconds > 0, not nan"),
    "negative duration": (("run", "paper", "--duration", "-3"), 2, r"duration: must be .*> 0, not -3\.0"),
    "infinite duration": (("run", "paper", "--duration", "inf"), 2, r"duration: must be .*> 0, not inf"),
    "warmup beyond the end": ((*RUN, "--warmup", "9"), 2, r"warmup: must be .*below the duration, not 9\.0"),
    "negative seed": ((*RUN, "--seed", "-1"), 2, r"seed: must be a whole number >= 0 and below 2\^63, not -1"),
    "seed that is no number": ((*RUN, "--seed", "one"), 2, r"'--seed': must be a whole number, not 'one'"),
    "duration that is no number": ((*RUN, "--duration", "long"), 2, r"must be a number of seconds, not 'long'"),
    "no scenario": (("run",), 2, r"Missing argument 'SCENARIO'"),
    "unknown option": ((*RUN, "--polcy", "spa"), 2, r"No such option: --polcy"),
    "overlapping ids": (("run", "twice.yaml"), 2, r"twice\.yaml.*two providers are called 's1'"),
    "a recording that is none": (
        ("run", "braunschweig", "--set", "traffic.file=p.py"), 2, r"p\.py: the name of a recording must end in \.xml"),
    "a recording that is not there": (
        ("run", "braunschweig", "--set", "traffic.file=x.csv"), 2, r"x\.csv: there is no such recording"),
    "a recording of something else": (
        ("run", "braunschweig", "--set", "traffic.file=else.xml"), 2, r"else\.xml:1: <routes> is no floating-car data"),
    "policy file that is not there": ((*RUN, "--policy", "q.py:Low"), 2, r"there is no file q\.py"),
    "policy file without the class": ((*RUN, "--policy", "p.py:Lo"), 2, r"has no class 'Lo'; did you mean 'Low'\?"),
    "policy file, class not named": ((*RUN, "--policy", "p.py"), 2, r"name the class, as in p\.py:MyPolicy"),
    "policy file that does not import": ((*RUN, "--policy", "broken.py:X"), 2, r"broken\.py cannot be imported: Synt"),
    "policy without price": ((*RUN, "--policy", "p.py:NoPrice"), 2, r"has no method price\(observation\)"),
    "policy with a wrong declaration": ((*RUN, "--policy", "p.py:Nosy"), 2, r"declares information = 'everything'"),
    "policy argument not given": ((*RUN, "--policy", "p.py:Needs"), 2, r"level is missing, as in p\.py:Needs:level="),
    "policy that raises": (
        (*RUN, "--policy", "p.py:Raises"), 1, r"policy p\.py:Raises, auction of task 0: price\(\) raised ZeroDivision"),
    "policy below one": ((*RUN, "--policy", "p.py:Low"), 1, r"p\.py:Low, auction of task 0: price\(\) returned 0\.5;"),
    "policy with nan": ((*RUN, "--policy", "p.py:Nan"), 1, r"price\(\) returned nan; it must be a number >= 1"),
    "policy with a string": ((*RUN, "--policy", "p.py:Text"), 1, r"price\(\) returned 'high'; it must be a number"),
    "policy with a string argument": ((*RUN, "--policy", "p.py:Needs:level=x"), 1, r"price\(\) returned 'x'"),
    "policy whose reset fails": ((*RUN, "--policy", "p.py:BadReset"), 1, r"reset\(\) raised KeyError: 'weights'"),
    "policy whose feedback fails": ((*RUN, "--policy", "p.py:BadFeedback"), 1, r"task 0: feedback\(\) raised IndexE"),
    "mechanism with an infinite payment": (
        (*RUN, "--set", "market.mechanism=p.py:Boundless"), 1,
        r"p\.py:Boundless, auction of task 0: paid_by_provider is inf; it must be a number from"),
    "output that exists": ((*RUN, "--out", "here"), 2, r"here exists already; name another, or replace it with --fo"),
    "output that is somebody's folder": (
        (*RUN, "--out", "here", "--force"), 2, r"here is not replaced, because dmsb did not write thesis\.txt"),
    "output that mixes results and other things": (
        (*RUN, "--out", "mixed", "--force"), 2, r"dmsb did not write package\.json"),
    "output that is a scenario of one's own": (
        (*RUN, "--out", "own", "--force"), 2, r"dmsb did not write scenario\.yaml"),
    "policy that exits": ((*RUN, "--policy", "p.py:Exits"), 1, r"price\(\) raised SystemExit"),
    "output that is too deep": ((*RUN, "--out", "p/" * 1500 + "x"), 2, r"it is 1,501 folders deep; at most 200 can be"),
    "output without a name": ((*RUN, "--out", ".", "--force"), 2, r"\.: must name what to write"),
    "output below a file": ((*RUN, "--out", "p.py/run"), 2, r"p\.py/run: cannot be written"),
    "one world only": (("compare", "paper", "--policies", "spa,random", "--seeds", "1"), 2, r"two or more worlds"),
    "a policy twice": (("compare", "paper", "--policies", "spa,spa"), 2, r"more different policies, not spa, spa"),
    "no policies": (("compare", "paper", "--policies", ","), 2, r"one or more different policies, not none"),
    "no processes": (("compare", "paper", "--policies", "spa", "--jobs", "0"), 2, r"jobs: must be .* to 1,000, not 0"),
    "policy that fails in a comparison": (
        ("compare", "paper", "--policies", "p.py:Low,spa", "--duration", "5", "--jobs", "2"), 1, r"returned 0\.5"),
    "nothing to train on": (("train", "", "--policy", "ppo", "--steps", "5"), 2, r"SCENARIO '': must name one or more"),
    "a hyperparameter without a value": (
        ("train", "paper", "--policy", "ppo", "--steps", "5", "--hyper", "gamma"), 2, r"--hyper gamma: must be key"),
    "a hyperparameter that is no YAML": (
        ("train", "paper", "--policy", "ppo", "--steps", "5", "--hyper", "gamma=["), 2, r"--hyper gamma=\[: '\[' cann"),
    "a field moved twice": (
        (*COMPARE, "--grid", "stations.count=3", "--grid", "stations.count=5"), 2, r"count is moved twice; g"),
    "a load moved twice": (
        ("compare", "four_way", "--policies", "spa", "--grid", "tasks.load=1,2", "--load", "1,2"), 2, r"load is moved"),
    "a value twice": ((*COMPARE, "--grid", "stations.count=3,3.0"), 2, r"has a value twice: \[3, 3\.0\]"),
    "a mapping as a value": ((*COMPARE, "--grid", "tasks.size_mb={a: 1},2"), 2, r"\{'a': 1\} is a mapping; move its"),
    "a grid of durations beside a duration": (
        (*COMPARE, "--grid", "duration_s=10,20", "--duration", "5"), 2, r"duration_s is moved, but duration says"),
    "a grid of mechanisms beside mechanisms": (
        ("compare", "paper", "--policies", "random", "--grid", "market.mechanism=msb", "--mechanisms", "msb"), 2,
         r"but mechanisms says what it"),
    "a grid of bidders beside bidders": (
        (*COMPARE, "--grid", "stations.bidding=truthful,shade:0.9", "--bidders", "shade:0.8"), 2, r"but bidders says"),
    "a picture that is the folder": ((*COMPARE, "--out", "x.png", "--figure", "x.png"), 2, r"name a file elsewhere"),
    "a picture in the folder": ((*COMPARE, "--out", "x", "--figure", "x/y/z.png"), 2, r"name a file elsewhere"),
    "bidder to validate that is none": (("validate", "bids.yaml"), 2, r"there is no bidder 'shad' .*did you mean"),
    "a provider called like several": (
        ("run", "four_way", "--set", "uavs.placed=[{name: uavs, x: 0, y: 0}]"), 2,
         r"a provider is called 'uavs', which stands for several"),
    "invalid mechanism to validate": (("validate", "odd.yaml"), 2, r"there is no mechanism 'foo'"),
    "unknown scenario to show": (("scenarios", "--show", "papr"), 2, r"did you mean 'paper'\?"),
    "invalid file to validate": (("validate", "twice.yaml"), 2, r"two providers are called 's1'"),
    "unknown command": (("rnu", "paper"), 2, r"No such command 'rnu'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad")
    (path / "p.py").write_text(POLICY_FILE)
    (path / "broken.py").write_text("def f(:\n")
    (path / "odd.yaml").write_text(
        "name: odd\ntraffic: {kind: generated}\nstations: {count: 2}\nmarket: {mechanism: foo}\n"
    )
    (path / "else.xml").write_text("<routes/>")
    (path / "bids.yaml").write_text(
        "name: bids\ntraffic: {kind: rounds}\nstations: {count: 2, bidding: shad, radio: {model: random}}\n"
        "uavs: {count: 1, radio: {model: random}}\n"
    )
    (path / "twice.yaml").write_text(
        "name: twice\ntraffic: {kind: recorded, file: x.csv}\n"
        "stations: {placed: [{name: s1, x: 0, y: 0}, {name: s1, x: 9, y: 9}]}\n"
    )
    (path / "own").mkdir()
    (path / "own" / "scenario.yaml").write_text("name: mine")
    for name in ("here", "mixed"):
        (path / name).mkdir()
    (path / "mixed" / "run.json").write_text("{}")
    (path / "mixed" / "package.json").write_text("{}")
    (path / "here" / "thesis.txt").write_text("mine")
    return path


def contents(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if "__pycache__" not in file.parts}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, folder: Path) -> None:
    arguments, code, message = BAD[case]
    before = contents(folder)
    done = dmsb(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert contents(folder) == before


def test_the_validator_lists_everything(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\ntraffic: {kind: rounds, evry_s: 2}\nstations: {count: x}\n")
    done = dmsb("validate", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: bad.yaml:2: traffic: has no field 'evry_s'; did you mean 'every_s'?",
        "error: bad.yaml:3: stations.count: must be a valid integer, not 'x'",
    ]


def test_run_prints_a_summary_and_leaves_a_whole_folder(tmp_path: Path) -> None:
    done = dmsb("run", "braunschweig", "--policy", "constant:1.3", "--duration", "300", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *table, last = done.stdout.strip().splitlines()
    assert last == "outputs/braunschweig-constant-1.3-s0"
    assert any(line.startswith("surplus_mean") for line in table)
    result = Result.load(tmp_path / last)
    assert result.run["policy"] == "constant:1.3"
    assert result.run["time_origin"] == 54000.0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / last / "auctions.parquet"), result.auctions)
    again = dmsb("run", "braunschweig", "--policy", "constant:1.3", "--duration", "300", cwd=tmp_path)
    assert again.returncode == 2
    forced = dmsb("run", "braunschweig", "--policy", "constant:1.3", "--duration", "100", "--force", cwd=tmp_path)
    assert forced.returncode == 0
    assert Result.load(tmp_path / last).run["duration"] == 100


def test_a_run_without_a_priced_auction_says_why(tmp_path: Path) -> None:
    done = dmsb("run", "braunschweig", "--set", "uavs.count=0", "--duration", "100", cwd=tmp_path)
    assert done.returncode == 0
    assert "no auction asked for a price: the scenario has no UAV" in done.stderr


def test_left_out_rows_are_said_on_stderr(tmp_path: Path) -> None:
    rows = "".join(f"{t};a;{10 * t};200;10\n" for t in range(30))
    (tmp_path / "cars.csv").write_text("time;id;x;y;speed\n" + rows + "29;a;1;1;1\n")
    done = subprocess.run(
        [*COMMAND, "run", "braunschweig", "--set", "traffic.file=cars.csv", "--duration", "40"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "cars.csv: 1 x second row of a vehicle in one step, left out" in done.stderr


def test_the_lists_and_the_validator(tmp_path: Path) -> None:
    assert "braunschweig" in dmsb("scenarios", cwd=tmp_path).stdout
    shown = dmsb("scenarios", "--show", "paper", cwd=tmp_path).stdout
    assert shown.startswith("# Section 6.1 of the paper")
    listed = dmsb("policies", cwd=tmp_path).stdout
    assert "conditional" in listed
    assert "scale=1.0" in listed
    valid = dmsb("validate", "braunschweig", cwd=tmp_path)
    assert valid.stdout.startswith("braunschweig: valid\n  2,321 vehicles, 90,168 positions, 3679 s\n  x 141 to 388 m")
    assert valid.stderr == ""


def test_the_version_is_that_of_the_project(tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    done = dmsb("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"dmsb {project['version']}\n"


def test_the_usage_names_the_command_however_it_was_called(tmp_path: Path) -> None:
    assert dmsb("run", "--help", cwd=tmp_path).stdout.split()[:3] == ["Usage:", "dmsb", "run"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['dmsb', *{arguments}]\n"
        "from simulator.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert end.code in (0, 2)\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'pydantic', 'simpy', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_imports_no_plotting_statistics_or_learning() -> None:
    code = (
        "import sys, simulator\n"
        "simulator.simulate('braunschweig', 'conditional', duration=60).auctions\n"
        "assert not {'matplotlib', 'scipy', 'torch', 'gymnasium'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'matplotlib' else find(name, *rest)\n"
        "sys.argv = ['dmsb', 'compare', 'paper', '--policies', 'spa']\n"
        "from simulator.cli.app import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: this needs the package matplotlib: pip install 'dmsb[study]'\n"
    assert contents(tmp_path) == set()


def test_compare_writes_table_and_figure(tmp_path: Path) -> None:
    policies = "conditional,always-uav,always-ground"
    sizes = ("--seeds", "3", "--duration", "200", "--jobs", "2")
    done = dmsb("compare", "paper", "--policies", policies, *sizes, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / done.stdout.strip().splitlines()[-1]
    table = pd.read_csv(folder / "comparison.csv", index_col="policy")
    assert table.index.tolist() == policies.split(",")
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert table["ratio"].loc["always-uav"] < 1
    runs = pd.read_csv(folder / "runs.csv", index_col=["policy", "seed"])
    assert len(runs) == 9
    again = dmsb("compare", "paper", "--policies", policies, *sizes, "--force", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


HANGING_WRITER = """
import sys, time
from simulator.record.writer import TableWriter
write = TableWriter.write
def hang(writer, rows):
    write(writer, rows)
    print('ready', flush=True)
    time.sleep(600)
TableWriter.write = hang
sys.argv = ['dmsb', 'run', 'paper', '--duration', '20', '--out', 'run']
from simulator.cli.app import main; main()
"""

SPEAKING_POLICY = """
class Speaking:
    def price(self, observation):
        print('ready', flush=True)
        self.price = lambda observation: 1.0
        return 1.0
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("what", ["writes", "runs"])
def test_a_killed_run_leaves_no_half_folder(what: str, how: signal.Signals, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "speaking.py").write_text(SPEAKING_POLICY)
    endless = [*COMMAND, "run", "paper", "--policy", "../speaking.py:Speaking", "--duration", "1e7", "--out", "run"]
    # Not under coverage, which waits for its own lock for ever if an interrupt comes while it holds it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    with subprocess.Popen(
        [sys.executable, "-c", HANGING_WRITER] if what == "writes" else endless,
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(how)
        try:
            _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert not (work / "run").exists()
    if how == signal.SIGINT:
        assert contents(work) == set()
    assert dmsb("run", "paper", "--duration", "20", "--out", "run", cwd=work).returncode == 0
    assert {path.name for path in work.iterdir()} == {"run"}, "what a killed writer left is cleared away"
    assert {path.name for path in (work / "run").iterdir()} == {
        "files.json",
        "run.json",
        "scenario.yaml",
        *(f"{name}.parquet" for name in TABLES),
    }
    assert json.loads((work / "run" / "run.json").read_text())["summary"]["tasks"] == 20


def test_numbers_are_never_cut_and_a_half_width_stands_beside_its_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is too wide continues below, with its keys, instead of numbers such as "0.…"."""
    numbers = [f"{0.1234 + number:.4f}" for number in range(20)]
    heads = ("policy", *(head for number in range(10) for head in (f"figure {number}", "±")))
    print_rows(heads, [("my_policy.py:Policy:scale=" + "1" * 60, *numbers)], right=1)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert "".join(lines).count("…") == 0
    found = [tuple(re.findall(r"\d+\.\d{4}", line)) for line in lines]
    assert [number for row in found for number in row] == numbers
    assert all(len(row) % 2 == 0 for row in found)


def test_folder_names_keep_to_safe_characters() -> None:
    assert slug("mine/../<x>-p.py:Class:k=v-s0") == "mine-..-x--p.py-Class-k=v-s0"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("run.json", lambda text: "[]", "its run.json must hold a JSON object"),
        ("run.json", lambda text: text.replace('"warmup"', '"wramup"'), "'warmup' must be .* not missing"),
        (
            "run.json",
            lambda text: text.replace('"surplus_mean": 0', '"surplus_mean": "0"', 1),
            "no whole run.json",
        ),
        ("scenario.yaml", lambda text: text.replace("kind: rounds", "kind: ruonds"), "must be one of 'rounds'"),
    ],
)
def test_an_edited_run_folder_is_one_clear_error(
    name: str, change: Callable[[str], str], message: str, tmp_path: Path
) -> None:
    folder = simulate("paper", "spa", duration=5).save(tmp_path / "run")
    (folder / name).write_text(change((folder / name).read_text()))
    with pytest.raises(InputError, match=message):
        Result.load(folder)


def test_a_table_without_a_column_is_one_clear_error(tmp_path: Path) -> None:
    folder = simulate("paper", "spa", duration=5).save(tmp_path / "run")
    pd.read_parquet(folder / "bids.parquet").drop(columns="bid").to_parquet(folder / "bids.parquet")
    with pytest.raises(OutputError, match=r"bids\.parquet: there is no column 'bid'"):
        _ = Result.load(folder).bids


def test_a_run_with_poor_coverage_says_so_with_numbers(tmp_path: Path) -> None:
    poor = dmsb(
        "run", "four_way", "--policy", "conditional", "--duration", "300", "--set", "uavs.radius_m=30",
        "--set", "stations.radius_m=95", "--out", "r", cwd=tmp_path,
    )  # fmt: skip
    assert poor.returncode == 0
    figures = dict(line.split()[:2] for line in poor.stdout.splitlines() if len(line.split()) > 1)
    assert int(figures["unserved"]) > 0.1 * int(figures["tasks"]) > 0
    assert f"warning: {figures['unserved']} of {figures['tasks']} tasks are unserved" in poor.stderr
    fine = dmsb("run", "four_way", "--policy", "conditional", "--duration", "300", "--out", "s", cwd=tmp_path)
    assert "unserved" not in fine.stderr


@pytest.mark.parametrize(
    ("command", "name", "parameters", "told"),
    [
        ("policies", "gap-step", "parts=4.0", "parts: number of parts of the gap."),
        ("mechanisms", "madda", "among='pool'", "among: who may trade"),
        ("bidders", "shade", "factor", "factor"),
    ],
)
def test_one_entry_is_told_with_all_that_is_written_of_it(
    command: str, name: str, parameters: str, told: str, tmp_path: Path
) -> None:
    done = dmsb(command, name, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, _, rest = done.stdout.partition("\n")
    assert first.startswith(f"{name}: ")
    assert parameters in first
    assert told in rest
    wrong = dmsb(command, name[:-1], cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"did you mean '{name}'?" in wrong.stderr
