"""The results that the site shows: ``python -m tests.studies.results [NAME ...]``, or `make results` for all of them.

Each study is a command. What it prints goes to ``docs/results/made/NAME.txt``, and where and when it was made to
``docs/results/made/made.json``: the pages of results show both. A study that is cut off goes on where it was, if its
command does. Studies that are done at the present commit are not made again.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.study.doctor import machine

ROOT = Path(__file__).parent.parent.parent
MADE = ROOT / "docs" / "results" / "made"
PROVENANCE = MADE / "made.json"

POLICIES = (
    "conditional,oracle,optimal,myopic,spa,random,greedy,always-uav,always-ground,constant:1.6,"
    "myopic:uav_bid=reported,spa:uav_bid=contract"
)
AT_LOADS = (
    "conditional,conditional:scale=0.5,conditional:scale=0.7,conditional:scale=1.4,conditional:scale=2,foresight,"
    "diffusion,spa,always-ground,always-uav,oracle"
)
STUDIES = {
    "doctor": "python -m tests.studies.doctor_reference",
    "screenshots": "python -m tests.studies.screenshots",
    "theory": "python -m tests.world.sumo_junction",
    "figures": "python -m tests.studies.figures",
    "calibration": f"dmsb compare paper --policies {POLICIES} --seeds 8 --duration 20000 --jobs 2 "
    "--out outputs/calibration --force",
    "foresight": "python -m tests.studies.foresight tests/studies/junctions/four_way.yaml "
    "tests/studies/junctions/rush_hour.yaml tests/studies/junctions/braunschweig.yaml",
    "foresight-shipped": "python -m tests.studies.foresight four_way rush_hour braunschweig after_the_match "
    "--metric realised --worlds 12 --auctions 120",
    "load": f"dmsb compare after_the_match --policies {AT_LOADS} --load .1,.25,.5,.75,1,1.25,1.5,2 --metric realised "
    "--seeds 4 --jobs 2 --to markdown --figure docs/figures/load-after-the-match.png --out outputs/load/peak --force",
    "load-four-way": f"dmsb compare four_way --policies {AT_LOADS} --load .5,1,2,4,8,16 --metric realised --seeds 4 "
    "--jobs 2 --to markdown --figure docs/figures/load-four-way.png --out outputs/load/four_way --force",
    "speed": "python -m tests.benchmarks",
    "paper": "dmsb reproduce fig3 fig4 fig5 fig6 claims --scale paper --jobs 2 --out outputs/paper",
    "learning": "python -m tests.studies.learning --jobs 2",
}
"""Command of each study, the shortest first: minutes, and hours for the paper and for learning."""


CODE = ("dmsb.py", "simulator", "policies", "scenarios", "tests", "pyproject.toml")
"""What results depend on."""


def provenance() -> dict[str, Any]:
    """Return where and when each study was made, by its name."""
    return dict(json.loads(PROVENANCE.read_text(encoding="utf-8"))) if PROVENANCE.exists() else {}


def commit() -> str:
    """Return the present commit, with a mark if the code differs from it."""
    git = ["git", "-C", str(ROOT)]
    at = subprocess.run([*git, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True, check=True).stdout
    others = [*git, "diff", "--quiet", "HEAD", "--", *CODE]
    return at.strip() + ("-dirty" if subprocess.run(others, check=False).returncode else "")


def make(name: str) -> None:
    """Run a study, keep what it prints, and note where and when it was made."""
    program, *arguments = shlex.split(STUDIES[name])
    command = [sys.executable, *(["-m", "dmsb"] if program == "dmsb" else []), *arguments]
    at, begin = commit(), time.monotonic()
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    MADE.mkdir(exist_ok=True)
    if done.stdout.strip():
        (MADE / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
    about = machine()
    note(
        name,
        {
            "command": STUDIES[name],
            "commit": at,
            "date": datetime.now(UTC).date().isoformat(),
            "minutes": round((time.monotonic() - begin) / 60, 1),
            "machine": f"{about['processor']}, {os.cpu_count()} cores",
            "versions": f"Python {about['python']}, numpy {about['numpy']}, pandas {about['pandas']}",
        },
    )


def note(name: str, about: dict[str, Any]) -> None:
    """Write down where and when a study was made."""
    known = provenance() | {name: about}
    PROVENANCE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Make the studies that are named, or all."""
    names = sys.argv[1:] or list(STUDIES)
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        sys.exit(f"there is no study '{unknown[0]}'; known: {', '.join(STUDIES)}")
    for name in names:
        if len(sys.argv) < 2 and provenance().get(name, {}).get("commit") == commit():
            continue
        print(f"{name}: {STUDIES[name]}", flush=True)
        make(name)


if __name__ == "__main__":
    main()
