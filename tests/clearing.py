"""Clearing by hand: a platform without a world, lots without vehicles, and bids that a test chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from simulator.market.contracts import MARKET_CONDITIONS, Ask, Award, Lot, Mechanism
from simulator.market.platform import Platform
from simulator.providers.fleet import Fleet
from simulator.scenario.scenario import Scenario
from tests.fields import fields

BY_UAV = -1
"""Position of the winner if the UAV wins."""


CONTRACT_BID = 0.3
"""The contract bid of (13) of every platform here."""


class GivenPast:
    """A ledger with a given contract bid."""

    def contract_bid(self) -> float | None:
        return CONTRACT_BID


@cache
def platform(
    stations: int,
    uavs: int = 1,
    zeta: float = 1.0,
    reference: str = "stations",
    owners: tuple[tuple[str, str], ...] = (),
) -> Platform:
    """A platform with these providers, on which a UAV pays the contract bid where its own word does not count."""
    scenario = Scenario.load(
        "paper",
        **fields(
            {
                "stations.count": stations,
                "stations.owners": dict(owners),
                "uavs.count": uavs,
                "market.uav_weight": zeta,
                "market.reference": reference,
                "market.uav_payment": "contract",
            }
        ),
    )
    ledger: Any = GivenPast()
    return Platform(Fleet(scenario), scenario.market, ledger, has_places=False, size_factor=1.0, accuracy_cap=0.98)


def lot(invited: Sequence[int], task: int = 0) -> Lot:
    """A lot at time 0, with latencies that rise with the id of the provider."""
    seconds = {one: 1.0 + one / 10.0 for one in invited}
    free = dict.fromkeys(invited, 0.0)
    return Lot(task, 0.0, 0.0, tuple(invited), seconds, free, None, np.zeros(len(MARKET_CONDITIONS)))


def clear(
    mechanism: Mechanism, on: Platform, lots: Sequence[Lot], bids: Mapping[tuple[int, int], float], action: Any = None
) -> Sequence[Award]:
    """Clear lots with these bids, by (task, provider), under a policy that always does the same."""
    mechanism.reset(on, np.random.default_rng(0))
    steps, reply = mechanism.clear(lots), None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as done:
            awards: Sequence[Award] = done.value
            return awards
        reply = dict(bids) if isinstance(step, Ask) else action


def settle(
    mechanism: Mechanism, bids: Sequence[float], uav_bid: float, rho: float = math.nan, reference: str = "stations"
) -> tuple[int, float]:
    """Settle a contest of stations, by descending bid, and one UAV.

    Returns:
        The position of the winner in `bids`, or `BY_UAV`, and its payment.
    """
    on = platform(len(bids), reference=reference)
    everybody = {(0, 0): uav_bid, **{(0, 1 + position): bid for position, bid in enumerate(bids)}}
    (award,) = clear(mechanism, on, [lot(range(1 + len(bids)))], everybody, rho)
    assert award.provider is not None
    return award.provider - 1, award.paid_by_provider
