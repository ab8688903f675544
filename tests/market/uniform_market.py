"""A market of identical goods in which values and costs are uniform on [0, 1], to hold double auctions to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from simulator.market.contracts import NO_TASK, VEHICLE, Ask, Award, Decide, Lot, Mechanism, Quote
from simulator.market.guard import ask_action
from simulator.market.mechanisms.double_dutch import RANGE
from simulator.model import FloatArray
from tests.clearing import lot


class Unit:
    """A platform whose highest price is 1."""

    def expected_value(self, provider: int, predicted_s: float, limit_s: float, grace_s: float) -> float:
        return 1.0 / RANGE


class Traded(NamedTuple):
    """What came of a market.

    Attributes:
        awards: the awards.
        messages: messages by the rule of the driver: one per participant that is asked and one per answer.
        welfare: sum of values less costs.
    """

    awards: Sequence[Award]
    messages: int
    welfare: float


def lots_of(buyers: int, sellers: int) -> list[Lot]:
    """Lots that every seller covers."""
    return [lot(range(sellers), task) for task in range(buyers)]


def trade(
    mechanism: Mechanism, values: FloatArray, costs: FloatArray, policy: Any = None, said: FloatArray | None = None,
    pairs: FloatArray | None = None, eager_first: bool = False,
) -> Traded:  # fmt: skip
    """Clear a market.

    Args:
        mechanism: the double auction.
        values: value of each buyer.
        costs: cost of each seller.
        policy: who sets the steps.
        said: values as the buyers say them; the truth if None.
        pairs: value of each buyer at each seller; its value everywhere if None.
        eager_first: whether those who accept one price answer in the order of their limits, as if the clock had passed
            all prices since the last one; else in the order of their ids.
    """
    said = values if said is None else said
    platform: Any = Unit()
    mechanism.reset(platform, np.random.default_rng(0))
    lots = lots_of(len(values), len(costs))
    seat = mechanism.seats["auctioneer"] if mechanism.seats else None
    reply: Any = None
    steps, messages = mechanism.clear(lots), 0
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as done:
            awards: Sequence[Award] = done.value
            break
        if isinstance(step, Decide):
            assert seat is not None
            reply = ask_action(policy, Seen(dict(step.state)), seat.space, 0)  # type: ignore[arg-type]
            continue
        found = answers(step, lots, said, costs, values, pairs)
        if eager_first and step.what == "accept":
            limit = {key: -said[key[0]] if step.side == "vehicles" else costs[key[1]] for key in found}
            found = dict.fromkeys(sorted(found, key=lambda key: float(limit[key])), True)
        if step.what != "quote":
            asked = len(step.lots) if step.side == "vehicles" else len(costs if step.to is None else step.to)
            messages += asked + len(found)
        reply = found
    welfare = 0.0
    for award in awards:
        assert award.provider is not None
        value = values[award.lot.task] if pairs is None else pairs[award.lot.task, award.provider]
        welfare += value - costs[award.provider]
    return Traded(awards, messages, welfare)


class Seen:
    """An observation with nothing but the state."""

    def __init__(self, state: dict[str, float]) -> None:
        self.state, self.mask = state, None


def answers(
    step: Ask, lots: Sequence[Lot], said: FloatArray, costs: FloatArray, values: FloatArray, pairs: FloatArray | None
) -> dict[tuple[int, int], Any]:
    """What the participants answer."""
    if step.what == "quote":
        promising = range(len(costs)) if step.to is None else step.to
        return {
            (one.task, seller): Quote(1.0, 0.5, float(values[one.task] if pairs is None else pairs[one.task, seller]))
            for one in step.lots
            for seller in promising
        }
    if step.side == "vehicles":
        limits = {(one.task, VEHICLE): float(said[one.task]) for one in step.lots}
        return limits if step.what == "bid" else {key: True for key, limit in limits.items() if limit >= step.price}
    asked = range(len(costs)) if step.to is None else step.to
    limits = {(NO_TASK, seller): float(costs[seller]) for seller in asked}
    return limits if step.what == "bid" else {key: True for key, limit in limits.items() if limit <= step.price}


def efficient(values: FloatArray, costs: FloatArray) -> float:
    """The largest possible welfare."""
    count = min(len(values), len(costs))
    return float(np.maximum(np.sort(values)[::-1][:count] - np.sort(costs)[:count], 0.0).sum())
