"""While the code moves, every table of every shipped scenario keeps its bytes."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from simulator import Result, simulate

HASHES = Path(__file__).with_name("bytes.json")
SCENARIOS = ("paper", "braunschweig", "four_way", "grid", "rush_hour", "t_junction")
POLICIES = ("conditional", "greedy", "spa", "random")
DURATIONS = {"paper": 3000.0, "grid": 600.0}


def column_hash(values: pd.Series) -> str:
    if isinstance(values.dtype, pd.CategoricalDtype):
        data = values.cat.codes.to_numpy().tobytes() + "|".join(map(str, values.cat.categories)).encode()
    elif values.dtype.kind in "fib":
        data = values.to_numpy().tobytes()
    else:
        data = "\n".join(values.astype(str)).encode()
    return hashlib.sha256(str(values.dtype).encode() + data).hexdigest()[:12]


def hashes(scenario: str, policy: str, seed: int) -> dict[str, str]:
    duration = DURATIONS.get(scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = simulate(scenario, policy, seed=seed, duration=duration)
    tables = list(dict.fromkeys(Result.describe()["table"]))
    found = {
        f"{table}.{name}": column_hash(column) for table in tables for name, column in getattr(result, table).items()
    }
    summary = result.summary.drop(["wall_s", "cpu_s", "oracle_share", "best_share", "lost_share"], errors="ignore")
    found.pop("auctions.best_surplus", None)
    return {**found, "summary": hashlib.sha256(summary.to_json(double_precision=15).encode()).hexdigest()[:12]}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_table_keeps_its_bytes(scenario: str, policy: str) -> None:
    known = json.loads(HASHES.read_text())
    for seed in (0, 1):
        found = hashes(scenario, policy, seed)
        kept = known[f"{scenario} {policy} {seed}"]
        changed = {"auctions.oracle_surplus", "summary", "auctions.payment", "auctions.asked"}
        if scenario == "grid":
            # The bid of the best-bidding UAV, no longer that of the UAV with the best prediction.
            changed.add("auctions.uav_bid")
        kept = {name: value for name, value in kept.items() if name not in changed}
        if policy == "spa":
            kept.pop("auctions.rho"), kept.pop("events.value"), found.pop("events.value")
        new = (
            "auctions.paid",
            "auctions.messages",
            "auctions.asked",
            "auctions.scaled_bid",
            "decisions.",
            "summary",
            "tasks.market_wait",
            "providers.owner",
        )
        found = {name: value for name, value in found.items() if not name.startswith(new) and name not in changed}
        assert {name: value for name, value in found.items() if kept.get(name) != value} == {}
        assert set(kept) == set(found)


if __name__ == "__main__":
    every = {f"{s} {p} {seed}": hashes(s, p, seed) for s in SCENARIOS for p in POLICIES for seed in (0, 1)}
    HASHES.write_text(json.dumps(every, indent=0, sort_keys=True) + "\n")
