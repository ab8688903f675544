"""The house: who may import whom, without circles; how many files stand loose; who takes a bare seed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("simulator", "policies", "scenarios")

LOOSE = {"__init__", "errors", "draws", "clock", "files", "run", "environment"}
"""Files of `simulator/` that stand in no folder; `multi_agent` is to come, and no other."""

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"draws", "clock", "files"}),
    frozenset({"model"}),
    frozenset({"scenario"}),
    frozenset({"providers"}),
    frozenset({"traffic", "market"}),
    frozenset({"record"}),
    frozenset({"world"}),
    frozenset({"run", "environment"}),
    frozenset({"study"}),
    frozenset({"view"}),
    frozenset({"cli"}),
)
"""Rooms of `simulator/` from the ground up: each imports only what stands below it, none on its own floor."""

FOR_POLICIES = ("market.contracts", "model", "errors", "files", "draws")
"""Parts of `simulator` that a policy may import."""


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports(module: str) -> Iterator[str]:
    """Modules of this project that a file imports, also inside functions and only for types."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            names = [f"{base}.{name.name}" if f"{base}.{name.name}" in MODULES else base for name in node.names]
        yield from (name for name in names if name in MODULES and name != module)


GRAPH = {module: set(imports(module)) for module in MODULES if module != "simulator"}
"""What each file imports; the public names in `simulator/__init__.py` are imported when they are first used."""


def room(module: str) -> str:
    """Return the folder or loose file of `simulator/` in which a module stands."""
    return module.split(".")[1]


def floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def test_there_is_no_circle_between_files() -> None:
    assert len(list(TopologicalSorter(GRAPH).static_order())) >= len(GRAPH)


def test_there_is_no_circle_between_folders() -> None:
    rooms: dict[str, set[str]] = {}
    for module, imported in GRAPH.items():
        own = ".".join(module.split(".")[:2])
        rooms.setdefault(own, set()).update({".".join(name.split(".")[:2]) for name in imported} - {own})
    assert len(list(TopologicalSorter(rooms).static_order())) >= len(rooms)


@pytest.mark.parametrize("module", sorted(module for module in GRAPH if module.startswith("simulator.")))
def test_arrows_go_down(module: str) -> None:
    for imported in GRAPH[module]:
        assert imported.startswith("simulator."), f"{module} imports {imported}"
        assert room(imported) == room(module) or floor(imported) < floor(module), f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(module for module in GRAPH if module.startswith("policies")))
def test_a_policy_imports_only_contracts_equations_and_the_ground_floor(module: str) -> None:
    for imported in GRAPH[module]:
        allowed = ("policies", *(f"simulator.{name}" for name in FOR_POLICIES))
        assert any(imported == name or imported.startswith(f"{name}.") for name in allowed), imported


def test_policies_import_each_other_relatively() -> None:
    """A user's own folder `policies/` beside the script must not be taken for ours."""
    for module, path in MODULES.items():
        if module.startswith("policies"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                assert not any(name.split(".")[0] == "policies" for name in names), module


def test_few_files_stand_loose() -> None:
    assert {path.stem for path in (ROOT / "simulator").glob("*.py")} <= LOOSE
    folders = {path.name for path in (ROOT / "simulator").iterdir() if (path / "__init__.py").is_file()}
    assert folders | (LOOSE - {"__init__"}) == set().union(*FLOORS)


def constructors(module: str) -> Iterator[tuple[str, set[str]]]:
    """Name and parameters of every `__init__` of a file."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        for method in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                assert isinstance(node, ast.ClassDef)
                yield node.name, {argument.arg for argument in [*method.args.args, *method.args.kwonlyargs]}


@pytest.mark.parametrize("module", sorted(module for module in GRAPH if module.startswith("simulator.")))
def test_no_constructor_takes_a_bare_seed(module: str) -> None:
    for name, parameters in constructors(module):
        assert "seed" not in parameters or name == "_Record", f"{name} takes a seed; give it Draws(seed)"


def test_the_page_of_the_report_keeps_to_the_width_of_the_code() -> None:
    page = ROOT / "simulator" / "view" / "report" / "page"
    for path in page.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) <= 120, path.name
        assert len(lines) <= 400, path.name
