"""Tell the author of a policy what is wrong with it, before a long run does."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

from simulator.errors import PolicyError, RunError
from simulator.market.contracts import PricingPolicy
from simulator.market.guard import ask_price, blamed, policy_label
from simulator.run import Plan, listen, plan
from simulator.scenario.scenario import Scenario

ROUNDS = 60


def check_policy(policy: str | PricingPolicy, scenario: str | Scenario = "paper") -> None:
    """Run a policy for a minute of a scenario and hold it to the contract of `PricingPolicy`.

    Checked: it deep-copies; ``reset(scenario, rng)`` and ``feedback(outcome)`` take what they are given; every price
    is a number >= 1; ``price`` changes nothing but the policy's generator; two copies in the same state give the same
    price, so that no global randomness is in it.

    Args:
        policy: as in `simulate`.
        scenario: where it is tried.

    Raises:
        PolicyError: something is wrong; the message lists everything that was found.
    """
    scenario = Scenario.load(scenario, **{"market.contract_rounds": 1000})
    planned = plan(scenario, policy, duration=ROUNDS)
    found = planned.policy
    problems = [*_signature(found, "reset", 2), *_signature(found, "feedback", 1), *_signature(found, "price", 1)]
    if problems:
        raise PolicyError(_report(found, problems))
    with blamed(f"policy {policy_label(found)}: check_policy()", PolicyError):
        problems = _try(planned)
    if problems:
        raise PolicyError(_report(found, problems))


def _try(planned: Plan) -> list[str]:
    """What is wrong with a policy as far as a minute's auctions show."""
    problems: list[str] = []
    simulation = planned.simulation()
    try:
        found = planned.new_policy()
        listen(simulation, found)
        for auction in simulation:
            twin, before = copy.deepcopy(found), copy.deepcopy(_state(found))
            rho = ask_price(found, auction.observation, auction.task.id)
            if not _unchanged(before, _state(found)):
                problems.append("price() changes the policy's state; learn in feedback() instead")
            if ask_price(twin, auction.observation, auction.task.id) != rho:
                problems.append(
                    "two copies in the same state give different prices; draw only from the rng given to reset()"
                )
            if problems:
                break
            simulation.settle(rho)
    except RunError as fault:
        problems.append(str(fault).removeprefix(f"policy {policy_label(planned.policy)}").lstrip(",: "))
    return problems


def _report(policy: object, problems: list[str]) -> str:
    return f"policy {policy_label(policy)}: " + "; ".join(problems)


def _signature(policy: object, method: str, arguments: int) -> list[str]:
    found = getattr(policy, method, None)
    if found is None:
        return []
    if not callable(found):
        return [f"{method} is no method"]
    try:
        inspect.signature(found).bind(*range(arguments))
    except ValueError:
        return []  # a built-in tells no signature
    except TypeError as error:
        names = {"reset": "reset(scenario, rng)", "feedback": "feedback(outcome)", "price": "price(observation)"}
        return [f"it must be {names[method]}: {error}"]
    return []


def _state(policy: object) -> dict[str, Any]:
    attributes = getattr(policy, "__dict__", {})
    return {name: value for name, value in attributes.items() if not isinstance(value, np.random.Generator)}


def _unchanged(before: Any, after: Any) -> bool:
    try:
        return _same(before, after)
    except Exception:
        return True  # what cannot be compared is not held against a policy


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(_same, one, other))
    if type(one).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        return type(one) is type(other) and _same(getattr(one, "__dict__", {}), getattr(other, "__dict__", {}))
    return bool(one == other)
