"""What a mechanism may know: the providers, the settings of the market, and what the platform remembers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulator.model.mechanism import surplus_weights
from simulator.model.reputation import Reputations
from simulator.model.valuation import common_term, expected_value, match_term, timeliness_of, valuation

if TYPE_CHECKING:
    from simulator.market.ledger import Ledger
    from simulator.providers.fleet import Fleet
    from simulator.scenario.market import Market


class Platform:
    """The side of the market that a mechanism stands on. Ids are those of the table `providers`.

    Args:
        fleet: the providers.
        market: settings of the market.
        ledger: what the platform remembers of past rounds.
        has_places: whether providers and vehicles have places.
        size_factor: reference size times the mean of 1/D over the task sizes D.
        accuracy_cap: largest accuracy R that counts in (10).

    Attributes:
        size: number of providers.
        uavs: number of UAVs: the ids 0 to ``uavs`` - 1. Ground stations have the ids from ``uavs`` on.
        names: names of the providers, by id.
        owners: owners of the providers, by id.
        places: places of the providers, (m east, m north), by id; None where nothing has a place.
        weights: weight of a provider's value in the surplus, zeta for a UAV and 1 for a station, by id.
        uav_weight: zeta.
        reference: other bids that a price may scale, as the scenario says: `stations`, `all` or `other_owner`.
        uav_payment: what a UAV pays where its own bid does not count: `royalty`, `posted` or `contract`.
        uav_share: share phi of a task's worth for `royalty` and `posted`.
        reputations: reputations of the providers, by the tasks that have ended.
    """

    def __init__(
        self, fleet: Fleet, market: Market, ledger: Ledger, has_places: bool, size_factor: float, accuracy_cap: float
    ) -> None:
        self.size, self.uavs = fleet.size, fleet.uavs
        self.names: Sequence[str] = tuple(fleet.names)
        self.owners: Sequence[str] = tuple(fleet.owners)
        self.places: Sequence[tuple[float, float]] | None = (
            tuple(zip(fleet.x.tolist(), fleet.y.tolist(), strict=True)) if has_places else None
        )
        self.weights: Sequence[float] = tuple(surplus_weights(fleet.is_uav, market.uav_weight).tolist())
        self.uav_weight, self.reference = market.uav_weight, market.reference
        self.uav_payment, self.uav_share = market.uav_payment, market.uav_share
        self._ledger, self._latency_weight, self._size_factor = ledger, market.latency_weight, size_factor
        self._accuracy = market.accuracy_weight, market.accuracy_exponent, accuracy_cap
        self._provider_of: dict[int, int] = {}
        self.reputations = Reputations(fleet.size)

    def contract_bid(self) -> float | None:
        """Return the contract bid of (13), computed from past rounds; None while there are too few of them."""
        return self._ledger.contract_bid()

    def audited_match(self, provider: int) -> float:
        """Return the mean audited match value of a provider, equation (10)."""
        provider = self._provider_of.get(provider, provider)
        uav, station = (provider, -1) if provider < self.uavs else (-1, provider)
        of_uav, of_station, *_ = self._ledger.audited_match(uav, station, -1)
        return of_uav if provider < self.uavs else of_station

    def reputation(self, provider: int, now: float) -> float:
        """Return the reputation of a provider, from 0 to 1; .5 before its first task."""
        # A second identity has a history of its own, which is empty.
        return 0.5 if provider in self._provider_of else self.reputations.of(provider, now)

    def uav_report(self, uav: int) -> float:
        """Return the mean audited worth of the last tasks of a UAV, without their demand."""
        return self._ledger.uav_report(uav)

    def expected_value(self, provider: int, predicted_s: float, limit_s: float, grace_s: float) -> float:
        """Return ``E[v_n | m]``, the value of a task that the public conditions let expect, at the mean demand 1.

        Args:
            provider: id of the provider.
            predicted_s: predicted latency of a task of the reference size at the provider, s.
            limit_s: time from the request to the deadline, s.
            grace_s: time after the deadline over which the worth falls to 0, s.
        """
        match = self.audited_match(provider)
        return expected_value(predicted_s, self._latency_weight, self._size_factor, match, limit_s, grace_s)

    def quality(self, latency_s: float, accuracy: float, limit_s: float, grace_s: float) -> float:
        """Return what a result is worth to a user of mean demand: ``c m g`` at its latency and accuracy.

        Args:
            latency_s: latency, s.
            accuracy: accuracy R.
            limit_s: time from the request to the deadline, s.
            grace_s: time after the deadline over which the worth falls to 0, s.
        """
        match = match_term(np.asarray(accuracy), *self._accuracy)
        timely = timeliness_of(latency_s, limit_s, grace_s)
        return float(valuation(common_term(latency_s, self._latency_weight), match, 1.0, timely))

    def with_alias(self, provider: int) -> Platform:
        """Return a platform on which a provider has a second identity, with the next free id.

        Args:
            provider: id of the provider.
        """
        other = copy.copy(self)
        other.size = self.size + 1
        other._provider_of = {self.size: provider}
        other.names = (*self.names, f"{self.names[provider]} again")
        # Nobody can tell who stands behind a second identity: its owner is its own.
        other.owners = (*self.owners, other.names[-1])
        other.weights = (*self.weights, self.weights[provider])
        other.places = None if self.places is None else (*self.places, self.places[provider])
        return other

    def __deepcopy__(self, memo: object) -> Platform:
        """Return the platform itself: a copy of a mechanism stands on the same market."""
        return self
