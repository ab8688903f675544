"""What is compared: pairs of a policy and a mechanism, and a trial of each before a long study begins."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from simulator.errors import PolicyError, SkippedWarning
from simulator.market.guard import ask_action, policy_label, seats_of
from simulator.market.plugins import NoPolicy, find_mechanism, find_policy
from simulator.market.reasons import explained, reasons_of
from simulator.market.seats import brought_by, suits
from simulator.world.driving import listen
from simulator.world.plan import Plan

TRIAL_ROUNDS, TRIAL_S = 20, 120.0
"""A trial ends after so many auctions, or after so many simulated seconds."""


class Contender(NamedTuple):
    """A policy, or a policy in the seats of a mechanism.

    Attributes:
        policy: the policy, as text; ``none`` for a mechanism without seats.
        mechanism: the mechanism, as text; None for that of the policy or of the scenario.
        name: name in tables; empty to make one of policy and mechanism.
    """

    policy: str
    mechanism: str | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """Name in tables."""
        if self.name or self.mechanism is None:
            return self.name or self.policy
        return self.mechanism if self.policy == NoPolicy.spec else f"{self.policy} @ {self.mechanism}"


def contenders(policies: Sequence[str], mechanisms: Sequence[str] | None) -> list[Contender]:
    """Return what is compared, in order: every policy in every mechanism that has a seat for it.

    A mechanism without seats is one contender by itself.

    Args:
        policies: the policies, as text.
        mechanisms: the mechanisms, as text; None to leave each policy in its own mechanism.

    Raises:
        PolicyError: a policy or a mechanism does not exist or does not fit.

    Warns:
        SkippedWarning: a policy cannot sit in the seats of a mechanism, so that this pair is left out.
    """
    if mechanisms is None:
        return [Contender(policy) for policy in policies]
    found: list[Contender] = []
    for mechanism in mechanisms:
        rule = find_mechanism(mechanism)
        if not seats_of(rule):
            found.append(Contender(NoPolicy.spec, mechanism))
            continue
        if not policies:
            raise PolicyError(f"policies: mechanism {mechanism} has a seat, so name one or more policies")
        for policy in policies:
            there = find_policy(policy)
            reason = suits(there, rule)
            brought = brought_by(there)
            if brought not in (None, mechanism):
                reason = f"policy {policy} brings its own mechanism, {policy_label(brought)}"
            if reason is None:
                found.append(Contender(policy, None if brought else mechanism))
            else:
                warnings.warn(f"{policy} @ {mechanism} is left out: {reason}", SkippedWarning, stacklevel=3)
    if not found:
        raise PolicyError("mechanisms: no policy fits a seat of any mechanism, so nothing can be compared")
    return found


def try_out(planned: Plan) -> None:
    """Run the first rounds of a plan, so that what fails at once fails before a long study and not in it.

    Raises:
        RunError: the policy, the mechanism or a bidder failed.
    """
    simulation, auctions = planned.simulation(), 0
    policy = planned.new_policy()
    listen(simulation, policy)

    def count(cleared: Sequence[Any]) -> None:
        nonlocal auctions
        auctions += len(cleared)

    simulation.auctioneer.before_clearing = count
    # The page of a comparison shows explanations, so they are tried too.
    reasons = reasons_of(policy)
    for decision in simulation.until(min(planned.duration, TRIAL_S)):
        if reasons:
            explained(policy, decision.observation, reasons)
        simulation.auctioneer.answer(ask_action(policy, decision.observation, decision.place.space, decision.task))
        if auctions >= TRIAL_ROUNDS:
            return
