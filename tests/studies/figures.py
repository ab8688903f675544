"""The pictures of the site: ``python -m tests.studies.figures`` makes them in ``docs/figures/``.

Those of the gallery come from the code and the commands on its page, so that the page shows what they draw. The paper's
figures are a study of their own. Those of the market come from one run, which `tests/studies/market_pictures.py` draws.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.studies.market_pictures import draw

DOCS = Path(__file__).parent.parent.parent / "docs"
FIGURES = DOCS / "figures"


def gallery() -> list[list[str]]:
    """Return the command lines that draw the pictures of the gallery, but for those of the paper."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8").partition("## The paper's figures")[0]
    blocks = re.findall(r"^```(python|sh)\n(.*?)^```", page, re.M | re.S)
    return [[sys.executable, "-c", text] if kind == "python" else ["sh", "-ec", text] for kind, text in blocks]


def main() -> None:
    """Draw every picture."""
    FIGURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        # `dmsb` is that of this Python.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        for command in gallery():
            subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, stdout=subprocess.DEVNULL, check=True)
        for picture in Path(folder).glob("*.png"):
            (FIGURES / picture.name).write_bytes(picture.read_bytes())
    draw(FIGURES)


if __name__ == "__main__":
    main()
