"""Driving a simulation: a policy answers its decisions and hears what came of them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

from simulator.market.contracts import Column, Policy
from simulator.market.guard import ask_action, attribute_of, give_outcome
from simulator.market.reasons import explained, reasons_of
from simulator.world.simulation import Simulation

NEVER = 1_000_000_000
"""Number of collections of younger objects after which Python would look through the oldest ones."""


def drive(
    simulation: Simulation,
    policy: Policy,
    progress: Callable[[float], None] | None = None,
    explain: bool = False,
) -> None:
    """Let a policy price every auction of a simulation that needs a price.

    Args:
        simulation: a simulation at its start.
        policy: a policy after its ``reset``.
        progress: function that is called with the simulated time, s, after every priced auction.
        explain: whether a policy that can explain its decisions does.

    Raises:
        RunError: the policy or the mechanism failed.
    """
    listen(simulation, policy)
    reasons = reasons_of(policy) if explain else ()
    simulation.recorder.explain(reasons)
    with _without_full_collections():
        _answer(simulation, policy, progress, reasons)


def _answer(
    simulation: Simulation, policy: Policy, progress: Callable[[float], None] | None, reasons: tuple[Column, ...]
) -> None:
    """Answer all decisions of a simulation."""
    for decision in simulation:
        # Before the action, as a policy may change with it.
        if reasons:
            decision.why = explained(policy, decision.observation, reasons)
        action = ask_action(policy, decision.observation, decision.place.space, decision.task)
        simulation.auctioneer.answer(action)
        if progress is not None:
            progress(simulation.now)


def listen(simulation: Simulation, policy: Policy) -> None:
    """Pass the outcome of every decision to the policy: to ``feedback`` at the settlement, to ``served`` at the end.

    Both methods are optional.

    Args:
        simulation: a simulation at its start.
        policy: a policy after its ``reset``.
    """
    if callable(attribute_of(policy, "feedback", "policy")):
        simulation.auctioneer.telling.feedback = lambda outcome: give_outcome(policy, "feedback", outcome)
    if callable(attribute_of(policy, "served", "policy")):
        simulation.auctioneer.telling.served = lambda outcome: give_outcome(policy, "served", outcome)


@contextlib.contextmanager
def _without_full_collections() -> Iterator[None]:
    """Let Python look for cyclic garbage among young objects only.

    A run keeps hundreds of thousands of tuples, such as the points of paths, and makes no cycles. To look through all
    of them again and again costs a tenth of a run of 20 hours.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
