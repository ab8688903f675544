"""dmsb: auctions for vehicle-twin tasks at an intersection.

Each public name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.errors import (
        EmptyMarketWarning,
        InputError,
        PolicyError,
        RecordingError,
        RecordingWarning,
        RunError,
        ScenarioError,
    )
    from simulator.market.contracts import (
        Ask,
        Award,
        Bidder,
        Choice,
        Column,
        Decide,
        Lot,
        Mechanism,
        Numbers,
        Observation,
        Outcome,
        Policy,
        PriceScale,
        Quote,
        Seat,
        Settlement,
        Trainable,
        View,
    )
    from simulator.market.mechanisms.sealed_bid import SealedBid
    from simulator.record.result import Result
    from simulator.run import plan, simulate
    from simulator.scenario.scenario import Scenario
    from simulator.study.arena import arena
    from simulator.study.check_policy import check_policy
    from simulator.study.compare import compare
    from simulator.traffic.recording import Recording
    from simulator.world.simulation import Simulation

# Imported at once, these modules would load numpy, SimPy and pydantic even for ``dmsb --help``.
_HOMES = {
    "EmptyMarketWarning": "errors",
    "InputError": "errors",
    "PolicyError": "errors",
    "RecordingError": "errors",
    "RecordingWarning": "errors",
    "RunError": "errors",
    "ScenarioError": "errors",
    "check_policy": "study.check_policy",
    "arena": "study.arena",
    "compare": "study.compare",
    "Ask": "market.contracts",
    "Award": "market.contracts",
    "Bidder": "market.contracts",
    "Choice": "market.contracts",
    "Column": "market.contracts",
    "Decide": "market.contracts",
    "Lot": "market.contracts",
    "Policy": "market.contracts",
    "Numbers": "market.contracts",
    "Quote": "market.contracts",
    "PriceScale": "market.contracts",
    "Seat": "market.contracts",
    "Settlement": "market.contracts",
    "View": "market.contracts",
    "SealedBid": "market.mechanisms.sealed_bid",
    "Mechanism": "market.contracts",
    "Observation": "market.contracts",
    "Outcome": "market.contracts",
    "Trainable": "market.contracts",
    "Result": "record.result",
    "plan": "run",
    "simulate": "run",
    "Scenario": "scenario.scenario",
    "Recording": "traffic.recording",
    "Simulation": "world.simulation",
}

__all__ = [
    "Ask",
    "Award",
    "Bidder",
    "Choice",
    "Column",
    "Decide",
    "EmptyMarketWarning",
    "InputError",
    "Lot",
    "Mechanism",
    "Numbers",
    "Observation",
    "Outcome",
    "Policy",
    "PolicyError",
    "PriceScale",
    "Quote",
    "Recording",
    "RecordingError",
    "RecordingWarning",
    "Result",
    "RunError",
    "Scenario",
    "ScenarioError",
    "SealedBid",
    "Seat",
    "Settlement",
    "Simulation",
    "Trainable",
    "View",
    "arena",
    "check_policy",
    "compare",
    "plan",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'simulator' has no attribute '{name}'")
    return getattr(importlib.import_module(f"simulator.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
