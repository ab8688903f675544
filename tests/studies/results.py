"""The results that the site shows: ``python -m tests.studies.results [NAME ...]``, or `make results` for all of them.

Each study is a command. What it prints goes to ``docs/results/made/NAME.txt``, and where and when it was made to
``docs/results/made/made.json``: the pages of results show both. A study that is cut off goes on where it was, if its
command does. Studies that are done at the present commit are not made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from simulator.files.reading import file_hash
from simulator.study.doctor import machine

ROOT = Path(__file__).parent.parent.parent
MADE = ROOT / "docs" / "results" / "made"
PROVENANCE = MADE / "made.json"
ARTIFACT = ROOT / "ARTIFACT.md"
BEGIN, END = "<!-- the table is made by tests/studies/results.py -->", "<!-- end of the table -->"
"""Marks around the table of ARTIFACT.md."""

POLICIES = (
    "conditional,oracle,optimal,myopic,spa,random,greedy,always-uav,always-ground,constant:1.6,"
    "myopic:uav_bid=reported,spa:uav_bid=contract"
)
AT_LOADS = (
    "conditional,conditional:scale=0.5,conditional:scale=0.7,conditional:scale=1.4,conditional:scale=2,foresight,"
    "diffusion,sac,ppo,dqn,optimal,myopic,spa,greedy,random,always-ground,always-uav,oracle"
)

DIFFUSION, DQN, FORESIGHT, PPO, SAC, STEPS = (
    f"policies/weights/{name}" for name in ("diffusion", "dqn", "foresight", "ppo", "sac", "steps")
)
AT_LOADS_WEIGHTS = (DIFFUSION, DQN, FORESIGHT, PPO, SAC)
IN_THE_ARENA = (DIFFUSION, DQN, STEPS, "simulator/market/mechanisms/weights")


class Study(NamedTuple):
    """A result that can be made again.

    Attributes:
        command: the command that makes it.
        claim: what it shows, one sentence.
        tolerance: how far the result of another run may be from what is committed.
        page: page that shows it, relative to the root; empty for pictures.
        weights: folders of the shipped weights it runs, relative to the root. With others it must be made again.
        folder: its folder of results, if the site shows its picture, as ``docs/figures/NAME.png``, and its table of all
            figures, as ``docs/results/made/NAME.csv``. Empty for none.
    """

    command: str
    claim: str
    tolerance: str
    page: str
    weights: tuple[str, ...] = ()
    folder: str = ""


STUDIES = {
    "reference": Study("python -m tests.studies.doctor_reference", "The reference of `dmsb doctor`.", "", ""),
    "doctor": Study(
        "dmsb doctor",
        "Every scenario, policy and mechanism gives the figures of the reference.",
        "three standard deviations between worlds; the same bytes on the machine and the versions of the reference",
        "docs/guide/folders.md",
    ),
    "audit": Study(
        "dmsb audit paper --policy conditional --rounds 500",
        "Under a price that sees public conditions only, no misreport and no false name pays, and the winner does not "
        "depend on the common value.",
        "none: each line with a star says `holds`",
        "docs/guide/truth.md",
    ),
    "arena": Study(
        "dmsb arena four_way --systems all,conditional:scale=1.6@msb --seeds 12 --warmup 300 --jobs 2 --force "
        "--out outputs/arena-four-way",
        "Which system serves a junction with idle providers best, and what each claims and holds.",
        "the same numbers on one machine",
        "docs/results/arena.md",
        IN_THE_ARENA,
        "outputs/arena-four-way",
    ),
    "arena-scarce": Study(
        "dmsb arena after_the_match --systems all,conditional:scale=0.6@msb --seeds 4 --duration 1800 --warmup 300 "
        "--jobs 2 --force --out outputs/arena-after-the-match",
        "Which system serves a junction with scarce providers best, and what each claims and holds.",
        "the same numbers on one machine",
        "docs/results/arena.md",
        IN_THE_ARENA,
        "outputs/arena-after-the-match",
    ),
    "system-pictures": Study("python -m tests.studies.system_pictures", "The pictures of the systems' pages.", "", ""),
    "double-auctions": Study(
        "python -m tests.studies.double_auctions",
        "What the attributes of MADDA and the price of a window cost.",
        "the same numbers on one machine",
        "docs/systems/madda.md",
    ),
    "steps": Study(
        "python -m tests.studies.steps --jobs 2",
        "Learned clocks against simple ones and against sealed auctions.",
        "half-widths of the table",
        "docs/systems/double-dutch.md",
        (STEPS,),
    ),
    "screenshots": Study("python -m tests.studies.screenshots", "The report as the README shows it.", "", ""),
    "theory": Study(
        "python -m tests.world.sumo_junction",
        "Without left turns, delay and queue are within 13 % of SUMO's. With 20 % of left turns the delay is 15 to 36 "
        "% lower.",
        "none: the same numbers with SUMO 1.28",
        "docs/results/theory.md",
    ),
    "figures": Study("python -m tests.studies.figures", "The pictures of gallery and guide.", "", ""),
    "calibration": Study(
        f"dmsb compare paper --policies {POLICIES} --seeds 8 --duration 20000 --jobs 2 --out outputs/calibration "
        "--force",
        "With its calibration, `conditional` has the paper's margins over SPA, Myopic and Optimal in `paper`.",
        "none on one machine and set of versions",
        "docs/results/calibration.md",
    ),
    "foresight": Study(
        "python -m tests.studies.foresight tests/studies/junctions/four_way.yaml "
        "tests/studies/junctions/rush_hour.yaml tests/studies/junctions/braunschweig.yaml",
        "With log-distance radio a fitted rule is worth as much as one tuned scalar, 3 % above `conditional`.",
        "half-widths of the table",
        "docs/results/foresight.md",
    ),
    "foresight-shipped": Study(
        "python -m tests.studies.foresight four_way rush_hour braunschweig after_the_match "
        "--metric realised --worlds 12 --auctions 120",
        "At the junctions as they are, the best correction favours the UAV where servers are idle, and the stations "
        "where they are not.",
        "half-widths of the table",
        "docs/results/foresight.md",
        (FORESIGHT,),
    ),
    "load": Study(
        f"dmsb compare after_the_match --policies {AT_LOADS} --load .1,.25,.5,.75,1,1.25,1.5,2 --metric realised "
        "--seeds 4 --jobs 2 --to markdown --figure docs/figures/load-after-the-match.png --out outputs/load/peak "
        "--force",
        "In `after_the_match` scarcity binds at a third of the tasks. No scale is good at every load. From a quarter "
        "of the tasks on `diffusion` or `sac` has the highest mean.",
        "none on one machine and set of versions",
        "docs/results/load.md",
        AT_LOADS_WEIGHTS,
    ),
    "load-four-way": Study(
        f"dmsb compare four_way --policies {AT_LOADS} --load .5,1,2,4,8,16 --metric realised --seeds 4 "
        "--jobs 2 --to markdown --figure docs/figures/load-four-way.png --out outputs/load/four_way --force",
        "In `four_way` scarcity binds at 7.5 times the tasks.",
        "none on one machine and set of versions",
        "docs/results/load.md",
        AT_LOADS_WEIGHTS,
    ),
    "speed": Study(
        "python -m tests.benchmarks",
        "Auctions, vehicle-seconds and memory with their targets. The page says which are missed.",
        "a factor of 2 between machines, 5 % for ratios",
        "docs/results/speed.md",
    ),
    "scale": Study(
        "python -m tests.studies.scale --again",
        "The memory of a run grows with its map, and by 40 % from 1 to 100 hours. A longer run costs no more per "
        "auction.",
        "a factor of 2 between machines for time, 10 % for memory",
        "docs/results/scale.md",
    ),
    "paper": Study(
        "dmsb reproduce fig3 fig4 fig5 fig6 claims --scale paper --jobs 2 --out outputs/paper",
        "Each statement of the paper's section 6 has a verdict.",
        "half-widths of the table: trainings are samples, so a verdict near its limit may become `undecided`",
        "docs/results/paper.md",
        (FORESIGHT,),
    ),
    "learning": Study(
        "python -m tests.studies.learning --jobs 2",
        "One set of weights of `diffusion` is above `conditional` at each of the four junctions it was trained on.",
        "half-widths of the table: trainings are samples",
        "docs/results/learning.md",
        (FORESIGHT,),
    ),
}
"""Studies by name, the shortest first: minutes, and hours for the paper and for learning."""


CODE = (
    "dmsb.py", "simulator", "policies", "scenarios", "tests", "pyproject.toml",
    ":(exclude)simulator/study/reference.json",
)  # fmt: skip
"""What results depend on. The reference of `dmsb doctor` is a result itself."""


def provenance() -> dict[str, Any]:
    """Return where and when each study was made, by its name."""
    return dict(json.loads(PROVENANCE.read_text(encoding="utf-8"))) if PROVENANCE.exists() else {}


def commit() -> str:
    """Return the present commit, with a mark if the code differs from it; `unknown` in a copy without a history."""
    git = ["git", "-C", str(ROOT)]
    try:
        at = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    others = [*git, "diff", "--quiet", "HEAD", "--", *CODE]
    return at.strip() + ("-dirty" if subprocess.run(others, check=False).returncode else "")


def weights_hash(folders: tuple[str, ...]) -> str:
    """Return a short hash of all files of some folders of shipped weights, relative to the root."""
    files = sorted(path for name in folders for path in (ROOT / name).rglob("*") if path.is_file())
    return hashlib.sha256("".join(file_hash(path) for path in files).encode()).hexdigest()[:12]


def make(name: str) -> None:
    """Run a study, keep what it prints, and note where and when it was made."""
    program, *arguments = shlex.split(STUDIES[name].command)
    command = [sys.executable, *(["-m", "dmsb"] if program == "dmsb" else []), *arguments]
    at, begin = commit(), time.monotonic()
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    MADE.mkdir(exist_ok=True)
    if done.stdout.strip():
        (MADE / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
    if STUDIES[name].folder:
        folder = ROOT / STUDIES[name].folder
        shutil.copyfile(folder / "arena.png", ROOT / "docs" / "figures" / f"{name}.png")
        shutil.copyfile(folder / "arena.csv", MADE / f"{name}.csv")
    about = machine()
    note(
        name,
        {
            "command": STUDIES[name].command,
            "commit": at,
            **({"weights": weights_hash(STUDIES[name].weights)} if STUDIES[name].weights else {}),
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
    ARTIFACT.write_text(artifact(known), encoding="utf-8")


def artifact(known: dict[str, Any]) -> str:
    """Return the text of ARTIFACT.md with a new table.

    Args:
        known: where and when each study was made, by its name.
    """
    head, _, rest = ARTIFACT.read_text(encoding="utf-8").partition(BEGIN)
    lines = ["| claim | command | minutes | tolerance |", "|---|---|---|---|"]
    for name, study in STUDIES.items():
        if study.page:
            minutes = known.get(name, {}).get("minutes", "")
            command = f"python -m tests.studies.results {name}"
            lines.append(f"| [{study.claim}]({study.page}) | `{command}` | {minutes} | {study.tolerance} |")
    table = "\n".join(lines)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Make the studies that are named, or all."""
    names = sys.argv[1:] or list(STUDIES)
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        sys.exit(f"there is no study '{unknown[0]}'; known: {', '.join(STUDIES)}")
    for name in names:
        if len(sys.argv) < 2 and provenance().get(name, {}).get("commit") == commit():
            continue
        print(f"{name}: {STUDIES[name].command}", flush=True)
        make(name)


if __name__ == "__main__":
    main()
