"""Check of a policy against its contract, before a long run finds what is wrong."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

from simulator.errors import PolicyError, RunError
from simulator.market.contracts import Policy
from simulator.market.guard import ask_action, blamed, policy_label
from simulator.market.plugins import find_policy
from simulator.market.reasons import explained, reasons_of
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.world.driving import listen
from simulator.world.plan import Plan

CLOCKS = "double-dutch"
"""Mechanism in which a policy that sets numbers is tried."""

ROUNDS = 60
"""Length of the trial run, s. In `paper` it has one round per second."""


def check_policy(policy: str | Policy, scenario: str | Scenario = "paper") -> None:
    """Run a policy for a minute and check that it keeps the contract of `Policy`.

    The check tests that:

    - the policy can be deep-copied;
    - ``reset``, ``feedback``, ``served``, ``price``, ``act``, ``number`` and ``explain`` take the arguments of the
      contract;
    - every answer is in the space of its seat, such as a price >= 1;
    - ``price``, ``act``, ``number`` and ``explain`` change no attribute of the policy, apart from ``memory`` and the
      state of its random generator;
    - ``explain`` returns numbers by the names in ``reasons``;
    - two copies of the policy in the same state give the same price.

    Args:
        policy: policy, as text or as an object.
        scenario: scenario of the trial run.

    Raises:
        PolicyError: the policy breaks the contract. The message lists all that was found.
    """
    # The calibration of (13) draws 100,000 rounds by default. The check needs no exact contract bid.
    scenario = Scenario.load(scenario, **{"market.contract_rounds": 1000})
    found = find_policy(policy)
    # A policy that sets numbers has no seat in the paper's auction.
    only_numbers = callable(getattr(found, "number", None)) and not callable(getattr(found, "price", None))
    planned = plan(scenario, found, duration=ROUNDS, mechanism=CLOCKS if only_numbers else None)
    found = planned.policy
    problems = [
        *_signature(found, "reset", 2),
        *_signature(found, "feedback", 1),
        *_signature(found, "served", 1),
        *_signature(found, "price", 1),
        *_signature(found, "act", 2),
        *_signature(found, "number", 2),
        *_signature(found, "explain", 1),
    ]
    if problems:
        # A method that cannot be called with the arguments of the contract would fail again in the trial run.
        raise PolicyError(_report(found, problems))
    with blamed(f"policy {policy_label(found)}: check_policy()", PolicyError):
        problems = _try(planned)
    if problems:
        raise PolicyError(_report(found, problems))


def _try(planned: Plan) -> list[str]:
    """Return what the auctions of a trial run show to be wrong with a policy."""
    problems: list[str] = []
    simulation = planned.simulation()
    try:
        found = planned.new_policy()
        listen(simulation, found)
        reasons = reasons_of(found)
        for decision in simulation:
            # The twin has the same state and the same generator. A price that differs comes from another source
            # of randomness, and such a run cannot be repeated with its seed.
            twin, before = copy.deepcopy(found), copy.deepcopy(_state(found))
            if reasons:
                explained(found, decision.observation, reasons)
                told = _changed(before, _state(found))
                if told is not None:
                    problems.append(f"explain() changes the attribute '{told}'")
                    break
            action = ask_action(found, decision.observation, decision.place.space, decision.task)
            changed = _changed(before, _state(found))
            if changed is not None:
                problems.append(f"price() changes the attribute '{changed}'; learn in feedback() instead")
            if ask_action(twin, decision.observation, decision.place.space, decision.task) != action:
                problems.append(
                    "two copies in the same state give different prices; draw only from the rng given to reset()"
                )
            if problems:
                break
            simulation.answer(action)
    except RunError as fault:
        # The report names the policy once, so each problem is listed without the name.
        problems.append(str(fault).removeprefix(f"policy {policy_label(planned.policy)}").lstrip(",: "))
    return problems


def _report(policy: object, problems: list[str]) -> str:
    """Return one message about all problems."""
    return f"policy {policy_label(policy)}: " + "; ".join(problems)


def _signature(policy: object, method: str, arguments: int) -> list[str]:
    """Return what is wrong with a method that is called with a number of arguments; nothing if there is no method."""
    found = getattr(policy, method, None)
    if found is None:
        return []
    if not callable(found):
        return [f"{method} must be a method"]
    try:
        inspect.signature(found).bind(*range(arguments))
    except ValueError:
        return []  # a built-in function has no signature that Python can read
    except TypeError as error:
        names = {
            "reset": "reset(scenario, rng)",
            "feedback": "feedback(outcome)",
            "served": "served(outcome)",
            "price": "price(observation)",
            "explain": "explain(observation)",
        }
        return [f"the signature must be {names[method]}: {error}"]
    return []


def _state(policy: object) -> dict[str, Any]:
    """Return the attributes of a policy without what a decision may change: random generators, and `memory`."""
    attributes = getattr(policy, "__dict__", {})
    return {
        name: value
        for name, value in attributes.items()
        if name != "memory" and not isinstance(value, np.random.Generator)
    }


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Return the name of an attribute that differs, as far as they can be compared; None if there is none."""
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            return name
        try:
            if not _same(before[name], after[name]):
                return name
        except Exception:
            continue  # no evidence of a change: a policy may hold objects whose comparison raises
    return None


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, with arrays, containers and plain objects compared part by part."""
    # `==` alone does not do: on arrays it gives an array, and NaN differs from itself.
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(_same, one, other))
    # A class without `__eq__` compares by identity, and a deep copy is another object: compare its attributes.
    if type(one).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        return type(one) is type(other) and _same(_parts(one), _parts(other))
    return bool(one == other)


def _parts(thing: Any) -> dict[str, Any]:
    """Return the attributes of a plain object."""
    attributes: dict[str, Any] = getattr(thing, "__dict__", {})
    # A module of torch switches between training and evaluation; that is not what it has learned.
    switches = {"training"} if hasattr(thing, "named_parameters") else set[str]()
    return {name: value for name, value in attributes.items() if name not in switches}
