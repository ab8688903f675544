"""A headless Chromium for tests, screenshots and benchmarks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

SKIPPED = "the tests in tests/view that look at pages"
WAYS = "`playwright install chromium` (or on Debian `apt-get install chromium`)"
"""What needs a browser, and what installs one."""

DESKTOP, PHONE = (1440, 900), (390, 844)


class NoChromiumError(RuntimeError):
    """There is none on this machine."""

    def __init__(self) -> None:
        super().__init__(f"no Chromium on this machine: {SKIPPED} need one; {WAYS}")


def chromium() -> str | None:
    """The path of a Chromium: that of the system, or the one that Playwright has fetched."""
    found = next((found for name in NAMES if (found := shutil.which(name))), None)
    if found is not None:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser.

    Raises:
        NoChromiumError: there is no Chromium.
    """
    path = chromium()
    if path is None:
        raise NoChromiumError
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Look:
    """A page that is looked at, and all that it has complained of or asked for.

    Attributes:
        page: the page.
        complaints: console messages, errors, dialogs and requests for anything but the file.
    """

    def __init__(
        self, opened: Browser, path: Path, moment: str = "", size: tuple[int, int] = DESKTOP, dark: bool = False,
        **context: Any,
    ) -> None:  # fmt: skip
        self.page: Page = opened.new_page(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", **context
        )
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._asked)
        self.page.goto(f"{path.resolve().as_uri()}{moment}")
        self.page.wait_for_selector("main:not([hidden])")
        self.settle()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")) or request.resource_type not in ("document", "other"):
            self.complaints.append(f"request: {request.url[:200]}")

    def settle(self) -> None:
        """Wait until what has been asked for is drawn, cards and all."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def ask(self, script: str, argument: Any = None) -> Any:
        """The value of a script in the page."""
        return self.page.evaluate(script, argument)

    def press(self, key: str) -> None:
        """Press a key and wait until the page shows what it does."""
        self.page.keyboard.press(key)
        self.settle()

    def play_until(self, time: float) -> None:
        """Wait until the replay, which is playing, has come to a time; however slow the machine."""
        self.page.wait_for_function("(time) => dmsb.time >= time", arg=time)

    def card(self) -> str:
        """What the card of the auction says."""
        return self.page.locator("[data-task]").first.inner_text()
