"""Where there is no browser, one is fetched if it can be; else it is said what is skipped and what would help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.view import fetch_browser


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are tried on a machine without a browser."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        commands.append(command)

    monkeypatch.setattr("tests.view.fetch_browser.subprocess.run", run)
    monkeypatch.setattr(fetch_browser, "chromium", lambda: None)
    return commands


def test_without_one_it_says_what_is_skipped_and_what_helps(
    tried: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.view.fetch_browser.shutil.which", lambda name: None)
    fetch_browser.main()
    assert [command[1:] for command in tried] == [["-m", "playwright", "install", "chromium"]]
    said = capsys.readouterr().out
    assert "the tests in tests/view that look at pages are skipped" in said
    assert "playwright install chromium" in said


def test_root_on_debian_gets_debians(tried: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.view.fetch_browser.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("tests.view.fetch_browser.os.geteuid", lambda: 0)
    assert fetch_browser.fetch() is None
    assert ["apt-get", "update", "-qq"] in tried
    assert any(command[:2] == ["apt-get", "install"] and "chromium" in command for command in tried)


def test_one_that_is_there_is_taken(tried: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_browser, "chromium", lambda: "/somewhere/chromium")
    assert fetch_browser.fetch() == "/somewhere/chromium"
    assert tried == []
