"""Who serves which lot of a window: assignments of lots to providers that maximise a sum, at one price."""

from __future__ import annotations

import math
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
    most: float = math.inf,
) -> dict[int, int]:
    """Return who serves whom, so that the sum of values less costs is the largest.

    A lot that a provider serves after others has the value of its place in the queue, as if those before it were as
    long as itself.

    Args:
        lots: lots that trade.
        units: number of lots that each provider may serve, by id.
        quotes: what providers promise for lots, by (task, provider). Only these pairs are possible.
        costs: cost of a unit of the reference size to each provider, by id.
        least: least value at which a pair trades.
        most: largest cost of the task to the provider at which a pair trades.

    Returns:
        The provider of each lot that is served, by task, in the order in which providers serve them.
    """
    places = places_of(units, len(lots))
    scores = np.zeros((len(lots), len(places)))
    for row, lot in enumerate(lots):
        for column, (provider, place) in enumerate(places):
            first = quotes.get((lot.task, provider))
            if first is None:
                continue
            quote = first.at(place)
            cost = costs[provider] + quote.extra_cost
            # A provider has accepted its limit. Only a task that costs more than that can be too much for the price.
            if quote.value >= least and (quote.extra_cost <= 0.0 or cost <= most):
                # A pair that loses is as good as none. Who shades to nothing has an infinite cost.
                scores[row, column] = max(quote.value - cost, 0.0)
    found = sorted(assignment(scores).items(), key=lambda one: (places[one[1]][1], one[0]))
    return {lots[row].task: places[column][0] for row, column in found}


def places_of(units: Mapping[int, int], lots: int) -> list[tuple[int, int]]:
    """Return the places in the queues of providers: the id of the provider, and how many lots it serves before.

    Args:
        units: number of lots that each provider may serve, by id.
        lots: number of lots.
    """
    return [(provider, place) for provider, count in units.items() for place in range(min(count, lots))]


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
    # The prediction counts from the request. The time that the task takes alone holds no wait, in the market or before.
    alone_s = first_s - (lot.now - lot.requested) - max(lot.free_at[provider] - lot.now, 0.0)
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
        quotes = yield ask_for_quotes(lots, units)
    receives = price if paid_to_provider is None else paid_to_provider
    found = pair(lots, units, quotes, costs, price, receives)
    by_task = {lot.task: lot for lot in lots}
    return [Award(by_task[task], one, -receives, price, columns) for task, one in found.items()]


def ask_for_quotes(lots: Sequence[Lot], units: Mapping[int, int]) -> Ask:
    """Return the question for quotes, for as many places as units may be awarded.

    Args:
        lots: the lots.
        units: number of lots that each provider may serve, by id. Others are not asked.
    """
    return Ask("quote", lots, to=tuple(units), places=max(1, min(max(units.values(), default=1), len(lots))))


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
