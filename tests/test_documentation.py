"""The documentation is executed: README and every page of the site, each in a newcomer's folder; the site is built."""

from __future__ import annotations

import functools
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

from simulator.environment import Intersection
from simulator.record.schema import TABLES
from simulator.record.summary import SUMMARY
from simulator.scenario.reference import scenario_fields
from simulator.scenario.shipped import ENVIRONMENTS
from tests.forked import dmsb, python
from tests.studies import results
from tests.world import formats

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = {"generated", "_build"}
WRITTEN = [
    ROOT / "README.md",
    ROOT / "ARTIFACT.md",
    *sorted(page for page in DOCS.rglob("*.md") if not MADE & set(page.parts)),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in WRITTEN}
BLOCKS = {
    name: re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL) for name, text in TEXTS.items()
}

MOST_README_LINES = 150

# The environment of a newcomer, whatever the terminal of the tests: a pipe is then 120 columns wide.
PLAIN = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"NO_COLOR": "1"}

Folders = Callable[[str], Path]


def cases(language: str) -> list[tuple[str, str]]:
    return [(name, block) for name, blocks in BLOCKS.items() for found, block in blocks if found == language]


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a block with what they print; one may need what the one before it has written."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE)


def label(page: str, line: str) -> str:
    return f"{page}: {line[:60]}"


PYTHON, CONSOLES = cases("python"), cases("console")
CODE_LABELS = [label(page, code.strip().splitlines()[-1]) for page, code in PYTHON]
CONSOLE_LABELS = [label(page, commands(block)[0][0]) for page, block in CONSOLES]
# An audit with its complete runs takes a minute.
RUN = [pytest.param(*case, marks=[pytest.mark.slow] if "dmsb audit paper" in case[1] else []) for case in CONSOLES]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """A newcomer's folder for each page, with the files that the pages say to save."""
    saved = {
        name[1]: block
        for blocks in BLOCKS.values()
        for _, block in blocks
        if (name := re.match(r"# (\w+\.(?:py|yaml))\n", block))
    }
    assert set(saved) == {"my_net.py", "my_policy.py", "my_mechanism.py", "my_bidder.py", "my_junction.yaml"}

    @functools.cache
    def folder(page: str) -> Path:
        path = tmp_path_factory.mktemp("page")
        for name, text in saved.items():
            (path / name).write_text(text)
        if page == "docs/start/formats.md":
            formats.write(path)
        return path

    return folder


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=CODE_LABELS)
def test_python_runs(page: str, code: str, folders: Folders) -> None:
    done = python(code, folders(page), PLAIN)
    assert (done.returncode, done.stderr) == (0, "")


def without_clocks(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return [line for line in lines if not line.startswith(("wall_s", "cpu_s"))]


@pytest.mark.parametrize(("page", "block"), RUN, ids=CONSOLE_LABELS)
def test_commands_print_what_they_are_said_to(page: str, block: str, folders: Folders) -> None:
    for command, output in commands(block):
        program, *arguments = shlex.split(command)
        assert program == "dmsb"
        done = dmsb(arguments, folders(page), PLAIN)
        # With --to, stdout has only the table.
        only_table = arguments[0] == "compare" and "--to" in arguments
        said = f"{arguments[arguments.index('--out') + 1]}\n" if only_table else ""
        assert (done.returncode, done.stderr) == (0, said), command
        if output:
            assert without_clocks(done.stdout) == without_clocks(output)


def test_the_documentation_has_what_is_executed_here() -> None:
    assert len(PYTHON) >= 14
    assert sum(bool(output) for _, block in CONSOLES for _, output in commands(block)) >= 4
    assert TEXTS["README.md"].count("\n") <= MOST_README_LINES


def test_files_that_pages_name_exist() -> None:
    """Of links and pictures; the notebook's page exists once the site is built."""
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
            place = ((ROOT / name).parent / target).resolve()
            assert place.is_file() or place == DOCS / "generated" / "tour.ipynb", f"{name}: {target}"


def test_the_first_pages_say_the_same_of_what_was_found() -> None:
    def found(page: str) -> str:
        return TEXTS[page].partition("## What was found\n")[2].partition("\n## ")[0].replace("(docs/", "(").strip()

    assert found("README.md").count("\n- **") >= 4
    assert found("README.md") == found("docs/index.md")


def test_the_artifact_has_every_study() -> None:
    """Its table is that of the studies and of where they were made, and each command is a program that exists."""
    known = results.provenance()
    assert TEXTS["ARTIFACT.md"] == results.artifact(known), "python -m tests.studies.results writes it"
    assert set(known) <= set(results.STUDIES)
    for name, study in results.STUDIES.items():
        program, *arguments = shlex.split(study.command)
        assert program in ("python", "dmsb"), name
        if program == "python":
            assert (ROOT / arguments[1].replace(".", "/")).with_suffix(".py").exists() or (
                ROOT / arguments[1].replace(".", "/") / "__main__.py"
            ).exists()
        assert not study.page or (ROOT / study.page).is_file()
        made_with = known.get(name, {}).get("weights")
        assert made_with in (None, results.weights_hash(study.weights)), f"{name}: made with other weights"


def test_pages_from_the_code_hold_all_of_it(tmp_path: Path) -> None:
    made = tmp_path / "generated"
    subprocess.run([sys.executable, str(DOCS / "generate.py"), str(made)], check=True, timeout=120)
    pages = {page.stem: page.read_text(encoding="utf-8") for page in made.glob("*.md")}
    for name, text in pages.items():
        committed = DOCS / "generated" / f"{name}.md"
        assert committed.is_file(), f"{name}: make docs"
        assert committed.read_text(encoding="utf-8") == text, f"docs/generated/{name}.md is out of date: make docs"
    for name, columns in TABLES.items():
        section = pages["tables"].split(f"## `{name}`\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == [column.name for column in columns]
    summary = pages["tables"].split("## `summary`\n")[1]
    assert re.findall(r"^\| `(\w+)` \|", summary, flags=re.MULTILINE) == list(SUMMARY)
    for row in scenario_fields():
        assert f"| `{row.field}` |" in pages["fields"]
    for command in ("run", "compare", "train", "audit", "reproduce", "report", "export", "validate", "schema"):
        assert f"## `dmsb {command}`" in pages["commands"]


@pytest.mark.parametrize("identity", ENVIRONMENTS)
def test_the_page_of_an_environment_is_true(identity: str, tmp_path: Path) -> None:
    """Its spaces, prices, arguments and every key of `info`."""
    made = tmp_path / "generated"
    subprocess.run([sys.executable, str(DOCS / "generate.py"), str(made)], check=True, timeout=120)
    text = (made / f"env-{identity.removeprefix('dmsb/').lower()}.md").read_text(encoding="utf-8")
    env = gymnasium.make(identity, duration=100)
    observation, begun = env.reset(seed=0)
    _, _, _, _, info = env.step(19)
    assert f"`{env.action_space}`" in text
    assert f"{observation.shape}, float32" in text
    rows = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    names = [name for name in inspect.signature(Intersection).parameters if name not in rows]
    assert names == [], "arguments"
    for index, price in enumerate(env.get_wrapper_attr("grid")):
        assert f"| {index} | {price:.4f} |" in text
    for key in (*begun, *info, "uav_value"):
        assert f"`{key}`" in text, key
    assert text.count("| public condition") == 0


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """With every link between its pages."""
    pytest.importorskip("sphinx", reason="needs the extra docs: pip install 'dmsb[docs]'")
    options = ["-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path / "html")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *options], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "html" / "generated" / "tour.html").is_file()
