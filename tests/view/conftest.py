"""A browser, a run and its report, shared by the tests of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulator import Result, simulate
from simulator.view.report.write import write_report
from tests.view.browser import NoChromiumError, browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DURATION_S = 600.0


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    """A browser; without one the tests are skipped, or fail where `DMSB_NEEDS_BROWSER` is set."""
    try:
        with browser() as one:
            yield one
    except NoChromiumError as missing:
        if os.environ.get("DMSB_NEEDS_BROWSER"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def run() -> Result:
    return simulate("four_way", "conditional", duration=DURATION_S)


@pytest.fixture(scope="module")
def report(run: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report({"conditional": run}, path)
    return path
