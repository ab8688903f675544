"""Numbers by which a policy explains a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.errors import PolicyFailedError, nearest, shown
from simulator.market.contracts import Column, Observation, Policy
from simulator.market.guard import blamed, policy_label


def reasons_of(policy: Policy) -> tuple[Column, ...]:
    """Return the columns ``why_<name>`` of a policy, in the order of its ``reasons``; none if it does not explain.

    Args:
        policy: a policy after its ``reset``.

    Raises:
        PolicyFailedError: ``reasons`` is not a mapping from names to meanings.
    """
    with blamed(f"policy {policy_label(policy)}: reasons", PolicyFailedError):
        if not callable(getattr(policy, "explain", None)):
            return ()
        reasons = getattr(policy, "reasons", None)
        told = dict(reasons.items()) if isinstance(reasons, Mapping) else None
    if told is None or not all(
        isinstance(name, str) and name.isidentifier() and isinstance(meaning, str) for name, meaning in told.items()
    ):
        raise PolicyFailedError(
            f"policy {policy_label(policy)}: reasons must be a dict from identifiers to the meanings of the numbers of "
            f"explain(), not {shown(reasons)}"
        )
    return tuple(Column(f"why_{name}", "float", "", meaning) for name, meaning in told.items())


def explained(policy: Policy, observation: Observation, columns: tuple[Column, ...]) -> list[float]:
    """Return the numbers by which a policy explains a decision; NaN for those that it leaves out.

    Args:
        policy: a policy with the method ``explain``.
        observation: what the policy saw.
        columns: columns of the numbers, from `reasons_of`.

    Raises:
        PolicyFailedError: the policy raised an exception, or did not return numbers by name.
    """
    place = f"policy {policy_label(policy)}: explain()"
    with blamed(place, PolicyFailedError):
        answer = policy.explain(observation)  # type: ignore[attr-defined]
        found = dict(answer.items()) if isinstance(answer, Mapping) else None
    if found is None:
        raise PolicyFailedError(f"{place} must return numbers by name, not {shown(answer)}")
    names = [column.name.removeprefix("why_") for column in columns]
    for name, value in found.items():
        if name not in names:
            raise PolicyFailedError(f"{place}: '{name}' is not in reasons; {nearest(str(name), names)}")
        try:
            found[name] = float(value)
        except Exception:  # a value's own __float__ may raise anything
            raise PolicyFailedError(f"{place}: {name} must be a number, not {shown(value)}") from None
    return [found.get(name, math.nan) for name in names]
