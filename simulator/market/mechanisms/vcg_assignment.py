"""The assignment of a batch of tasks that maximises the sum of values, with VCG payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import need
from simulator.market.contracts import Ask, Award, Information, Lot, Mechanism
from simulator.market.mechanisms.pairing import assignment
from simulator.market.mechanisms.window import check_every

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


@dataclass
class VcgAssignment(Mechanism):
    """VCG auction of a batch at the end of each window, one lot per provider per window.

    The assignment maximises the sum of scores (bid times weight). A provider pays what its presence costs the others:
    the best sum of scores without it, less the sum of the others' scores now.

    Source: Vickrey 1961, Clarke 1971, Groves 1973. The assignment is by scipy's `linear_sum_assignment`.

    Attributes:
        every_s: length of a window, s.
    """

    every_s: float = 1.0

    def __post_init__(self) -> None:
        need("scipy")
        check_every(self.every_s)

    def claims(self, information: Information) -> frozenset[str]:
        """Return what VCG has: truth pays, but two identities of one provider may win two lots."""
        return frozenset({"truthful", "individually rational", "anonymous", "budget balance"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform."""
        self.platform = platform

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Assign the lots of a window."""
        bids = yield Ask("bid", lots)
        providers = sorted({provider for lot in lots for provider in lot.invited})
        column = {provider: number for number, provider in enumerate(providers)}
        scores = np.zeros((len(lots), len(providers)))
        for row, lot in enumerate(lots):
            for provider in lot.invited:
                scores[row, column[provider]] = self.platform.weights[provider] * bids.get((lot.task, provider), 0.0)
        assigned = assignment(scores)
        total = sum(scores[row, number] for row, number in assigned.items())
        awards = []
        for row, number in assigned.items():
            provider = providers[number]
            without = scores.copy()
            without[:, number] = 0.0
            best = sum(without[other, place] for other, place in assignment(without).items())
            harm = max(best - (total - scores[row, number]), 0.0)  # a difference of sums may round below 0
            awards.append(Award(lots[row], provider, float(harm) / self.platform.weights[provider]))
        return awards
