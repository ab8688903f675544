"""The auction's settings and weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.model.mechanism import price_grid
from simulator.scenario.fields import Model, Positive, Real, Whole


class Market(Model):
    """The auction and its weights."""

    mechanism: str | None = None
    """Mechanism by name (`msb`, `second-price`, or one's own); none: the policy's own, else `msb`."""
    information: Literal["public", "masked", "all-bids", "clairvoyant"] | None = None
    """What the policy may see; none: what it declares, else `public`."""
    reference: Literal["stations", "all"] = "stations"
    """Over whom the max in (14) runs: the other ground stations, or literally all other providers."""
    uav_weight: Positive = 1.0
    """Weight zeta of the UAV's surplus."""
    latency_weight: Positive = 1.0
    """Weight omega_1 of the latency, s."""
    accuracy_weight: Positive = 0.1
    """Weight omega_2 of the accuracy."""
    accuracy_exponent: Annotated[Real, Field(gt=0, le=10)] = 2.0
    """Exponent beta of the accuracy."""
    history: Annotated[Whole, Field(ge=1, le=10_000)] = 5
    """T: over how many tasks a provider averages, this one included."""
    actions: Annotated[Whole, Field(ge=1, le=1000)] = 20
    """|A|: size of the grid of price scaling factors 10^(a/|A|)."""
    first_action: Literal[0, 1] = 0
    """The first a of the grid: 0, so that rho = 1 is a choice, or the paper's 1."""
    contract_rounds: Annotated[Whole, Field(ge=1, le=10_000_000)] = 100_000
    """Rounds from which the contract bid (13) is computed: the last settled ones; in `rounds` a calibration draw."""
    load_window_s: Positive = 120.0
    """Window over which the load of the market is counted, s."""

    def prices(self) -> list[float]:
        """The grid of price scaling factors."""
        grid: list[float] = price_grid(self.actions, self.first_action).tolist()
        return grid
