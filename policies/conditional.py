"""The closed-form price: a ratio of values that are expected from the public market conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.market.contracts import Observation
from simulator.model.mechanism import scaling_factor

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario


@dataclass
class Conditional:
    """Ratio of values expected from the public conditions m: ``rho = max(1, zeta E[v_0 | m] / E[b_(2) | m])``.

    The expected value of a provider is its mean match value divided by its predicted latency. The demand is a factor of
    both values and cancels. The rule is therefore ``rho = max(1, zeta k tau_(2) / tau_0)``. Here ``tau_0`` and
    ``tau_(2)`` are the predicted latencies of the UAV and of the second-best station. ``k`` is the mean audited match
    value of the UAV divided by that of all stations. In `paper` the rule is ``max(1, zeta E[M_0 | m] / E[M_(2) | m])``.

    The rule is biased: where the lead ``b_(1) / b_(2)`` is as large as rho, ``b_(2)`` is below its mean. A task also
    leaves a queue behind for later tasks. One factor corrects a part of both:
    ``rho = max(1, scale zeta k tau_(2) / tau_0)``.

    Attributes:
        scale: factor on the ratio. Above 1 it helps the UAV, below 1 it is a toll of 1 - scale on the UAV.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, int | float) or not 0.0 < self.scale <= 1e6:
            raise ValueError(f"scale must be a number above 0, at most 1e6, not {self.scale!r}")

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the weight zeta from the scenario, times the scale."""
        self._weight = scenario.market.uav_weight * self.scale

    def price(self, observation: Observation) -> float:
        """Return the ratio of the two expected values, at least 1."""
        return scaling_factor(*self._expected(observation))

    @property
    def reasons(self) -> dict[str, str]:
        """What the numbers of `explain` mean, by name."""
        return {
            "uav_value": "expected value of the UAV, scale zeta E[v_0 | m], without the demand",
            "second_bid": "expected second bid, E[b_(2) | m], without the demand",
        }

    def explain(self, observation: Observation) -> dict[str, float]:
        """Return the two expected values, whose ratio is the price if it is above 1."""
        uav, second = self._expected(observation)
        return {"uav_value": uav, "second_bid": second}

    def _expected(self, observation: Observation) -> tuple[float, float]:
        uav = observation["uav_match"] / observation["uav_seconds"]
        return self._weight * uav, observation["ground_match"] / observation["second_seconds"]
