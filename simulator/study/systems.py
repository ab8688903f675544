"""The systems of the arena: each a mechanism, with whoever decides in its seats."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from simulator.errors import InputError, SkippedWarning, nearest, shown
from simulator.market.entry_points import known_mechanisms, known_policies
from simulator.market.plugins import NoPolicy, default_policy
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.contenders import Contender, try_out


class System(NamedTuple):
    """A system of the arena.

    Attributes:
        policy: who decides in the seats of the mechanism, as text; ``none`` where there is no seat.
        mechanism: the mechanism, as text; None for the one that the policy brings.
        family: `one task`, `double auction` or `direct`.
        about: what it is, in one line.
    """

    policy: str
    mechanism: str | None
    family: str
    about: str


NONE = NoPolicy.spec

ALL = "all"
"""Name that stands for all systems."""

SYSTEMS = {
    "msb": System("conditional", "msb", "one task", "the paper's auction with the closed-form price"),
    "msb-diffusion": System("diffusion", "msb", "one task", "the paper's auction with the diffusion price, DMSB"),
    "msb-dqn": System("dqn", "msb", "one task", "the paper's auction with a price by deep Q-learning, DQMSB"),
    "msb-foresight": System("foresight", "msb", "one task", "the paper's auction with a fitted price"),
    "msb-optimal": System("optimal", "msb", "one task", "the paper's auction with one price from past rounds"),
    "msb-oracle": System("oracle", "msb", "one task", "the paper's auction with a price that knows all values"),
    "spa": System("spa", None, "one task", "the paper's second-price auction"),
    "vickrey": System(NONE, "vickrey", "one task", "second price among all providers"),
    "first-price": System(NONE, "first-price", "one task", "first price among all providers"),
    "second-score": System(NONE, "second-score", "one task", "bid and promised quality, second score"),
    "myerson": System(NONE, "myerson", "one task", "largest expected revenue, by the bids of past rounds"),
    "myerson-net": System(NONE, "myerson-net", "one task", "largest expected revenue, by a network trained before"),
    "regret-net": System(NONE, "regret-net", "one task", "winner and payment by a network, little to gain by a lie"),
    "vcg": System(NONE, "vcg-assignment:every_s=0.5", "one task", "assignment of a window, VCG payments"),
    "double-dutch": System("gap-step:4", "double-dutch", "double auction", "two clocks, steps of a quarter of the gap"),
    "double-dutch-fine": System("fixed-step:0.01", "double-dutch", "double auction", "two clocks, steps of 1 %"),
    "double-dutch-medium": System("fixed-step:0.05", "double-dutch", "double auction", "two clocks, steps of 5 %"),
    "double-dutch-coarse": System("fixed-step:0.1", "double-dutch", "double auction", "two clocks, steps of 10 %"),
    "double-dutch-random": System("random", "double-dutch", "double auction", "two clocks, random steps"),
    "double-dutch-ppo": System("ppo", "double-dutch", "double auction", "two clocks, steps learned by PPO"),
    "double-dutch-sac": System("sac", "double-dutch", "double auction", "two clocks, steps learned by SAC"),
    "double-dutch-dqn": System("dqn", "double-dutch", "double auction", "two clocks, steps by deep Q-learning"),
    "double-dutch-diffusion": System("diffusion", "double-dutch", "double auction", "two clocks, a diffusion model"),
    "madda": System("gap-step:4", "madda", "double auction", "matched by attributes, then two clocks"),
    "madda-random": System("random", "madda", "double auction", "madda, random steps"),
    "madda-ppo": System("ppo", "madda", "double auction", "madda, steps by PPO trained on double-dutch"),
    "madda-dqn": System("dqn", "madda", "double auction", "madda, steps by deep Q-learning on double-dutch"),
    "madda-gpt": System("gpt", "madda", "double auction", "madda, a transformer trained on double-dutch"),
    "mcafee": System(NONE, "mcafee", "double auction", "sealed limits, McAfee's rule"),
    "trade-reduction": System(NONE, "trade-reduction", "double auction", "sealed limits, the last pair left out"),
    "efficient": System(NONE, "efficient", "double auction", "best assignment of a window, no payments"),
    "nearest": System("nearest", None, "direct", "the nearest provider, no auction"),
    "least-loaded": System("least-loaded", None, "direct", "the provider with the least backlog, no auction"),
}
"""Systems by name. The first is the one with which the others are compared."""


def find_systems(names: Sequence[str], scenario: Scenario) -> dict[str, System]:
    """Return systems by name, in order.

    Args:
        names: names in `SYSTEMS`, `ALL`, ``POLICY@MECHANISM``, or the name of a mechanism with its usual policy; all
            systems if there are none.
        scenario: scenario of the arena.

    Raises:
        InputError: there is no such system, or it is named twice.
    """
    if isinstance(names, str) or len(set(names)) < len(names):
        raise InputError(f"systems: must be a list of different systems, not {shown(names)}")
    found = dict(SYSTEMS) if not names or ALL in names else {}
    for name in names:
        if name == ALL:
            continue
        if name in SYSTEMS:
            found[name] = SYSTEMS[name]
            continue
        policy, at, mechanism = name.partition("@")
        if at:
            found[name] = System(policy.strip(), mechanism.strip(), "own", "")
        elif _is_mechanism(name):
            found[name] = System(default_policy(scenario, name), name, "own", "")
        elif name.partition(":")[0] in known_policies():
            raise InputError(f"systems: '{name}' is a policy; name its mechanism too, as in {name}@MECHANISM")
        else:
            offer = nearest(name, [*SYSTEMS, *known_mechanisms()])
            raise InputError(f"systems: there is no system '{name}' (others are POLICY@MECHANISM); {offer}")
    return found


def systems_for(names: Sequence[str], scenario: Scenario) -> dict[str, System]:
    """Return systems by name, without those of `SYSTEMS` that nobody has named and that cannot run in a scenario.

    Weights, for example, belong to one number of actions.

    Args:
        names: names as `find_systems` takes them.
        scenario: scenario of the arena.

    Raises:
        InputError: there is no such system, or it is named twice.

    Warns:
        SkippedWarning: a system is left out. The message says why.
    """
    found = find_systems(names, scenario)
    for name, system in list(found.items()):
        if name in names:
            continue
        try:
            try_out(plan(scenario, None if system.policy == NONE else system.policy, mechanism=system.mechanism))
        except InputError as error:
            warnings.warn(f"system {name} is left out: {error}", SkippedWarning, stacklevel=3)
            del found[name]
    return found


def _is_mechanism(name: str) -> bool:
    """Return whether a text begins as one that names a mechanism."""
    head = name.partition(":")[0]
    return head in known_mechanisms() or head.endswith(".py")


def contender(name: str, system: System) -> Contender:
    """Return a system as what a comparison compares.

    Args:
        name: its name.
        system: the system.
    """
    return Contender(system.policy, system.mechanism, name)
