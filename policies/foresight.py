"""A price from fitted expectations: what the top station is worth at its lead, against what the UAV is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import InputError
from simulator.files import folder as folder_at
from simulator.market.contracts import Observation
from simulator.model.mechanism import scaling_factor

from . import regression
from .regression import Coefficients, Fit

if TYPE_CHECKING:
    from simulator.market.contracts import Scenario

SHIPPED = Path(__file__).parent / "weights" / "foresight"
"""Folder of the coefficients that come with the project."""

LEAST_SLOPE = 0.05
"""Least elasticity of the top value by the lead at which the rule is used.

Up to it the lead says too little, and the price is that of `conditional` with scale 1 - theta.
"""

MOST_LOG_RHO = 20.0
"""Largest ln(rho) that the rule asks for."""

REPORT_EVERY = 500
"""Number of environment steps between two reports of a training."""


@dataclass
class Foresight:
    """The price at which the top station is expected to be worth as much as the UAV, by a fit on training worlds.

    With the lead ``L = log(b_(1) / b_(2))`` and ``x = log(match / seconds)`` of a provider, the fit is::

        log own(top) = a + beta L + c_1 x_1 + c_2 x_2 + noise of variance s^2
        log own(UAV) = u_0 + u_1 x_0 + noise of variance s_0^2

    A station should win iff ``E[own(top) | L] > (1 - theta) zeta E_0``. That is the price ``rho`` with::

        E_0 = p_0 exp(u_0 + u_1 x_0 + s_0^2 / 2), p_0 = share of tasks that are worth something to the UAV
        log rho = max(0, (log((1 - theta) zeta E_0) - a - s^2 / 2 - c_1 x_1 - c_2 x_2) / beta)

    The coefficients are frozen and the conditions are public, so no bid of the round moves the price. If beta is at
    most `LEAST_SLOPE`, the price is that of `conditional` with scale ``1 - theta``.

    Attributes:
        weights: folder of a training or of its coefficients, or None for the shipped ones.
        theta: what a task at the UAV costs later tasks more than one at a station, as a share of the UAV's value; None
            for that of the training. ``dmsb toll`` measures it.
    """

    weights: str | None = None
    theta: float | None = None

    def __post_init__(self) -> None:
        theta = self.theta
        if theta is not None and (
            isinstance(theta, bool) or not isinstance(theta, int | float) or not -10.0 <= theta < 1.0
        ):
            raise ValueError(f"theta must be a number from -10 to below 1, not {theta!r}")
        folder = SHIPPED if self.weights is None else folder_at(self.weights)
        self._fit: Coefficients | None = None
        # Without coefficients the policy can still be trained; `reset` refuses to run it.
        if self.weights is None and not folder.exists():
            return
        try:
            folder = folder / "best" if (folder / "best").exists() else folder
        except OSError as error:
            raise InputError(f"{folder}: the coefficients cannot be read ({error.strerror})") from None
        self._fit, self.weights_sha256 = regression.load(folder)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Take the weight zeta from the scenario.

        Raises:
            InputError: there are no coefficients.
        """
        if self._fit is None:
            raise InputError("policy foresight: no coefficients are shipped; train some, and give them as weights=DIR")
        self._zeta = scenario.market.uav_weight
        self._toll = self._fit.theta if self.theta is None else self.theta

    def price(self, observation: Observation) -> float:
        """Return the price at which both expectations are equal, at least 1."""
        assert self._fit is not None
        if self._fit.lead <= LEAST_SLOPE:
            uav = self._zeta * (1.0 - self._toll) * observation["uav_match"] / observation["uav_seconds"]
            return scaling_factor(uav, observation["ground_match"] / observation["second_seconds"])
        return math.exp(self._log_rho(observation))

    @property
    def reasons(self) -> dict[str, str]:
        """What the numbers of `explain` mean, by name."""
        return {
            "uav_value": "expected value of the UAV less the toll, (1 - theta) zeta E_0, without the demand",
            "top_value": "expected value of a top station whose lead is rho, without the demand",
        }

    def explain(self, observation: Observation) -> dict[str, float]:
        """Return the two expectations.

        They are equal unless the price is 1, is cut off at ``exp(MOST_LOG_RHO)``, or does not depend on the lead.
        """
        assert self._fit is not None
        log_rho = max(self._log_rho(observation), 0.0)
        top = math.exp(self._log_top(observation) + self._fit.lead * log_rho)
        return {"uav_value": self._uav(observation), "top_value": top}

    def _uav(self, observation: Observation) -> float:
        assert self._fit is not None
        fit, x = self._fit, math.log(observation["uav_match"] / observation["uav_seconds"])
        expected = fit.uav_share * math.exp(fit.uav_constant + fit.uav_slope * x + 0.5 * fit.uav_variance)
        return (1.0 - self._toll) * self._zeta * expected

    def _log_top(self, observation: Observation) -> float:
        """Return the logarithm of the expected value of a top station without a lead."""
        assert self._fit is not None
        fit = self._fit
        best = math.log(observation["best_match"] / observation["best_seconds"])
        second = math.log(observation["second_match"] / observation["second_seconds"])
        return fit.constant + 0.5 * fit.variance + fit.best * best + fit.second * second

    def _log_rho(self, observation: Observation) -> float:
        assert self._fit is not None
        uav = self._uav(observation)
        if uav <= 0.0:
            return 0.0
        if math.isnan(observation["second_seconds"]):
            return 0.0  # a lone station with a false second name: it wins, as it does alone
        lead = (math.log(uav) - self._log_top(observation)) / max(self._fit.lead, LEAST_SLOPE)
        return min(max(lead, 0.0), MOST_LOG_RHO)

    def train(
        self,
        make_env: Callable[[int], Any],
        steps: int,
        seed: int,
        out: Path,
        resume: bool,
        report: Callable[[dict[str, float]], None],
        theta: float = 0.1,
        worlds: int = 4,
    ) -> None:
        """Fit the coefficients in training worlds, under prices that are drawn at random.

        Args:
            make_env: function that makes the environment of a world from its number.
            steps: environment steps in total.
            seed: seed of the worlds and of the prices.
            out: folder of the training. Its sums go to ``out/last``, the coefficients to ``out/deployed``.
            resume: whether to continue from ``out/last``.
            report: function that receives the metrics.
            theta: the toll on the UAV that the coefficients carry with them.
            worlds: number of worlds per checkpoint.

        Raises:
            InputError: an argument is out of range, or the sums cannot be read.
        """
        if isinstance(worlds, bool) or not isinstance(worlds, int) or not 1 <= worlds <= 1000:
            raise InputError(f"hyperparameter worlds must be a whole number from 1 to 1000, not {worlds!r}")
        try:
            type(self)(theta=theta)
        except ValueError as error:
            raise InputError(f"hyperparameter {error}") from None
        fit = Fit.load(out / regression.LAST) if resume else Fit()
        envs = [make_env(world) for world in range(worlds)]
        while fit.steps < steps:
            seeds = np.random.SeedSequence([seed, fit.cycle]).generate_state(worlds + 1).tolist()
            rng = np.random.default_rng(seeds[-1])
            for env, own in zip(envs, seeds, strict=False):
                _play(env, own, rng, fit, steps, report)
            fit.cycle += 1
            regression.save(out / regression.DEPLOYED, fit.coefficients(theta), fit.steps)
            report({"steps": fit.steps, "checkpoint": 1.0})
            # Last of all: once it is there, nothing that comes before it is missing.
            fit.save(out / regression.LAST)
        for env in envs:
            env.close()


def _play(
    env: Any, seed: int, rng: np.random.Generator, fit: Fit, steps: int, report: Callable[[dict[str, float]], None]
) -> None:
    """Play one episode at random prices, and add its rounds to the fit."""
    if fit.steps >= steps:
        return
    state, _ = env.reset(seed=seed)
    earned, best, begin, ended = 0.0, 0.0, fit.steps, False
    while not ended and fit.steps < steps:
        following, reward, _, ended, info = env.step(int(rng.integers(env.action_space.n)))
        fit.add(state, info)
        state, earned, best = following, earned + reward, best + info["best_surplus"]
        if fit.steps - begin >= REPORT_EVERY or ended or fit.steps == steps:
            share = earned / best if best > 0.0 else math.nan
            report({"steps": fit.steps, "train/reward": earned / (fit.steps - begin), "train/best_share": share})
            earned, best, begin = 0.0, 0.0, fit.steps
