"""The notebook is executed, and says what it said when it was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "scenarios" / "tour.ipynb"


def said(notebook: Any) -> list[list[str]]:
    """What each cell prints and shows, as text."""
    found = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        printed = "".join(one["text"] for one in outputs if one["output_type"] == "stream")
        shown = [one["data"]["text/plain"] for one in outputs if "data" in one]
        found.append([printed, *shown])
    return found


def test_the_tour_runs_and_says_what_it_said(tmp_path: Path) -> None:
    saved = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(saved)
    again = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(again, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert said(again) == said(saved)
    assert sum(len(cell) for cell in said(saved)) > 25
