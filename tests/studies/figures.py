"""The pictures of the site: ``python -m tests.studies.figures`` makes them in ``docs/figures/``.

Those of the gallery come from the code on its page, so that the page shows what its code draws. Those of the market
come from one run, which `tests/studies/market_pictures.py` draws.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.studies.market_pictures import draw

DOCS = Path(__file__).parent.parent.parent / "docs"
FIGURES = DOCS / "figures"


def gallery() -> list[str]:
    """Return the code blocks of the gallery."""
    return re.findall(r"^```python\n(.*?)^```", (DOCS / "gallery.md").read_text(encoding="utf-8"), re.M | re.S)


def main() -> None:
    """Draw every picture."""
    FIGURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        for code in gallery():
            subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        for picture in Path(folder).glob("*.png"):
            (FIGURES / picture.name).write_bytes(picture.read_bytes())
    draw(FIGURES)


if __name__ == "__main__":
    main()
