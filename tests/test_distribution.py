"""What is given away: the source distribution passes its own tests, and the wheel runs without anything else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SOURCE, WHEEL = f"dmsb-{VERSION}.tar.gz", f"dmsb-{VERSION}-py3-none-any.whl"


def test_the_version_is_the_same_everywhere() -> None:
    cited = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert cited == [VERSION]
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[([^]]+)\]", log, flags=re.MULTILINE)
    assert sections[:2] == ["Unreleased", VERSION]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions; the wheel is made from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return folder


def source_files(built: Path) -> set[str]:
    with tarfile.open(built / SOURCE) as archive:
        return {file.name.removeprefix(f"dmsb-{VERSION}/") for file in archive if file.isfile()}


@pytest.mark.slow
def test_the_source_distribution_is_the_repository(built: Path) -> None:
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not in a repository: this is itself a source distribution")
    assert source_files(built) == {*listed.stdout.splitlines(), "PKG-INFO"}


@pytest.mark.slow
def test_the_wheel_holds_what_a_run_needs_and_nothing_else(built: Path) -> None:
    expected = {
        name for name in source_files(built) if name.split("/")[0] in ("dmsb.py", "simulator", "policies", "scenarios")
    }
    with zipfile.ZipFile(built / WHEEL) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(f"dmsb-{VERSION}.dist-info/")}
    assert names == expected
    assert {"dmsb.py", "simulator/py.typed", "policies/py.typed", "simulator/view/report/page/page.html",
            "policies/weights/diffusion/arrays.safetensors", "policies/weights/diffusion/meta.json",
            "scenarios/paper.yaml", "scenarios/data/braunschweig.fcd.parquet"} <= names  # fmt: skip


@pytest.mark.slow
def test_the_wheel_runs_on_its_own(built: Path, tmp_path: Path) -> None:
    """Recorded traffic, shipped weights and the page, from nowhere near the repository."""
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(built / WHEEL)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    for command in (
        [sys.executable, "-c", "import dmsb, simulator, policies; print(simulator.__file__, policies.__file__)"],
        [sys.executable, "-m", "dmsb", "run", "braunschweig", "--policy", "diffusion", "--duration", "60", "--report"],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert str(ROOT) not in done.stdout
    page = tmp_path / done.stdout.strip().splitlines()[-1]
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def interpreter(release: str) -> str:
    """The path of a Python of a release, on the path or among the versions of pyenv."""
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for path in (shutil.which(f"python{release}"), *sorted(map(str, versions.glob(f"{release}.*/bin/python")))):
        # A shim of pyenv stands for a version that may not be chosen.
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"there is no Python {release}")


@pytest.mark.slow
@pytest.mark.parametrize("release", ["3.11", "3.12", "3.13"])
def test_the_wheel_runs_in_an_empty_environment(built: Path, tmp_path: Path, release: str) -> None:
    """Without torch: as the README says, with the user's own folders beside it."""
    environment = tmp_path / "environment"
    subprocess.run([interpreter(release), "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{built / WHEEL}[study]"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    work = tmp_path / "work"
    for folder in ("policies", "scenarios"):
        (work / folder).mkdir(parents=True)
        (work / folder / "__init__.py").touch()
    for command in (
        ["-W", "error", "-c", "import dmsb, gymnasium; gymnasium.make('dmsb/Paper-v0', duration=5).reset(seed=0)"],
        ["-c", "import importlib.util as u; assert u.find_spec('torch') is None"],
        ["-m", "dmsb", "run", "braunschweig", "--policy", "diffusion", "--duration", "60", "--report"],
        ["-m", "dmsb", "compare", "four_way", "--policies", "conditional,spa", "--seeds", "2", "--duration", "60"],
        ["-m", "dmsb", "doctor"],
    ):
        done = subprocess.run([str(python), *command], cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    done = subprocess.run([str(environment / "bin" / "dmsb"), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"dmsb {VERSION}\n"


@pytest.mark.slow
def test_the_image_is_built_and_runs(tmp_path: Path) -> None:
    """Where Docker runs."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("Docker does not run here")
    subprocess.run(["docker", "build", "--quiet", "--tag", "dmsb-test", str(ROOT)], check=True, timeout=1800)
    command = ["docker", "run", "--rm", "dmsb-test", "run", "paper", "--policy", "conditional", "--duration", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "surplus_mean" in done.stdout


@pytest.mark.slow
def test_the_source_distribution_passes_its_own_tests(built: Path, tmp_path: Path) -> None:
    """A part of them that is fast, unpacked where nothing stands beside it."""
    with tarfile.open(built / SOURCE) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / f"dmsb-{VERSION}"
    some = ["tests/model", "tests/test_scenario.py", "tests/test_architecture.py", "tests/test_examples.py",
            "tests/test_documentation.py", "tests/test_distribution.py"]  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider", *some]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 100
