"""The twin of a vehicle moves to whoever wins its task."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simulator import Result, ScenarioError, simulate
from simulator.view.report.payload import payload
from tests.fields import fields
from tests.laws import check_laws

TWIN: dict[str, Any] = {
    "tasks.twin_mb": 40,
    "tasks.renewal_s": 20,
    "stations.backhaul_mbps": 400,
    "uavs.backhaul_mbps": 160,
}
SECONDS = {"ground": 8 * 40 / 400, "uav": 8 * 40 / 160}


@cache
def migrating() -> Result:
    return simulate("four_way", "conditional", duration=900, **fields(TWIN))


def previous_winners(tasks: pd.DataFrame) -> pd.Series:
    """The provider that was awarded the last task of the same vehicle before each request; NaN for none."""
    before: dict[int, list[tuple[float, int]]] = {}
    found = []
    for row in tasks.to_dict("records"):
        awarded = [who for at, who in before.get(row["vehicle"], []) if at <= row["requested"]]
        found.append(awarded[-1] if awarded else np.nan)
        if row["provider"] >= 0:
            before.setdefault(row["vehicle"], []).append((row["requested"] + row["market_wait"], row["provider"]))
    return pd.Series(found, index=tasks.index)


def test_a_twin_moves_unless_the_last_winner_wins_again() -> None:
    result = migrating()
    check_laws(result)
    tasks = result.tasks[result.tasks["latency"].notna()]
    kind = result.providers.set_index("provider")["kind"].astype(str)
    stays = tasks["provider"] == previous_winners(result.tasks).loc[tasks.index]
    assert 0.1 < stays.mean() < 0.9
    assert np.allclose(tasks.loc[stays, "migration_time"], 0.0)
    moved = tasks[~stays]
    assert np.allclose(moved["migration_time"], kind.loc[moved["provider"]].map(SECONDS).to_numpy())


def test_the_backhaul_is_a_queue_and_the_utilisation_law_holds() -> None:
    """Utilisation is throughput times mean service (Little's law for a server)."""
    result = migrating()
    served = result.tasks.groupby("provider")["migration_time"].sum()
    use = result.providers.set_index("provider")["migration_utilisation"] * result.run["duration"]
    # A twin on its way at the end of the run is in the one sum only.
    assert np.allclose(use.loc[served.index[served.index >= 0]], served[served.index >= 0], atol=2.0)
    assert (result.tasks["migration_wait"] > 0).any()


def test_public_predictions_and_prices_know_where_the_twin_is() -> None:
    result, bids = migrating(), migrating().bids
    plain = simulate("four_way", "conditional", duration=900, **fields({**TWIN, "tasks.twin_mb": 0}))
    # The same first request meets idle providers in both worlds.
    first = bids[bids["task"] == 0].set_index("provider")["predicted_latency"]
    bare = plain.bids[plain.bids["task"] == 0].set_index("provider")["predicted_latency"]
    kind = result.providers.set_index("provider")["kind"].astype(str)
    assert np.allclose(first - bare, kind.loc[first.index].map(SECONDS))
    uav = result.auctions["m_uav_seconds"].iloc[0] - plain.auctions["m_uav_seconds"].iloc[0]
    assert uav == pytest.approx(SECONDS["uav"])


def test_without_a_size_nothing_migrates_and_the_backhaul_does_not_matter() -> None:
    slow, fast = (
        simulate("four_way", "conditional", duration=300, **fields({"stations.backhaul_mbps": rate}))
        for rate in (1, 10_000)
    )
    assert slow.tasks.equals(fast.tasks)
    assert (slow.tasks["migration_time"].dropna() == 0).all()
    stages = slow.events.loc[slow.events["kind"] == "stage_started", "value"]
    assert set(stages) == {1.0, 2.0, 3.0, 4.0}
    assert list(payload({"run": slow}, "").head["stages"]) == ["uplink", "gpu", "cpu", "downlink"]
    assert "migration" in payload({"run": migrating()}, "").head["stages"]


def test_a_place_has_a_backhaul_of_its_own() -> None:
    placed = [{"name": "slow", "x": 0, "y": 60, "backhaul_mbps": 100}, {"name": "usual", "x": 0, "y": -60}]
    result = simulate(
        "four_way",
        "always-ground",
        duration=300,
        **fields({**TWIN, "stations": {"placed": placed, "radius_m": 300, "backhaul_mbps": 400}}),
    )
    longest = result.tasks.groupby("provider")["migration_time"].max()
    name = result.providers.set_index("provider")["name"]
    longest.index = name.reindex(longest.index)
    assert longest[["slow", "usual"]].tolist() == pytest.approx([3.2, 0.8])


def test_in_rounds_no_twin_migrates() -> None:
    with pytest.raises(ScenarioError, match=r"tasks\.twin_mb: in 'rounds' each vehicle comes once"):
        simulate("paper", "spa", duration=10, **fields({"tasks.twin_mb": 10}))
