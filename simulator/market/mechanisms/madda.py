"""MADDA: vehicles and providers are matched by attributes first, then the matched trade by two clocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from simulator.files.reading import is_number
from simulator.market.contracts import Lot, Quote
from simulator.market.mechanisms.double_dutch import DoubleDutch
from simulator.market.mechanisms.pairing import ask_for_quotes, assignment, places_of, units_of

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing


@dataclass
class Madda(DoubleDutch):
    """Double Dutch auction of a window among those who are matched by attributes.

    Providers promise latency, accuracy and the time for which they expect to cover the vehicle. A pair has the weight
    ``a dwell / (dwell + latency) + b reputation + c [accuracy >= required_accuracy]``. The matching of the largest
    weight says who takes part in the clocks of `double-dutch`. Who is not matched waits for the next window.

    Source: MADDA (arXiv 2406.05418, 2024), of which the abstract was read. The attributes' weights, the reputation and
    everything about the clocks are ours.

    Attributes:
        among: who may trade: `pool`, any pair among the matched; `pairs`, matched pairs only.
        dwell_weight: weight a.
        reputation_weight: weight b.
        accuracy_weight: weight c.
        required_accuracy: accuracy R that a task asks for. At `four_way` 40 % of the offers reach .6, and 0.3 %
            reach .8.
    """

    among: Literal["pool", "pairs"] = "pool"
    dwell_weight: float = 0.4
    reputation_weight: float = 0.4
    accuracy_weight: float = 0.2
    required_accuracy: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.among not in ("pool", "pairs"):
            raise ValueError(f"among must be pool or pairs, not {self.among!r}")
        for name in ("dwell_weight", "reputation_weight", "accuracy_weight", "required_accuracy"):
            number = getattr(self, name)
            if not is_number(number) or not 0.0 <= number <= 1.0:
                raise ValueError(f"{name} must be a number from 0 to 1, not {number!r}")

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Match by attributes, and run the clocks among the matched."""
        units = units_of(lots, self.units)
        quotes: dict[tuple[int, int], Quote] = yield ask_for_quotes(lots, units)
        matched = self.matched(lots, units, quotes)
        taking_part = [lot for lot in lots if lot.task in matched]
        if not taking_part:
            return []
        offered = dict(sorted(Counter(matched.values()).items()))
        if self.among == "pairs":
            possible = {(task, one): quotes[task, one] for task, one in matched.items()}
        else:
            possible = {key: quote for key, quote in quotes.items() if key[0] in matched and key[1] in offered}
        return (yield from self.run(taking_part, offered, possible))

    def weight(self, quote: Quote, reputation: float) -> float:
        """Return the weight of a pair.

        Args:
            quote: what the provider promises.
            reputation: its reputation, from 0 to 1.
        """
        stays = 1.0 if quote.dwell_s == math.inf else quote.dwell_s / max(quote.dwell_s + quote.latency_s, 1e-9)
        good = float(quote.accuracy >= self.required_accuracy)
        return self.dwell_weight * stays + self.reputation_weight * reputation + self.accuracy_weight * good

    def matched(
        self, lots: Sequence[Lot], units: Mapping[int, int], quotes: Mapping[tuple[int, int], Quote]
    ) -> dict[int, int]:
        """Return the provider of each lot that is matched, by task.

        Args:
            lots: the lots of the window.
            units: units that each provider offers, by id.
            quotes: what providers promise for lots, by (task, provider).
        """
        places = places_of(units, len(lots))
        reputation = {one: self.platform.reputation(one, lots[0].now) for one in units}
        weights = np.zeros((len(lots), len(places)))
        for row, lot in enumerate(lots):
            for column, (one, place) in enumerate(places):
                quote = quotes.get((lot.task, one))
                if quote is not None:
                    weights[row, column] = self.weight(quote.at(place), reputation[one])
        return {lots[row].task: places[column][0] for row, column in assignment(weights).items()}
