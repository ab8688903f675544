"""Settings of the auction and its weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.model.mechanism import price_grid
from simulator.scenario.fields import Model, NonNegative, Positive, Real, Whole


class Market(Model):
    """The auction and its weights.

    Equation numbers are those of the paper.
    """

    mechanism: str | None = None
    """Name of the mechanism, such as `msb` or `second-price`. If not given: that of the policy, else `msb`."""
    information: Literal["public", "masked", "all-bids", "clairvoyant"] | None = None
    """Information that the policy may see. If not given: what the policy declares, else `public`."""
    reference: Literal["stations", "all", "other_owner"] = "stations"
    """Bids under the max in (14): of the other `stations`, of `all` other providers, or of stations of `other_owner`s.

    The paper says all. With `other_owner`, stations of one owner cannot lower the price for each other.
    """
    patience_s: Positive = 10.0
    """Longest wait of a task for an award, s, where the mechanism clears in windows. Then the task is unserved."""
    message_s: NonNegative = 0.0
    """Time of one round of messages between the mechanism and the participants, there and back, s."""
    uav_payment: Literal["royalty", "posted", "contract"] = "royalty"
    """Payment of a UAV that wins where its own bid does not count.

    With `royalty` it pays `uav_share` of the audited worth of the task when the task has ended, and nothing for a lost
    task. With `posted` it pays `uav_share` of the value that the platform expects, E[v_0 | m]. With `contract` it pays
    the contract bid of (13).
    """
    uav_share: Annotated[Real, Field(ge=0, le=1)] = 0.5
    """Share phi of a task's worth that a UAV pays, for `royalty` and `posted`."""
    uav_weight: Positive = 1.0
    """Weight zeta of the UAV's surplus in (12)."""
    latency_weight: Positive = 1.0
    """Weight omega_1 of the latency in (9), s."""
    accuracy_weight: Positive = 0.1
    """Weight omega_2 of the accuracy in (10)."""
    accuracy_exponent: Annotated[Real, Field(gt=0, le=10)] = 2.0
    """Exponent beta of the accuracy in (10)."""
    history: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    """Number T of tasks over which a provider averages in (9) and (10), the task on offer included.

    With 1 a value is that of the task on offer alone.
    """
    actions: Annotated[Whole, Field(ge=1, le=1000)] = 20
    """Number |A| of actions. Action a is the price scaling factor rho = 10^(a/|A|)."""
    most_bids: Annotated[Whole, Field(ge=3, le=1000)] | None = None
    """Number of bids in an observation's array. By default 3; with `masked` or `all-bids` that of stations, if more."""
    first_action: Literal[0, 1] = 0
    """First action a of the grid: 0, so that rho = 1 is available, or 1 as in the paper."""
    contract_rounds: Annotated[Whole, Field(ge=1, le=10_000_000)] = 100_000
    """Number of rounds for the contract bid (13): the last ones, or a calibration draw in `rounds`."""
    load_window_s: Positive = 120.0
    """Length of the time window in which requests are counted for the load of the market, s."""

    def prices(self) -> list[float]:
        """Return the grid of price scaling factors, in increasing order."""
        grid: list[float] = price_grid(self.actions, self.first_action).tolist()
        return grid
