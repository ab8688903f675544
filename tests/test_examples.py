"""Every example in a docstring gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "dmsb.py", *(path for folder in ("simulator", "policies") for path in (ROOT / folder).rglob("*.py"))]
WITH_EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in FILES if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WITH_EXAMPLES)
def test_examples_in_docstrings_run(path: str) -> None:
    module = importlib.import_module(".".join(Path(path).with_suffix("").parts).removesuffix(".__init__"))
    found = doctest.testmod(module)
    assert found.failed == 0, "see the captured output"
    assert found.attempted >= 1, "the file has an example, but not in a docstring that is found"


def test_there_are_examples_to_run() -> None:
    assert "simulator/run.py" in WITH_EXAMPLES
