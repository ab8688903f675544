"""What settled rounds show: whether who wins depends on the common value, what the UAV earns, what truth costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.market.auction import UAV, Auction
from simulator.model import FloatArray
from simulator.scenario.tasks import TASK_KINDS
from simulator.study.finding import Finding
from simulator.study.statistics import Dependence, chi_square
from simulator.study.truth_cost import truth_cost

SIGNIFICANT = 0.001
"""p-value below which a test of independence fails."""


@dataclass
class Watched:
    """Settled rounds with two or more stations and a UAV. A round in which nobody wins is one that no UAV wins.

    Args:
        uav_weight: zeta.
        reference_mb: size to which the common value is related where values scale with the size, MB; else None.
    """

    uav_weight: float
    reference_mb: float | None
    uav_profits: list[float] = field(default_factory=list)
    uav_wins: list[bool] = field(default_factory=list)
    common: list[float] = field(default_factory=list)
    strata: list[tuple[int, float]] = field(default_factory=list)
    sold: int = 0
    markets: list[FloatArray] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)

    def settled(self, auctions: Sequence[Auction]) -> None:
        """Take in rounds as they have settled."""
        for auction in auctions:
            if auction.ground_bidders < 2 or auction.uav < 0:
                continue
            task = auction.task
            # Without queues it is demand / size, with queues demand alone: waits do not scale with size.
            scale = 1.0 if self.reference_mb is None else self.reference_mb / task.size_mb
            self.common.append(task.demand * scale)
            by_uav = auction.winner_kind == UAV
            self.uav_wins.append(by_uav)
            stations = [one for one in auction.lot.invited if one >= auction.uavs]
            stations.sort(key=lambda one: -auction.worth_to(one))
            predicted = auction.lot.predicted_s
            self.strata.append((task.kind, predicted[stations[1]] / predicted[auction.uav]))
            if auction.winner < 0:
                continue
            self.sold += 1
            if auction.bids:
                self.markets.append(auction.market)
                third = auction.bids[min(2, len(auction.bids) - 1)]
                weighted = self.uav_weight * auction.uav_value
                self.values.append((*auction.bids[:2], third, weighted, auction.surplus))
            if by_uav:
                # What has come of the task, where that is known already.
                realised = auction.realised_surplus
                worth = auction.uav_value if math.isnan(realised) else realised / self.uav_weight
                self.uav_profits.append(worth - auction.royalty * max(worth, 0.0) - auction.paid_by_provider)

    def findings(self, claims: frozenset[str]) -> list[Finding]:
        """Return the verdicts."""
        profits = np.array(self.uav_profits)
        profit = float(profits.mean()) if len(profits) else math.nan
        spread = 1.96 * float(profits.std()) / math.sqrt(len(profits)) if len(profits) else math.nan
        loses = "untested" if math.isnan(profit) else "fails" if profit + spread < 0.0 else "holds"
        return [
            Finding("the UAV does not lose", loses, False, profit,
                    f"mean of what a task is worth to the UAV that wins it, less its payment, ± {spread:.2g}"),
            *self.dependence(claims),
            self._truth_cost(),
        ]  # fmt: skip

    def dependence(self, claims: frozenset[str]) -> list[Finding]:
        """Test by chi-square whether a UAV wins independently of the common value, given m and without.

        Args:
            claims: names of the findings that the mechanism claims.
        """
        name = "free of adverse selection"
        if len(self.common) < 2:
            return [Finding(name, "untested", name in claims, math.nan, "p; too few rounds with stations and a UAV")]
        wins, common = np.array(self.uav_wins), np.array(self.common)
        kind, speed = np.array([row[0] for row in self.strata]), np.array([row[1] for row in self.strata])
        # Public conditions enter as fifths of the second station's predicted seconds over the UAV's.
        fifth = np.searchsorted(np.quantile(speed, (0.2, 0.4, 0.6, 0.8)), speed)
        given = chi_square(wins, common, 3, fifth * len(TASK_KINDS) + kind)
        at_all = chi_square(wins, common, 10)
        return [
            Finding(name, _verdict(given), name in claims, given.p_value,
                    f"p of {{UAV wins}} against the common value, by kind and public conditions ({given})"),
            Finding(f"{name}, not given m", _verdict(at_all), False, at_all.p_value,
                    f"p of {{UAV wins}} against the common value ({at_all})"),
        ]  # fmt: skip

    def _truth_cost(self) -> Finding:
        if not self.values or len(self.values) != self.sold:
            return Finding("what truth costs", "untested", False, math.nan, "no round with stations, a UAV and bids")
        values = np.array(self.values)
        cost = truth_cost(np.array(self.markets), values[:, :3], values[:, 3], values[:, 4])
        meaning = (
            f"surplus of a price fitted to all bids, divided by the surplus of a price fitted to m, minus 1, "
            f"± {cost.all_bids_ci:.2g}. A price fitted to all bids but the highest: {cost.masked:+.2g} "
            f"± {cost.masked_ci:.2g}. This policy: {cost.own:+.2g} ± {cost.own_ci:.2g}"
        )
        return Finding(
            "what truth costs", "untested" if math.isnan(cost.own) else "measured", False, cost.all_bids, meaning
        )


def _verdict(found: Dependence) -> str:
    if math.isnan(found.p_value):
        return "untested"
    return "holds" if found.p_value >= SIGNIFICANT else "fails"
