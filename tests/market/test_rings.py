"""Rings: with `market.reference: other_owner`, stations of one owner cannot lower the price for each other."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import simulate
from simulator.market.contracts import Award
from simulator.market.mechanisms.msb import ModifiedSecondBid
from simulator.study import audit as audit_module
from simulator.study.audit import audit
from tests.clearing import CONTRACT_BID, clear, lot, platform
from tests.fields import fields
from tests.laws import check_laws

OWNED = {"stations.owners": {"s1": "north", "s2": "north"}, "market.contract_rounds": 1000}
OTHER = fields({**OWNED, "market.reference": "other_owner"})


@pytest.mark.parametrize("scenario", ["paper", "four_way"])
def test_the_price_scales_the_best_bid_of_another_owner(scenario: str) -> None:
    result = simulate(scenario, "constant:1.4", duration=600, **OTHER)
    check_laws(result)
    owner = result.providers.set_index("provider")["owner"]
    asked = result.auctions[result.auctions["asked"]]
    uavs, same = len(result.scenario.uav_names()), 0
    by_task = dict(list(result.bids[result.bids["provider"] >= uavs].groupby("task")))
    for row in asked.to_dict("records"):
        ranked = by_task[row["task"]].sort_values("bid", ascending=False)
        own = owner[ranked["provider"].iloc[0]]
        others = ranked[ranked["provider"].map(owner) != own]
        best = others["bid"].max() if len(others) else 0.0
        assert row["scaled_bid"] == best
        same += best < row["second_bid"]
        assert (row["winner_kind"] == "ground") == (row["top_bid"] > 1.4 * best)
        if row["winner_kind"] == "ground":
            assert row["paid_by_provider"] == 1.4 * best
    assert same > 5, "the two best stations had one owner"


def test_without_another_owner_the_station_wins_at_nothing() -> None:
    owners = tuple((f"s{number}", "north") for number in (1, 2, 3))
    bids = {(0, 0): 0.9, (0, 1): 1.0, (0, 2): 0.8, (0, 3): 0.6}
    on, one = platform(3, reference="other_owner", owners=owners), lot(range(4))
    (award,) = clear(ModifiedSecondBid(), on, [one], bids, 2.0)
    assert award == Award(one, 1, 0.0, columns={"rho": 2.0, "contract_bid": CONTRACT_BID, "scaled_bid": 0.0})
    some = platform(3, reference="other_owner", owners=owners[:2])
    (award,) = clear(ModifiedSecondBid(), some, [one], bids, 1.5)
    assert award.provider == 1
    assert award.paid_by_provider == pytest.approx(0.9)
    (award,) = clear(ModifiedSecondBid(), some, [one], {**bids, (0, 2): 0.0}, 1.5)
    assert award.provider == 1
    assert award.paid_by_provider == pytest.approx(0.9), "what its own station bids does not matter"


def ring_gain(**more: object) -> tuple[str, float]:
    (found,) = [
        finding
        for finding in audit("paper", "conditional", rounds=40, **fields(dict(more))).findings
        if finding.property == "a ring of two"
    ]
    return found.verdict, found.number


def test_a_ring_inside_one_owner_gains_nothing_by_its_own_bids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "WATCHED", 40)
    # The two best stations are always s1 and s2: the third bids next to nothing.
    always = {"stations.count": 3, "stations.bidding": {"all": "truthful", "s3": "shade:0.001"}}
    verdict, gain = ring_gain(**OWNED, **always)
    assert verdict == "measured"
    assert gain > 0.1
    assert ring_gain(**{**OWNED, **always, "market.reference": "other_owner"}) == ("measured", 0.0)


def test_where_nobody_shares_an_owner_other_owner_is_the_second_bid() -> None:
    runs = [
        simulate("four_way", "conditional", duration=600, **fields({"market.reference": reference})).auctions
        for reference in ("stations", "other_owner")
    ]
    assert runs[0].equals(runs[1])
    asked = runs[0][runs[0]["asked"]]
    assert np.array_equal(asked["scaled_bid"], asked["second_bid"])
