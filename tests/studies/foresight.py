"""What foresight is worth: scaled and fitted prices beside `conditional` in held-out worlds, and the measured toll.

``python -m tests.studies.foresight [SCENARIO ...] [--worlds N] [--jobs N]``. For each scenario a rule is fitted on
training worlds. Then all rules run in the same worlds, of seeds 0 on, which no training has met. Prints one table.
With ``--metric realised`` the ratio is that of the realised surplus, as it should be where servers are scarce.
The files in ``tests/studies/junctions/`` are the junctions as they were with log-distance radio and free left turns.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.scenario.scenario import Scenario
from simulator.study.compare import compare
from simulator.study.toll import toll
from simulator.study.train import train

TRAININGS = Path("outputs/foresight")
STEPS = 40_000
"""Environment steps of a fit."""

THETAS = (0.0, 0.1, 0.2)
SCALES = (0.6, 0.8, 0.9, 1.1, 1.25, 1.4, 1.6)


def fitted(scenario: Scenario) -> Path:
    """Fit the coefficients of a scenario, or go on with the fit that is there."""
    out = TRAININGS / scenario.name
    train([scenario], "foresight", STEPS, out=out, resume=out.exists(), evaluate_every=STEPS)
    return out / "deployed"


def table(scenario: Scenario, worlds: int, jobs: int, metric: str, auctions: int) -> list[tuple[str, str]]:
    """Compare the rules in a scenario, and return each with its ratio to `conditional`."""
    weights = fitted(scenario)
    rules = {
        f"foresight fitted here, θ = {theta:g}": f"foresight:weights={weights}:theta={theta:g}" for theta in THETAS
    }
    rules["foresight as shipped"] = "foresight"
    rules |= {f"conditional, scale {scale:g}": f"conditional:scale={scale:g}" for scale in SCALES}
    rules |= {"oracle of the round": "oracle"}
    journal = TRAININGS / f".{scenario.name}.runs"
    found = compare(
        scenario, ["conditional", *rules.values()], seeds=worlds, jobs=jobs, metric=metric, journal=journal
    ).table
    rows = [(name, f"{found['ratio'][spec]:.3f} ± {found['ratio_ci'][spec]:.3f}") for name, spec in rules.items()]
    measured = toll(scenario, seed=500, seeds=8, auctions=auctions, jobs=jobs)
    return [*rows, (f"θ as measured, {auctions} auctions", f"{measured.surplus:+.2f} ± {measured.surplus_ci:.2f}")]


def main() -> None:
    """Print one row per rule and one column per scenario."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", default=["four_way", "rush_hour", "braunschweig"])
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--auctions", type=int, default=400, help="number of pairs of futures that measure theta")
    parser.add_argument("--metric", default="surplus", choices=["surplus", "realised"])
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    scenarios = [Scenario.load(one) for one in given.scenarios]
    columns = {one.name: table(one, given.worlds, given.jobs, given.metric, given.auctions) for one in scenarios}
    words = {"surplus": "surplus", "realised": "realised surplus"}[given.metric]
    print(f"| {words} divided by that of `conditional` | " + " | ".join(f"`{name}`" for name in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in zip(*columns.values(), strict=True):
        print(f"| {row[0][0]} | " + " | ".join(value for _, value in row) + " |")


if __name__ == "__main__":
    main()
