"""Get a browser for the tests that need one: ``python -m tests.view.fetch_browser``, which `make test` calls.

A Chromium of the system is taken. Otherwise Playwright's own is fetched, or else Debian's. Where neither can be had, it
says which tests are skipped and what would bring them back; that is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.view.browser import SKIPPED, WAYS, chromium


def fetch() -> str | None:
    """Return the path of a Chromium, fetched if need be; None if there is none to be had."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        ways += [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu-core"]]
    for way in ways:
        found = chromium()
        if found is not None:
            return found
        try:
            subprocess.run(way, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)
        except (OSError, subprocess.TimeoutExpired):
            continue
    return chromium()


def main() -> None:
    """Fetch a browser, or say what is missing without one."""
    if fetch() is None:
        print(f"There is no browser, so {SKIPPED} are skipped. {WAYS} brings them back.")


if __name__ == "__main__":
    main()
