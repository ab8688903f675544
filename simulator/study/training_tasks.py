"""What is trained, on what, and how its weights are evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from simulator.errors import InputError, PolicyError, shown
from simulator.market.plugins import default_policy, find_mechanism, find_policy
from simulator.scenario.scenario import Scenario
from simulator.study import mechanism_training, price_training, seat_training

JUNCTION_GAMMA = 0.95
"""Usual discount factor of prices at a junction."""


class Task(NamedTuple):
    """What a training is about.

    Attributes:
        label: what is trained, for messages.
        found: the policy or the mechanism.
        about: what a training depends on besides its scenarios and its settings, as JSON has it.
        make: function that makes what a training world has to learn from, by its number.
        evaluate: function that evaluates the weights in a folder.
        gamma: usual discount factor; None for that of the learner.
    """

    label: str
    found: Any
    about: dict[str, Any]
    make: Callable[[int], Any]
    evaluate: Callable[[Path], dict[str, float]]
    gamma: float | None = None


def reference_of(policy: str | None, mechanism: str | None, scenario: Scenario) -> str:
    """Return the policy or the mechanism to which an evaluation is the ratio.

    Args:
        policy: policy that is trained; None for the mechanism.
        mechanism: mechanism of the training; None for ``msb``.
        scenario: a scenario of the training.
    """
    if policy is None:
        return mechanism_training.REFERENCE
    return price_training.REFERENCE if _is_price(mechanism) else default_policy(scenario, mechanism)


def task_of(
    scenarios: list[Scenario],
    policy: str | None,
    mechanism: str | None,
    seat: str | None,
    reward: str,
    seed: int,
    held_out: int,
) -> Task:
    """Return what a training is about.

    Args:
        scenarios: what is trained on.
        policy: policy that is trained; None for the mechanism.
        mechanism: mechanism of the training; None for ``msb``.
        seat: name of the seat; None for the only one.
        reward: what a step of a price earns.
        seed: seed of the training.
        held_out: number of held-out worlds per scenario.

    Raises:
        InputError: the arguments do not fit each other.
        PolicyError: there is no such policy or mechanism, or it cannot be trained.
    """
    worlds = range(price_training.HELD_OUT, price_training.HELD_OUT + held_out)
    if seat is not None and (policy is None or mechanism is None):
        raise InputError(f"seat: must be one of a mechanism that is named too, for a policy, not {shown(seat)}")
    if policy is None:
        if mechanism is None:
            raise InputError("policy: must be named, or a mechanism that is trained itself, such as myerson-net")
        found = _trainable(find_mechanism(mechanism), f"mechanism {mechanism}", "profiles")
        _need_own(reward, f"mechanism {mechanism} learns from its revenue")
        longest_s = price_training.EVALUATED_S
        return Task(
            f"mechanism {mechanism}",
            found,
            {"mechanism": mechanism},
            mechanism_training.profile_maker(scenarios, seed),
            mechanism_training.revenue_evaluator(found, scenarios, worlds, longest_s),
        )
    parts = policy.split(":")
    if len(parts) > 1 + parts[0].endswith(".py"):
        raise InputError(f"policy {policy}: a training starts from the plain policy; give its settings by --hyper")
    found = _trainable(find_policy(policy), f"policy {policy}", "make_env")
    label, about = f"policy {policy}", {"policy": policy}
    if mechanism is None or _is_price(mechanism):
        if seat not in (None, "auctioneer"):
            raise InputError(f"seat: mechanism msb has the seat auctioneer, not {shown(seat)}")
        # At a junction the winner of today is the queue of tomorrow, so future rewards count. Rounds are independent.
        places = any(scenario.traffic.has_places for scenario in scenarios)
        evaluate = price_training.price_evaluator(found, scenarios, held_out, reward == "realised")
        make = price_training.price_maker(scenarios, reward)
        return Task(label, found, about, make, evaluate, JUNCTION_GAMMA if places else None)
    _need_own(reward, f"a step in mechanism {mechanism} earns the surplus of what is awarded")
    return Task(
        label,
        found,
        about | {"mechanism": mechanism, "seat": seat},
        seat_training.seat_maker(scenarios, mechanism, seat, price_training.ROUNDS_PER_EPISODE),
        seat_training.seat_evaluator(found, scenarios, mechanism, seat, worlds),
        seat_training.GAMMA,
    )


def _is_price(mechanism: str | None) -> bool:
    return mechanism in (None, "msb")


def _need_own(reward: str, why: str) -> None:
    if reward != "own":
        raise InputError(f"reward: {why}; leave reward out")


def _trainable(found: Any, label: str, first: str) -> Any:
    if not callable(getattr(found, "train", None)):
        arguments = f"{first}, steps, seed, out, resume, report"
        raise PolicyError(f"{label} cannot be trained: it has no method train({arguments})")
    return found
