"""Arrows go one way: who may import whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "policies": ("policies", "simulator.market.contracts", "simulator.model", "simulator.errors", "simulator.files"),
    "simulator/model": ("simulator.model",),
}
"""What the files of a folder may import of this project when they run."""


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs; what is only for types is left out."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        todo += ast.iter_child_nodes(node)


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_room_imports_only_the_rooms_below_it(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for module in imports(path):
            if module.split(".")[0] in ("simulator", "policies", "scenarios"):
                assert module.startswith(ALLOWED[folder]), f"{path.name} imports {module}"


def test_the_simulator_never_imports_the_policies() -> None:
    for path in (ROOT / "simulator").rglob("*.py"):
        assert not any(module.split(".")[0] == "policies" for module in imports(path)), path.name
    world = [module for path in (ROOT / "simulator" / "world").rglob("*.py") for module in imports(path)]
    assert not any(module.startswith(("simulator.study", "simulator.view", "simulator.cli.app")) for module in world)
    study = [module for path in (ROOT / "simulator" / "study").rglob("*.py") for module in imports(path)]
    assert not any(module.startswith(("simulator.view", "simulator.cli.app")) for module in study)


def test_the_page_of_the_report_keeps_to_the_width_of_the_code() -> None:
    page = ROOT / "simulator" / "view" / "report" / "page"
    for path in page.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) <= 120, path.name
        assert len(lines) <= 400, path.name
