"""Every system of the arena runs on its own and keeps every law, with idle servers and with scarce ones."""

from __future__ import annotations

import pytest

from simulator import simulate
from simulator.study.systems import NONE, SYSTEMS
from tests.laws import check_laws
from tests.quick import quick

FIRST = {
    (system, "after_the_match")
    for system in ("msb-diffusion", "msb-dqn", "myerson-net", "regret-net", "double-dutch-ppo", "madda-gpt")
}


@pytest.mark.parametrize(
    ("system", "scenario"),
    quick(FIRST, [(system, scenario) for system in SYSTEMS for scenario in ("four_way", "after_the_match")]),
)
def test_a_run_of_a_system_keeps_every_law(system: str, scenario: str) -> None:
    about = SYSTEMS[system]
    policy = None if about.policy == NONE else about.policy
    result = simulate(scenario, policy, mechanism=about.mechanism, duration=200)
    check_laws(result)
    assert (result.auctions["winner"] >= 0).sum() > 15
