"""What two rules of the double auctions cost: the attributes of MADDA by their weights, and pairs below the price.

``python -m tests.studies.double_auctions`` prints two tables.
"""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

from simulator import simulate
from simulator.market.mechanisms import pairing
from simulator.market.mechanisms.pairing import pair
from simulator.study.compare import compare

SCENARIOS = ("four_way", "after_the_match")
SEEDS, LENGTH_S, JOBS = 8, 600.0, 2

WEIGHTS = ((0.4, 0.4, 0.2), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.0))
"""Weights of dwell time, reputation and accuracy. The first is the default."""


def weights_of_attributes() -> None:
    """Print the welfare of `madda` by the weights of its attributes, divided by that of `double-dutch`."""
    rules = [
        f"madda:dwell_weight={dwell:g}:reputation_weight={reputation:g}:accuracy_weight={accuracy:g}"
        for dwell, reputation, accuracy in WEIGHTS
    ]
    cells: dict[str, list[str]] = {rule: [] for rule in rules}
    for scenario in SCENARIOS:
        table = compare(
            scenario, ["gap-step"], SEEDS, LENGTH_S, mechanisms=["double-dutch", *rules], metric="welfare", jobs=JOBS
        ).table
        for rule, (_, row) in zip(rules, table.iloc[1:].iterrows(), strict=True):
            cells[rule].append(f"{row['ratio']:.3f} ± {row['ratio_ci']:.3f}")
    print("| dwell time | reputation | accuracy | " + " | ".join(f"`{one}`" for one in SCENARIOS) + " |")
    print("|---|---|---|---|---|")
    for weights, rule in zip(WEIGHTS, rules, strict=True):
        print(f"| {' | '.join(f'{weight:g}' for weight in weights)} | {' | '.join(cells[rule])} |")


def below_the_price() -> None:
    """Print which share of the best assignment of who trades is given up, because no pair below the price trades."""
    print("\n| | best assignment of who trades | given up | lots left over |\n|---|---|---|---|")
    for scenario in SCENARIOS:
        best, reached, left, lots_in_all = 0.0, 0.0, 0, 0

        def watched(
            lots: Any, units: Any, quotes: Any, costs: Any, least: float = 0.0, most: float = math.inf
        ) -> dict[int, int]:
            nonlocal best, reached, left, lots_in_all
            found, free = pair(lots, units, quotes, costs, least, most), pair(lots, units, quotes, costs)
            best += _worth(free, quotes, costs)
            reached += _worth(found, quotes, costs)
            left += len(free) - len(found)
            lots_in_all += len(free)
            return found

        with mock.patch.object(pairing, "pair", watched):
            for seed in range(SEEDS):
                simulate(scenario, "gap-step", mechanism="double-dutch", seed=seed, duration=LENGTH_S)
        print(f"| `{scenario}` | {best:.0f} | {1 - reached / best:.1%} | {left} of {lots_in_all} |")


def _worth(found: dict[int, int], quotes: Any, costs: Any) -> float:
    """Return the sum of values less costs of an assignment, by the place of each lot in its provider's queue."""
    before: dict[int, int] = {}
    total = 0.0
    for task, one in found.items():
        quote = quotes[task, one].at(before.get(one, 0))
        before[one] = before.get(one, 0) + 1
        total += quote.value - costs[one] - quote.extra_cost
    return float(total)


if __name__ == "__main__":
    weights_of_attributes()
    below_the_price()
