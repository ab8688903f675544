"""Which policy fits the seats of which mechanism."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simulator.errors import PolicyError
from simulator.market.contracts import Choice, Mechanism, Numbers, Policy, PriceScale
from simulator.market.entry_points import known_mechanisms, known_policies, load
from simulator.market.guard import METHODS, attribute_of, blamed, policy_label, seats_of
from simulator.market.plugins import NoPolicy, find_mechanism

SETS = {PriceScale: "price", Choice: "provider", Numbers: "number"}
"""What is decided in a seat, by the type of its space: a price scaling factor, who serves, or another number."""


def take_seats(policy: Policy, mechanism: Mechanism) -> None:
    """Tell a policy which seats it takes, if it has the method ``sit``.

    Args:
        policy: the policy, which may load what it needs for the seat.
        mechanism: the mechanism.

    Raises:
        PolicyError: the method raised an exception.
        InputError: the policy does not fit the seat.
    """
    sit = attribute_of(policy, "sit", "policy")
    if callable(sit):
        for seat in seats_of(mechanism).values():
            with blamed(f"policy {policy_label(policy)}: sit()", PolicyError):
                sit(seat)


def suits(policy: Policy, mechanism: Mechanism) -> str | None:
    """Return why a policy cannot sit in the seats of a mechanism; None if it can, or has brought the mechanism.

    Args:
        policy: the policy.
        mechanism: the mechanism.
    """
    label, rule, seats = policy_label(policy), policy_label(mechanism), seats_of(mechanism)
    brought = brought_by(policy)
    if not seats:
        seated = brought is not None or isinstance(policy, NoPolicy)
        return None if seated else f"mechanism {rule} has no seat for policy {label}"
    for name, seat in seats.items():
        if not callable(getattr(policy, METHODS[type(seat.space)], None)):
            wanted = f"mechanism {rule}: the policy in the seat '{name}' sets a {SETS[type(seat.space)]}"
            if brought is not None:
                return f"{wanted}, but policy {label} brings its own mechanism, {policy_label(brought)}"
            return f"{wanted}, but policy {label} {_does(policy)}"
    return None


def misfit(policy: Policy, mechanism: Mechanism) -> str | None:
    """Return why a policy cannot sit in the seats of a mechanism, and what would fit; None if it can.

    Args:
        policy: the policy.
        mechanism: the mechanism.
    """
    reason = suits(policy, mechanism)
    if reason is None:
        return None
    offers = (
        ("mechanisms for this policy", mechanisms_for(policy)),
        ("policies for this mechanism", policies_for(mechanism)),
    )
    return "; ".join([reason, *(f"{what}: {', '.join(names)}" for what, names in offers if names)])


def mechanisms_for(policy: Policy) -> list[str]:
    """Return the names of the installed mechanisms with seats that a policy can take."""
    found = []
    for name in known_mechanisms():
        with suppress(PolicyError):
            rule = find_mechanism(name)
            if seats_of(rule) and suits(policy, rule) is None:
                found.append(name)
    return found


def policies_for(mechanism: Mechanism) -> list[str]:
    """Return the names of the installed policies that can take the seats of a mechanism; none if it has no seat."""
    if not seats_of(mechanism):
        return []
    known = {name: with_defaults(load(entry)) for name, entry in known_policies().items()}
    own = (None, getattr(mechanism, "spec", None))
    return [name for name, one in known.items() if brought_by(one) in own and suits(one, mechanism) is None]


def with_defaults(kind: Any) -> Any:
    """Return an object of a class with default arguments; the class itself if some have no default."""
    try:
        return kind()
    except TypeError:
        return kind


def brought_by(policy: Any) -> str | Mechanism | None:
    """Return the mechanism that a policy brings; None if it sits in the seat of another."""
    brought: str | Mechanism | None = getattr(policy, "mechanism", None)
    return brought


def decided_by(policy: Any) -> list[str]:
    """Return what a policy, or a class of policies, can set: names in `SETS`."""
    return [what for space, what in SETS.items() if callable(getattr(policy, METHODS[space], None))]


def _does(policy: Policy) -> str:
    """Return what a policy decides, as the end of a sentence."""
    if isinstance(policy, NoPolicy):
        return "decides nothing"
    return f"sets a {' or a '.join(decided_by(policy))}"
