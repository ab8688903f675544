"""Who serves which lot of a window: assignments of lots to providers that maximise a sum, at one price."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.market.contracts import Ask, Award, Lot, Quote
from simulator.model import FloatArray


def assignment(scores: FloatArray) -> dict[int, int]:
    """Return the assignment that maximises the sum of scores.

    The Hungarian method is scipy's `linear_sum_assignment`.

    Args:
        scores: score of each lot at each column, 0 where it cannot be assigned, shape (lots, columns).

    Returns:
        The column of each row that is assigned at a score above 0.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {int(row): int(place) for row, place in zip(rows, columns, strict=True) if scores[row, place] > 0.0}


def pair(
    lots: Sequence[Lot],
    units: Mapping[int, int],
    quotes: Mapping[tuple[int, int], Quote],
    costs: Mapping[int, float],
    least: float = 0.0,
) -> dict[int, int]:
    """Return who serves whom, so that the sum of values less costs is the largest.

    Args:
        lots: lots that trade.
        units: number of lots that each provider may serve, by id.
        quotes: what providers promise for lots, by (task, provider). Only these pairs are possible.
        costs: cost of a unit to each provider, by id.
        least: least value at which a pair trades.

    Returns:
        The provider of each lot that is served, by task.
    """
    places = [provider for provider, count in units.items() for _ in range(min(count, len(lots)))]
    scores = np.zeros((len(lots), len(places)))
    for row, lot in enumerate(lots):
        for column, provider in enumerate(places):
            quote = quotes.get((lot.task, provider))
            if quote is not None and quote.value >= least:
                # A pair that loses is as good as none. Who shades to nothing has an infinite cost.
                scores[row, column] = max(quote.value - costs[provider], 0.0)
    return {lots[row].task: places[column] for row, column in assignment(scores).items()}


def units_of(lots: Sequence[Lot], fixed: int) -> dict[int, int]:
    """Return how many lots each invited provider offers to serve, by id.

    Args:
        lots: lots of a window.
        fixed: the number; 0 for as many tasks of the reference size as it would finish within the deadline, one after
            another, by the public predictions.
    """
    found: dict[int, int] = {}
    for provider in sorted({provider for lot in lots for provider in lot.invited}):
        own = [lot for lot in lots if provider in lot.invited]
        found[provider] = min(fixed or max(_in_time(lot, provider, len(own)) for lot in own), len(own))
    return found


def _in_time(lot: Lot, provider: int, most: int) -> int:
    """Return how many tasks a provider would finish within the deadline of a lot, at least 1 and at most `most`."""
    first_s = lot.predicted_s[provider]
    alone_s = first_s - max(lot.free_at[provider] - lot.now, 0.0)
    spare_s = lot.limit_s - first_s
    if not spare_s < most * alone_s:
        return most
    return max(1, 1 + int(spare_s // alone_s))


def trade(
    lots: Sequence[Lot],
    units: dict[int, int],
    costs: dict[int, float],
    price: float,
    columns: dict[str, float],
    paid_to_provider: float | None = None,
    quotes: Mapping[tuple[int, int], Quote] | None = None,
) -> Generator[Ask, Any, list[Award]]:
    """Ask for quotes, and award lots to providers at one price.

    Args:
        lots: lots that trade.
        units: units that each provider sells, by id.
        costs: cost of a unit to each provider, by id.
        price: what a vehicle pays.
        columns: values of the mechanism's columns.
        paid_to_provider: what a provider receives; the price if None.
        quotes: what providers promise, if that is known already. Only these pairs are possible.
    """
    if not lots or not units:
        return []
    if quotes is None:
        quotes = yield Ask("quote", lots, to=tuple(units))
    found = pair(lots, units, quotes, costs, least=price)
    receives = price if paid_to_provider is None else paid_to_provider
    return [Award(lot, found[lot.task], -receives, price, columns) for lot in lots if lot.task in found]


def first_units(providers: Sequence[int], units: dict[int, int], count: int) -> dict[int, int]:
    """Return the first units of providers, in their order.

    Args:
        providers: ids in the order in which they come first.
        units: units of each.
        count: number of units in all.
    """
    found: dict[int, int] = {}
    for one in providers:
        taken = min(units[one], count)
        if taken:
            found[one] = taken
            count -= taken
    return found
