"""What the shipped junctions must be: contested, served, and no provider kind enough on its own."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import simulate


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scenario", ["braunschweig", "four_way", "rush_hour"])
def test_the_hour_is_a_market(scenario: str, seed: int) -> None:
    conditional = simulate(scenario, "conditional", seed=seed)
    auctions, summary = conditional.auctions, conditional.summary
    assert (auctions["invited"] >= 2).mean() >= 0.9
    share = auctions["winner_kind"].value_counts(normalize=True)
    assert 0.2 <= share["uav"] <= 0.8
    assert 0.2 <= share["ground"] <= 0.8
    assert summary["completed"] >= 0.95 * summary["tasks"]
    oracle = simulate(scenario, "oracle", seed=seed).summary["surplus_total"]
    for alone in ("always-uav", "always-ground"):
        assert simulate(scenario, alone, seed=seed).summary["surplus_total"] <= 0.9 * oracle


def test_predictions_are_no_better_than_public_knowledge_allows() -> None:
    """The public prediction is of 30 MB at mean power without fading: near the winner's own, but not the same."""
    result = simulate("braunschweig", "always-uav", duration=1800)
    merged = result.auctions.merge(result.bids[result.bids["provider"] == 0], on="task")
    public, own = np.log(merged["m_uav_seconds"]), np.log(merged["predicted_latency"])
    assert np.corrcoef(public, own)[0, 1] > 0.5
    assert (public != own).all()
