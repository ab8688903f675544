"""Soft actor-critic for a finite grid of prices: the hyperparameters, and the learner with its losses (19-21).

The actor is that of `policies.diffusion` or `policies.sac`. The critics are in `policies.learning.critics`, and the
loop of Algorithm 1 is in `policies.learning.training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from simulator.model import FloatArray, IntArray

from .critics import Critics, Expected, Rounds
from .features import PRICE_INPUTS, Inputs
from .networks import (
    CPU,
    arrays_of,
    follow,
    keep_freed_memory,
    parameters,
    to_device,
)
from .off_policy import OffPolicy
from .replay import Batch, hindsight

TINY = 1e-8
"""Smallest number in a logarithm, so that a probability that has underflowed to 0 gives a finite logarithm."""


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of soft actor-critic.

    The paper leaves most of them open. "D2SAC" is the published algorithm on which the paper builds.
    """

    steps_of_diffusion: int = 5
    """Number K of diffusion steps, as in D2SAC."""
    draws: int = 4
    """Number of noise draws by which a loss estimates the policy ``pi = E[softmax(x_0)]``.

    With one draw the entropy in the loss would be that of the draw, not that of the policy.
    """
    width: int = 64
    """Width of the hidden layers. 64 is as good as the 256 of D2SAC."""
    batch: int = 128
    """Number of transitions per update."""
    update_every: int = 16
    """Number of environment steps per update."""
    capacity: int = 200_000
    """Number of transitions that the replay buffer keeps."""
    warmup: int = 1_000
    """Number of steps with uniformly drawn actions before the first update."""
    gamma: float = 0.0
    """Discount factor. It is 0 where rounds are independent.

    At a junction it is 0.95, because the winner of one task has a longer queue at the next.
    """
    n_step: int = 1
    """Number of observed rewards in a return before the estimate of the critics. The paper has 1.

    At junctions with T = 5 `diffusion` was best with 1, and `sac` with 4 (0.998 of `conditional`; 0.950 with 1).
    """
    soft_update: float = 0.01
    """Share by which the target networks move towards the networks in each update. D2SAC has 0.005."""
    actor_rate: float = 1e-3
    """Learning rate of the actor at the start.

    It falls linearly to 0, so that the policy does not end in a random walk. Earlier defaults were a rate of 3e-4, a
    first entropy weight of 0.05 and no delay of the actor. With them, two trainings of three gave up rho = 1 for good.
    """
    critics_alone: int = 300
    """Number of updates of the critics before the first update of the actor.

    Critics that know nothing drive the actor into a corner. A softmax hardly returns to an action that it has given up.
    """
    critic_rate: float = 1e-3
    """Learning rate of the critics at the start. It falls linearly to 0."""
    entropy_first: float = 0.1
    """Weight of the entropy at the start, on the scale of the rewards. It is high for exploration."""
    entropy_last: float = 0.003
    """Weight of the entropy at the end, low for exploitation. The decay from the first weight is geometric."""
    without_demand: bool = True
    """Whether rewards and bids are divided by the demand of their task.

    Demand multiplies every value of a round alike, so it does not change which price is best. No price may see it, so
    to a learner it is noise.
    """
    hindsight: bool = True
    """Whether to learn from what every action would have earned in a round, not only from the action taken."""
    future_by_winner: bool = True
    """Whether what follows is learned by the kind of provider that won, with hindsight.

    Otherwise it is learned by action, on the rounds whose winner the action would not have changed. That is biased, see
    `Critics`.
    """
    worlds: int = 8
    """Number of worlds that run side by side."""


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of distributions over the last axis, nats."""
    return -(probabilities * torch.log(probabilities + TINY)).sum(dim=-1)


class SoftActorCritic(OffPolicy):
    """Algorithm 1 without the environment: it acts, stores transitions and updates.

    Args:
        settings: the hyperparameters.
        grid: price scaling factors of the actions.
        seed: seed of the weights, the noise and the batches.
        total_steps: number of environment steps over which the learning rates and the entropy weight fall.
        bids_are_rewards: whether a round that the top station wins earns its bid.
        device: where networks, buffer and random generator are.
        inputs: what the networks see.
    """

    settings: Settings
    kind: ClassVar[str]
    Actor: ClassVar[type[nn.Module]]
    """Class of the actor, made from (settings, number of actions, random generator, inputs)."""

    def __init__(
        self,
        settings: Settings,
        grid: Sequence[float],
        seed: int,
        total_steps: int,
        bids_are_rewards: bool = True,
        device: torch.device = CPU,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        keep_freed_memory()
        super().__init__(settings, seed, total_steps, device, inputs)
        self.grid, self.actions = list(grid), len(grid)
        self.prices = torch.tensor(self.grid, device=device)
        actions = self.actions
        self.actor, self.target_actor = (self.Actor(settings, actions, self.generator, inputs) for _ in range(2))
        self.critics, self.target_critics = (Critics(settings, actions, self.generator, inputs) for _ in range(2))
        # What hindsight estimates where a round does not show it.
        self.rounds = Rounds(settings, actions, bids_are_rewards, self.generator, inputs)
        # The targets begin as copies.
        follow(self.target_actor, self.actor, 1.0)
        follow(self.target_critics, self.critics, 1.0)
        # The fused Adam takes a quarter of the time of the default on networks of this size.
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), lr=settings.actor_rate, fused=True)
        # Without hindsight nothing is learned of rounds. An optimiser keeps no state of what has no gradient, and a
        # training that goes on is held to have the state of all that its optimisers learn.
        learned = parameters([self.critics, self.rounds] if settings.hindsight else [self.critics])
        self.critic_optimiser = torch.optim.Adam(learned, lr=settings.critic_rate, fused=True)

    @property
    def entropy_weight(self) -> float:
        """Weight of the entropy at the present step."""
        first, last = self.settings.entropy_first, self.settings.entropy_last
        return float(first ** (1.0 - self.done) * last**self.done)

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        """Draw actions from the policy, or uniformly during the warm-up.

        Args:
            vectors: observations of several worlds, shape (n, features).
            worlds: numbers of the worlds, n.

        Returns:
            One action per world, shape (n,).
        """
        states = self.scaler.learn_and_scale(vectors)
        if self.steps < self.settings.warmup:
            return self.rng.integers(self.actions, size=len(vectors))
        with torch.no_grad():
            # One noise draw is enough: an action drawn from the softmax of one x_0 is an action drawn from pi.
            policy = self.actor(to_device(states, self.device), self.generator, draws=1)
            return torch.multinomial(policy, 1, generator=self.generator)[:, 0].cpu().numpy()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Update the critics, the actor and the target networks once.

        Args:
            batch: transitions from D.

        Returns:
            Metrics of the update.
        """
        state = self.scaler.standardise(batch["state"])
        weight = self.entropy_weight
        for optimiser, rate in (
            (self.actor_optimiser, self.settings.actor_rate),
            (self.critic_optimiser, self.settings.critic_rate),
        ):
            optimiser.param_groups[0]["lr"] = rate * (1.0 - self.done)
        critic_loss = self.critic_loss(state, batch, weight)
        self.critic_optimiser.zero_grad(set_to_none=True)
        critic_loss.backward()
        self.critic_optimiser.step()
        # (21): theta <- theta - rate grad (E_{a ~ pi}[-min_i Q_i(s, a)] - beta H(pi(s))). The grid is finite, so the
        # expectation over a is an exact sum and needs no sample of actions.
        policy = self.actor(state, self.generator)
        with torch.no_grad():
            value = self.critics.least(state, self.rounds(state).odds)
        spread = entropy(policy).mean()
        actor_loss = -(policy * value).sum(dim=-1).mean() - weight * spread
        if self.updates >= self.settings.critics_alone:
            self.actor_optimiser.zero_grad(set_to_none=True)
            actor_loss.backward()
            self.actor_optimiser.step()
        follow(self.target_actor, self.actor, self.settings.soft_update)
        follow(self.target_critics, self.critics, self.settings.soft_update)
        self.updates += 1
        return {
            "loss/critic": critic_loss.detach(),
            "loss/actor": actor_loss.detach(),
            "policy/entropy": spread.detach(),
        }

    def critic_loss(self, state: Tensor, batch: Batch, weight: float) -> Tensor:
        """Return the loss (19) of the critics.

        Without hindsight it is the squared error of Q at the action taken. With hindsight it is a sum of three
        errors: of R at all actions, of F of the round's winner, and of what is expected of rounds (`Rounds`).

        Args:
            state: standardised states, shape (batch, features).
            batch: transitions from D.
            weight: weight of the entropy.
        """
        now, after = self.critics(state)
        future = self.target(batch, weight)
        if not self.settings.hindsight:
            action = batch["action"].long().expand(2, -1)[..., None]
            chosen = now.gather(2, action)[..., 0]
            loss: Tensor = ((chosen - (batch["reward"] + future)) ** 2).mean(dim=1).sum()
            return loss
        expected = self.rounds(state)
        # detach(): the expectations are learned from rounds, not from the critics' errors.
        earned, wins = hindsight(batch, self.prices, expected.uav.detach(), expected.worth_of_bid.detach())
        loss = ((now - earned) ** 2).mean(dim=(1, 2)).sum() + self.rounds_loss(batch, expected, wins)
        by_station = batch["by_uav"] < 0.5
        if self.critics.has_future and self.settings.future_by_winner:
            # What followed is known for the kind of provider that won: 0 is the UAV, 1 a station.
            won = by_station.long().expand(2, -1)[..., None]
            loss = loss + ((after.gather(2, won)[..., 0] - future) ** 2).mean(dim=1).sum()
        elif self.critics.has_future:
            same = (wins == by_station[:, None]).float()
            loss = loss + ((after - future[:, None]) ** 2 * same).sum() / same.sum().clamp(min=1)
        return loss

    def rounds_loss(self, batch: Batch, expected: Expected, wins: Tensor) -> Tensor:
        """Return the loss of what is expected of rounds.

        Args:
            batch: transitions from D.
            expected: expectations of `Rounds`.
            wins: whether the top station would have won at each price, shape (batch, actions).
        """
        by_uav, reward = batch["by_uav"], batch["reward"]
        # Only rounds that the UAV won show its value, and only those that a station won show what its bid was worth.
        loss: Tensor = ((expected.uav - reward) ** 2 * by_uav).sum() / by_uav.sum().clamp(min=1)
        if not self.rounds.bids_are_rewards:
            by_station = 1.0 - by_uav
            # The error is that of the reward: rounds with high bids count more.
            error = (expected.worth_of_bid * batch["top_bid"] - reward) ** 2
            loss = loss + (error * by_station).sum() / by_station.sum().clamp(min=1)
        if self.rounds.knows_winners:
            loss = loss + binary_cross_entropy_with_logits(expected.odds, wins.float())
        return loss

    @torch.no_grad()
    def target(self, batch: Batch, weight: float) -> Tensor:
        """Return the discounted part of the target (20), ``gamma (min_i Q'_i(s', pi'(s')) - r + beta H(pi'(s')))``.

        Here ``r`` is the mean reward of the world so far. The entropy term is not in (20).

        Args:
            batch: transitions from D.
            weight: weight beta of the entropy.

        Returns:
            Targets of F, shape (batch,).
        """
        if self.settings.gamma == 0.0:
            return torch.zeros_like(batch["reward"])
        state = self.scaler.standardise(batch["next_state"])
        policy = self.target_actor(state, self.generator)
        value = (policy * self.target_critics.least(state, self.rounds(state).odds)).sum(dim=-1)
        value = value + weight * entropy(policy)
        return self.discounted(batch, value)

    def modules(self) -> dict[str, nn.Module]:
        """Return all networks by their names in a checkpoint."""
        names = ("actor", "target_actor", "critics", "target_critics", "rounds")
        return {name: getattr(self, name) for name in names}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers by their names in a checkpoint."""
        return {"actor_optimiser": self.actor_optimiser, "critic_optimiser": self.critic_optimiser}

    def weights(self) -> dict[str, Any]:
        """Return the arrays that a deployed policy needs: the target actor and the statistics of the features."""
        # The target actor is a moving average over the last updates, so it varies less than the actor.
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.target_actor, "actor") | {
            name: array.astype(np.float32) for name, array in frozen.items()
        }
